"""The fonts a template is written in: what text its codes mean and how far they move the pen."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

from fileservice.pdf.cmaps import TWO_BYTES, CodeMap, read_codes, read_to_unicode
from fileservice.pdf.encodings import STANDARD, character_of, standard_width, tables
from fileservice.pdf.geometry import IDENTITY, Matrix

UNREADABLE = "\N{REPLACEMENT CHARACTER}"
MAX_BYTE = 0xFF
# ISO 32000-1 table 118: two bytes that are the glyph's number. Its twin for vertical writing, and
# others by name, are not read: a line is set from left to right, with widths that are known.
IDENTITY_CMAP = "/Identity-H"
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
        is_measured: False when it leaves it to the reader how wide its letters are.
        texts: code -> text.
        widths: glyph -> how far the pen moves, in thousandths of the font size; the glyph is the
            code where every code is one byte.
        spans: the same for glyphs from one to another, by the first.
        other_width: the same for all other glyphs.
    """

    name: str
    flags: int = 0
    codes: CodeMap | None = None
    is_readable: bool = True
    is_measured: bool = True
    texts: Mapping[int, str] = field(default_factory=dict)
    widths: dict[int, float] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    other_width: float = 0.0

    def decode(self, raw: bytes) -> Iterator[tuple[bytes, str, float]]:
        """Yield the code, the text and the width of each glyph that the string `raw` shows."""
        codes = TWO_BYTES if self.codes is None else self.codes
        pieces = map(bytes, zip(raw)) if self.codes is None else codes.split(raw)
        for code in pieces:
            value = int.from_bytes(code, "big")
            text = self.texts.get(value, UNREADABLE)
            yield code, LIGATURES.get(text, text), self.width_of(codes.glyph(value))

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
    if source.get("/Subtype") == Name.Type0:
        _read_composite(font, source)
    else:
        _read_simple(font, source)
    return font


def decoded(stream: Stream) -> bytes | None:
    """Return the bytes of `stream`; None when they cannot be unpacked, or not within the limits."""
    try:
        return stream.read_bytes()
    except pikepdf.PdfError:
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


def _read_composite(font: TemplateFont, source: Dictionary) -> None:
    encoding = source.get("/Encoding")
    font.codes = TWO_BYTES
    if isinstance(encoding, Stream):
        font.codes = read_codes(decoded(encoding) or b"")
        font.is_readable = bool(font.codes.spaces) and int(real(encoding.get("/WMode"))) == 0
    else:
        font.is_readable = name_of(encoding) == IDENTITY_CMAP
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


def _read_composite_widths(font: TemplateFont, rows: list[object]) -> None:
    """ISO 32000-1 9.7.4.3: `first [w w w]` and `first last w`, in any order."""
    at = 0
    while at + 1 < len(rows):
        first, second = int(real(rows[at], -1)), rows[at + 1]
        if isinstance(second, Array):
            for step, width in enumerate(list(second)):
                font.widths[first + step] = real(width)
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


def _simple_texts(source: Dictionary) -> dict[int, str]:
    encoding = source.get("/Encoding")
    known = tables().encodings
    if not isinstance(encoding, Dictionary):
        return known.get(name_of(encoding).removeprefix("/"), known[STANDARD])
    base = name_of(encoding.get("/BaseEncoding")).removeprefix("/")
    texts = dict(known.get(base, known[STANDARD]))
    differences = encoding.get("/Differences")
    code = 0
    for entry in list(differences) if isinstance(differences, Array) else ():
        if isinstance(entry, Name):
            texts[code] = character_of(name_of(entry).removeprefix("/")) or UNREADABLE
            code += 1
        else:
            code = int(real(entry))
    return texts


def _flags(source: Dictionary) -> int:
    descriptor = source.get("/FontDescriptor")
    if not isinstance(descriptor, Dictionary):
        return 0
    return int(real(descriptor.get("/Flags")))
