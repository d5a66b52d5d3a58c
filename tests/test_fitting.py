"""How a value that is too long finds room: smaller, narrower, on more lines, or not at all."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from fileservice.pdf.compiling import plan_template
from fileservice.pdf.errors import TooLong
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fitting import LEAST_STRETCH, Row, Word, fitted
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.packing import pack, unpack
from fileservice.pdf.plans import Plan
from fileservice.pdf.slots import LEAST_SCALE, Literal, Slot, Value
from fileservice.pdf.wrapping import split_words
from tests.pdfs import checked, lines_of, page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
VALUE = Value("name", None, 0, 10.0, 1.0, 0.0, b"")
SLOT = Slot(Matrix(2, 0, 0, 2, 100, 700), 50.0, 100.0, 0.0, b"", b"", (VALUE,))


def width_of(word: Word) -> float:
    return word.part.width if isinstance(word.part, Literal) else 10.0 * len(word.text)


def rows_of(text: str, slot: Slot = SLOT) -> list[Row]:
    return fitted(slot, [Word(slot.parts[0], text)], width_of)


@pytest.mark.parametrize(
    ("letters", "scale", "stretch"),
    [
        (5, 1.0, 1.0),
        (10, 1.0, 1.0),
        (16, 10 / 16, 1.0),
        (18, LEAST_SCALE, 10 / 18 / LEAST_SCALE),
        (19, LEAST_SCALE, 10 / 19 / LEAST_SCALE),
    ],
)
def test_a_line_becomes_smaller_and_then_narrower(
    letters: int, scale: float, stretch: float
) -> None:
    (row,) = rows_of("x" * letters)

    assert row.matrix.a == pytest.approx(2 * scale * stretch)
    assert row.matrix.d == pytest.approx(2 * scale)
    assert stretch >= LEAST_STRETCH


def test_what_still_has_no_room_is_refused_with_both_lengths() -> None:
    with pytest.raises(TooLong, match=r"'name'.*204 points.*200") as caught:
        rows_of("x" * 20)

    assert caught.value.extensions == {"needed": 204.0, "available": 200.0}


@pytest.mark.parametrize(("align", "left"), [(0.0, 100), (0.5, 120), (1.0, 140)])
def test_a_shrunk_line_keeps_its_place(align: float, left: float) -> None:
    (row,) = rows_of("x" * 3, replace(SLOT, align=align))

    assert row.matrix.e == left


def test_a_value_is_wrapped_where_there_may_be_lines() -> None:
    rows = rows_of("aaa bbb ccc ddd eee fff", replace(SLOT, max_lines=3, leading=12.0))

    assert [word.text for row in rows for word in row.words] == ["aaa bbb", "ccc ddd", "eee fff"]
    assert [row.matrix.f for row in rows] == [700, 676, 652]


def test_wrapped_lines_are_as_large_as_they_can_be() -> None:
    rows = rows_of("aaaaaaa bbbbbbb ccccccc", replace(SLOT, max_lines=2))

    assert [word.text for row in rows for word in row.words] == ["aaaaaaa bbbbbbb", "ccccccc"]
    assert rows[0].matrix.d == pytest.approx(2 * LEAST_SCALE)


def test_words_that_no_line_has_room_for_are_refused() -> None:
    with pytest.raises(TooLong, match="on 3 lines"):
        rows_of("x" * 40, replace(SLOT, max_lines=3))


def test_text_of_the_template_is_wrapped_whole() -> None:
    literal = Literal(b"[<00>]TJ ", 60.0)
    slot = replace(SLOT, parts=(literal, VALUE), max_lines=2)

    rows = fitted(slot, [Word(literal, ""), Word(VALUE, "aaaa bbbbbbbbbb")], width_of)

    assert [[word.text for word in row.words] for row in rows] == [["", "aaaa"], ["bbbbbbbbbb"]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", [""]),
        ("Ada", ["Ada"]),
        ("Ada Lovelace", ["Ada ", "Lovelace"]),
        ("a  b", ["a  ", "b"]),
        ("Mary-Ann", ["Mary-", "Ann"]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("e.g. (this)", ["e.g. ", "(this)"]),
        ("二零二六年。完", ["二", "零", "二", "六", "年。", "完"]),
        ("「東京」ッア", ["「東", "京」ッ", "ア"]),
        ("Ada张伟", ["Ada", "张", "伟"]),
        ("김 민수", ["김 ", "민", "수"]),
    ],
)
def test_a_line_ends_where_custom_lets_it(text: str, pieces: list[str]) -> None:
    assert split_words(text) == pieces


@cache
def plan() -> Plan:
    page = page_of(b"BT /F1 14 Tf 60 700 Td (Name: %name%.) Tj ET")
    plan = plan_template(page, shipped_fonts())
    return replace(plan, slots=tuple(replace(slot, max_lines=4) for slot in lines_of(plan)))


def test_a_wrapped_value_is_on_the_page_whole() -> None:
    text = " ".join(f"word{number}" for number in range(40))

    template = CompiledTemplate(plan(), shipped_fonts())

    certificate = checked(template.fill({"name": text}, issued_at=NOW))

    read = text_of(certificate)
    assert len(read.strip().splitlines()) > 1
    assert " ".join(read.split()) == f"Name: {text}."


def test_the_number_of_lines_is_kept_on_disk() -> None:
    assert unpack(pack(plan())) == plan()
