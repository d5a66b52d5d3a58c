"""Templates: every spelling of a placeholder is found, and what cannot be filled says why."""

import io
import subprocess
import zlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import pikepdf
import pytest

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import (
    BadMode,
    Damaged,
    Encrypted,
    NoPlaceholders,
    NotPdf,
    NoUnicode,
    OverLimits,
    Signed,
    SplitLigature,
    UnknownCmap,
    Xfa,
)
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, shipped_fonts
from tests.conftest import need_program
from tests.pdfs import HELVETICA, checked, lines_of, page_of, pdf_of, stream_of, text_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
STAMP = "2026-11-21T08:30:05+00:00"
TJ = b"BT /F1 24 Tf 100 700 Td (Issued %timestamp%) Tj ET"


@cache
def fonts() -> FontSet:
    return shipped_fonts()


def compiled(template: bytes) -> CompiledTemplate:
    return compile_template(template, fonts())


def filled(template: bytes, **values: str) -> bytes:
    return checked(compiled(template).fill(values, issued_at=NOW))


def resaved(template: bytes, **options: object) -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(template)) as pdf:
        pdf.save(target, **options)  # type: ignore[arg-type]  # handed through
    return target.getvalue()


@pytest.mark.parametrize(
    "program",
    [
        TJ,
        b"BT /F1 24 Tf 100 700 Td [(Issued %t) 20 (imes) -15 (tamp%)] TJ ET",
        b"BT /F1 24 Tf 100 700 Td <" + b"Issued %timestamp%".hex().encode() + b"> Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued %time\\\nstamp%) Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued %ti\\155estamp%) Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued %time) Tj (stamp) Tj (%) Tj ET",
        b"BT /F1 24 Tf 24 TL 100 700 Td (Issued %timestamp%) ' ET",
        b'BT /F1 24 Tf 24 TL 100 700 Td 0 0 (Issued %timestamp%) " ET',
        b"BT /F1 24 Tf 100 700 TD (Issued {{timestamp}}) Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued {{ timestamp }}) Tj ET",
        b"BT /F1 1 Tf 24 0 0 24 100 700 Tm (Issued %timestamp%) Tj ET",
        b"BT /F1 -24 Tf -1 0 0 -1 100 700 Tm (Issued %timestamp%) Tj ET",
        b"q .5 0 0 -.5 0 842 cm BT /F1 24 Tf 1 0 0 -1 200 400 Tm (Issued %timestamp%) Tj ET Q",
        b"BT /F1 24 Tf 80 Tz 1 Tc 3 Tw 2 Ts 100 700 Td (Issued %timestamp%) Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued ) Tj 1 0 0 rg (%timestamp%) Tj ET",
        b"BT /F1 24 Tf 100 700 Td (Issued ) Tj /DeviceRGB cs 1 0 0 sc (%timestamp%) Tj ET",
        b"q 1 0 0 1 9 9 cm Q q BT /F1 24 Tf 100 700 Td (Issued %timestamp%) Tj ET Q",
        b"/F1 24 Tf BT 0 30 TD T* 100 700 Td (Issued %timestamp%) Tj ET",
        b"BI /W 1 /H 1 /BPC 8 /CS /G ID x EI " + TJ,
    ],
)
def test_a_placeholder_is_found_however_it_is_spelled(program: bytes) -> None:
    assert f"Issued {STAMP}" in text_of(filled(page_of(program)))


def test_glyphs_shown_one_by_one_are_a_line() -> None:
    shows = b"".join(b"<%02x> Tj %d 0 Td " % (code, 14) for code in b"%timestamp%")

    certificate = filled(page_of(b"BT /F1 24 Tf 100 700 Td %b ET" % shows))

    assert text_of(certificate).strip() == STAMP


@pytest.mark.parametrize(
    "options",
    [
        {"object_stream_mode": pikepdf.ObjectStreamMode.generate},
        {"linearize": True},
        {"qdf": True},
        {"compress_streams": True},
        {"force_version": "2.0"},
    ],
)
def test_a_template_may_be_saved_in_any_way(options: dict[str, object]) -> None:
    assert f"Issued {STAMP}" in text_of(filled(resaved(page_of(TJ), **options)))


def test_the_text_around_a_placeholder_stays_where_it_was() -> None:
    template = page_of(
        b"BT /F1 12 Tf 60 700 Td (Before) Tj 0 -30 Td (Issued %timestamp%) Tj"
        b" 0 -30 Td (After) Tj ET BT 300 500 Td 2 Tr (Apart) Tj ET"
    )

    before, after = words_of(template), words_of(filled(template))

    for word in ("Before", "Issued", "After", "Apart"):
        (old,) = [found for found in before if found[2] == word]
        (new,) = [found for found in after if found[2] == word]
        assert new == pytest.approx(old, abs=0.01)


def test_text_that_follows_on_the_line_moves_along() -> None:
    template = page_of(b"BT /F1 12 Tf 60 700 Td (Dear %name%, ) Tj (welcome) Tj ET")

    assert "Dear Konstantinos, welcome" in text_of(filled(template, name="Konstantinos"))


@pytest.mark.parametrize(
    ("left", "others", "place"),
    [
        (257.9, [], 0.5),
        (60, [(60, b"Left"), (60, b"Left too")], 0.0),
        (430.8, [(474, b"Right"), (416.4, b"Right at last")], 1.0),
        (100, [(118, b"Centre"), (64, b"Centre of a long line")], 0.5),
    ],
)
def test_a_line_keeps_the_edge_or_the_centre_it_shares(
    left: float, others: list[tuple[float, bytes]], place: float
) -> None:
    rows = [(left, b"%timestamp%"), *others]
    program = b"".join(
        b"BT /F1 12 Tf %.1f %d Td (%b) Tj ET " % (x, 700 - 20 * at, text)
        for at, (x, text) in enumerate(rows)
    )
    courier = HELVETICA.replace(b"Helvetica", b"Courier")

    words = words_of(filled(page_of(program, font=courier)))

    (new,) = [word for word in words if word[2] == STAMP]
    assert new[0] + (new[1] - new[0]) * place == pytest.approx(left + 79.2 * place, abs=0.1)


@pytest.mark.parametrize("turn", [90, 180, 270, -90])
def test_a_turned_page_is_centred_as_it_is_seen(turn: int) -> None:
    matrix = {90: b"0 1 -1 0 100 387", 180: b"-1 0 0 -1 331 700", 270: b"0 -1 1 0 100 455"}
    program = b"BT /F1 12 Tf %b Tm (%%timestamp%%) Tj ET" % matrix[turn % 360]

    template = page_of(program, page=b"/Rotate %d" % turn)

    assert [slot.align for slot in lines_of(compiled(template).plan)] == [0.5]
    assert STAMP in text_of(filled(template))


def test_text_that_runs_upwards_is_filled_upwards() -> None:
    template = page_of(b"BT /F1 12 Tf 0 1 -1 0 100 200 Tm (%timestamp%) Tj ET")

    assert STAMP in text_of(filled(template))


def test_a_font_may_be_written_where_it_is_named() -> None:
    template = page_of(TJ).replace(b"/F1 5 0 R", b"/F1" + HELVETICA)

    assert STAMP in text_of(filled(template))


def test_what_is_no_program_is_passed_over() -> None:
    template = page_of(TJ).replace(b"/Contents 4 0 R", b"/Contents 2 0 R")

    with pytest.raises(NoPlaceholders):
        compiled(template)


def test_what_speaks_of_the_template_is_left_out() -> None:
    more = [stream_of(b"<x:stale/>", b"/Type/Metadata/Subtype/XML")]

    certificate = filled(page_of(TJ, catalog=b"/Metadata 6 0 R", more=more))

    assert b"stale" not in certificate


def test_a_value_stops_where_other_text_begins() -> None:
    template = page_of(
        b"BT /F1 12 Tf 60 700 Td (Name: %name%) Tj 200 0 Td (Date: 1) Tj -200 -20 Td (Name:) Tj ET"
    )

    (slot,) = lines_of(compiled(template).plan)

    assert slot.room == pytest.approx(196)


def test_a_default_is_drawn_when_no_value_is_given() -> None:
    template = page_of(b"BT /F1 12 Tf 60 700 Td (To %name|the bearer% of %what|%this) Tj ET")

    assert "To the bearer of this" in text_of(filled(template))
    assert "To Ada of all this" in text_of(filled(template, name="Ada", what="all "))
    assert compiled(template).required == frozenset()


def test_a_line_of_blanks_is_left_out() -> None:
    template = page_of(b"BT /F1 12 Tf 60 700 Td (Born on %born|%) Tj 0 -20 Td (Rest) Tj ET")

    assert text_of(filled(template)).split() == ["Rest"]
    assert "Born on 1815-12-10" in text_of(filled(template, born="1815-12-10"))


def test_spaces_that_are_only_gaps_are_spaces_in_a_default() -> None:
    template = page_of(b"BT /F1 12 Tf 60 700 Td [(%name|the) -300 (bearer%)] TJ ET")

    assert "the bearer" in text_of(filled(template))


def test_several_pages_are_filled() -> None:
    content = stream_of(TJ)
    template = pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R 4 0 R 7 0 R]/Count 3/MediaBox[0 0 600 800]"
            b"/Resources<</Font<</F1 6 0 R>>>>>>",
            b"<</Type/Page/Parent 2 0 R/Contents 5 0 R>>",
            b"<</Type/Page/Parent 2 0 R/Contents[5 0 R]>>",
            content,
            HELVETICA,
            b"<</Type/Page/Parent 2 0 R>>",
        ]
    )

    assert text_of(filled(template)).count(STAMP) == 2


def form_of(content: bytes, entries: bytes = b"/Resources<</Font<</F1 5 0 R>>>>") -> bytes:
    return stream_of(content, b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]%b" % entries)


def drawn(*forms: bytes, program: bytes = b"q .5 0 0 .5 50 0 cm /X6 Do Q") -> bytes:
    """Return a page on which the forms /X6, /X7, ... are drawn."""
    listed = b"".join(b"/X%d %d 0 R" % (at, at) for at in range(6, 6 + len(forms)))
    page = page_of(program, more=forms)
    return page.replace(b"/Resources<<", b"/Resources<</XObject<<%b>>" % listed)


def test_text_in_a_form_is_filled() -> None:
    certificate = filled(drawn(form_of(TJ + b" BT /F1 20 Tf 9 9 Td (Rest) Tj ET")))

    assert f"Issued {STAMP}" in text_of(certificate)
    assert "Rest" in text_of(certificate)


def test_text_in_a_form_within_a_form_is_filled() -> None:
    outer = form_of(b"/X7 Do /X6 Do", b"/Resources<</XObject<</X7 7 0 R/X6 6 0 R>>>>")
    inner = form_of(TJ, b"/Matrix[1 0 0 1 5 5]/Resources<</Font<</F1 5 0 R>>>>")

    assert f"Issued {STAMP}" in text_of(filled(drawn(outer, inner)))


def test_a_form_without_resources_has_the_pages() -> None:
    assert f"Issued {STAMP}" in text_of(filled(drawn(form_of(TJ, b""))))


def test_text_in_a_form_that_is_drawn_as_a_point_is_seen_by_nobody() -> None:
    point = form_of(TJ, b"/Matrix[0 0 0 0 0 0]/Resources<</Font<</F1 5 0 R>>>>")

    with pytest.raises(NoPlaceholders):
        compiled(drawn(point))


def test_a_form_drawn_twice_is_filled_once_and_drawn_twice() -> None:
    program = b"/X6 Do q 1 0 0 1 0 -100 cm /X6 Do Q"
    template = drawn(form_of(TJ), program=program)

    assert len(compiled(template).plan.slots) == 1
    assert text_of(filled(template)).count(STAMP) == 2


def test_what_is_drawn_but_not_there_is_passed_over() -> None:
    template = drawn(b"null", b"7", program=b"/X6 Do /X7 Do /None Do Do 7 Do " + TJ)

    assert len(compiled(template).plan.slots) == 1


@pytest.mark.parametrize(("box", "room"), [(b"[0 0 400 800]", 260), (b"7", 435.5), (b"[1]", 435.5)])
def test_a_value_stays_within_its_form(box: bytes, room: float) -> None:
    form = form_of(TJ, b"/Matrix[2 0]").replace(b"[0 0 600 800]", box)

    (slot,) = lines_of(compiled(drawn(form, program=b"/X6 Do")).plan)

    assert slot.room == pytest.approx(room)


def test_a_form_is_seen_eight_deep() -> None:
    forms = [
        form_of(b"/X%d Do" % (at + 1), b"/Resources<</XObject<</X%d %d 0 R>>>>" % (at + 1, at + 1))
        for at in range(6, 30)
    ]

    with pytest.raises(NoPlaceholders):
        compiled(drawn(*forms, form_of(TJ)))


@pytest.mark.long
def test_more_forms_than_are_taken_are_refused() -> None:
    program = b" ".join(b"/X%d Do" % at for at in range(6, 1007))

    with pytest.raises(OverLimits, match="1000 forms"):
        compiled(drawn(*[form_of(b"q Q")] * 1001, program=program))


def test_a_crop_box_that_is_none_is_no_hindrance() -> None:
    assert STAMP in text_of(filled(page_of(TJ, page=b"/CropBox 7")))


def test_a_title_is_kept_and_other_information_is_ours() -> None:
    template = page_of(TJ, more=[b"<</Title(Caf\\351)/Author(Secret)/Producer(Old)>>"])
    template = template.replace(b"/Root 1 0 R", b"/Root 1 0 R/Info 6 0 R")

    with pikepdf.open(io.BytesIO(filled(template))) as pdf:
        information = dict(pdf.docinfo.items())

    assert {key: str(value) for key, value in information.items()} == {
        "/Title": "Café",
        "/Producer": "fileservice",
        "/CreationDate": "D:20261121083005Z",
        "/ModDate": "D:20261121083005Z",
    }


TO_UNICODE = (
    b"1 begincodespacerange<0000><FFFF>endcodespacerange 2 beginbfchar <0001><0025> <0002>\n"
    b"<00740069> endbfchar 3 beginbfrange <0003><0004>[<006D><0065>] <0005> <0007> <0073>"
    b"<0010><0012><0061> endbfrange"
)


def composite(to_unicode: bytes = TO_UNICODE, encoding: bytes = b"/Identity-H") -> bytes:
    """Return a page whose placeholder is %timestamp%, in two-byte codes of an embedded subset."""
    font = (
        b"<</Type/Font/Subtype/Type0/BaseFont/ABCDEF+Any-Serif/Encoding%b"
        b"/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>" % encoding
    )
    descendant = (
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/ABCDEF+Any-Serif/DW 500"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/FontDescriptor 8 0 R/W[1[800 600] 3 4 700 99 1]>>"
    )
    descriptor = (
        b"<</Type/FontDescriptor/FontName/ABCDEF+Any-Serif/Flags 2/FontBBox[0 0 1 1]"
        b"/ItalicAngle 0/Ascent 1/Descent 0/CapHeight 1/StemV 1>>"
    )
    # % ti m e s t a m p %: the `t` of `stamp` is code 6 (0073 + 1), `p` has a code of its own.
    codes = b"0001000200030004000500060010000300200001"
    mapped = to_unicode.replace(b"endbfrange", b"<0020><0020><0070> endbfrange")
    return page_of(
        b"BT /F1 20 Tf 60 700 Td <%b> Tj ET" % codes,
        font=font,
        more=[descendant, stream_of(mapped), descriptor],
    )


def test_two_byte_codes_are_read_through_to_unicode() -> None:
    template = compiled(composite())

    assert template.fields == {"timestamp"}
    assert [slot.width for slot in lines_of(template.plan)] == [
        pytest.approx((800 * 2 + 600 + 700 * 3 + 500 * 4) * 20 / 1000)
    ]
    assert template.plan.faces == ("NotoSerif-Regular",)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (b"<</ActualText(%timestamp%)/MCID 7>>", b"/Span << /MCID 7 >> BDC"),
        (b"<</MCID 7>>", b"/Span << /MCID 7 >> BDC"),
        (b"/Named", b"/Span /Named BDC"),
    ],
)
def test_no_text_is_said_in_the_place_of_a_value(said: bytes, left: bytes) -> None:
    span = b"EMC /Span %b BDC (%%timestamp%%) Tj EMC /Span BMC EMC" % said
    after = b"/Span<</ActualText(Stays)>>BDC 0 -30 Td (x) Tj EMC"

    certificate = filled(page_of(b"BT /F1 12 Tf 60 700 Td %b %b ET" % (span, after)))

    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        pdf.pages[0].contents_coalesce()
        program = pdf.pages[0].obj.Contents.read_bytes()
    assert b"(%timestamp%)" not in program
    assert b"(Stays)" in program
    assert left in program


CODES = (
    b"1 begincodespacerange <00> <80> <8140> <9ffc> <010203> <04> endcodespacerange"
    b" begincidrange <41> <5a> 1 <8140> <8150> 40 endcidrange begincidchar <8160> 99 endcidchar"
)


def with_codes(codes: bytes, entries: bytes = b"") -> bytes:
    """Return a page in codes of one and two bytes: the first `t` is the one of two bytes."""
    font = b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding 7 0 R/DescendantFonts[6 0 R]"
    descendant = b"<</Type/Font/Subtype/CIDFontType2/BaseFont/X/DW 500/W[1[600] 99[900]]>>"
    mapped = b"beginbfchar <8160> <0074> endbfchar beginbfrange <20> <7e> <0020> endbfrange"
    return page_of(
        b"BT /F1 20 Tf 60 700 Td (%\201\140imestamp%AB) Tj ET",
        font=font + b"/ToUnicode 8 0 R>>",
        more=[descendant, stream_of(codes, entries), stream_of(mapped)],
    )


def test_codes_of_several_lengths_are_read() -> None:
    (slot,) = lines_of(compiled(with_codes(CODES)).plan)

    # Eleven glyphs of 500, but for the `t` of 900; then A of 600 and B of 500.
    assert slot.width == pytest.approx((10 * 500 + 900 + 600 + 500) * 20 / 1000)


@pytest.mark.parametrize(
    ("codes", "entries"), [(b"", b""), (b"\xff", b"/Filter/FlateDecode"), (CODES, b"/WMode 1")]
)
def test_codes_that_cannot_be_told_apart_or_run_downwards_are_refused(
    codes: bytes, entries: bytes
) -> None:
    with pytest.raises((UnknownCmap, NoPlaceholders, NoUnicode)):
        compiled(with_codes(codes, entries))


UNMEASURED = b"<</Type/Font/Subtype/Type1/BaseFont/Unheard/Encoding/WinAnsiEncoding>>"


@pytest.mark.parametrize(
    ("before", "font"), [(b"/F2 12 Tf (a) Tj /F1 12 Tf", HELVETICA), (b"/F1 12 Tf", UNMEASURED)]
)
def test_a_placeholder_among_letters_of_unknown_width_is_refused(
    before: bytes, font: bytes
) -> None:
    with pytest.raises(BadMode, match="how wide"):
        compiled(page_of(b"BT 60 700 Td %b (%%timestamp%%) Tj ET" % before, font=font))


def test_a_font_that_names_its_glyphs_is_read() -> None:
    font = (
        b"<</Type/Font/Subtype/Type1/BaseFont/X/FirstChar 1/LastChar 3/Widths[500 600 700]"
        b"/FontDescriptor<</Type/FontDescriptor/MissingWidth 400/Flags 262146/FontName/X>>"
        b"/Encoding<</BaseEncoding/MacRomanEncoding/Differences[1/percent/uni006E/a.alt/u006D 101"
        b"/e/g_unknown]>>>>"
    )
    template = compiled(page_of(b"BT /F1 20 Tf 60 700 Td <010203046501> Tj ET", font=font))

    assert template.fields == {"name"}
    assert template.plan.faces == ("NotoSerif-Bold",)


def test_a_type_3_font_has_units_of_its_own() -> None:
    font = (
        b"<</Type/Font/Subtype/Type3/FontMatrix[.01 0 0 .01 0 0]/FontBBox[0 0 1 1]/FirstChar 1"
        b"/LastChar 3/Widths[50 60 70]/CharProcs<<>>"
        b"/Encoding<</Differences[1/percent/n/percent]>>>>"
    )
    template = compiled(page_of(b"BT /F1 10 Tf 60 700 Td <010203> Tj ET", font=font))
    (slot,) = lines_of(template.plan)

    assert slot.width == pytest.approx(18)


def test_a_ligature_is_the_letters_it_stands_for() -> None:
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/MacRomanEncoding>>"
    template = compiled(page_of(b"BT /F1 20 Tf 60 700 Td (%certi\xdecate%) Tj ET", font=font))

    assert template.fields == {"certificate"}


def test_a_page_printed_by_a_browser_is_filled(tmp_path: Path) -> None:
    page, target = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(
        "<!doctype html><meta charset=utf-8><body style='font: 20px serif; text-align: center'>"
        "<h1>Certificate</h1><p>for <b>%name%</b>, %office|the office%<p>on %timestamp%"
    )
    subprocess.run(
        [
            need_program("chromium"),
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={target}",
            page.as_uri(),
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )

    text = text_of(filled(target.read_bytes(), name="Ada Lovelace"))

    assert "for Ada Lovelace, the office" in text
    assert f"on {STAMP}" in text


@pytest.mark.parametrize(
    ("name", "face"),
    [
        (b"Times-Roman", "NotoSerif-Regular"),
        (b"Times-BoldItalic", "NotoSerif-Bold"),
        (b"Helvetica-Oblique", "NotoSans-Regular"),
        (b"Arial,Bold", "NotoSans-Bold"),
        (b"Courier", "NotoSans-Regular"),
        (b"ABCDEF+NotoSerif-Bold", "NotoSerif-Bold"),
        (b"Noto-Sans", "NotoSans-Regular"),
    ],
)
def test_a_value_is_drawn_in_a_face_like_the_templates(name: bytes, face: str) -> None:
    widths = b" 500" * 224
    font = (
        b"<</Type/Font/Subtype/Type1/BaseFont/%b/Encoding/WinAnsiEncoding"
        b"/FirstChar 32/LastChar 255/Widths[%b]>>" % (name, widths)
    )

    assert compiled(page_of(TJ, font=font)).plan.faces == (face,)


def with_signature() -> bytes:
    field = b"<</FT/Sig/T(s)/V<</Type/Sig/ByteRange[0 1 2 3]>>>>"
    return page_of(TJ, catalog=b"/AcroForm<</Fields[6 0 R]/SigFlags 3>>", more=(field,))


USAGE_RIGHTS = b"<</Type/Sig/ByteRange[0 1 2 3]>>"
SIGNATURE = b"<</Type/Sig/ByteRange[0 4 5 6]>>"


def test_rights_that_a_reader_was_given_are_no_signature() -> None:
    template = page_of(TJ, catalog=b"/Perms<</UR3 6 0 R>>", more=(USAGE_RIGHTS,))

    certificate = checked(compiled(template).fill({}, issued_at=NOW))

    assert b"/ByteRange" not in certificate


def test_a_form_that_is_told_in_fields_too_is_filled_without_its_xfa() -> None:
    field = b"<</Subtype/Widget/FT/Tx/T(name)/Rect[100 700 400 720]>>"
    form = b"/AcroForm<</Fields[6 0 R]/XFA[(datasets)(MARK)]/DA(/Helv 12 Tf)>>"

    template = compiled(page_of(TJ, page=b"/Annots[6 0 R]", catalog=form, more=(field,)))

    certificate = checked(template.fill({"name": "Ada"}, issued_at=NOW))
    assert "Ada" in text_of(certificate)
    assert b"MARK" not in certificate


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [
        (b"<!doctype html><title>404</title>", NotPdf, "<!doctype html>"),
        (b"", NotPdf, "begins with"),
        (b"%PDF-1.7 and nothing else", Damaged, "trailer"),
        (pdf_of([b"<</Type/Catalog>>"]), Damaged, "be read: unable to find page tree."),
        (pdf_of([b"<<>>"], b"/Encrypt 1"), Encrypted, "unknown way: /Encrypt"),
        (
            pdf_of(
                [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Kids[3 0 R 9 0 R]>>", b"<</Type/Page>>"]
            ),
            Damaged,
            "/Count is wrong",
        ),
        (page_of(TJ)[:-400], Damaged, "cannot be read"),
        (b"%PDF-1.4" + bytes(20 << 20), OverLimits, "20,971,528 bytes"),
        (with_signature(), Signed, "unsigned original"),
        (page_of(TJ, catalog=b"/Perms<</DocMDP 5 0 R>>"), Signed, "unsigned original"),
        (page_of(TJ, catalog=b"/AcroForm<</Fields[]/XFA[]>>"), Xfa, "print it to a PDF"),
        (
            page_of(TJ, catalog=b"/NeedsRendering true/AcroForm<</Fields[6 0 R]/XFA[]>>"),
            Xfa,
            "print it to a PDF",
        ),
        (
            page_of(TJ, catalog=b"/Perms<</UR3 6 0 R>>", more=(USAGE_RIGHTS, SIGNATURE)),
            Signed,
            "unsigned original",
        ),
        (
            page_of(b"BT /F1 9 Tf 9 9 Td (Issued ) Tj %timestamp%\n(2026) Tj ET"),
            NoPlaceholders,
            "comment",
        ),
        (
            page_of(b"BT /F1 9 Tf 9 9 Td (Dear {name}, it is %timestamp) Tj ET"),
            NoPlaceholders,
            "{name}, %timestamp",
        ),
        (page_of(b"BT /F1 9 Tf 9 9 Td (Diploma of Art) Tj ET"), NoPlaceholders, "Diploma of Art"),
        (page_of(b"0 0 9 9 re f"), NoPlaceholders, "outlines"),
        (page_of(b"(x) Tj 0 Tf /F2 9 Tf (x) Tj TJ"), NoPlaceholders, "outlines"),
        (
            page_of(b"", catalog=b"/AcroForm<</Fields[]>>"),
            NoPlaceholders,
            "no visible text field",
        ),
        (composite(b""), NoUnicode, "(ABCDEF+Any-Serif); export it again"),
        (
            page_of(b"BT /F1 9 Tf (%time) Tj 0 -12 Td (stamp%) Tj ET"),
            NoPlaceholders,
            "misses: %time",
        ),
        (
            composite(encoding=b"/UniGB-UCS2-V"),
            UnknownCmap,
            "Page 1: A placeholder is written downwards, or",
        ),
        (
            composite(TO_UNICODE.replace(b"<0001><0025>", b"<0001><00780025>")),
            SplitLigature,
            "without ligatures",
        ),
        (page_of(b"BT /F1 9 Tf 7 Tr 9 9 Td (%name%) Tj ET"), BadMode, "clipping path"),
        (
            pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"]),
            Damaged,
            "no page",
        ),
        (
            pdf_of(
                [
                    b"<</Type/Catalog/Pages 2 0 R>>",
                    b"<</Type/Pages/Count 21/Kids[%b]>>" % b" ".join([b"3 0 R"] * 21),
                    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
                ]
            ),
            OverLimits,
            "21 pages",
        ),
    ],
)
def test_what_cannot_be_filled_says_why(template: bytes, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        compiled(template)

    assert words in str(caught.value)


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("revision", [4, 6])
def test_an_encrypted_template_is_refused(password: str, revision: Literal[4, 6]) -> None:
    encryption = pikepdf.Encryption(owner="owner", user=password, R=revision)

    with pytest.raises(Encrypted, match="--decrypt"):
        compiled(resaved(page_of(TJ), encryption=encryption))


def test_a_glyph_that_moves_nothing_is_passed_over() -> None:
    widths = b"/FirstChar 32/LastChar 126/Widths[%b]" % (b" 500" * 95)
    template = page_of(
        b"BT /F1 12 Tf 60 700 Td (%timestamp%) Tj (\\200) Tj (!) Tj ET",
        font=HELVETICA.removesuffix(b">>") + widths + b">>",
    )

    assert text_of(filled(template)).strip().endswith("!")


def test_what_no_line_of_ours_can_read_is_damage() -> None:
    with pytest.raises(Damaged, match="broken inside"):
        compiled(page_of(TJ, page=b"/Rotate " + b"9" * 400 + b".0"))


def test_a_language_in_no_encoding_is_none() -> None:
    template = page_of(TJ, catalog=b"/Lang<EFBBBFFF>")

    assert compiled(template).plan.language == ""


def test_a_broken_page_program_is_refused() -> None:
    deflated = zlib.compress(TJ)[:-6]
    template = page_of(TJ).replace(
        stream_of(TJ), stream_of(b"\xff" + deflated, b"/Filter/FlateDecode")
    )

    with pytest.raises((Damaged, NoPlaceholders)):
        compiled(template)


def test_more_lines_with_placeholders_than_are_taken_are_refused() -> None:
    program = b"BT /F1 9 Tf 9 800 Td %b ET" % (b"(%a%) Tj 0 -30 Td " * 501)

    with pytest.raises(OverLimits, match="500 lines"):
        compiled(page_of(program))


@pytest.mark.long
def test_more_objects_than_are_taken_are_refused() -> None:
    with pytest.raises(OverLimits, match="20,000 objects"):
        compiled(page_of(TJ, more=[b"null"] * 20_001))


@pytest.mark.parametrize("program", [b"q\n" * 1_000_000, b"1 w\n" * 300_000])
def test_more_operators_than_are_taken_are_refused(program: bytes) -> None:
    with pytest.raises(OverLimits, match="200,000"):
        compiled(page_of(program + TJ))
