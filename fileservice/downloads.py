"""What a request for a file gets: all of it, parts of it, or word that nothing changed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath

from fileservice.conditions import Conditions, Version, is_fresh, is_same
from fileservice.ranges import Span, parse_range

# Types that a browser shows without running anything in them, each with the extensions that a
# name may have then. HTML, SVG and XML may hold scripts; viewers of PDF do not work in a sandbox.
INLINE_EXTENSIONS = {
    "audio/mpeg": {".mp3"},
    "audio/ogg": {".oga", ".ogg", ".opus"},
    "audio/x-wav": {".wav"},
    "image/bmp": {".bmp"},
    "image/gif": {".gif"},
    "image/jpeg": {".jpeg", ".jpg"},
    "image/png": {".png"},
    "image/webp": {".webp"},
    "text/plain": {"", ".log", ".text", ".txt"},
    "video/mp4": {".m4v", ".mp4"},
    "video/webm": {".webm"},
}

# What no tag names.
NO_VERSION = Version("", datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a GET or HEAD says about the file it wants, beside which one.

    Attributes:
        range: the Range field as it came; empty if none did.
        if_range: the If-Range field as it came; empty if none did.
    """

    method: str
    range: str
    if_range: str
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What is answered.

    Attributes:
        status: 200, 206 or 304.
        spans: what of the file goes into the body; for a HEAD, what would.
    """

    status: int
    spans: tuple[Span, ...]


def decide(asked: Asked, version: Version, size: int) -> Decision:
    """
    Decide what a request for a file of `size` gets, in the order of RFC 9110 13.2.2.

    Raises:
        PreconditionFailed: If-Match or If-Unmodified-Since does not hold.
        RangeNotSatisfiable: nothing of the range lies in the file.
    """
    if is_fresh(asked.conditions, version):
        return Decision(304, ())
    spans = parse_range(asked.range, size) if _range_counts(asked, version) else None
    if spans is None:
        return Decision(200, (Span(0, size),))
    return Decision(206, spans)


def decide_unfinished(asked: Asked, size: int) -> Decision:
    """
    Decide what a request for a file gets that is still uploaded, of which `size` is known.

    It has neither tag nor date: a date is not looked at then (RFC 9110 13.1.3, 13.1.4), and no
    If-Range holds.

    Raises:
        PreconditionFailed: If-Match names a tag.
        RangeNotSatisfiable: nothing of the range will lie in the file.
    """
    named = Conditions(
        if_match=asked.conditions.if_match, if_none_match=asked.conditions.if_none_match
    )
    range_ = "" if asked.if_range else asked.range
    return decide(replace(asked, range=range_, if_range="", conditions=named), NO_VERSION, size)


def _range_counts(asked: Asked, version: Version) -> bool:
    """Return whether Range is looked at: for GET only (RFC 9110 14.2), and if If-Range allows."""
    return asked.method == "GET" and (not asked.if_range or is_same(asked.if_range, version))


def may_show(media_type: str, name: str) -> bool:
    """Return whether a browser may show such a file in place: content and name agree on a type."""
    return PurePath(name).suffix.lower() in INLINE_EXTENSIONS.get(media_type, ())
