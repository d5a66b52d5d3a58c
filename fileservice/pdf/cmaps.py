"""What glyphs a composite font's codes mean (ISO 32000-1 9.7.5)."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

MAX_MAP_BYTES = 4 << 20
# The largest honest map names every two-byte code once and some of them twice.
MAX_MAPPINGS = 70_000
MAX_SPACES = 100
LONGEST_CODE = 4
SPACE = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>")
GLYPH = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*(\d{1,7})\b")
GLYPH_RANGE = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(\d{1,7})\b")


class Range(NamedTuple):
    """Codes `first` to `last` of `length` bytes, of which the first means the glyph `glyph`."""

    length: int
    first: int
    last: int
    glyph: int


@dataclass(frozen=True, slots=True)
class CodeMap:
    """
    Which codes a composite font has, and which glyphs they mean.

    Attributes:
        spaces: the lowest and the highest code of each space, as bytes of one length.
        ranges: in order.
        single: codes that stand for themselves, before all ranges.
        undefined: codes that show another glyph than 0 for want of one: all of a range the same.
        base: what holds for the codes that are not here.
        other: the glyph of those that are nowhere; None when a code is its glyph's number.
        codec: Python's name for the encoding of the codes, "" for none.
        narrow: the glyphs, from one to another, that only the codes in `ranges` mean; empty when
            that holds for all.
    """

    spaces: tuple[tuple[bytes, bytes], ...]
    ranges: tuple[Range, ...] = ()
    single: Mapping[bytes, int] = field(default_factory=dict)
    undefined: tuple[Range, ...] = ()
    base: "CodeMap | None" = None
    other: int | None = 0
    codec: str = ""
    narrow: tuple[tuple[int, int], ...] = ()

    def split(self, raw: bytes) -> Iterator[bytes]:
        """Yield the codes that `raw` is made of; what is in no space is as long as the shortest."""
        lengths = sorted({len(low) for low, _ in self.spaces})
        at = 0
        while at < len(raw):
            fitting = (n for n in lengths if self._has(raw[at : at + n]))
            length = next(fitting, min(lengths, default=1))
            if at + length <= len(raw):
                yield raw[at : at + length]
            at += length

    def glyph(self, code: bytes) -> int:
        """Return the number of the glyph that `code` means; `other` when it means none."""
        if code in self.single:
            return self.single[code]
        value = int.from_bytes(code, "big")
        if (found := _range_of(code, self.ranges)) is not None:
            return found.glyph + value - found.first
        if (found := _range_of(code, self.undefined)) is not None:
            return found.glyph
        if self.base is not None:
            return self.base.glyph(code)
        return value if self.other is None else self.other

    def text(self, code: bytes) -> str:
        """Return the text that `code` is in the encoding, if there is one; "" for none."""
        try:
            return code.decode(self.codec) if self.codec else ""
        except UnicodeDecodeError:
            return ""

    def _has(self, code: bytes) -> bool:
        return any(
            len(low) == len(code)
            and all(a <= b <= c for a, b, c in zip(low, code, high, strict=True))
            for low, high in self.spaces
        )


TWO_BYTES = CodeMap(((b"\0\0", b"\xff\xff"),), other=None)


def read_codes(program: bytes, base: CodeMap | None) -> CodeMap:
    """Return the codes of the CMap `program`, which adds to `base`; without spaces it has none."""
    program = program[:MAX_MAP_BYTES]
    spaces = list(base.spaces) if base else []
    for _, body in sections(program, b"codespacerange"):
        for row in SPACE.finditer(body):
            low, high = bytes_of(row[1]), bytes_of(row[2])
            if len(low) == len(high) <= LONGEST_CODE:
                spaces.append((low, high))
    single = [
        (bytes_of(row[1]), int(row[2]))
        for _, body in sections(program, b"cidchar")
        for row in islice(GLYPH.finditer(body), MAX_MAPPINGS)
    ]
    ranges = tuple(sorted(islice(_ranges(program, b"cidrange"), MAX_MAPPINGS)))
    has_glyphs = base or single or ranges
    return CodeMap(
        spaces=tuple(spaces[:MAX_SPACES]),
        ranges=ranges,
        single=dict(single[:MAX_MAPPINGS]),
        undefined=tuple(sorted(islice(_ranges(program, b"notdefrange"), MAX_MAPPINGS))),
        base=base,
        other=0 if has_glyphs else None,
        codec=base.codec if base else "",
        narrow=base.narrow if base else (),
    )


def sections(program: bytes, *kinds: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the content of all `begin<kind> ... end<kind>` in `program`."""
    # Split, and not searched for as a whole: a map of nothing but beginnings would take for ever.
    pieces = re.split(rb"begin(%b)" % b"|".join(kinds), program)
    for kind, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        body, end, _ = rest.partition(b"end" + kind)
        if end:
            yield kind, body


def bytes_of(digits: bytes) -> bytes:
    """Return the bytes that hexadecimal digits, and space between them, write."""
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())


def _ranges(program: bytes, kind: bytes) -> Iterator[Range]:
    for _, body in sections(program, kind):
        for row in GLYPH_RANGE.finditer(body):
            low, high = bytes_of(row[1]), bytes_of(row[2])
            yield Range(
                len(low), int.from_bytes(low, "big"), int.from_bytes(high, "big"), int(row[3])
            )


def _range_of(code: bytes, ranges: tuple[Range, ...]) -> Range | None:
    value = int.from_bytes(code, "big")
    at = bisect_right(ranges, (len(code), value), key=lambda each: each[:2]) - 1
    if at < 0 or ranges[at].length != len(code) or value > ranges[at].last:
        return None
    return ranges[at]
