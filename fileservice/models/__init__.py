"""The rows."""

from fileservice.models.audit import AuditEntry
from fileservice.models.certificates import Batch, BatchRoster, Certificate
from fileservice.models.duties import Duty
from fileservice.models.files import File, ResumableUpload
from fileservice.models.hooks import Delivery, Webhook
from fileservice.models.limits import Reservation, Usage
from fileservice.models.people import LoginAttempts, Session, Token
from fileservice.models.sharing import Drop, Lease, Parcel, Share

__all__ = [
    "AuditEntry",
    "Batch",
    "BatchRoster",
    "Certificate",
    "Delivery",
    "Drop",
    "Duty",
    "File",
    "Lease",
    "LoginAttempts",
    "Parcel",
    "Reservation",
    "ResumableUpload",
    "Session",
    "Share",
    "Token",
    "Usage",
    "Webhook",
]
