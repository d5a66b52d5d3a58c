"""The fonts that values are drawn with, and how HarfBuzz sets a line of text in one of them."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import NamedTuple

import uharfbuzz as hb

from fileservice.pdf.errors import MissingGlyph

SHIPPED = ("NotoSans-Regular", "NotoSans-Bold", "NotoSerif-Regular", "NotoSerif-Bold")
# ISO 32000-1 table 123.
SERIF_FLAG, FORCE_BOLD_FLAG = 1 << 1, 1 << 18
SERIF_NAMES = ("times", "serif", "roman", "georgia", "garamond", "bookman", "palatino", "minion")
BOLD_NAMES = ("bold", "black", "heavy", "cmbx")
# A reader copies letters, not ligatures, and a name is searched for by its letters.
FEATURES = {"liga": False, "clig": False}
# What an embedded TrueType font need not have when its codes are glyph numbers (ISO 32000-1 9.9).
DROPPED_TABLES = ("GSUB", "GPOS", "GDEF", "name", "post", "OS/2", "cmap", "gasp")
CACHED_SUBSETS = 256


# A glyph's number in its face, and the text it stands for: two texts may share a glyph. A plain
# tuple, for a certificate makes one for each letter it draws.
type Sign = tuple[int, str]


class SetGlyph(NamedTuple):
    """
    One glyph of a line that is set; all lengths are in thousandths of the font size.

    Attributes:
        advance: how far the pen moves, kerning included.
        kern: how much less than its width that is, and so what a TJ operator takes back.
        x: how far right of the pen it is drawn.
        y: how far above the baseline.
    """

    sign: Sign
    advance: float
    kern: float
    x: float
    y: float


class Face:
    """One font file, opened."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.face = hb.Face(hb.Blob(content))
        self.font = hb.Font(self.face)
        self.scale: float = 1000 / self.face.upem
        self.glyphs: dict[str, int] = {
            chr(code): self.font.get_nominal_glyph(code) for code in self.face.unicodes
        }
        self.widths = [
            self.font.get_glyph_h_advance(glyph) * self.scale
            for glyph in range(self.face.glyph_count)
        ]
        self.subset = lru_cache(maxsize=CACHED_SUBSETS)(self._subset)

    def set_text(self, text: str) -> list[SetGlyph]:
        """
        Return the glyphs that draw `text` from left to right, kerned.

        Raises:
            MissingGlyph: the face lacks a character of it.
        """
        for character in text:
            if character not in self.glyphs:
                raise MissingGlyph(
                    f"No configured font has a glyph for {named(character)}.",
                    extensions={"character": character},
                )
        if not text:
            return []  # of which HarfBuzz has no positions to tell
        buffer = hb.Buffer()
        buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
        buffer.add_str(text)
        buffer.guess_segment_properties()
        hb.shape(self.font, buffer, FEATURES)
        infos, positions = buffer.glyph_infos, buffer.glyph_positions
        stops = [info.cluster for info in infos[1:]] + [len(text)]
        return [
            self._set_glyph(info.codepoint, text[info.cluster : stop], position)
            for info, stop, position in zip(infos, stops, positions, strict=True)
        ]

    def _set_glyph(self, glyph: int, text: str, position: hb.GlyphPosition) -> SetGlyph:
        advance = position.x_advance * self.scale
        kern = self.widths[glyph] - advance
        x, y = position.x_offset * self.scale, position.y_offset * self.scale
        return SetGlyph((glyph, text), advance, kern, x, y)

    @cached_property
    def descriptor(self) -> bytes:
        """The entries of its font descriptor that no subset changes (ISO 32000-1 table 122)."""
        extents = self.font.get_font_extents("ltr")
        head = self.face.reference_table("head").data
        box = [
            int.from_bytes(head[at : at + 2], "big", signed=True) * self.scale
            for at in range(36, 44, 2)
        ]
        flags = 4 | (SERIF_FLAG if "Serif" in self.name else 0)
        return b"/Flags %d/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d%b" % (
            flags,
            *box,
            extents.ascender * self.scale,
            extents.descender * self.scale,
            b"/CapHeight 714/StemV 140" if "Bold" in self.name else b"/CapHeight 714/StemV 80",
        )

    def _subset(self, glyphs: frozenset[int]) -> tuple[bytes, dict[int, int]]:
        """Return a TrueType font of these glyphs alone, and their numbers in it."""
        wanted = hb.SubsetInput()
        wanted.glyph_set.update(glyphs)
        wanted.drop_table_tag_set.update(
            int.from_bytes(tag.encode(), "big") for tag in DROPPED_TABLES
        )
        wanted.flags = (
            hb.SubsetFlags.NO_HINTING
            | hb.SubsetFlags.NO_LAYOUT_CLOSURE
            | hb.SubsetFlags.NOTDEF_OUTLINE
        )
        plan = hb.SubsetPlan(self.face, wanted)
        numbers = dict(plan.old_to_new_glyph_mapping)
        return bytes(plan.execute().blob.data), {glyph: numbers[glyph] for glyph in glyphs}


class FontSet:
    """The faces at hand. Attributes: fingerprint: changes when any of them does."""

    def __init__(self, faces: Sequence[Face], fingerprint: str) -> None:
        self.faces = {face.name: face for face in faces}
        self.fingerprint = fingerprint

    def match(self, name: str, flags: int) -> Face:
        """Return the face nearest to a template's font of this PostScript name and these flags."""
        plain = name.split("+")[-1].replace("-", "").replace(" ", "").lower()
        for face in self.faces.values():
            if face.name.replace("-", "").lower() in (plain, plain + "regular"):
                return face
        is_sans = "sans" in plain
        is_serif = not is_sans and (flags & SERIF_FLAG or _any_in(SERIF_NAMES, plain))
        is_bold = flags & FORCE_BOLD_FLAG or _any_in(BOLD_NAMES, plain)
        return self.faces[SHIPPED[(2 if is_serif else 0) + (1 if is_bold else 0)]]


def shipped_fonts() -> FontSet:
    """Open the fonts that come with the package."""
    folder = files("fileservice.pdf") / "fonts"
    digest = hashlib.sha256()
    faces = []
    for name in SHIPPED:
        content = (folder / f"{name}.ttf").read_bytes()
        digest.update(content)
        faces.append(Face(name, content))
    return FontSet(faces, digest.hexdigest()[:16])


def named(character: str) -> str:
    """Return how a person can look `character` up: U+1F600 GRINNING FACE."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '(without a name)')}"


def _any_in(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
