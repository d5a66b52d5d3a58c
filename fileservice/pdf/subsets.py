"""A part of a face as PDF objects: codes, widths, and the way back from codes to text."""

import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from fileservice.pdf.faces import Face, SetGlyph, Sign
from fileservice.pdf.geometry import number
from fileservice.pdf.outlines import font_program

OBJECTS_PER_SUBSET = 5
# The most entries that one section of a CMap may have (Adobe technical note 5014, 7.4.1).
ENTRIES_PER_SECTION = 100
CMAP_HEAD = (
    b"/CIDInit/ProcSet findresource begin 12 dict begin begincmap"
    b"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def"
    b"/CMapName/Adobe-Identity-UCS def/CMapType 2 def"
    b" 1 begincodespacerange<0000><FFFF>endcodespacerange\n"
)
CMAP_TAIL = b"endcmap CMapName currentdict/CMap defineresource pop end end"


class Subset:
    """
    The signs that a document draws with one face; the first has code 1.

    Attributes:
        codes: sign -> its code as a string of a content stream.
        is_mapped: whether each sign has a text of its own.
    """

    def __init__(self, face: Face, signs: Iterable[Sign]) -> None:
        self.face = face
        self.signs = sorted(set(signs))
        self.is_mapped = all(text for _, text in self.signs)
        self.codes = {sign: b"<%04x>" % code for code, sign in enumerate(self.signs, 1)}

    def encode(self, glyphs: Sequence[SetGlyph], size: float) -> bytes:
        """Return `glyphs` as what stands between the brackets of a TJ operator at this size."""
        pieces: list[bytes] = []
        for sign, _, kern, x, y in glyphs:
            piece = self.codes[sign]
            if x or kern:
                # Numbers in a TJ count leftwards.
                piece = b"%s%s%s" % (number(-x) if x else b"", piece, number(kern + x))
            if y:
                piece = b"]TJ %s Ts[%s]TJ 0 Ts[" % (number(y * size / 1000), piece)
            pieces.append(piece)
        return b"".join(pieces).replace(b"><", b"")

    def encode_clusters(self, glyphs: Sequence[SetGlyph], size: float) -> bytes:
        """Do the same where glyphs change places: then their text is given for all of them."""
        pieces: list[bytes] = []
        starts = [at for at, glyph in enumerate(glyphs) if glyph.sign[1] or not at]
        for start, stop in pairwise([*starts, len(glyphs)]):
            piece = self.encode(glyphs[start:stop], size)
            if stop > start + 1:
                text = glyphs[start].sign[1].encode("utf-16-be").hex().encode()
                piece = b"]TJ /Span<</ActualText<feff%s>>>BDC[%s]TJ EMC[" % (text, piece)
            pieces.append(piece)
        return b"".join(pieces)

    def objects(self, at: int, *, compress: bool) -> list[bytes]:
        """Return the bodies of the objects `at`, `at + 1`, ...; the first is the font."""
        name = b"%s+%s" % (self._tag(), self.face.name.encode())
        widths = b" ".join(number(self.face.widths[glyph]) for glyph, _ in self.signs)
        return [
            b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H"
            b"/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>" % (name, at + 1, at + 4),
            b"<</Type/Font/Subtype/CIDFontType0/BaseFont/%s"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
            b"/FontDescriptor %d 0 R/W[1[%s]]>>" % (name, at + 2, widths),
            b"<</Type/FontDescriptor/FontName/%s%s/FontFile3 %d 0 R>>"
            % (name, self.face.descriptor, at + 3),
            stream(self._program(), b"/Subtype/CIDFontType0C", compress=compress),
            stream(self._to_unicode(), compress=compress),
        ]

    def _program(self) -> bytes:
        """Return a font program in which a sign's code is its CID; two may draw the same."""
        glyphs = [0, *(glyph for glyph, _ in self.signs)]
        return font_program([self.face.charstring(glyph) for glyph in glyphs], self.face.box)

    def _tag(self) -> bytes:
        """Six letters that tell this subset from others of the face (ISO 32000-1 9.6.4)."""
        rest = zlib.crc32(repr(self.signs).encode())
        letters = bytearray()
        for _ in range(6):
            rest, letter = divmod(rest, 26)
            letters.append(ord("A") + letter)
        return bytes(letters)

    def _to_unicode(self) -> bytes:
        rows = [
            b"%s<%s>\n" % (self.codes[sign], sign[1].encode("utf-16-be").hex().encode())
            for sign in self.signs
            if sign[1]
        ]
        sections = []
        for at in range(0, len(rows), ENTRIES_PER_SECTION):
            section = rows[at : at + ENTRIES_PER_SECTION]
            sections.append(b"%d beginbfchar\n%bendbfchar\n" % (len(section), b"".join(section)))
        return CMAP_HEAD + b"".join(sections) + CMAP_TAIL


def stream(content: bytes, entries: bytes = b"", *, compress: bool = False) -> bytes:
    """Return `content` as the body of a stream object."""
    if compress:
        content, entries = zlib.compress(content, 9), entries + b"/Filter/FlateDecode"
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(content), entries, content)
