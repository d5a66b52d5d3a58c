"""The fonts a template is written in: what text its codes mean and how far they move the pen."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from fileservice.pdf.cmaps import TWO_BYTES, CodeMap, read_codes
from fileservice.pdf.encodings import (
    STANDARD,
    UNREADABLE,
    WIN_ANSI,
    character_of,
    standard_width,
    tables,
)
from fileservice.pdf.fontprograms import builtin_texts
from fileservice.pdf.geometry import IDENTITY, Matrix
from fileservice.pdf.predefined import predefined, texts_of
from fileservice.pdf.tounicode import IDENTITIES, read_to_unicode, unicode_codes

MAX_BYTE = 0xFF
# A font's box is as high as its letters need: about an em, in what is made for its size.
LEAST_EM, GREATEST_EM = 0.4, 2.5
MAX_BASES = 4  # of a CMap that adds to another
# How a CMap names the one it adds to, and that it is for vertical writing.
USED = re.compile(rb"/([\w-]{1,64})\s+usecmap")
VERTICAL = re.compile(rb"/WMode\s+1\b")
# How TeX's bitmaps name their glyphs, and what was made of fonts of printers.
NUMBERED = re.compile(r"[A-Za-z]{1,2}([0-9A-Fa-f]{2,3})")
PRINTABLE = range(0x20, 0x7F)
# A placeholder is spelled in letters, also where the producer drew two of them as one.
LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}


class Span(NamedTuple):
    """Glyphs `first` to `last`, which have one width."""

    first: int
    last: int
    width: float


@dataclass(slots=True)
class TemplateFont:
    """
    A font of the template.

    Attributes:
        name: its PostScript name, with the tag of a subset.
        flags: ISO 32000-1 table 123; 0 when it does not say.
        codes: where one code ends and the next begins, and which glyph each means; None when every
            code is one byte.
        is_readable: False when neither can be told.
        em: how large its letters are, in font sizes: about 1, but in fonts of drawings (Type 3).
        is_measured: False when it leaves it to the reader how wide its letters are.
        texts: code -> text.
        glyph_texts: glyph -> text, for codes that `texts` does not have.
        widths: glyph -> how far the pen moves, in thousandths of the font size; the glyph is the
            code where every code is one byte.
        spans: the same for glyphs from one to another, by the first.
        other_width: the same for all other glyphs.
    """

    name: str
    flags: int = 0
    codes: CodeMap | None = None
    is_readable: bool = True
    em: float = 1.0
    is_measured: bool = True
    texts: Mapping[int, str] = field(default_factory=dict)
    glyph_texts: Mapping[int, str] = field(default_factory=dict)
    widths: dict[int, float] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    other_width: float = 0.0

    def decode(self, raw: bytes) -> Iterator[tuple[bytes, str, float]]:
        """Yield the code, the text and the width of each glyph that the string `raw` shows."""
        if self.codes is None:
            for value in raw:
                text = self.texts.get(value, UNREADABLE)
                yield bytes([value]), LIGATURES.get(text, text), self.width_of(value)
            return
        for code in self.codes.split(raw):
            glyph = self.codes.glyph(code)
            text = self.texts.get(int.from_bytes(code, "big")) or self.codes.text(code)
            text = text or self.glyph_texts.get(glyph, UNREADABLE)
            yield code, LIGATURES.get(text, text), self.width_of(glyph)

    def width_of(self, glyph: int) -> float:
        """Return how far `glyph` moves the pen, in thousandths of the font size."""
        if glyph in self.widths:
            return self.widths[glyph]
        at = bisect_right(self.spans, glyph, key=attrgetter("first")) - 1
        if at >= 0 and glyph <= self.spans[at].last:
            return self.spans[at].width
        return self.other_width


def read_font(source: Dictionary) -> TemplateFont:
    """Read the font dictionary `source`, passing over what is not as the standard says."""
    font = TemplateFont(name_of(source.get("/BaseFont")).removeprefix("/"))
    to_unicode = source.get("/ToUnicode")
    if isinstance(to_unicode, Stream):
        font.texts = read_to_unicode(decoded(to_unicode) or b"")
    elif name_of(to_unicode) in IDENTITIES:
        font.texts = unicode_codes()
    if source.get("/Subtype") == Name.Type0:
        _read_composite(font, source)
    else:
        _read_simple(font, source)
    return font


def decoded(stream: Stream) -> bytes | None:
    """Return the bytes of `stream`; None when they cannot be unpacked, or not within the limits."""
    try:
        return stream.read_bytes()
    except pikepdf.PikepdfError:
        return None


def real(value: object, otherwise: float = 0.0) -> float:
    """Return the number that `value` is, or `otherwise`."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(value)
    return otherwise


def matrix_of(value: object) -> Matrix:
    """Return the matrix that `value` is, or the one that changes nothing."""
    if isinstance(value, Array) and len(value) == 6:
        return Matrix(*map(real, value))
    return IDENTITY


def name_of(value: object) -> str:
    """Return the name that `value` is, with its slash; "" when it is none, or not in UTF-8."""
    if not isinstance(value, Name):
        return ""
    try:
        return str(value)
    except UnicodeDecodeError:
        return ""


def text_of(value: object) -> str:
    """Return the text that `value` is, as a string or a stream; "" when it is none."""
    if isinstance(value, Stream):
        value = String(decoded(value) or b"")
    try:
        return str(value) if isinstance(value, String) else ""
    except UnicodeDecodeError:
        return ""


def _read_composite(font: TemplateFont, source: Dictionary) -> None:
    codes = _codes(source.get("/Encoding"))
    font.codes = codes or TWO_BYTES
    font.is_readable = codes is not None
    descendants = source.get("/DescendantFonts")
    if not isinstance(descendants, Array) or not len(descendants):
        font.is_readable = False
        return
    descendant = descendants[0]
    if not isinstance(descendant, Dictionary):
        font.is_readable = False
        return
    font.other_width = real(descendant.get("/DW"), 1000.0)
    font.flags = _flags(descendant)
    widths = descendant.get("/W")
    if isinstance(widths, Array):
        _read_composite_widths(font, list(widths))
    collection = descendant.get("/CIDSystemInfo")
    if isinstance(collection, Dictionary):
        font.glyph_texts = texts_of(text_of(collection.get("/Ordering")))
    font.is_measured = not font.codes.narrow or not any(_uneven(font, font.codes))


def _codes(encoding: object, bases: int = 0) -> CodeMap | None:
    """Return the codes of a CMap, in the file or known by its name; None when it is not known."""
    if not isinstance(encoding, Stream):
        return predefined(name_of(encoding).removeprefix("/"))
    program = decoded(encoding) or b""
    if int(real(encoding.get("/WMode"))) or VERTICAL.search(program) or bases == MAX_BASES:
        return None
    named = USED.search(program)
    used = encoding.get("/UseCMap") or (Name("/" + named[1].decode()) if named else None)
    base = _codes(used, bases + 1)
    if used is not None and base is None:
        return None
    codes = read_codes(program, base)
    return codes if codes.spaces else None


def _uneven(font: TemplateFont, codes: CodeMap) -> Iterator[int]:
    """Yield the glyphs that are not told apart by `codes` but are of another width than most."""
    spans = [Span(glyph, glyph, width) for glyph, width in font.widths.items()]
    for first, last, width in (*spans, *font.spans):
        is_told = any(low <= first and last <= high for low, high in codes.narrow)
        if width != font.other_width and not is_told:
            yield first


def _read_composite_widths(font: TemplateFont, rows: list[object]) -> None:
    """ISO 32000-1 9.7.4.3: `first [w w w]` and `first last w`, in any order."""
    at = 0
    while at + 1 < len(rows):
        first, second = int(real(rows[at], -1)), rows[at + 1]
        if isinstance(second, Array):
            if first >= 0:
                font.widths |= {first + step: real(w) for step, w in enumerate(list(second))}
            at += 2
            continue
        if at + 2 < len(rows) and first >= 0:
            font.spans.append(Span(first, int(real(second, -1)), real(rows[at + 2])))
        at += 3
    font.spans.sort()


def _read_simple(font: TemplateFont, source: Dictionary) -> None:
    mapped = {code: text for code, text in font.texts.items() if code <= MAX_BYTE}
    font.texts = _simple_texts(source) | mapped
    font.flags = _flags(source)
    scale = 1.0
    matrix = source.get("/FontMatrix")
    if isinstance(matrix, Array) and len(matrix):
        scale = real(matrix[0], 0.001) * 1000  # a Type 3 font has a glyph space of its own
    font.em = _em(source)
    widths = source.get("/Widths")
    if isinstance(widths, Array):
        first = int(real(source.get("/FirstChar")))
        font.widths = {first + at: real(width) * scale for at, width in enumerate(list(widths))}
        descriptor = source.get("/FontDescriptor")
        if isinstance(descriptor, Dictionary):
            font.other_width = real(descriptor.get("/MissingWidth"))
    else:
        font.widths = {code: standard_width(font.name, text) for code, text in font.texts.items()}
        font.is_measured = any(font.widths.values())


def _em(source: Dictionary) -> float:
    """Return how large the letters of a Type 3 font are, by what is drawn, if it is far from 1."""
    box = source.get("/FontBBox")
    is_drawn = source.get("/Subtype") == Name.Type3
    if not is_drawn or not isinstance(box, Array) or len(box) != 4:
        return 1.0
    _, bottom, _, top = map(real, box)
    height = abs((top - bottom) * matrix_of(source.get("/FontMatrix")).d)
    return 1.0 if not height or LEAST_EM < height < GREATEST_EM else height


def _simple_texts(source: Dictionary) -> dict[int, str]:
    encoding, known = source.get("/Encoding"), tables().encodings
    base = encoding.get("/BaseEncoding") if isinstance(encoding, Dictionary) else encoding
    texts = dict(
        known.get(name_of(base).removeprefix("/"))
        or builtin_texts(source.get("/FontDescriptor"))
        or known[STANDARD if encoding or source.get("/Subtype") != Name.TrueType else WIN_ANSI]
    )
    if not isinstance(encoding, Dictionary):
        return texts
    differences = encoding.get("/Differences")
    code = 0
    for entry in list(differences) if isinstance(differences, Array) else ():
        if isinstance(entry, Name):
            name = name_of(entry).removeprefix("/")
            texts[code] = character_of(name) or _numbered(name, code) or UNREADABLE
            code += 1
        else:
            code = int(real(entry))
    return texts


def _numbered(name: str, code: int) -> str:
    """Return the character of `code` if that is all that the glyph's name says: /a69 or /C45."""
    found = NUMBERED.fullmatch(name)
    is_own = found is not None and code in (_decimal(found[1]), int(found[1], 16))
    return chr(code) if is_own and code in PRINTABLE else ""


def _decimal(digits: str) -> int:
    return int(digits) if digits.isdecimal() else 0


def _flags(source: Dictionary) -> int:
    descriptor = source.get("/FontDescriptor")
    if not isinstance(descriptor, Dictionary):
        return 0
    return int(real(descriptor.get("/Flags")))
