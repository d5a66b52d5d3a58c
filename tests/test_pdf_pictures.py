"""Pictures of pages: what is on them, and what a hostile page can do to who makes them."""

import signal
import zlib

import pytest

from fileservice.pdf import sandbox
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import NotDrawn
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.overlays import DISTANCE, LINE_WIDTH, overlay
from fileservice.pdf.placements import Placement, Sheet
from fileservice.pdf.proofs import STAND_IN, proof
from fileservice.pdf.sandbox import draw_apart
from tests.pdfs import A4, checked, page_of, shipped_template, stream_of, text_of
from tests.pictures import Picture, decoded, is_blue
from tests.test_pdf_placements import with_form
from tests.test_pdf_sandbox import FILLED as ODD
from tests.test_pdf_sandbox import KEPT as WRONG
from tests.test_producers import FILLED, content_of

NAME = b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET"


def compiled(content: bytes) -> CompiledTemplate:
    return compile_template(content, shipped_fonts())


async def pictured(template: CompiledTemplate) -> Picture:
    """Return the picture of a template's first page, boxed."""
    plan = template.plan
    over = overlay(plan.sheets[0], [each for each in plan.placements if each.page == 1])
    return decoded(await draw_apart(proof(template), 1, checked(over)))


def edge(picture: Picture, sheet: Sheet, placed: Placement) -> list[tuple[int, ...]]:
    """Return what the left side of a placeholder's box shows, but for its ends."""
    left, top, _, bottom = placed.box
    x = left - DISTANCE * LINE_WIDTH * sheet.width
    steps = [top + (bottom - top) * step / 20 for step in range(2, 19)]
    return [picture.at(x / sheet.width, y / sheet.height) for y in steps]


@pytest.mark.parametrize("name", [*FILLED[::4], "reportlab-form"])
async def test_a_placeholder_is_boxed_where_it_stands(name: str) -> None:
    template = compiled(content_of(name))

    picture = await pictured(template)

    plan = template.plan
    for placed in plan.placements:
        colours = edge(picture, plan.sheets[0], placed)
        assert any(map(is_blue, colours)), placed
        assert all(map(is_blue, colours)) is (placed.default is None), placed


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
async def test_the_box_is_in_its_place_on_a_page_that_is_turned_and_cropped(turn: int) -> None:
    template = compiled(page_of(NAME, page=b"/Rotate %d/CropBox[40 300 500 800]" % turn))

    picture = await pictured(template)

    [placed], [sheet] = template.plan.placements, template.plan.sheets
    assert (picture.width > picture.height) is bool(turn % 180)
    assert all(map(is_blue, edge(picture, sheet, placed)))
    left, top, right, bottom = placed.box
    inside = [
        picture.at(
            (left + (right - left) * x / 60) / sheet.width, (top + bottom) / 2 / sheet.height
        )
        for x in range(60)
    ]
    if turn % 180 == 0:
        assert any(sum(pixel) < 200 for pixel in inside)


async def test_a_picture_is_as_large_as_it_may_be() -> None:
    wide = decoded(await draw_apart(page_of(NAME, box=b"0 0 14400 20"), 1))
    small = decoded(await draw_apart(page_of(NAME, box=b"0 0 100 50"), 1))
    usual = decoded(await draw_apart(page_of(NAME, box=A4), 1))

    assert (wide.width, wide.height) == (1600, 2)
    assert (small.width, small.height) == (400, 200)
    assert (usual.width, usual.height) == (1131, 1600)
    assert not any(map(is_blue, usual.colours()))


def test_what_is_proved_has_the_placeholders_as_they_are_written() -> None:
    text = text_of(checked(proof(compiled(shipped_template()))))

    for placeholder in ("%name|%", "%course|%", "%timestamp%", "%signed_by|%"):
        assert placeholder in text


def test_what_cannot_be_drawn_or_has_no_room_is_stood_in_for() -> None:
    field = (
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T%b/Rect[100 %d %d 620]/DA(/He 12 Tf 0 g)"
        b"/DR<</Font<</He 5 0 R>>>>>>"
    )
    chinese = page_of(NAME, page=b"/Annots[6 0 R]", more=[field % (b"<feff4e2d6587>", 600, 300)])
    narrow = page_of(NAME, page=b"/Annots[6 0 R]", more=[field % (b"(long_name)", 600, 112)])

    alone = chinese.replace(NAME, NAME.replace(b"%", b" "))

    assert text_of(proof(compiled(chinese))).split() == ["%name%", STAND_IN]
    assert text_of(proof(compiled(alone))).split() == ["name", STAND_IN]
    assert text_of(proof(compiled(narrow))).split() == [STAND_IN, STAND_IN]


def placed_at(left: float, top: float, name: str = "name", long: float = 60) -> Placement:
    right, bottom = left + long, top + 12
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    return Placement(name, f"%{name}%", 1, corners, "Helvetica", 0, 12, 0, None, 1)


def words(*placements: Placement, first: int = 1) -> list[str]:
    text = text_of(checked(overlay(Sheet(595, 842), placements, first)))
    return text.replace("\f", "").split()


@pytest.mark.parametrize(
    ("placements", "expected"),
    [
        ([placed_at(100, 100)], ["1", "name"]),
        ([placed_at(540, 100)], ["1", "name"]),
        ([placed_at(540, 1)], ["1", "name"]),
        # So long that its name has room nowhere.
        ([placed_at(2, 2, long=590)], ["1"]),
        ([placed_at(10, 100, "a" * 64)], ["1", "a" * 64]),
        ([placed_at(10, 100, "a" * 64), placed_at(80, 100, "b")], ["1", "a" * 64, "2b"]),
        # On each other: there is no room for a second tag beside the first, but above.
        ([placed_at(100, 100), placed_at(100, 100)], ["2", "name", "1", "name"]),
        ([placed_at(100, 100, "中文")], ["1"]),
        ([placed_at(100, 100, "né中")], ["1", "né"]),
        ([], []),
    ],
)
def test_a_tag_has_the_name_where_there_is_room(
    placements: list[Placement], expected: list[str]
) -> None:
    assert words(*placements) == expected


def test_tags_are_numbered_on_from_the_page_before() -> None:
    assert words(placed_at(100, 100), first=12) == ["12", "name"]


def test_a_box_without_extent_is_drawn_all_the_same() -> None:
    flat = placed_at(100, 100)._replace(corners=((9, 9),) * 4)

    assert words(flat) == ["1", "name"]


def image(entries: bytes, content: bytes) -> bytes:
    stream = stream_of(content, b"/Subtype/Image" + entries)
    return with_form(b"q 500 0 0 500 0 0 cm /X0 Do Q", stream, stream)


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)] + [packer.flush()])


RGB = b"/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode"
FORM = b"/Subtype/Form/BBox[0 0 600 900]/Resources<</XObject<</X0 %d 0 R>>>>"
BROKEN = {
    "an image that is larger than all memory": image(
        b"/Width 30000/Height 30000" + RGB, zeros(64 << 20)
    ),
    "an image whose size is none": image(b"/Width 2147483647/Height 2147483647" + RGB, b"x"),
    "an image in a broken JPX": image(b"/Width 9/Height 9/Filter/JPXDecode", b"\0\0\0\x0cjP  "),
    "an image in a broken JBIG2": image(b"/Width 9/Height 9/Filter/JBIG2Decode", b"\xff" * 99),
    "a page without extent": page_of(NAME, box=b"0 0 0 0"),
}
ENDLESS = {
    "forms within forms": page_of(
        b"/X0 Do",
        more=[stream_of(b"/X0 Do " * 50, FORM % (7 + at)) for at in range(6)] + [stream_of(NAME)],
    ).replace(b"/Resources<</Font", b"/Resources<</XObject<</X0 6 0 R>>/Font", 1),
    "a pattern of a million tiles": page_of(
        b"/Pattern cs /P0 scn 0 0 600 900 re f",
        more=[
            stream_of(
                b"0 0 1 1 re f",
                b"/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .001/YStep .001"
                b"/Resources<<>>",
            )
        ],
    ).replace(b"/Resources<</Font", b"/Resources<</Pattern<</P0 6 0 R>>/Font", 1),
    "operators": page_of(b"0 0 m 500 500 l S q\n" * 500_000),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_on_a_page_is_left_out(name: str) -> None:
    assert decoded(await draw_apart(BROKEN[name], 1)).height <= 1600


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_page_that_never_ends_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 1)

    with pytest.raises(NotDrawn, match=r"picture can be made of page 1\. .* too long"):
        await draw_apart(ENDLESS[name], 1)


@pytest.mark.parametrize("content", [b"<html>", b"", page_of(NAME)[:200]])
async def test_what_is_no_pdf_has_no_picture(content: bytes) -> None:
    with pytest.raises(NotDrawn, match="cannot be read"):
        await draw_apart(content, 1)


async def test_a_page_that_is_not_there_has_no_picture() -> None:
    with pytest.raises(NotDrawn, match="page 2"):
        await draw_apart(page_of(NAME), 2)


async def test_a_page_that_shows_nothing_has_no_picture() -> None:
    with pytest.raises(NotDrawn, match="no extent"):
        await draw_apart(page_of(NAME, page=b"/CropBox[900 900 990 990]"), 1)


@pytest.mark.parametrize("name", ["a size that lies", "nesting", "exponents", "far away"])
async def test_a_template_that_is_only_odd_has_a_picture(name: str) -> None:
    picture = await pictured(compiled({**ODD, **WRONG}[name]))

    assert (picture.width, picture.height) == (1131, 1600)


async def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(NotDrawn, match="too large"):
        await draw_apart(page_of(NAME) + bytes(20 << 20), 1)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(signal.SIGKILL, "too long"), (signal.SIGXCPU, "too long"), (signal.SIGSEGV, "read")],
)
async def test_a_child_that_dies_is_a_clear_error(
    number: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = f"import os; os.kill(os.getpid(), {int(number)})"
    monkeypatch.setattr(sandbox, "BOOT", boot)

    with pytest.raises(NotDrawn, match=sentence):
        await draw_apart(page_of(NAME), 1)
