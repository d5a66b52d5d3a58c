"""Where placeholders stand, compared with where poppler sees them."""

import re
import subprocess

import pytest

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.placements import MAX_PLACEMENTS, NO_FACE, Placement, Sheet
from fileservice.pdf.plans import Plan
from tests.conftest import need_program
from tests.pdfs import HELVETICA, page_of, pdf_of, stream_of
from tests.test_producers import FILLED, content_of

WORD = re.compile(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*)</word>')
NAME = b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET"
PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"

type Box = tuple[float, ...]


def plan_of(content: bytes) -> Plan:
    return compile_template(content, shipped_fonts()).plan


def boxes_of(content: bytes, placed: Placement) -> list[Box]:
    """Return where on its page pdftotext finds the text of a placeholder."""
    done = subprocess.run(
        [need_program("pdftotext"), "-bbox", "-cropbox", "-", "-"],
        input=content,
        capture_output=True,
        check=True,
    )
    page = done.stdout.decode().split("<page ")[placed.page]
    return [tuple(map(float, word[:4])) for word in WORD.findall(page) if word[4] == placed.text]


def is_alike(box: Box, seen: Box) -> bool:
    """Tell whether two boxes agree; poppler's are as high as their font, and not as its letters."""
    left, top, right, bottom = box
    middle, centre = (seen[1] + seen[3]) / 2, (seen[0] + seen[2]) / 2
    if right - left > bottom - top:
        return (
            abs(left - seen[0]) < 0.6
            and abs(right - seen[2]) < 0.6
            and abs((top + bottom) / 2 - middle) < 0.3 * (bottom - top)
        )
    return (
        abs(top - seen[1]) < 0.6
        and abs(bottom - seen[3]) < 0.6
        and abs((left + right) / 2 - centre) < 0.3 * (right - left)
    )


def assert_seen(content: bytes) -> None:
    placements = plan_of(content).placements
    assert placements
    for placed in placements:
        boxes = boxes_of(content, placed)
        assert any(is_alike(placed.box, box) for box in boxes), (placed, boxes)


@pytest.mark.parametrize("name", [name for name in FILLED if name != "reportlab-form"])
def test_a_placeholder_stands_where_poppler_sees_it(name: str) -> None:
    assert_seen(content_of(name))


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90, 450])
@pytest.mark.parametrize("crop", [b"", b"/CropBox[40 300 500 800]", b"/CropBox[500 800 -40 30]"])
def test_a_page_that_is_turned_or_cropped_is_seen_as_it_is_shown(turn: int, crop: bytes) -> None:
    entries = b"/Rotate %d%b" % (turn, crop)

    assert_seen(page_of(NAME, page=entries))
    assert_seen(page_of(NAME, page=entries, box=b"-20 10 612 900"))


def test_a_crop_box_that_shows_nothing_is_no_crop_box() -> None:
    plan = plan_of(page_of(NAME, page=b"/CropBox[900 900 990 990]"))

    assert plan.sheets == (Sheet(595, 842),)


@pytest.mark.parametrize(
    "program",
    [
        b"BT /F1 14 Tf 0 1 -1 0 300 400 Tm (%name%) Tj ET",
        b"q 0.5 0 0 0.5 20 30 cm BT /F1 28 Tf 2 0 0 2 200 300 Tm (to %name% and) Tj ET Q",
        b"BT /F1 1 Tf 20 0 0 20 100 300 Tm 150 Tz 0.1 Tc (%name%) Tj ET",
        b"BT /F1 14 Tf 60 700 Td [(%na) -20 (me%)] TJ ET",
    ],
)
def test_text_that_is_turned_or_scaled_is_seen_as_it_is_drawn(program: bytes) -> None:
    assert_seen(page_of(program))


def test_every_page_and_every_mention_has_its_own() -> None:
    pages = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Contents 5 0 R%b>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 300]/Contents 5 0 R%b>>",
    )
    fonts = b"/Resources<</Font<</F1 6 0 R>>>>"
    program = b"BT /F1 14 Tf 60 200 Td (%name|Ada%) Tj 0 -50 Td (%name|Ada%) Tj ET"
    content = pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
            *(page % fonts for page in pages),
            stream_of(program),
            HELVETICA,
        ]
    )

    plan = plan_of(content)

    assert plan.sheets == (Sheet(300, 400), Sheet(400, 300))
    assert [(each.page, round(each.box[3])) for each in plan.placements] == [
        (1, 204), (1, 254), (2, 104), (2, 154)
    ]  # fmt: skip
    assert_seen(content)
    assert {(each.name, each.text, each.default) for each in plan.placements} == {
        ("name", "%name|Ada%", "Ada")
    }


def with_form(program: bytes, *forms: bytes) -> bytes:
    """Return a page that draws /X0, which draws /X1, and so on."""
    return page_of(program, more=forms).replace(
        b"/Resources<<", b"/Resources<</XObject<</X0 6 0 R/X1 7 0 R>>"
    )


def test_a_form_that_is_drawn_twice_has_its_placeholders_twice() -> None:
    inner = stream_of(
        b"BT /F1 14 Tf 10 20 Td (%name%) Tj ET",
        b"/Subtype/Form/BBox[0 0 99 99]/Matrix[1 0 0 1 5 5]",
    )
    outer = stream_of(b"q 2 0 0 2 50 50 cm /X1 Do Q", b"/Subtype/Form/BBox[0 0 500 500]")
    content = with_form(b"/X0 Do q 1 0 0 1 100 300 cm /X0 Do Q", outer, inner)

    found = plan_of(content).placements

    assert [[round(value) for value in each.box[:2]] for each in found] == [[80, 718], [180, 418]]
    assert [each.size for each in found] == [28, 28]
    assert_seen(content)


def test_a_form_that_draws_itself_is_seen_once() -> None:
    form = stream_of(b"BT /F1 14 Tf 10 20 Td (%name%) Tj ET /X0 Do", b"/Subtype/Form")

    assert len(plan_of(with_form(b"/X0 Do", form, form)).placements) == 1


def test_of_forms_that_are_drawn_without_end_so_many_are_seen() -> None:
    inner = stream_of(b"BT /F1 9 Tf (%a%%b%%c%) Tj ET", b"/Subtype/Form")
    outer = stream_of(b"/X1 Do " * 700, b"/Subtype/Form")

    found = plan_of(with_form(b"/X0 Do " * 700, outer, inner)).placements

    assert len(found) == MAX_PLACEMENTS


def test_what_is_on_no_page_is_not_placed() -> None:
    form = stream_of(NAME, b"/Subtype/Form")
    near = plan_of(with_form(b"q 9 0 0 9 0 0 cm /X0 Do Q", form, form)).placements
    far = plan_of(with_form(b"q 1 0 0 1 5e6 0 cm /X0 Do Q".replace(b"5e6", b"5000000"), form, form))

    assert len(near) == 1
    assert far.placements == ()
    assert len(far.slots) == 1


def test_a_form_field_is_placed_with_its_font_and_its_lines() -> None:
    content = page_of(
        b"",
        page=b"/Rotate 90/Annots[6 0 R 7 0 R]",
        catalog=b"/AcroForm<</Fields[6 0 R 7 0 R]/DR<</Font<</He 5 0 R>>>>>>",
        more=[
            b"<</Type/Annot/Subtype/Widget/FT/Tx/T(who)/Rect[100 600 300 620]/Q 2/Ff 2"
            b"/DA(/He 12 Tf 0 g)>>",
            b"<</Type/Annot/Subtype/Widget/FT/Tx/T(why)/Rect[100 400 300 500]/Ff 4096/V(so)"
            b"/DA(/He 10 Tf 0 g)>>",
        ],
    )

    who, why = plan_of(content).placements

    assert (who.name, who.text, who.default, who.align) == ("who", "who", None, 1.0)
    assert (why.default, why.max_lines) == ("so", 8)
    assert {who.font, why.font} == {"Helvetica"}
    left, top, right, bottom = who.box
    # Turned by 90 degrees, up is to the right and right is down.
    assert (600 < left < right < 620, top, bottom) == (True, 102, 298)
    left, _, right, _ = why.box
    assert 400 < left < 410
    assert 490 < right < 500


@pytest.mark.parametrize("turn", [0, 90])
def test_a_code_and_a_button_are_placed_by_the_area_they_take(turn: int) -> None:
    box = b"<</Type/Annot/Subtype/Widget/FT/Btn/T(agreed)/Rect[100 600 112 620]%b>>" % (
        b"/AP<</N<</Yes 7 0 R/Off 7 0 R>>>>"
    )
    content = page_of(
        b"BT /F1 14 Tf 60 700 Td (%qr.90%) Tj ET",
        page=b"/Rotate %d/Annots[6 0 R]" % turn,
        catalog=b"/AcroForm<</Fields[6 0 R]>>",
        more=[box, stream_of(b"", b"/Subtype/Form/BBox[0 0 12 20]")],
    )

    code, button = plan_of(content).placements

    assert (code.name, button.name) == ("qr", "agreed")
    assert {code.face, button.face} == {NO_FACE}
    assert (code.default, button.default) == (None, "")
    left, top, right, bottom = map(round, code.box)
    assert (right - left, bottom - top) == (90, 90)
    expected = (600, 100, 620, 112) if turn else (100, 222, 112, 242)
    assert tuple(map(round, button.box)) == expected


def test_the_font_asked_for_has_no_tag() -> None:
    content = content_of("libreoffice")

    plan = plan_of(content)

    assert {each.font for each in plan.placements} == {"NotoSans-Regular"}
    assert {plan.faces[each.face] for each in plan.placements} == {"NotoSans-Regular"}


def test_a_file_that_was_damaged_is_known() -> None:
    whole = page_of(NAME)

    assert not plan_of(whole).is_repaired
    assert plan_of(whole.replace(b"startxref\n", b"startxref\n99")).is_repaired
