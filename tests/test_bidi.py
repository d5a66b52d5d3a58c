"""The order of mixed text, against the tables that come with Unicode."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from fileservice.pdf.bidi import bidi_levels, paragraph_level, resolved_levels, visual_runs
from tests.conftest import need_file

TABLES = Path("/usr/share/unicode")
# Values have none of them, nor the separator of paragraphs.
EXPLICIT = frozenset(["LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B"])
CONTROLS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2029)))


def drawn_order(text: str) -> str:
    levels = bidi_levels(text)
    return "".join(
        text[start:stop][:: -1 if levels[start] % 2 else 1] for start, stop in visual_runs(levels)
    )


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("", ""),
        ("Ada Lovelace", "Ada Lovelace"),
        ("שלום", "םולש"),
        ("Ada שלום", "Ada םולש"),
        ("שלום Ada", "Ada םולש"),
        ("שלום 2026", "2026 םולש"),
        ("محمد 12.5%", "%12.5 دمحم"),
        ("שלום (Ada) עולם", "םלוע )Ada( םולש"),
        ("a (ב) c", "a (ב) c"),
    ],
)
def test_text_is_drawn_in_the_order_readers_expect(text: str, drawn: str) -> None:
    assert drawn_order(text) == drawn


def order_of(levels: list[int], kept: list[int]) -> list[int]:
    order = []
    for start, stop in visual_runs(levels):
        order += list(range(start, stop))[:: -1 if levels[start] % 2 else 1]
    return [at for at in order if at in set(kept)]


def class_rows() -> Iterator[tuple[list[str], int, list[str], list[int]]]:
    wanted: list[str] = []
    order: list[int] = []
    with need_file(TABLES / "BidiTest.txt").open(encoding="utf-8") as rows:
        for row in map(str.strip, rows):
            if row.startswith("@Levels:"):
                wanted = row.split()[1:]
            elif row.startswith("@Reorder:"):
                order = [int(each) for each in row.split()[1:]]
            elif row and row[0] not in "#@":
                classes, _, bits = row.partition(";")
                if not EXPLICIT.intersection(classes.split()):
                    yield classes.split(), int(bits), wanted, order


@pytest.mark.long
def test_every_row_of_classes_without_explicit_controls_has_its_levels() -> None:
    seen = 0
    for classes, bits, wanted, order in class_rows():
        kept = [at for at, level in enumerate(wanted) if level != "x"]
        levels_of = {1: paragraph_level(classes), 2: 0, 4: 1}
        for paragraph in {level for bit, level in levels_of.items() if bits & bit}:
            levels = resolved_levels("a" * len(classes), classes, paragraph)
            assert [levels[at] for at in kept] == [int(wanted[at]) for at in kept], classes
            assert order_of(levels, kept) == order, classes
            seen += 1
    assert seen > 20_000


@pytest.mark.long
def test_every_row_of_characters_without_explicit_controls_has_its_levels() -> None:
    seen = 0
    with need_file(TABLES / "BidiCharacterTest.txt").open(encoding="utf-8") as rows:
        for row in rows:
            if not row.strip() or row.startswith("#"):
                continue
            codes, direction, _, wanted, _ = row.strip().split(";")
            text = "".join(chr(int(code, 16)) for code in codes.split())
            # 0 is left to right, 1 right to left, 2 by the first strong character.
            if CONTROLS.intersection(text):
                continue
            classes = [unicodedata.bidirectional(character) for character in text]
            paragraph = paragraph_level(classes) if direction == "2" else int(direction)
            levels = resolved_levels(text, classes, paragraph)
            given = [
                (level, int(want))
                for level, want in zip(levels, wanted.split(), strict=True)
                if want != "x"
            ]
            assert all(level == want for level, want in given), row
            seen += 1
    assert seen > 10_000
