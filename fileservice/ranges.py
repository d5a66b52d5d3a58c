"""Ranges: which bytes of a file are asked for, or brought, and how several travel in one body."""

import re
from dataclasses import dataclass

from fileservice.errors import BadRequest, RangeNotSatisfiable

MAX_HEADER_CHARACTERS = 1024  # sixteen ranges of a petabyte file need half of it
MAX_SPECS = 16  # RFC 9110 17.15: many small ranges are an attack, not a download
MAX_OVERLAPS = 1  # RFC 9110 17.15: "more than two overlapping ranges"; two overlap once

# [0-9], since int() and \d also take "+1", "1_0" and digits of other scripts (CVE-2025-69225).
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
# Eighteen digits are below 2^63.
_CONTENT_RANGE = re.compile(
    r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Return how many bytes these are."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """Return the Content-Range value for a file of `size`; the wire counts the last byte in."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


@dataclass(frozen=True, slots=True)
class Piece:
    """
    What a request brings of a file.

    Attributes:
        span: its bytes; None where it brings none, and only tells the size.
        size: of the whole file; None where it does not tell.
    """

    span: Span | None
    size: int | None


def parse_content_range(field: str) -> Piece:
    """
    Return what a request's Content-Range says of its content (RFC 9110 14.4).

    Raises:
        BadRequest: it is malformed, of another unit, or says nothing.
    """
    match = _CONTENT_RANGE.fullmatch(field)
    if match is not None:
        first, last, whole = match.groups()
        size = None if whole == "*" else int(whole)
        if first is None and size is not None:
            return Piece(None, size)
        if first is not None and int(first) <= int(last) and (size is None or int(last) < size):
            return Piece(Span(int(first), int(last) + 1), size)
    raise BadRequest("Content-Range reads `bytes <first>-<last>/<size>`, counted from 0.")


def parse_range(field: str, size: int) -> tuple[Span, ...] | None:
    """
    Return the spans that a Range field asks for, in its order and clipped to `size`.

    None means that the field is to be ignored (RFC 9110 14.2), so the whole file is the answer:
    it is malformed, of another unit, longer or more crowded than we take, asks for more bytes
    than the file has, or the file is empty. What lies past the end is left out of the spans.

    Raises:
        RangeNotSatisfiable: it is well formed, and nothing of it lies in the file.
    """
    specs = _split(field)
    if size == 0 or not 0 < len(specs) <= MAX_SPECS:
        return None
    spans = []
    for spec in specs:
        span = _parse_spec(spec, size)
        if span is None:
            return None
        if span.size > 0:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(
            f"The file has {size} bytes; none of them was asked for.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    if sum(span.size for span in spans) > size or _count_overlaps(spans) > MAX_OVERLAPS:
        return None
    return tuple(spans)


def _split(field: str) -> list[str]:
    """Return the range-specs of a Range field; none if it is too long or of another unit."""
    unit, _, listed = field.partition("=")
    if len(field) > MAX_HEADER_CHARACTERS or unit.lower() != "bytes":
        return []
    specs = (spec.strip(" \t") for spec in listed.split(","))
    return [spec for spec in specs if spec]  # empty elements are legal, RFC 9110 5.6.1.2


def _parse_spec(spec: str, size: int) -> Span | None:
    """Return the span of one range-spec, an empty one if it is past the end, None if malformed."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        return Span(max(size - int(last), 0), size)
    if not last:
        return Span(min(int(first), size), size)
    if int(last) < int(first):
        return None
    return Span(min(int(first), size), min(int(last) + 1, size))


def _count_overlaps(spans: list[Span]) -> int:
    """Return how many of `spans`, taken by where they begin, begin inside an earlier one."""
    overlaps = reached = 0
    for span in sorted(spans, key=lambda span: span.start):
        overlaps += span.start < reached
        reached = max(reached, span.stop)
    return overlaps


def frame_parts(
    spans: tuple[Span, ...], *, size: int, media_type: str, boundary: str
) -> tuple[bytes | Span, ...]:
    """
    Return a multipart/byteranges body (RFC 9110 14.6): bytes as they are, spans of the file.

    Args:
        spans: the parts, in their order.
        size: of the whole file.
        media_type: of the file; every part repeats it.
        boundary: RFC 2046 characters that do not occur in the file; random ones will do.
    """
    pieces: list[bytes | Span] = []
    delimiter = f"--{boundary}"
    for span in spans:
        head = (
            f"{delimiter}\r\n"
            f"Content-Type: {media_type}\r\n"
            f"Content-Range: {span.content_range(size)}\r\n\r\n"
        )
        pieces += [head.encode("ascii"), span]
        # The line break before a delimiter belongs to it; the first needs none (RFC 2046 5.1.1).
        delimiter = f"\r\n--{boundary}"
    return (*pieces, f"{delimiter}--\r\n".encode("ascii"))
