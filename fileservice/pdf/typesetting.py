"""Sets the lines of a template with values in them: as operators, and as fonts that they need."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from fileservice.pdf.errors import MissingGlyph
from fileservice.pdf.faces import Sign
from fileservice.pdf.fitting import Row, Word, fitted
from fileservice.pdf.fonts import FontSet
from fileservice.pdf.geometry import number
from fileservice.pdf.plans import Plan
from fileservice.pdf.setting import Run, set_runs
from fileservice.pdf.slots import Literal, Slot, Value
from fileservice.pdf.subsets import Subset

CACHED_TEXTS = 4096
CACHED_SUBSETS = 256


class Setting(NamedTuple):
    """
    A text that is set.

    Attributes:
        needs: name of a face -> the signs of it that the template's own subsets lack.
        width: in thousandths of the font size.
    """

    runs: Sequence[Run]
    needs: Mapping[str, frozenset[Sign]]
    width: float


class Extra(NamedTuple):
    """A subset that a certificate has besides the template's own, and its number there."""

    number: int
    subset: Subset


class Typesetter:
    """What sets the lines of one template; what was set before is kept, up to a bound."""

    def __init__(self, plan: Plan, font_set: FontSet) -> None:
        self._prefix = plan.prefix.encode()
        self._language = plan.language
        self._fonts = font_set
        self._faces = [font_set.faces[name] for name in plan.faces]
        self._bases = [Subset(*each) for each in zip(self._faces, plan.bases, strict=True)]
        self._set_text = lru_cache(maxsize=CACHED_TEXTS)(self._setting)
        self._encoded = lru_cache(maxsize=CACHED_TEXTS)(self._encode)
        self._subset = lru_cache(maxsize=CACHED_SUBSETS)(self._new_subset)

    def rows(self, slot: Slot, texts: Mapping[str, str]) -> list[Row]:
        """
        Return what the slot shows; nothing, when all its values are empty.

        Raises:
            BadValue: a text cannot be drawn or does not fit.
        """
        words = [Word(part, _text_of(part, texts)) for part in slot.parts]
        asked = [word.text for word in words if isinstance(word.part, Value)]
        if asked and not any(asked):
            return []
        return fitted(slot, words, self._width)

    def _width(self, word: Word) -> float:
        part, text = word
        if isinstance(part, Literal):
            return part.width
        return part.gap + self._set(part, text).width * part.size * part.stretch / 1000

    def _set(self, part: Value, text: str) -> Setting:
        try:
            return self._set_text(part.face, text)
        except MissingGlyph as error:
            raise MissingGlyph(
                f"The value of {part.name!r} cannot be drawn. {error.detail}",
                extensions={**error.extensions, "field": part.name},
            ) from error

    def extras(self, slots: Iterable[Iterable[Row]]) -> dict[str, Extra]:
        """Return name of a face -> subset, where the template's own lack a sign of a value."""
        signs: dict[str, frozenset[Sign]] = {}
        for rows in slots:
            for part, text in [word for row in rows for word in row.words]:
                if isinstance(part, Value):
                    for face, needed in self._set_text(part.face, text).needs.items():
                        signs[face] = signs.get(face, frozenset()) | needed
        return {
            face: Extra(at, self._subset(face, signs[face]))
            for at, face in enumerate(sorted(signs))
        }

    def line(self, slot: Slot, rows: Sequence[Row], extras: Mapping[str, Extra]) -> bytes:
        """Return the operators that draw `rows` in the place of `slot`."""
        if not rows:
            return slot.before + slot.after
        shown = [
            b"%s Tm %s"
            % (
                row.matrix.written,
                b"".join([self._shown_word(part, text, extras) for part, text in row.words]),
            )
            for row in rows
        ]
        return b"%s%s%s" % (slot.before, b"".join(shown), slot.after)

    def _shown_word(self, part: Literal | Value, text: str, extras: Mapping[str, Extra]) -> bytes:
        if isinstance(part, Literal):
            return part.program
        if self._set_text(part.face, text).needs:
            return self._shown(part, text, extras)
        return self._encoded(part, text)

    def _setting(self, face: int, text: str) -> Setting:
        runs = set_runs(self._fonts, self._faces[face], text, self._language)
        base = self._bases[face]
        needs: dict[str, frozenset[Sign]] = {}
        for run in runs:
            signs = frozenset([glyph.sign for glyph in run.glyphs])
            needs[run.face.name] = needs.get(run.face.name, frozenset()) | signs
        if needs.get(base.face.name, frozenset()) <= base.codes.keys():
            needs.pop(base.face.name, None)
        return Setting(runs, needs, sum([glyph.advance for run in runs for glyph in run.glyphs]))

    def _encode(self, part: Value, text: str) -> bytes:
        return self._shown(part, text, {})

    def _shown(self, part: Value, text: str, extras: Mapping[str, Extra]) -> bytes:
        """Return the operators that show `text`, the gap before it first."""
        setting = self._set_text(part.face, text)
        pieces = [part.before]
        gap = number(-part.gap * 1000 / (part.size * part.stretch)) if part.gap else b""
        for run in setting.runs:
            kind, at, subset = b"B", part.face, self._bases[part.face]
            if run.face.name in setting.needs:
                kind, (at, subset) = b"X", extras[run.face.name]
            encode = subset.encode_clusters if run.has_clusters else subset.encode
            pieces.append(
                b"/%s%s%d %s Tf[%s%s]TJ "
                % (
                    self._prefix,
                    kind,
                    at,
                    number(part.size),
                    gap,
                    encode(run.glyphs, part.size),
                )
            )
            gap = b""
        return b"".join(pieces)

    def _new_subset(self, face: str, signs: frozenset[Sign]) -> Subset:
        return Subset(self._fonts.faces[face], signs)


def _text_of(part: Literal | Value, texts: Mapping[str, str]) -> str:
    if isinstance(part, Literal):
        return ""
    text = texts.get(part.name, part.default)
    assert text is not None  # noqa: S101  # `Asking.texts` saw that all required values are there
    return text
