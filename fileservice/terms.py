"""On which terms something is given away: until when, how often, and a note to oneself."""

import re
from datetime import UTC, date, datetime, time, timedelta

from fileservice.errors import BadRequest

LONGEST_DAYS = 3660  # ten years
MAX_NOTE_CHARACTERS = 255
MAX_COUNT = 1_000_000
PERIOD = re.compile(r"([0-9]{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
BAD_EXPIRY = (
    "Write how long it is to last, as 90m, 12h, 7d or 4w, or when it ends, as 2027-12-31 or"
    " 2027-12-31T18:00:00+01:00."
)


def expiry_of(text: str, *, now: datetime) -> datetime | None:
    """
    Return when something ends, in UTC; None for no `text`, which is never.

    A day counts to its end, and a moment without an offset is one of UTC.

    Raises:
        BadRequest: it cannot be read, is past, or is more than ten years from now.
    """
    text = text.strip()
    if not text:
        return None
    try:
        moment = moment_of(text, now)
        is_bounded = now < moment <= now + timedelta(days=LONGEST_DAYS)
    except (ValueError, OverflowError):
        raise BadRequest(BAD_EXPIRY) from None
    if not is_bounded:
        raise BadRequest("It has to end after now, and within ten years.")
    return moment


def moment_of(text: str, now: datetime) -> datetime:
    """
    Return the moment that a period from now on, a day or a moment stands for.

    Raises:
        ValueError, OverflowError: it is none.
    """
    if period := PERIOD.fullmatch(text):
        return now + timedelta(**{UNITS[period[2]]: int(period[1])})
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def count_of(text: str, what: str) -> int | None:
    """
    Return how often or how many; None for no `text`, which is without a limit.

    Raises:
        BadRequest: it is no number from 1 to `MAX_COUNT`.
    """
    text = text.strip()
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_COUNT))
    if not is_number or not 1 <= int(text) <= MAX_COUNT:
        raise BadRequest(f"{what} has to be a number from 1 to {MAX_COUNT:,}.")
    return int(text)


def note_of(text: str) -> str:
    """
    Return a note, without the blanks around it.

    Raises:
        BadRequest: it is too long, or holds what is no text.
    """
    text = text.strip()
    if len(text) > MAX_NOTE_CHARACTERS or not text.isprintable():
        raise BadRequest(f"A note is one line of at most {MAX_NOTE_CHARACTERS} characters.")
    return text
