"""What a template's fonts, numbers and programs say, down to what is broken in them."""

import io
import math
from datetime import UTC, datetime
from typing import cast

import pikepdf
import pytest
from pikepdf import Dictionary, Name, Object

from fileservice.errors import BadValue
from fileservice.pdf.cmaps import MAX_MAPPINGS
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.encodings import character_of, standard_width
from fileservice.pdf.errors import Damaged
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.geometry import IDENTITY, Matrix, number
from fileservice.pdf.lines import read_lines
from fileservice.pdf.slots import Slot, Value
from fileservice.pdf.subsets import Subset
from fileservice.pdf.templatefonts import TemplateFont, name_of, read_font
from fileservice.pdf.text import Show, TextReader, parse_program
from fileservice.pdf.tounicode import read_to_unicode
from fileservice.pdf.values import clean_value
from tests.pdfs import checked, page_of, stream_of, text_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        (b"", {}),
        (b"beginbfchar <41> <0061> endbfchar", {0x41: "a"}),
        (b"beginbfchar <41><00660069> <4 2> <D83D DE00> endbfchar", {0x41: "fi", 0x42: "😀"}),
        (b"beginbfrange <41> <43> <0061> endbfrange", {0x41: "a", 0x42: "b", 0x43: "c"}),
        (b"beginbfrange <41> <43> [<0061> <00780079>] endbfrange", {0x41: "a", 0x42: "xy"}),
        (b"beginbfrange <43> <41> <0061> endbfrange", {}),
        (b"beginbfrange <41> <42> <> endbfrange", {}),
        (b"beginbfrange <41> <ffff> <DBFFDFFF> endbfrange", {0x41: "\U0010ffff"}),
        (b"beginbfchar <41> <6> endbfchar beginbfchar <42>", {0x41: "\u6000"}),
        (b"beginbfchar < > <0061> endbfchar", {0: "a"}),
    ],
)
def test_to_unicode_is_read(program: bytes, texts: dict[int, str]) -> None:
    assert read_to_unicode(program) == texts


def test_no_map_is_read_for_ever() -> None:
    ranges = b"<0000> <ffffffff> <0061>\n" * 5000

    assert len(read_to_unicode(b"beginbfrange %b endbfrange" % ranges)) <= MAX_MAPPINGS


def test_a_map_that_many_fonts_share_is_read_once() -> None:
    program = b"beginbfrange <0000> <ffff> <0061> endbfrange"

    assert read_to_unicode(program) is read_to_unicode(bytes(bytearray(program)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("percent", "%"),
        ("Aacute", "Á"),
        ("f_i", "fi"),
        ("a.sc", "a"),
        ("uni00410042", "AB"),
        ("u1F600", "😀"),
        ("uniD800", ""),
        ("u110000", ""),
        ("uni004", ""),
        ("g17", ""),
        ("", ""),
    ],
)
def test_a_glyphs_name_says_what_it_draws(name: str, text: str) -> None:
    assert character_of(name) == text


@pytest.mark.parametrize(
    ("name", "character", "width"),
    [
        ("Helvetica", "A", 667),
        ("ABCDEF+Arial-BoldMT", "A", 722),
        ("Times-Roman", "A", 722),
        ("TimesNewRomanPS-BoldItalicMT", "A", 667),
        ("Times-Italic", "A", 611),
        ("Courier-Bold", "A", 600),
        ("Comic", "A", 0),
        ("Helvetica", "名", 0),
    ],
)
def test_the_standard_fonts_have_their_widths(name: str, character: str, width: float) -> None:
    assert standard_width(name, character) == width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0"),
        (-0.000001, b"0"),
        (1, b"1"),
        (100, b"100"),
        (-1.5, b"-1.5"),
        (1 / 3, b"0.33333"),
        (1e-9, b"0"),
        (123456.789, b"123456.789"),
    ],
)
def test_a_number_is_written_as_pdf_knows_it(value: float, text: bytes) -> None:
    assert number(value) == text


def test_a_matrix_and_its_inverse_lead_back() -> None:
    matrix = Matrix(2, 1, -1, 3, 50, 60)

    assert matrix.inverse().apply(*matrix.apply(7, 8)) == pytest.approx((7, 8))
    assert matrix.then(matrix.inverse()) == pytest.approx(IDENTITY)
    assert matrix.x_scale == pytest.approx(math.sqrt(5))


@pytest.mark.parametrize(
    "matrix",
    [
        Matrix(0, 0, 0, 0, 0, 0),
        Matrix(1, 1, 1, 1, 0, 0),
        Matrix(1, 0, 0, 1, 1e7, 0),
        Matrix(math.inf, 0, 0, 1, 0, 0),
        Matrix(1, 0, 0, math.nan, 0, 0),
    ],
)
def test_a_matrix_that_leads_nowhere_is_known(matrix: Matrix) -> None:
    assert not matrix.is_sane


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("A\u0308", "Ä"),
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("two\r\nlines\tand \u2028more", "two lines and  more"),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_value_is_made_the_same_however_it_was_typed(raw: str, text: str) -> None:
    assert clean_value("name", raw) == text


@pytest.mark.parametrize(
    "raw", ["\0", "a\x07", "\x7f", "\x85", "\ud800", "\uffff", "\ue000", "\u0378", "x" * 501]
)
def test_a_value_that_is_no_text_is_refused(raw: str) -> None:
    with pytest.raises(BadValue, match="'name'"):
        clean_value("name", raw)


def font_of(source: bytes) -> TemplateFont:
    return read_font(cast("Dictionary", Object.parse(source)))


@pytest.mark.parametrize(
    ("source", "readable"),
    [
        (b"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<<>>]>>", True),
        (b"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts 7>>", False),
        (b"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[]>>", False),
        (b"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[null]>>", False),
        (b"<</Subtype/Type0/Encoding<<>>/DescendantFonts[<<>>]>>", False),
        (b"<</Subtype/Type0/Encoding/90pv-RKSJ-H/DescendantFonts[<<>>]>>", False),
        (b"<<>>", True),
        (b"<</BaseFont/\xb7\xc2/Encoding/\xb7\xc2>>", True),
        (b"<</Encoding<</Differences 7>>/Widths[(x) null]/FirstChar(x)/FontMatrix[]>>", True),
    ],
)
def test_a_font_that_is_not_as_it_should_be_is_read_as_far_as_it_goes(
    source: bytes, readable: bool
) -> None:
    assert font_of(source).is_readable is readable


def test_widths_of_composite_fonts_are_listed_or_ranged() -> None:
    font = font_of(
        b"<</Subtype/Type0/Encoding/Identity-H/DescendantFonts[<</DW 7"
        b"/W[1[10 20] 5 6 30 8 999999999 40 -1 5 50 9]>>]>>"
    )

    widths = [font.width_of(glyph) for glyph in (0, 1, 2, 3, 5, 6, 7, 8, 0xFFFF)]
    assert widths == [7, 10, 20, 7, 30, 30, 7, 40, 40]


def test_only_names_in_utf_8_are_names() -> None:
    assert name_of(Name("/F1")) == "/F1"
    assert name_of(7) == ""
    assert name_of(Object.parse(b"/\xb7\xc2")) == ""


def shows_of(program: bytes) -> list[Show]:
    with pikepdf.new() as pdf:
        instructions = parse_program(pdf.make_stream(program), program)
        reader = TextReader(lambda _: TemplateFont("X", other_width=500))
        reader.read_all(instructions)
        return reader.shows


@pytest.mark.parametrize(
    "odd",
    [
        b"1 cm", b"(a) Td", b"1 TD", b"Tf", b"7 7 Tf", b"Tm", b"Tc", b"1 2 Tw", b"Tr", b"Q",
        b"q", b"TJ", b"Tj", b"7 Tj", b"(x) null TJ", b"sc", b"/P gs", b"1 2 3", b"EMC",
        b"BI /W 1 /H 1 /BPC 8 /CS /G ID x EI",
    ],
)  # fmt: skip
def test_an_operator_that_is_not_as_it_should_be_changes_nothing(odd: bytes) -> None:
    program = b"BT /F1 10 Tf 1 0 0 1 50 60 Tm %b (ab) Tj ET"

    show = shows_of(program % odd)[-1]

    assert show.placed == Matrix(1, 0, 0, 1, 50, 60)
    assert show.advance == 10
    assert (show.state.size, show.state.mode, show.state.leading) == (10, 0, 0)


def test_what_a_state_was_comes_back() -> None:
    first, second = shows_of(b"/F1 10 Tf q 2 Tr 7 Ts 2 0 0 2 0 0 cm (a) Tj Q BT (b) Tj ET")

    assert (first.state.mode, first.state.rise, first.placed.a) == (2, 7, 2)
    assert (second.state.mode, second.state.rise, second.placed.a) == (0, 0, 1)


def test_text_without_a_font_is_not_shown() -> None:
    assert shows_of(b"BT (a) Tj ET") == []


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        (b"(a) Tj (b) Tj", ["ab"]),
        (b"(a) Tj 5 0 Td (b) Tj", ["ab"]),
        (b"(a) Tj 8 0 Td (b) Tj", ["a b"]),
        (b"(a) Tj 30 0 Td (b) Tj", ["a", "b"]),
        (b"(a) Tj 5 3 Td (b) Tj", ["a", "b"]),
        (b"(a) Tj 0 1 -1 0 5 0 Tm (b) Tj", ["a", "b"]),
        (b"(a) Tj -1 0 0 1 5 0 Tm (b) Tj", ["a", "b"]),
        (
            b".7071 .7071 -.7071 .7071 0 0 Tm (a) Tj .7071 -.7071 .7071 .7071 3 3 Tm (b) Tj",
            ["a", "b"],
        ),
        (b"(a) Tj 0 Tz (b) Tj 100 Tz 0 0 0 0 0 0 Tm (c) Tj () Tj", ["a"]),
    ],
)
def test_what_stands_on_one_baseline_is_one_line(program: bytes, texts: list[str]) -> None:
    font = TemplateFont("X", texts={code: chr(code) for code in range(128)}, other_width=500)
    source = b"BT /F1 10 Tf " + program + b" ET"
    with pikepdf.new() as pdf:
        reader = TextReader(lambda _: font)
        reader.read_all(parse_program(pdf.make_stream(source), source))

    assert [line.text for line in read_lines(reader.shows, IDENTITY)] == texts


def test_a_line_may_go_on_by_next_line_operators() -> None:
    template = compile_template(
        page_of(b"BT /F1 12 Tf 60 700 Td (%na) Tj 0 TL 25 0 Td (me%) ' 1 1 (!) \" (?) Tj ET"),
        shipped_fonts(),
    )

    text = text_of(checked(template.fill({"name": "Ada"}, issued_at=NOW)))

    assert "Ada" in text
    assert "?" in text


def test_a_line_may_go_on_by_an_operator_that_sets_spacing() -> None:
    template = compile_template(
        page_of(b'BT /F1 12 Tf 60 700 Td (%na) Tj 25 0 Td 3 2 (me%) " 0 -30 Td (a b) Tj ET'),
        shipped_fonts(),
    )

    (word,) = [w for w in words_of(template.fill({"name": "Ada"}, issued_at=NOW)) if w[2] == "b"]

    # 85, the width of `a` and of the space, twice 2 between letters and 3 between words.
    assert word[0] == pytest.approx(85 + (556 + 278) * 12 / 1000 + 2 * 2 + 3, abs=0.01)


def test_a_stream_that_cannot_be_decoded_is_damage() -> None:
    with pikepdf.open(io.BytesIO(page_of(b"x"))) as pdf:
        pdf.pages[0].obj.Contents = pdf.make_stream(b"\xff\xfe" * 9, Filter=Name.FlateDecode)
        with pytest.raises(Damaged):
            parse_program(pdf.pages[0], b"")


def test_marks_without_a_letter_of_their_own_are_raised_to_it() -> None:
    face = shipped_fonts().faces["NotoSans-Regular"]
    glyphs = face.set_text("X\u0302y")

    drawn = Subset(face, [glyph.sign for glyph in glyphs]).encode(glyphs, 10)

    assert "".join(glyph.sign[1] for glyph in glyphs) == "X\u0302y"
    assert b" Ts[" in drawn
    assert b"0 Ts[" in drawn


@pytest.mark.parametrize(
    ("encoding", "program", "text"),
    [
        (
            b"",
            b"/Encoding 256 array 0 1 255 {1 index} for dup 65/percent put dup 66 /f_i put",
            "%fi�",
        ),
        (b"", b"/Encoding StandardEncoding def dup 65/percent put", "ABC"),
        (b"", b"/Encoding 256 array dup 999/a put dup 65/g17 put eexec dup 66/x put", "���"),
        (b"", b"dup 65/percent put", "ABC"),
        (b"/Encoding/WinAnsiEncoding", b"/Encoding 9 array dup 65/percent put", "ABC"),
        (b"/Encoding<</Differences[66/x]>>", b"/Encoding 9 array dup 65/percent put", "%x�"),
        (b"/Encoding<</BaseEncoding/WinAnsiEncoding>>", b"/Encoding 9 array dup 65/a put", "ABC"),
    ],
)
def test_a_font_without_an_encoding_has_that_of_its_program(
    encoding: bytes, program: bytes, text: str
) -> None:
    with pikepdf.new() as pdf:
        source = cast("Dictionary", Object.parse(b"<</Subtype/Type1%b>>" % encoding))
        source.FontDescriptor = Dictionary(FontFile=pdf.make_stream(program))
        font = read_font(source)

    assert "".join(text for _, text, _ in font.decode(b"ABC")) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (b"/a74/a75", "JK"),
        (b"/C4A/g4b", "JK"),
        (b"/a75/g74", "��"),
        (b"/J/g4C", "J�"),
        (b"/ab74/abc75", "J�"),
    ],
)
def test_a_glyph_named_by_its_own_code_is_the_character_of_that(names: bytes, text: str) -> None:
    source = b"<</Subtype/Type3/Encoding<</Differences[74%b]>>>>" % names

    font = read_font(cast("Dictionary", Object.parse(source)))

    assert "".join(text for _, text, _ in font.decode(b"JK")) == text


@pytest.mark.parametrize(
    ("name", "text"), [(b"/Identity-H", "%é"), (b"/Identity-V", "%é"), (b"/Other", "��")]
)
def test_a_map_that_is_only_named_has_the_codes_of_unicode(name: bytes, text: str) -> None:
    font = read_font(
        cast(
            "Dictionary",
            Object.parse(
                b"<</Subtype/Type0/Encoding/Identity-H/ToUnicode%b/DescendantFonts[<<>>]>>" % name
            ),
        )
    )

    assert "".join(text for _, text, _ in font.decode("%é".encode("utf-16-be"))) == text


def index_of(*objects: bytes) -> bytes:
    ends = [1 + sum(map(len, objects[:count])) for count in range(len(objects) + 1)]
    head = len(objects).to_bytes(2) + b"\x02" + b"".join(end.to_bytes(2) for end in ends)
    return (head if objects else b"\0\0") + b"".join(objects)


def compact_font(glyphs: int, charset: bytes, encoding: bytes, entries: bytes = b"") -> bytes:
    """Return a CFF program (note 5176); the numbers of a Top DICT are written in five bytes."""
    strings = index_of(b"percent", b"f_i", b"g17")
    start = 4 + len(index_of(b"F")) + len(index_of(bytes(18 + len(entries)))) + len(strings)
    starts = (start if charset else 0, start + len(charset), start + len(charset + encoding))
    numbers = [b"\x1d" + at.to_bytes(4) for at in starts]
    top = entries + numbers[0] + b"\x0f" + numbers[1] + b"\x10" + numbers[2] + b"\x11"
    programs = index_of(*[b"\x0e"] * glyphs)
    return b"\1\0\4\2" + index_of(b"F") + index_of(top) + strings + charset + encoding + programs


# Its first three glyphs are the font's own strings, then come E and F, and the ligature ff.
OWN = b"\0" + bytes([1, 135, 1, 136, 1, 137, 0, 38, 0, 39, 1, 10])
A_TO_F = b"\0\6ABCDEF"
# What else a Top DICT says: a number of one byte, two of two, one of three, a real, a copyright.
NUMBERS = b"\x8b\1\xf7\0\2\xfb\0\3\x1c\0\1\4\x1e\x12\x3f\5\x8b\x0c\0"


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (compact_font(7, OWN, A_TO_F), "%fi�EFff"),
        (compact_font(7, OWN, b"\1\2A\2D\2"), "%fi�EFff"),
        (compact_font(7, OWN, b"\x80\1A\2B\1\x88C\0\x22"), "%fiA���"),
        (compact_font(7, b"\1\1\x87\2\0\x26\1\1\x0a\0", A_TO_F), "%fi�EFff"),
        (compact_font(7, b"\2\0\x96\xff\xff", A_TO_F), "¹¬µ™Ð½"),
        (compact_font(3, OWN, A_TO_F), "%fi����"),
        (compact_font(7, b"", A_TO_F), ' !"#$%'),
        (compact_font(7, OWN, A_TO_F, NUMBERS), "%fi�EFff"),
        (compact_font(7, OWN, A_TO_F, b"\x8b\x8b\x8b\x0c\x1e"), "ABCDEF"),
        (compact_font(7, OWN, A_TO_F)[:40], "ABCDEF"),
        (b"", "ABCDEF"),
        (b"\1\0\4\2" + index_of(b"F") + index_of(b"\x8b\x11"), "ABCDEF"),
        (b"\1\0\4\2" + index_of(b"F") + index_of(b"\x8c\x10\x8b\x11"), "ABCDEF"),
        (b"\1\0\4\2" + index_of(b"F") + index_of(b"\x90\x10\x8c\x0f\x8b\x11"), "ABCDEF"),
        (b"\1\0\4\2" + index_of(b"F") + index_of(b"\x90\x10\x1e"), "ABCDEF"),
    ],
)
def test_a_compact_font_without_an_encoding_has_its_own(program: bytes, text: str) -> None:
    with pikepdf.new() as pdf:
        source = cast("Dictionary", Object.parse(b"<</Subtype/Type1>>"))
        source.FontDescriptor = Dictionary(FontFile3=pdf.make_stream(program))
        font = read_font(source)

    assert "".join(text for _, text, _ in font.decode(b"ABCDEF")) == text


def test_a_font_program_that_is_none_says_nothing() -> None:
    source = cast("Dictionary", Object.parse(b"<</Subtype/Type1/FontDescriptor<</FontFile3 1>>>>"))

    assert "".join(text for _, text, _ in read_font(source).decode(b"A")) == "A"


def test_a_font_program_that_cannot_be_unpacked_says_nothing() -> None:
    with pikepdf.new() as pdf:
        source = cast("Dictionary", Object.parse(b"<</Subtype/Type1>>"))
        program = pdf.make_stream(b"\xff\xfe" * 9, Filter=Name.FlateDecode)
        source.FontDescriptor = Dictionary(FontFile=program)
        font = read_font(source)

    assert "".join(text for _, text, _ in font.decode(b"A")) == "A"


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (b"/Subtype/TrueType", "'`"),
        (b"/Subtype/Type1", "\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"),
    ],
)
def test_a_font_that_says_nothing_of_its_codes_has_those_of_its_kind(
    entries: bytes, text: str
) -> None:
    font = font_of(b"<<%b>>" % entries)

    assert "".join(text for _, text, _ in font.decode(b"'`")) == text


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        (b"/FontMatrix[.001 0 0 .001 0 0]/FontBBox[0 -200 500 700]", 20),
        (b"/FontMatrix[1 0 0 1 0 0]/FontBBox[0 -2 8 10]", 240),
        (b"/FontMatrix[1 0 0 1 0 0]/FontBBox[0 0 0 0]", 20),
        (b"/FontMatrix[1 0 0 1 0 0]/FontBBox 7", 20),
        (b"/FontMatrix[1 0 0 1 0 0]/FontBBox[0 -2 8 10]/Subtype/Type1", 20),
    ],
)
def test_a_value_is_as_large_as_the_letters_of_a_font_of_drawings(
    entries: bytes, size: float
) -> None:
    font = (
        b"<</Type/Font/Subtype/Type3/CharProcs<<>>/Encoding/WinAnsiEncoding/FirstChar 32"
        b"/LastChar 126/Widths[%b]%b>>" % (b"1 " * 95, entries)
    )
    if b"/Type1" in entries:
        font = font.replace(b"/Subtype/Type3", b"")

    plan = compile_template(
        page_of(b"BT /F1 20 Tf 60 700 Td (%name%) Tj ET", font=font), shipped_fonts()
    ).plan

    ((value,),) = [slot.parts for slot in plan.slots if isinstance(slot, Slot)]
    assert isinstance(value, Value)
    assert value.size == size


def test_text_in_a_font_of_drawings_is_read_by_its_map() -> None:
    font = (
        b"<</Type/Font/Subtype/Type3/CharProcs<<>>/FontMatrix[.01 0 0 .01 0 0]/FontBBox[0 0 0 0]"
        b"/Encoding<</Differences[1/a1/a2]>>/FirstChar 1/LastChar 2/Widths[50 50]/ToUnicode 6 0 R>>"
    )
    rows = b"1 begincodespacerange<00><ff>endcodespacerange 2 beginbfchar<01><0025><02><006e>"
    template = page_of(
        b"BT /F1 20 Tf 60 700 Td <010201> Tj ET", font=font, more=(stream_of(rows + b"endbfchar"),)
    )

    certificate = checked(
        compile_template(template, shipped_fonts()).fill({"n": "Ada"}, issued_at=NOW)
    )

    assert "Ada" in text_of(certificate)
