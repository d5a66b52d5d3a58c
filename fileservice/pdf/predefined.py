"""The CMaps that every reader knows by name (ISO 32000-1 9.7.5.2), where they are exact here."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from fileservice.pdf.cmaps import TWO_BYTES, CodeMap, Range

# Stands for all glyphs of a collection that are not told apart: they are of one width.
FULL_WIDTH = -1


class Collections(NamedTuple):
    """
    The content of cjk.txt.

    Attributes:
        maps: name -> CMap.
        texts: ordering, as in `Adobe-Japan1` -> glyph -> text, of those that are told apart.
    """

    maps: Mapping[str, CodeMap]
    texts: Mapping[str, Mapping[int, str]]


def predefined(name: str) -> CodeMap | None:
    """
    Return the CMap of this name; None when it is none, or not known well enough.

    Those for vertical writing are not: a line is set from left to right, with widths known.
    """
    return collections().maps.get(name)


def texts_of(ordering: str) -> Mapping[int, str]:
    """Return glyph -> text for the narrow glyphs of Adobe's character collection `ordering`."""
    return collections().texts.get(ordering, {})


@cache
def collections() -> Collections:
    """Read cjk.txt, once in a process."""
    maps = {"Identity-H": TWO_BYTES}
    texts: dict[str, dict[int, str]] = {}
    narrow: tuple[tuple[int, int], ...] = ()
    known: dict[int, str] = {}
    for row in (files("fileservice.pdf") / "cjk.txt").read_text(encoding="utf-8").splitlines():
        if row.startswith("#"):
            continue
        first, second, *others = row.split()
        if first == "collection":
            narrow = tuple((int(low), int(high)) for low, high in _pairs(others[0]))
            known = texts.setdefault(second, {})
            continue
        maps[first] = _code_map(second, others[0], others[1:], narrow)
        for code, glyph in _told_apart(maps[first]):
            known.setdefault(glyph, maps[first].text(code))
    return Collections(maps, texts)


def _code_map(
    codec: str, spaces: str, rows: list[str], narrow: tuple[tuple[int, int], ...]
) -> CodeMap:
    ranges = []
    for row in rows:
        codes, _, glyph = row.partition("=")
        first, _, last = codes.partition("-")
        ranges.append(Range(len(first) // 2, int(first, 16), int(last or first, 16), int(glyph)))
    return CodeMap(
        spaces=tuple((bytes.fromhex(low), bytes.fromhex(high)) for low, high in _pairs(spaces)),
        ranges=tuple(ranges),
        other=FULL_WIDTH,
        codec=codec,
        narrow=narrow,
    )


def _pairs(listed: str) -> Iterator[tuple[str, str]]:
    for pair in listed.split(","):
        first, _, last = pair.partition("-")
        yield first, last


def _told_apart(codes: CodeMap) -> Iterator[tuple[bytes, int]]:
    for length, first, last, glyph in codes.ranges:
        for value in range(first, last + 1):
            yield value.to_bytes(length, "big"), glyph + value - first
