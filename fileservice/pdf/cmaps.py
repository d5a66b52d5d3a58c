"""What a font's codes mean: their glyphs (ISO 32000-1 9.7.5) and their text (9.10.3)."""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

# The largest honest map names every two-byte code once and some of them twice.
MAX_MAPPINGS = 70_000
MAX_MAP_BYTES = 4 << 20
SECTION = re.compile(rb"begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)
CHAR = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]*)>")
RANGE = re.compile(
    rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:\[([^\]]*)\]|<([0-9A-Fa-f\s]*)>)"
)
HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")


SPACES = re.compile(rb"begincodespacerange(.*?)endcodespacerange", re.DOTALL)
SPACE = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>")
GLYPHS = re.compile(rb"begincid(char|range)(.*?)endcid\1", re.DOTALL)
GLYPH = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*(\d{1,7})\b")
GLYPH_RANGE = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(\d{1,7})\b")
LONGEST_CODE = 4
MAX_SPACES = 100
MAX_RANGES = 20_000


class Range(NamedTuple):
    """Codes `first` to `last`, of which the first means the glyph `glyph`."""

    first: int
    last: int
    glyph: int


@dataclass(frozen=True, slots=True)
class CodeMap:
    """
    Which codes a composite font has, and which glyphs they mean.

    Attributes:
        spaces: the lowest and the highest code of each space, as bytes of one length.
        ranges: by their first codes; no ranges at all when a code is its glyph's number.
    """

    spaces: tuple[tuple[bytes, bytes], ...]
    ranges: tuple[Range, ...] = ()

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

    def glyph(self, code: int) -> int:
        """Return the number of the glyph that `code` means; 0 when it means none."""
        if not self.ranges:
            return code
        at = bisect_right(self.ranges, code, key=attrgetter("first")) - 1
        if at < 0 or code > self.ranges[at].last:
            return 0
        return self.ranges[at].glyph + code - self.ranges[at].first

    def _has(self, code: bytes) -> bool:
        return any(
            len(low) == len(code)
            and all(a <= b <= c for a, b, c in zip(low, code, high, strict=True))
            for low, high in self.spaces
        )


TWO_BYTES = CodeMap(((b"\0\0", b"\xff\xff"),))


def read_codes(program: bytes) -> CodeMap:
    """Return the codes of the CMap `program`; one without spaces cannot be read."""
    program = program[:MAX_MAP_BYTES]
    spaces = []
    for section in SPACES.finditer(program):
        for row in SPACE.finditer(section[1]):
            low, high = _bytes(row[1]), _bytes(row[2])
            if len(low) == len(high) <= LONGEST_CODE:
                spaces.append((low, high))
    ranges = sorted(islice(_glyph_ranges(program), MAX_RANGES))
    return CodeMap(tuple(spaces[:MAX_SPACES]), tuple(ranges))


def _glyph_ranges(program: bytes) -> Iterator[Range]:
    for section in GLYPHS.finditer(program):
        if section[1] == b"char":
            for row in GLYPH.finditer(section[2]):
                yield Range(_code(row[1]), _code(row[1]), int(row[2]))
        else:
            for row in GLYPH_RANGE.finditer(section[2]):
                yield Range(_code(row[1]), _code(row[2]), int(row[3]))


def _bytes(digits: bytes) -> bytes:
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())


@lru_cache(maxsize=16)
def read_to_unicode(program: bytes) -> Mapping[int, str]:
    """
    Return code -> text for the ToUnicode map `program`, the same one for all fonts that share it.

    What is not well formed is passed over, and so is what comes after MAX_MAPPINGS.
    """
    return dict(islice(_mappings(program[:MAX_MAP_BYTES]), MAX_MAPPINGS))


def _mappings(program: bytes) -> Iterator[tuple[int, str]]:
    for section in SECTION.finditer(program):
        if section[1] == b"bfchar":
            for row in CHAR.finditer(section[2]):
                yield _code(row[1]), _text(row[2])
        else:
            for row in RANGE.finditer(section[2]):
                yield from _range(_code(row[1]), _code(row[2]), row[3], row[4])


def _range(
    first: int, last: int, listed: bytes | None, start: bytes | None
) -> Iterator[tuple[int, str]]:
    codes = range(first, last + 1)
    if listed is not None:
        yield from zip(codes, (_text(item[1]) for item in HEX.finditer(listed)), strict=False)
        return
    text = _text(start or b"")
    if not text:
        return
    head, final = text[:-1], ord(text[-1])
    for code, character in zip(codes, range(final, sys.maxunicode + 1), strict=False):
        yield code, head + chr(character)


def _code(digits: bytes) -> int:
    return int(b"".join(digits.split()), 16) if digits.strip() else 0


def _text(digits: bytes) -> str:
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (-len(digits) % 4)).decode()).decode(
        "utf-16-be", "replace"
    )
