"""Times as requests say them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

# RFC 3339 5.6, where Python takes more of ISO 8601.
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
WRITTEN = "Write a time with its offset, as 2027-12-31T18:00:00+01:00."
FARTHEST = timedelta(days=36525)


def moment(text: object) -> datetime:
    """
    Return a time that was sent (RFC 3339), in UTC.

    Raises:
        ValueError: it is none, or has no offset.
    """
    if not isinstance(text, str) or not MOMENT.fullmatch(text):
        raise ValueError(WRITTEN)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(WRITTEN) from None


def coming(text: object) -> datetime | None:
    """
    Return a time that is still to come, and within a hundred years; None for never.

    Raises:
        ValueError: it is none, or not to come.
    """
    if text is None:
        return None
    found, now = moment(text), datetime.now(UTC)
    if not now < found < now + FARTHEST:
        raise ValueError("The time has to be to come, within a hundred years.")
    return found


Expiry = Annotated[
    datetime | None,
    BeforeValidator(coming),
    WithJsonSchema({"type": ["string", "null"], "format": "date-time"}),
    Field(description="RFC 3339, to come; null for never"),
]
