"""QR codes as a page draws them, read back from what poppler and pdfium show."""

import random

import pytest
import segno

from fileservice.certificates import new_number
from fileservice.errors import BadValue
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.qr import MAX_TEXT_BYTES, QUIET_ZONE, alternative, qr_program
from fileservice.pdf.qrmodules import BLOCKS, FIRST_LONG_VERSION, MASK, modules_of
from tests.pdfs import checked, page_of
from tests.rasters import Draw, by_pdfium, by_poppler, read

SIDE = 300  # of the page, in points
LINK = "https://certificates.example/verify/7Q4M0ZJ2W9XKC5T8B3NVRD6HYP"
BLUE_PAGE = b"0.1 0.1 0.4 rg 0 0 %d %d re f " % (SIDE, SIDE)


def square(x: float, y: float, side: float) -> Matrix:
    return Matrix(side, 0, 0, side, x, y)


def page_with(program: bytes) -> bytes:
    return checked(page_of(program, box=b"0 0 %d %d" % (SIDE, SIDE)))


@pytest.fixture(params=[by_poppler, by_pdfium])
def draw(request: pytest.FixtureRequest) -> Draw:
    chosen: Draw = request.param
    return chosen


@pytest.mark.parametrize("side", [54, 61.7, 90, 200])
def test_a_code_is_read_as_it_was_given(draw: Draw, side: float) -> None:
    page = page_with(qr_program(LINK, square(20.3, 30.6, side)))

    assert read(draw(page)) == [(LINK, "M")]


def test_many_links_are_read_as_they_were_given(draw: Draw) -> None:
    for _ in range(12):
        link = f"https://certificates.example/verify/{new_number()}"

        assert read(draw(page_with(qr_program(link, square(9, 9, 72))))) == [(link, "M")]


@pytest.mark.parametrize("text", ["x", "7" * MAX_TEXT_BYTES, "/é/字", "a" * MAX_TEXT_BYTES])
def test_other_texts_are_read_too(draw: Draw, text: str) -> None:
    [(found, _)] = read(draw(page_with(qr_program(text, square(10, 10, 280)))))

    assert found == text


def test_a_code_is_read_on_a_dark_page(draw: Draw) -> None:
    page = page_with(BLUE_PAGE + qr_program(LINK, square(50, 50, 120)))

    assert read(draw(page)) == [(LINK, "M")]


def test_the_code_fills_its_box_with_its_quiet_zone(draw: Draw) -> None:
    box = square(50, 100, 148)  # 37 modules of 4 points, each 8 pixels
    raster = draw(page_with(BLUE_PAGE + qr_program("http://a.test/0123456789", box)))

    pixels = [bytes(raster[at, x] for x in range(2 * SIDE)) for at in range(2 * SIDE)]
    top, left, side = 2 * (SIDE - 100 - 148), 100, 296
    inside = [row[left : left + side] for row in pixels[top : top + side]]
    dark = [(x, y) for y, row in enumerate(inside) for x, level in enumerate(row) if level < 64]
    quiet = QUIET_ZONE * side // modules("http://a.test/0123456789")
    for edge in (min, max):
        expected = quiet if edge is min else side - quiet - 1
        assert abs(edge(x for x, _ in dark) - expected) <= 1
        assert abs(edge(y for _, y in dark) - expected) <= 1
    assert all(level > 250 for level in inside[2][2:-2])
    assert pixels[top - 4][left + 20] < 64


def modules(text: str) -> int:
    """Return the side of a code with its quiet zone."""
    program = qr_program(text, square(0, 0, 1)).split()
    return int(program[program.index(b"re") - 1])


def test_no_seams_are_between_the_rows_of_a_dark_field(draw: Draw) -> None:
    # 2.6 pixels a module: edges fall between pixels, and the finder's three rows must stay one.
    side = 1.3 * modules(LINK)
    raster = draw(page_with(qr_program(LINK, square(20, 20, side))))

    x = round(2 * (20 + 1.3 * (QUIET_ZONE + 3.5)))
    top = 2 * (SIDE - 20 - side) + 2.6 * (QUIET_ZONE + 2)
    column = [raster[y, x] for y in range(round(top) + 2, round(top + 7.8) - 2)]
    assert max(column) < 16


def test_the_state_of_the_page_is_left_as_it_was() -> None:
    program = qr_program(LINK, square(0, 0, 90))

    assert program.startswith(b"q ")
    assert program.endswith(b"Q ")
    assert program.split().count(b"f") == 2


def test_the_same_text_makes_the_same_bytes() -> None:
    assert qr_program(LINK, square(1, 2, 3)) == qr_program(LINK, square(1, 2, 3))
    assert qr_program(LINK, square(1, 2, 3)) != qr_program(LINK + "X", square(1, 2, 3))


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadValue, match="330 bytes"):
        qr_program("é" * (MAX_TEXT_BYTES // 2 + 1), square(0, 0, 90))


def test_those_who_do_not_see_the_code_are_told_where_it_leads() -> None:
    assert alternative(LINK) == f"QR code: {LINK}"


def capacity_of(version: int) -> int:
    return sum(BLOCKS[version - 1][1]) - (3 if version >= FIRST_LONG_VERSION else 2)


@pytest.mark.parametrize("version", range(1, len(BLOCKS) + 1))
def test_the_modules_are_those_that_another_writer_makes(version: int) -> None:
    # Only full codes: segno 1.6 fills others up with a byte of noughts first.
    text = random.Random(version).randbytes(capacity_of(version))  # noqa: S311  # always the same
    expected = segno.make_qr(
        text, version=version, error="m", mask=MASK, boost_error=False, mode="byte"
    )

    side, modules = modules_of(text)

    assert side == len(expected.matrix)
    assert modules.split() == ["".join(map(str, row)) for row in expected.matrix]


@pytest.mark.parametrize("version", range(1, len(BLOCKS) + 1))
def test_codes_of_every_size_are_read(draw: Draw, version: int) -> None:
    for missing in (0, 1, 2, 9):
        text = (LINK + "/x" * 200)[: min(capacity_of(version), MAX_TEXT_BYTES) - missing]

        assert read(draw(page_with(qr_program(text, square(5, 5, 290))))) == [(text, "M")]


def test_there_are_no_modules_for_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="363 bytes"):
        modules_of(bytes(363))
