"""QR codes and page numbers in templates."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime

import pikepdf
import pytest

from fileservice.errors import BadValue
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import TemplateError, UnknownValue
from fileservice.pdf.fonts import shipped_fonts
from tests.pdfs import HELVETICA, checked, page_of, pdf_of, stream_of, text_of, words_of
from tests.rasters import Draw, by_pdfium, by_poppler, read

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
LINK = "https://certificates.example/verify/7Q4M0ZJ2W9XKC5T8B3NVRD6HYP"
SIDE = 400  # of the page, in points
BOX = b"0 0 %d %d" % (SIDE, SIDE)
QR_FORM = stream_of(
    b"BT /F1 10 Tf 30 290 Td (%qr.120%) Tj ET",
    b"/Type/XObject/Subtype/Form/BBox[0 0 400 400]/Resources<</Font<</F1 3 0 R>>>>",
)


def filled(template: bytes, values: Mapping[str, str] | None = None) -> bytes:
    compiled = compile_template(template, shipped_fonts())
    return checked(compiled.fill(values or {}, issued_at=NOW, number="1", link=LINK))


def places(certificate: bytes, page: int = 0) -> list[list[float]]:
    """Return left, bottom, right and top of each link that leads where the codes do."""
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        return [
            [round(float(edge), 1) for edge in link.Rect]
            for link in pdf.pages[page].obj.get("/Annots", [])
            if link.A.URI == LINK
        ]


def pages_of(*programs: bytes, forms: bytes = b"", more: tuple[bytes, ...] = ()) -> bytes:
    """Return a PDF with a page for each program; their font is object 3, `more` come behind it."""
    first = 4 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * at) for at in range(len(programs)))
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d/MediaBox[%b]"
        b"/Resources<</Font<</F1 3 0 R>>/XObject<<%b>>>>>>" % (kids, len(programs), BOX, forms),
        HELVETICA,
        *more,
    ]
    for at, program in enumerate(programs):
        bodies.append(b"<</Type/Page/Parent 2 0 R/Contents %d 0 R>>" % (first + 2 * at + 1))
        bodies.append(stream_of(program))
    return pdf_of(bodies)


@pytest.mark.parametrize("draw", [by_poppler, by_pdfium])
@pytest.mark.parametrize(
    "program",
    [
        b"BT /F1 10 Tf 150 300 Td (%qr%) Tj ET",
        b"BT /F1 10 Tf 150 300 Td [(%q)20(r.9)-20(0%)] TJ ET",
        b"BT /F1 10 Tf 150 300 Td ({{qr.150}}) Tj ET",
        b"BT /F1 10 Tf 150 300 Td ({{qr.150}} for %timestamp%) Tj ET",
        b"0 0 0.6 rg 0 0 400 400 re f 1 g BT /F1 10 Tf 150 300 Td (%qr.90%) Tj ET",
        b"0 0 0.6 rg 0 0 400 400 re f BT 0.2 0.1 -0.1 0.2 150 300 Tm /F1 50 Tf (%qr.90%) Tj ET",
        b"BT /F1 10 Tf 390 20 Td (%qr.90%) Tj ET",
        b"3 0 0 3 50 -600 cm q BT /F1 5 Tf 30 300 Td (%qr.90%) Tj ET",
        b"BT /F1 10 Tf 150 300 Td (%qr%) Tj ET Q 0.1 0 0 0.1 5 5 cm",
    ],
)
def test_a_code_stands_where_the_placeholder_stood(draw: Draw, program: bytes) -> None:
    certificate = filled(page_of(program, box=BOX))

    assert [text for text, _ in read(draw(certificate))] == [LINK]
    assert "qr" not in text_of(certificate)


def test_a_code_hangs_from_where_the_placeholder_ended_above() -> None:
    template = page_of(b"BT /F1 10 Tf 50 300 Td (%qr.90%) Tj ET", box=BOX)

    assert places(filled(template)) == [[50, 217, 140, 307]]


@pytest.mark.parametrize(
    ("others", "left"),
    [
        (b"BT /F1 10 Tf 150 380 Td (Left) Tj 0 -15 Td (Left again) Tj ET", 150),
        (b"BT /F1 10 Tf 132.5 380 Td (Certificate of merit) Tj ET", 113.1),
        (b"BT /F1 10 Tf 172.79 380 Td (Right) Tj ET", 76.1),
    ],
    ids=["left", "centre", "right"],
)
def test_a_code_alone_on_its_line_is_aligned_as_the_line_is(others: bytes, left: float) -> None:
    program = others + b" BT /F1 10 Tf 150 300 Td (%qr.120%) Tj ET"

    assert places(filled(page_of(program, box=BOX)))[0][0] == pytest.approx(left, abs=1)


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (b"-9 300", [0, 217, 90, 307]),
        (b"380 300", [310, 217, 400, 307]),
        (b"50 20", [50, 0, 140, 90]),
        (b"50 398", [50, 310, 140, 400]),
    ],
)
def test_a_code_stays_on_the_page(at: bytes, place: list[float]) -> None:
    template = page_of(b"BT /F1 10 Tf %b Td (%%qr.90%%) Tj ET" % at, box=BOX)

    assert places(filled(template)) == [place]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_code_is_upright_on_a_turned_page(turn: int) -> None:
    program = {
        90: b"0 1 -1 0 200 100",
        180: b"-1 0 0 -1 300 100",
        270: b"0 -1 1 0 200 300",
    }[turn]
    template = page_of(
        b"BT /F1 10 Tf %b Tm (%%qr.120%%) Tj ET" % program, box=BOX, page=b"/Rotate %d" % turn
    )

    certificate = filled(template)

    assert [text for text, _ in read(by_poppler(certificate))] == [LINK]
    ((left, bottom, right, top),) = places(certificate)
    assert (right - left, top - bottom) == (120, 120)


def test_the_text_beside_a_code_stays() -> None:
    program = b"BT /F1 10 Tf 30 300 Td (Scan %qr.90% please) Tj ET"

    certificate = filled(page_of(program, box=BOX))

    before = [(x, word) for x, _, word in words_of(page_of(program, box=BOX)) if word[0] != "%"]
    after = [(x, word) for x, _, word in words_of(certificate)]
    assert [word for _, word in after] == ["Scan", "please"]
    assert [x for x, _ in after] == pytest.approx([x for x, _ in before], abs=0.05)
    assert read(by_pdfium(certificate))


def test_a_code_in_a_form_drawn_on_two_pages_is_on_both() -> None:
    template = pages_of(b"/X4 Do", b"/X4 Do", forms=b"/X4 4 0 R", more=(QR_FORM,))

    certificate = filled(template)

    assert places(certificate, 0) == places(certificate, 1) == [[30, 177, 150, 297]]


@pytest.mark.parametrize("kind", [b"/Btn/Ff 65536", b"/Btn", b"/Tx", b"/Ch"])
@pytest.mark.parametrize("name", [b"qr", b"qr.90"])
def test_a_form_field_of_that_name_is_filled_with_the_code(kind: bytes, name: bytes) -> None:
    field = b"<</Subtype/Widget/FT%b/T(%b)/Rect[100 100 300 220]/MK<</BG[1 0 0]>>>>" % (kind, name)
    template = page_of(b"", box=BOX, page=b"/Annots[%b]" % field, catalog=b"/AcroForm<</Fields[]>>")

    certificate = filled(template)

    assert places(certificate) == [[140, 100, 260, 220]]
    assert [text for text, _ in read(by_pdfium(certificate))] == [LINK]


def test_a_tagged_page_has_the_code_as_an_artifact_without_a_link() -> None:
    template = page_of(
        b"/P<</MCID 0>>BDC BT /F1 10 Tf 30 300 Td (%qr%) Tj ET EMC",
        box=BOX,
        catalog=b"/MarkInfo<</Marked true>>/StructTreeRoot<</Type/StructTreeRoot>>",
    )

    certificate = filled(template)

    assert places(certificate) == []
    assert b"/Artifact BMC q " in certificate
    assert read(by_pdfium(certificate))


@pytest.mark.parametrize("name", ["qr.19", "qr.2001", "qr.0"])
def test_a_code_nobody_can_read_or_print_is_refused(name: str) -> None:
    program = f"BT /F1 10 Tf 30 300 Td (%{name}%) Tj ET".encode()

    with pytest.raises(TemplateError, match=f"Page 1: %{name}% asks for a QR code"):
        compile_template(page_of(program), shipped_fonts())


@pytest.mark.parametrize("name", ["qr", "qr.90", "page"])
def test_what_is_made_here_cannot_be_given(name: str) -> None:
    program = f"BT /F1 10 Tf 30 300 Td (%{name}% of %timestamp%) Tj ET".encode()
    template = compile_template(page_of(program), shipped_fonts())

    with pytest.raises(UnknownValue):
        template.fill({name: "1"}, issued_at=NOW, link=LINK)

    assert template.fields == {"timestamp"}


def test_an_address_that_is_too_long_for_a_code_is_refused() -> None:
    template = compile_template(page_of(b"BT /F1 9 Tf (%qr%) Tj ET"), shipped_fonts())

    with pytest.raises(BadValue, match="address is too long"):
        template.fill({}, issued_at=NOW, link="https://" + "a" * 400)


def test_codes_of_different_links_make_different_files() -> None:
    template = compile_template(page_of(b"BT /F1 9 Tf (%qr%) Tj ET"), shipped_fonts())

    one = template.fill({}, issued_at=NOW, link=LINK)
    other = template.fill({}, issued_at=NOW, link=LINK + "X")

    assert one == template.fill({}, issued_at=NOW, link=LINK)
    assert one[-150:] != other[-150:]


def test_each_page_says_its_number() -> None:
    program = b"BT /F1 10 Tf 30 300 Td (Page %page% of 2 for %name|x%) Tj ET"

    text = text_of(filled(pages_of(program, program)))

    assert "Page 1 of 2" in text
    assert "Page 2 of 2" in text


def test_a_form_drawn_on_two_pages_says_the_number_of_each() -> None:
    header = stream_of(
        b"BT /F1 10 Tf 30 290 Td (Page %page%) Tj ET",
        b"/Type/XObject/Subtype/Form/BBox[0 0 400 400]/Resources<</Font<</F1 3 0 R>>>>",
    )
    around = stream_of(
        b"0 0 10 10 re f /X4 Do",
        b"/Type/XObject/Subtype/Form/BBox[0 0 400 400]/Resources<</XObject<</X4 4 0 R>>>>",
    )
    template = pages_of(b"/X5 Do", b"/X5 Do", forms=b"/X5 5 0 R", more=(header, around))

    pages = text_of(filled(template)).split("\f")

    assert [page.strip() for page in pages] == ["Page 1", "Page 2", ""]
