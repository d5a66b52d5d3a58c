"""A face of a font, and how HarfBuzz sets text in it."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple

import uharfbuzz as hb

from fileservice.pdf.errors import MissingGlyph
from fileservice.pdf.outlines import charstring

# ISO 32000-1 table 123.
SERIF_FLAG, SYMBOLIC_FLAG, ITALIC_FLAG, FORCE_BOLD_FLAG = 1 << 1, 1 << 2, 1 << 6, 1 << 18
# A reader copies letters, not ligatures, and a name is searched for by its letters.
FEATURES = {"liga": False, "clig": False}
LEVELS = {
    False: hb.BufferClusterLevel.MONOTONE_CHARACTERS,
    True: hb.BufferClusterLevel.MONOTONE_GRAPHEMES,
}
# They draw nothing, so that a font need not have them: joiners, selectors, the soft hyphen.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u180b-\u180f\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
CACHED_OUTLINES = 1 << 14  # of a face; 0.3 KB each


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


class Script(NamedTuple):
    """
    What HarfBuzz has to know of a text to shape it.

    Attributes:
        tag: its script (ISO 15924), "" for what any script uses.
        language: BCP 47, "und" when unknown.
        is_leftward: whether it runs from right to left.
        is_clustered: whether letters change places, so that only a letter with all its marks has
            a text.
    """

    tag: str = ""
    language: str = "und"
    is_leftward: bool = False
    is_clustered: bool = False


class Style(NamedTuple):
    """What a face that stands in for another should share with it."""

    is_serif: bool
    is_bold: bool
    is_italic: bool


class _Widths(dict[int, float]):
    """Glyph -> its width in thousandths of the font size, found when it is first asked for."""

    def __init__(self, font: hb.Font, scale: float) -> None:
        self.font = font
        self.scale = scale

    def __missing__(self, glyph: int) -> float:
        width: float = self.font.get_glyph_h_advance(glyph) * self.scale
        self[glyph] = width
        return width


class Face:
    """One face, opened when it is first drawn with."""

    def __init__(
        self, name: str, style: Style, coverage: hb.Set, opened: Callable[[], hb.Face]
    ) -> None:
        self.name = name
        self.style = style
        self.coverage = coverage
        self._opened = opened
        self._alone = lru_cache(maxsize=128)(self._find_alone)
        self.charstring = lru_cache(maxsize=CACHED_OUTLINES)(self._charstring)

    @cached_property
    def face(self) -> hb.Face:
        """The open face."""
        return self._opened()

    @cached_property
    def font(self) -> hb.Font:
        """The same in its own size."""
        return hb.Font(self.face)

    @cached_property
    def scale(self) -> float:
        """How many thousandths of the font size its unit is."""
        return 1000 / float(self.face.upem)

    @cached_property
    def widths(self) -> dict[int, float]:
        """Glyph -> its width."""
        return _Widths(self.font, self.scale)

    @cached_property
    def glyphs(self) -> dict[str, int]:
        """Character -> its glyph, where nothing else has a say in it."""
        return {chr(code): self.font.get_nominal_glyph(code) for code in self.coverage}

    def covers(self, text: str) -> bool:
        """Whether it can draw `text`, perhaps with a letter and its marks apart."""
        coverage = self.coverage
        return all(map(coverage.__contains__, map(ord, text))) or all(
            ord(character) in coverage or self._has_parts(character)
            for character in IGNORABLE.sub("", text)
        )

    def _has_parts(self, character: str) -> bool:
        parts = unicodedata.normalize("NFD", character)
        return parts != character and all(ord(part) in self.coverage for part in parts)

    def set_text(self, text: str) -> list[SetGlyph]:
        """
        Return the glyphs that draw `text` from left to right, kerned.

        Raises:
            MissingGlyph: the face lacks a character of it.
        """
        if not self.covers(text):
            raise missing_glyph(next(each for each in text if not self.covers(each)))
        return self.shape(text, 0, len(text), Script())

    def set_apart(self, text: str) -> list[SetGlyph]:
        """Return the glyphs of the characters of `text`, which the face has, each by itself."""
        return list(map(self._alone, text))

    def _find_alone(self, character: str) -> SetGlyph:
        glyph = self.font.get_nominal_glyph(ord(character))
        return SetGlyph((glyph, character), self.widths[glyph], 0.0, 0.0, 0.0)

    def shape(self, text: str, start: int, stop: int, script: Script) -> list[SetGlyph]:
        """
        Return the glyphs that draw `text[start:stop]`, leftmost first; what is around it counts.

        Raises:
            MissingGlyph: the face lacks a character of it.
        """
        if start == stop:
            return []  # of which HarfBuzz has no positions to tell
        buffer = hb.Buffer()
        buffer.cluster_level = LEVELS[script.is_clustered]
        buffer.add_str(text, start, stop - start)
        if script.tag:
            buffer.script = script.tag
        buffer.direction = "rtl" if script.is_leftward else "ltr"
        # Or it would be that of whoever started the service.
        buffer.language = script.language
        buffer.guess_segment_properties()
        hb.shape(self.font, buffer, FEATURES)
        infos, positions = buffer.glyph_infos, buffer.glyph_positions
        clusters = [info.cluster for info in infos]
        texts: Sequence[str] = text
        if script.is_leftward or clusters != list(range(len(text))):
            texts = _texts_of(clusters, [each.x_advance for each in positions], text[:stop], script)
        return [
            self._set_glyph(info.codepoint, drawn, position)
            for info, drawn, position in zip(infos, texts, positions, strict=True)
        ]

    def _set_glyph(self, glyph: int, text: str, position: hb.GlyphPosition) -> SetGlyph:
        if not glyph:
            raise missing_glyph(text[:1] or "\ufffd")
        advance = position.x_advance * self.scale
        kern = self.widths[glyph] - advance
        x, y = position.x_offset * self.scale, position.y_offset * self.scale
        return SetGlyph((glyph, text), advance, kern, x, y)

    def _charstring(self, glyph: int) -> bytes:
        """Return the glyph's outline as a Type 2 charstring."""
        return charstring(self.font, glyph, self.scale)

    @cached_property
    def box(self) -> tuple[int, ...]:
        """What holds each glyph: left, bottom, right and top."""
        head = self.face.reference_table("head").data
        return tuple(
            round(int.from_bytes(head[at : at + 2], "big", signed=True) * self.scale)
            for at in range(36, 44, 2)
        )

    @cached_property
    def descriptor(self) -> bytes:
        """The entries of its font descriptor that no subset changes (ISO 32000-1 table 122)."""
        extents = self.font.get_font_extents("ltr")
        flags = SYMBOLIC_FLAG
        flags |= SERIF_FLAG if self.style.is_serif else 0
        flags |= ITALIC_FLAG if self.style.is_italic else 0
        return b"/Flags %d/FontBBox[%d %d %d %d]/ItalicAngle %d/Ascent %d/Descent %d%b" % (
            flags,
            *self.box,
            -12 if self.style.is_italic else 0,
            extents.ascender * self.scale,
            extents.descender * self.scale,
            b"/CapHeight 714/StemV 140" if self.style.is_bold else b"/CapHeight 714/StemV 80",
        )


def _texts_of(
    clusters: Sequence[int], advances: Sequence[int], text: str, script: Script
) -> list[str]:
    """Return for each glyph the text it stands for; of several for one text, one has it all."""
    starts = sorted(set(clusters))
    stops = dict(zip(starts, [*starts[1:], len(text)], strict=True))
    # Readers turn the letters of a line that runs leftwards about, also those of one glyph, and
    # there a mark comes before its letter, which is what they have to find.
    step = -1 if script.is_leftward else 1
    texts = [""] * len(clusters)
    for cluster, group in groupby(range(len(clusters)), clusters.__getitem__):
        glyphs = list(group)
        carrier = max(glyphs, key=advances.__getitem__) if script.is_leftward else glyphs[0]
        texts[carrier] = text[cluster : stops[cluster]][::step]
    return texts


def missing_glyph(character: str) -> MissingGlyph:
    """Return the error for a character that nothing at hand can draw."""
    return MissingGlyph(
        f"No configured font has a glyph for {named(character)}.",
        extensions={"character": character},
    )


def named(character: str) -> str:
    """Return how a person can look `character` up: U+1F600 GRINNING FACE."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '(without a name)')}"
