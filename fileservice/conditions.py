"""Conditional requests (RFC 9110 13): entity tags, dates, and which of them counts first."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.utils.http import parse_http_date_safe

from fileservice.errors import PreconditionFailed

# RFC 9110 8.8.3, in a field that was decoded as Latin-1; empty list elements are legal (5.6.1.2).
# Possessive, so that a list that does not fit costs one pass.
_TAG = r'(?:W/)?+"[\x21\x23-\x7e\x80-\xff]*+"'
_TAGS = re.compile(rf"[ \t,]*+(?:{_TAG}[ \t]*+(?:,[ \t,]*+|$))*+")


@dataclass(frozen=True, slots=True)
class Version:
    """
    What tells one version of a file from another (RFC 9110 8.8).

    Attributes:
        etag: a strong entity tag, in its quotes.
        modified_at: aware; compared in whole seconds, as Last-Modified tells it.
    """

    etag: str
    modified_at: datetime

    def is_modified_after(self, second: int) -> bool:
        """Return whether this version came after `second`, counted from 1970."""
        return int(self.modified_at.timestamp()) > second


@dataclass(frozen=True, slots=True)
class Conditions:
    """The fields of a conditional request as they came; None for one that did not."""

    if_match: str | None = None
    if_unmodified_since: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None


def is_fresh(conditions: Conditions, version: Version) -> bool:
    """
    Return whether the copy that the client of a GET or HEAD has is still good: answer 304.

    The order is that of RFC 9110 13.2.2: what may refuse comes before what may spare, and a tag
    keeps the date beside it from being looked at. A date that cannot be read is ignored; a list
    that cannot be read names nothing.

    Raises:
        PreconditionFailed: If-Match or If-Unmodified-Since does not hold.
    """
    if not _may_proceed(conditions, version):
        raise PreconditionFailed("The file is not the version that the request speaks of.")
    if conditions.if_none_match is not None:
        return names(conditions.if_none_match, version.etag)
    second = _second(conditions.if_modified_since)
    return second is not None and not version.is_modified_after(second)


def _may_proceed(conditions: Conditions, version: Version) -> bool:
    if conditions.if_match is not None:
        return names_strongly(conditions.if_match, version.etag)
    second = _second(conditions.if_unmodified_since)
    return second is None or not version.is_modified_after(second)


def is_same(if_range: str, version: Version) -> bool:
    """
    Return whether If-Range lets a range be added to what the client has (RFC 9110 13.1.5).

    A date must be Last-Modified itself. It counts because a stored file never changes, which
    makes its Last-Modified a strong validator (8.8.2.2).
    """
    if '"' in if_range[:3]:  # how 13.1.5 tells a tag from a date
        return if_range == version.etag
    return _second(if_range) == int(version.modified_at.timestamp())


def names(field: str, etag: str) -> bool:
    """Return whether a list of entity tags, or `*`, has `etag` by the weak comparison."""
    tags = (tag.removeprefix("W/") for tag in _split(field))
    return field == "*" or etag.removeprefix("W/") in tags


def names_strongly(field: str, etag: str) -> bool:
    """Return whether a list of entity tags, or `*`, has `etag` by the strong comparison."""
    return field == "*" or (etag in _split(field) and not etag.startswith("W/"))


def _split(field: str) -> list[str]:
    """Return the entity tags of a list; none if it is malformed."""
    return re.findall(_TAG, field) if _TAGS.fullmatch(field) else []


def _second(field: str | None) -> int | None:
    """Return the second since 1970 that an HTTP-date names; None if there is none to be read."""
    return parse_http_date_safe(field) if field else None
