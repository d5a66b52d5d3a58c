"""What text a font's codes mean, as its ToUnicode map says (ISO 32000-1 9.10.3)."""

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice

from fileservice.pdf.cmaps import MAX_MAP_BYTES, MAX_MAPPINGS, sections

CHAR = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]*)>")
RANGE = re.compile(
    rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:\[([^\]]*)\]|<([0-9A-Fa-f\s]*)>)"
)
# A map that has a name instead of a program: its codes are UTF-16.
IDENTITIES = ("/Identity-H", "/Identity-V")
HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")


@lru_cache(maxsize=16)
def read_to_unicode(program: bytes) -> Mapping[int, str]:
    """
    Return code -> text for the ToUnicode map `program`, the same one for all fonts that share it.

    What is not well formed is passed over, and so is what comes after MAX_MAPPINGS.
    """
    return dict(islice(_mappings(program[:MAX_MAP_BYTES]), MAX_MAPPINGS))


@cache
def unicode_codes() -> Mapping[int, str]:
    """Return code -> text where the codes are those of Unicode's first plane."""
    codes = (*range(0x20, 0xD800), *range(0xE000, 0xFFFE))
    return dict(zip(codes, map(chr, codes), strict=True))


def _mappings(program: bytes) -> Iterator[tuple[int, str]]:
    for kind, body in sections(program, b"bfchar", b"bfrange"):
        if kind == b"bfchar":
            for row in CHAR.finditer(body):
                yield _code(row[1]), _text(row[2])
        else:
            for row in RANGE.finditer(body):
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
