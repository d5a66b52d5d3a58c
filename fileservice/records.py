"""What a certificate says, as the file of JSON that may be attached to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fileservice.pdf.values import clean_value

RECORD_NAME = "certificate.json"


def shown(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values as they are drawn, without those that are blank."""
    cleaned = {name: clean_value(name, text) for name, text in values.items()}
    return {name: text for name, text in cleaned.items() if text}


@dataclass(frozen=True, slots=True)
class Record:
    """
    The data of a certificate.

    Attributes:
        values: by name, as they are drawn.
        issued_at: as the zone of the certificate shows it.
    """

    number: str
    title: str
    values: Mapping[str, str]
    issued_at: datetime
    expires_at: datetime | None
    verify_url: str
    template_sha256: str

    def encoded(self) -> bytes:
        """Return it as JSON, its members in their order."""
        expiry = self.expires_at and self.expires_at.astimezone(self.issued_at.tzinfo)
        record = {
            "number": self.number,
            "title": self.title,
            "values": self.values,
            "issued_at": self.issued_at.isoformat(timespec="seconds"),
            "expires_at": expiry and expiry.isoformat(timespec="seconds"),
            "verify_url": self.verify_url,
            "template_sha256": self.template_sha256,
        }
        return json.dumps(record, ensure_ascii=False, indent=2).encode() + b"\n"
