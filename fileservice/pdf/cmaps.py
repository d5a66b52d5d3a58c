"""The text of a font's codes, from its ToUnicode map (ISO 32000-1 9.10.3)."""

import re
import sys
from collections.abc import Iterator
from itertools import islice

# The largest honest map names every two-byte code once and some of them twice.
MAX_MAPPINGS = 70_000
MAX_MAP_BYTES = 4 << 20
SECTION = re.compile(rb"begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)
CHAR = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]*)>")
RANGE = re.compile(
    rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:\[([^\]]*)\]|<([0-9A-Fa-f\s]*)>)"
)
HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")


def read_to_unicode(program: bytes) -> dict[int, str]:
    """
    Return code -> text for the ToUnicode map `program`.

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
