"""How a value is written: dates as a language has them, capitals."""

from datetime import datetime
from functools import lru_cache

from django.utils import dateformat, formats, translation

from fileservice.errors import BadValue

LETTERS = {"upper": str.upper, "lower": str.lower}
NAMED = {"date": "DATE_FORMAT", "time": "TIME_FORMAT", "datetime": "DATETIME_FORMAT"}
DEFAULT_LANGUAGE = "en"
# Which of the two ways to write Chinese a region or a bare tag means, by the tag's second part.
TRADITIONAL = ("hant", "tw", "hk", "mo")


@lru_cache(maxsize=1024)
def formatted(pattern: str, name: str, text: str, language: str) -> str:
    """
    Return `text` as `pattern` writes it in `language` (BCP 47); `name` is for errors.

    A pattern is "upper" or "lower"; or, for a day or a moment in ISO 8601, "date", "time" or
    "datetime" as the language has them, or letters of Django's dates ("j F Y").

    Raises:
        BadValue: it is for dates, and `text` is none.
    """
    if not text:
        return text
    if pattern in LETTERS:
        return LETTERS[pattern](text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadValue(
            f"The value of {name!r} is {text[:40]!r}, and not a day such as 2026-11-21."
        ) from error
    with translation.override(_known(language)):
        if pattern in NAMED:
            return formats.date_format(moment, NAMED[pattern])
        return dateformat.format(moment, pattern)


def _known(language: str) -> str:
    """Return the name that the catalogs of dates have for `language`, or for a wider one."""
    main, *others = (language or DEFAULT_LANGUAGE).lower().split("-")
    if main == "zh":
        return "zh-hant" if any(part in TRADITIONAL for part in others) else "zh-hans"
    whole = "-".join((main, *others))
    return next(
        (tag for tag in (whole, main) if translation.check_for_language(tag)), DEFAULT_LANGUAGE
    )
