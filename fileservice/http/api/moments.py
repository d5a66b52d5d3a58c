"""Times as requests say them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from fileservice.terms import LONGEST_DAYS

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


def coming(within: timedelta) -> Callable[[object], datetime | None]:
    """Return what takes a time that is to come, and not farther away; None for never."""

    def taken(text: object) -> datetime | None:
        if text is None:
            return None
        found, now = moment(text), datetime.now(UTC)
        if not now < found < now + within:
            raise ValueError(f"The time has to be to come, within {within.days // 365} years.")
        return found

    return taken


JSON_SCHEMA = WithJsonSchema({"type": ["string", "null"], "format": "date-time"})
MEANING = Field(description="RFC 3339, to come; null for never")

# Of files and tokens, and of what is given to others.
Expiry = Annotated[datetime | None, BeforeValidator(coming(FARTHEST)), JSON_SCHEMA, MEANING]
TermsExpiry = Annotated[
    datetime | None, BeforeValidator(coming(timedelta(days=LONGEST_DAYS))), JSON_SCHEMA, MEANING
]
