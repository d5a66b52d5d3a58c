"""Composite fonts: which codes a string has, which glyphs they are and how wide those are."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from pikepdf import Dictionary, Object, Pdf

from fileservice.pdf.cmaps import MAX_MAPPINGS, TWO_BYTES, CodeMap, read_codes
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.encodings import UNREADABLE
from fileservice.pdf.errors import BadMode
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.predefined import FULL_WIDTH, collections, predefined
from fileservice.pdf.templatefonts import TemplateFont, read_font
from tests.conftest import need_file
from tests.pdfs import checked, page_of, text_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
ADOBES = Path("/usr/share/poppler/cMap")  # of Debian's poppler-data
NAMES = [name for name in collections().maps if name != "Identity-H"]
BYTE = b"1 begincodespacerange <00> <ff> endcodespacerange\n"


def glyphs_of(program: bytes, codes: str, base: CodeMap | None = None) -> list[int]:
    read = read_codes(program, base)
    return [read.glyph(code) for code in read.split(bytes.fromhex(codes))]


@pytest.mark.parametrize(
    ("rows", "codes", "glyphs"),
    [
        (b"begincidrange <41> <43> 7 endcidrange", "40414344", [0, 7, 9, 0]),
        (b"begincidchar <41> 7 <4 2> 9 endcidchar", "4142", [7, 9]),
        (b"begincidrange <00> <ff> 1 endcidrange begincidchar <41> 7 endcidchar", "4142", [7, 67]),
        (b"begincidchar <41> 7 endcidchar beginnotdefrange <00> <42> 3 endnotdefrange", "424143",
         [3, 7, 0]),
        (b"", "4142", [0x41, 0x42]),
        (b"begincidrange <43> <41> 7 endcidrange begincidrange <41>", "4243", [0, 0]),
        (b"begincidchar <41> 12345678 endcidchar", "41", [0x41]),
    ],
)  # fmt: skip
def test_a_code_is_the_glyph_that_its_map_says(rows: bytes, codes: str, glyphs: list[int]) -> None:
    assert glyphs_of(BYTE + rows, codes) == glyphs


def test_codes_of_one_number_and_several_lengths_are_told_apart() -> None:
    program = (
        b"begincodespacerange <01> <7f> <8000> <ffff> <0000> <00ff> endcodespacerange"
        b" begincidrange <41> <42> 5 <8041> <8042> 50 endcidrange begincidchar <0041> 99 endcidchar"
    )

    assert glyphs_of(program, "418042804100417fff") == [5, 51, 50, 99, 0, 0]


def test_half_a_code_is_none() -> None:
    assert list(TWO_BYTES.split(b"abc")) == [b"ab"]


@pytest.mark.parametrize(
    "spaces", [b"<00> <ffff>", b"<0000000000> <ffffffffff>", b"<zz> <00>", b"", b"<00>"]
)
def test_a_map_without_a_space_for_codes_has_none(spaces: bytes) -> None:
    assert read_codes(b"begincodespacerange %b endcodespacerange" % spaces, None).spaces == ()


def test_a_map_that_never_ends_is_read_in_no_time() -> None:
    program = b"begincidrange begincodespacerange " * 100_000

    assert read_codes(program, None).ranges == ()


def test_no_map_of_codes_is_read_for_ever() -> None:
    rows = b"".join(b"<%08x> <%08x> 1\n" % (at, at) for at in range(80_000))
    chars = b"".join(b"<%04x> 1\n" % at for at in range(0x10000)) * 2

    ranges = read_codes(b"begincidrange %b endcidrange" % rows, None).ranges
    single = read_codes(b"begincidchar %b endcidchar" % chars, None).single
    assert len(ranges) == MAX_MAPPINGS
    assert len(single) == 0x10000


def test_a_map_adds_to_another() -> None:
    base = predefined("90ms-RKSJ-H")

    glyphs = glyphs_of(b"begincidchar <41> 7 endcidchar", "4142889f", base)

    assert glyphs == [7, 231 + 0x42 - 0x20, FULL_WIDTH]


def font_of(encoding: bytes, *, descendant: bytes = b"", program: bytes | None = None) -> bytes:
    font = b"<</Type/Font/Subtype/Type0/BaseFont/Song/Encoding %b/DescendantFonts[<<%b>>]>>" % (
        encoding,
        b"/Type/Font/Subtype/CIDFontType0/BaseFont/Song" + descendant,
    )
    return font if program is None else font.replace(b"%p", program)


def read(source: bytes) -> TemplateFont:
    return read_font(cast("Dictionary", Object.parse(source)))


def adobes(path: Path) -> Mapping[bytes, int]:
    """Return code -> glyph of one of Adobe's own files."""
    program = path.read_text(encoding="latin-1")
    used = re.search(r"/(\S+)\s+usecmap", program)
    codes = dict(adobes(path.parent / used[1])) if used else {}
    for body in re.findall(r"begincidrange(.*?)endcidrange", program, re.DOTALL):
        for first, last, glyph in re.findall(r"<(\w+)>\s*<(\w+)>\s*(\d+)", body):
            start, length = int(first, 16), len(first) // 2
            for value in range(start, int(last, 16) + 1):
                codes[value.to_bytes(length, "big")] = int(glyph) + value - start
    for body in re.findall(r"begincidchar(.*?)endcidchar", program, re.DOTALL):
        codes |= {bytes.fromhex(code): int(g) for code, g in re.findall(r"<(\w+)>\s*(\d+)", body)}
    return codes


@pytest.mark.parametrize("name", NAMES)
def test_a_map_with_a_name_is_adobes_own(name: str) -> None:
    (path,) = need_file(ADOBES).glob(f"*/{name}")
    codes = predefined(name)
    assert codes is not None

    wrong = []
    for code, glyph in adobes(path).items():
        is_narrow = any(low <= glyph <= high for low, high in codes.narrow)
        if [code] != list(codes.split(code)):
            wrong.append((code, "is no code"))
        if codes.glyph(code) != (glyph if is_narrow else FULL_WIDTH):
            wrong.append((code, "is another glyph"))
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_letters_are_letters_in_every_map_with_a_name(name: str) -> None:
    codes = predefined(name)
    assert codes is not None
    text = "%name|Ada-9% {{x}}"

    raw = text.encode(codes.codec)

    assert "".join(map(codes.text, codes.split(raw))) == text
    assert FULL_WIDTH not in map(codes.glyph, codes.split(raw))


@pytest.mark.parametrize(
    ("ordering", "encoding", "before"),
    [
        (b"GB1", "UniGB-UCS2-H", "证书"),
        (b"GB1", "UniGB-UTF16-H", "证书"),
        (b"GB1", "GBK-EUC-H", "证书"),
        (b"GB1", "GBKp-EUC-H", "證書"),
        (b"GB1", "GBK2K-H", "㐀书"),
        (b"GB1", "GB-EUC-H", "证书"),
        (b"CNS1", "UniCNS-UTF16-H", "證書"),
        (b"CNS1", "ETen-B5-H", "證書"),
        (b"CNS1", "ETenms-B5-H", "證書"),
        (b"CNS1", "HKscs-B5-H", "證書"),
        (b"Japan1", "UniJIS-UCS2-H", "証明"),
        (b"Japan1", "UniJIS-UTF16-H", "証𠮟"),
        (b"Japan1", "90ms-RKSJ-H", "証ｱ明"),
        (b"Japan1", "90msp-RKSJ-H", "証明"),
        (b"Japan1", "EUC-H", "証明"),
        (b"Korea1", "KSCms-UHC-H", "증명"),
        (b"Korea1", "UniKS-UCS2-H", "증명"),
    ],
)
def test_a_template_with_its_text_in_a_map_with_a_name_is_filled(
    ordering: bytes, encoding: str, before: str
) -> None:
    codes = predefined(encoding)
    assert codes is not None
    widths = b" ".join(b"%d %d 500" % span for span in codes.narrow)
    font = font_of(
        b"/" + encoding.encode(),
        descendant=b"/CIDSystemInfo<</Registry(Adobe)/Ordering(%b)/Supplement 0>>/W[%b]"
        b"/FontDescriptor<</Type/FontDescriptor/FontName/Song/Flags 4/ItalicAngle 0/Ascent 800"
        b"/Descent -200/CapHeight 700/StemV 80/FontBBox[0 -200 1000 800]>>" % (ordering, widths),
    )
    shown = f"{before}%name%".encode(codes.codec).hex().encode()
    template = page_of(b"BT /F1 20 Tf 60 700 Td <%b> Tj ET" % shown, font=font)

    certificate = checked(
        compile_template(template, shipped_fonts()).fill({"name": "Ada"}, issued_at=NOW)
    )

    stop = 60 + 20 * sum(0.5 if each == "ｱ" else 1.0 for each in before)
    assert before + "Ada" in text_of(certificate).replace(" ", "")
    ((left, right, _),) = words_of(certificate)
    assert left == pytest.approx(60, abs=0.1)
    assert right == pytest.approx(stop + 20 * (0.639 + 0.615 + 0.561), abs=0.1)


def test_a_font_with_narrow_glyphs_that_are_not_told_apart_is_not_measured() -> None:
    even = read(font_of(b"/GBK-EUC-H", descendant=b"/W[814 939 500 5000[1000] 6000 6010 1000]"))
    uneven = read(font_of(b"/GBK-EUC-H", descendant=b"/W[814 939 500 5000[700]]"))
    across = read(font_of(b"/GBK-EUC-H", descendant=b"/W[900 1000 500]"))

    assert (even.is_measured, uneven.is_measured, across.is_measured) == (True, False, False)


def test_a_placeholder_in_a_font_that_is_not_measured_is_refused() -> None:
    font = font_of(b"/GBK-EUC-H", descendant=b"/W[-5[700] 5000[700]]")

    with pytest.raises(BadMode, match="cannot be told how wide"):
        compile_template(page_of(b"BT /F1 9 Tf (%name%) Tj ET", font=font), shipped_fonts())


@pytest.mark.parametrize(
    ("ordering", "codes", "text"),
    [
        (b"Japan1", b"\0\x06\0\x2f\x02\x77", "%N~"),
        (b"Japan1", b"\0\xec\1\x15\1\x57", "%Nｱ"),
        (b"GB1", b"\3\x33\0\x06", "&%"),
        (b"Korea1", b"\0\x06\x1f\xa3", "%%"),
        (b"Identity", b"\0\x06", UNREADABLE),
        (b"\xff\xfe\xfd", b"\0\x06", UNREADABLE),
    ],
)
def test_the_letters_of_a_collection_are_read_without_a_map(
    ordering: bytes, codes: bytes, text: str
) -> None:
    named = b"/CIDSystemInfo<</Ordering<%b>>>" % ordering.hex().encode()
    font = read(font_of(b"/Identity-H", descendant=named))

    assert "".join(text for _, text, _ in font.decode(codes)) == text


@pytest.mark.parametrize(
    ("entries", "program", "glyph"),
    [
        (b"/UseCMap/90ms-RKSJ-H", b"", 264),
        (b"", b"/90ms-RKSJ-H usecmap", 264),
        (b"/UseCMap/Identity-H", b"begincidchar <4142> 7 endcidchar", 7),
        (b"/UseCMap 7 0 R", BYTE, 9),
    ],
)
def test_a_map_in_the_file_adds_to_one_with_a_name_or_another(
    entries: bytes, program: bytes, glyph: int
) -> None:
    with Pdf.new() as pdf:
        font = font_in(pdf, entries, program)

    assert font.is_readable
    assert font.codes is not None
    code = next(font.codes.split(b"AB"))
    assert font.codes.glyph(code) == glyph


@pytest.mark.parametrize(
    ("entries", "program"),
    [
        (b"/UseCMap/Identity-V", BYTE),
        (b"/UseCMap/Unheard-H", BYTE),
        (b"/UseCMap 7", BYTE),
        (b"", b"/Identity-V usecmap" + BYTE),
        (b"/WMode 1", BYTE),
        (b"", b"/WMode 1 def " + BYTE),
        (b"", b""),
        (b"/UseCMap 8 0 R", BYTE),
    ],
)
def test_a_map_that_cannot_be_followed_is_not_read(entries: bytes, program: bytes) -> None:
    with Pdf.new() as pdf:
        assert not font_in(pdf, entries, program).is_readable


def font_in(pdf: Pdf, entries: bytes, program: bytes) -> TemplateFont:
    """Return a font whose CMap is `program`; 7 0 R maps A to 9, 8 0 R adds to itself."""
    streams = {
        b"7 0 R": pdf.make_stream(BYTE + b"begincidchar <41> 9 endcidchar"),
        b"8 0 R": pdf.make_stream(BYTE),
    }
    streams[b"8 0 R"].UseCMap = streams[b"8 0 R"]
    encoding = pdf.make_stream(program)
    for key, value in re.findall(rb"/(\w+)\s*(/[\w-]+|\d 0 R|\d)", entries):
        name = "/" + key.decode()
        encoding[name] = streams[value] if value in streams else Object.parse(value)
    source = cast("Dictionary", Object.parse(font_of(b"/Identity-H")))
    source.Encoding = encoding
    return read_font(source)
