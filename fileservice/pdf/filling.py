"""
Fills a compiled template: a certificate is the static bytes and a few objects behind them.

No value is ever written as PDF syntax. It becomes glyph codes in hexadecimal, so brackets,
backslashes, operators and placeholders in a value are only letters.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeGuard

from fileservice.pdf.errors import MissingGlyph, MissingValue, UnknownValue
from fileservice.pdf.faces import Sign
from fileservice.pdf.fitting import Row, Word, fitted
from fileservice.pdf.fonts import FontSet
from fileservice.pdf.formats import formatted
from fileservice.pdf.geometry import number
from fileservice.pdf.joining import joined
from fileservice.pdf.metadata import information, metadata, text_string
from fileservice.pdf.phrases import names_in, spoken
from fileservice.pdf.placeholders import is_code
from fileservice.pdf.plans import Caption, Plan
from fileservice.pdf.qr import alternative, qr_program
from fileservice.pdf.setting import Run, set_runs
from fileservice.pdf.slots import PAGE, Code, Literal, Mark, Placed, Slot, Value
from fileservice.pdf.subsets import OBJECTS_PER_SUBSET, Subset, stream
from fileservice.pdf.values import clean_value

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


class CompiledTemplate:
    """
    A template ready to be filled; safe to share, and the same inputs give the same bytes.

    Attributes:
        fields: the names it asks for.
        required: those of them that must be given, besides `timestamp`, which is always at hand.
        has_code: whether it shows a QR code.
    """

    def __init__(self, plan: Plan, font_set: FontSet) -> None:
        self.plan = plan
        self.fonts = font_set
        self.faces = [font_set.faces[name] for name in plan.faces]
        self.bases = [Subset(*each) for each in zip(self.faces, plan.bases, strict=True)]
        values = [
            part
            for slot in plan.slots
            if isinstance(slot, Slot)
            for part in slot.parts
            if isinstance(part, Value)
        ]
        marks = [slot for slot in plan.slots if isinstance(slot, Mark)]
        self.has_code = any(isinstance(slot, Code) for slot in plan.slots)
        # Nobody is asked for what has no name: a form field that is only read.
        named = values + marks
        said = [plan.title, *(text for each in plan.captions for text in each.texts.values())]
        asked = {part.name for part in named if part.name}.union(*map(names_in, said))
        self.fields = frozenset(name for name in asked if name != PAGE and not is_code(name))
        wanted = {part.name for part in named if part.default is None}
        # Of a group of buttons one that is on is enough.
        self.required = frozenset(wanted - {m.name for m in marks if m.default} - {"timestamp"})
        self.set_text = lru_cache(maxsize=CACHED_TEXTS)(self._set_text)
        self.encode = lru_cache(maxsize=CACHED_TEXTS)(self._encode)
        self.subset = lru_cache(maxsize=CACHED_SUBSETS)(self._subset)

    @cached_property
    def static_digest(self) -> "hashlib._Hash":
        """The SHA-256 of what all certificates begin with; copy it before it is fed more."""
        return hashlib.sha256(self.plan.static)

    def fill(
        self,
        values: Mapping[str, str],
        *,
        issued_at: datetime,
        number: str = "",
        link: str = "",
        has_files: bool = False,
    ) -> bytes:
        """
        Return the certificate with `values`, by name; `timestamp` is `issued_at`, to the second.

        Certificates of different numbers have a different /ID, also where they look the same.
        `has_files` is whether files will be attached to it, which one of PDF/A-2 may not have.
        `link`, an ASCII URL, is what a QR code leads to.

        Raises:
            BadValue: a value is missing, unknown, cannot be drawn or does not fit.
        """
        texts = self._texts(values, issued_at)
        return self.write(texts, issued_at=issued_at, number=number, link=link, has_files=has_files)

    def write(
        self,
        texts: Mapping[str, str],
        *,
        issued_at: datetime,
        number: str = "",
        link: str = "",
        has_files: bool = False,
    ) -> bytes:
        """
        Return the certificate that shows `texts`, by name, and the time only if it is among them.

        Raises:
            BadValue: a text cannot be drawn or does not fit.
        """
        plan = self.plan
        rows = [self._rows(slot, texts) if _is_set(slot, texts) else [] for slot in plan.slots]
        extras = self._extras(rows)
        drawn = [
            self._line(slot, shown, extras) if _is_set(slot, texts) else _program(slot, texts, link)
            for slot, shown in zip(plan.slots, rows, strict=True)
        ]
        bodies = {
            number: stream(
                b"".join([drawn[piece] if isinstance(piece, int) else piece for piece in pieces]),
                entries,
            )
            for number, entries, pieces in plan.programs
        }
        for caption in plan.captions:
            bodies[caption.number] = _captioned(caption, texts)
        title = spoken(plan.title, texts)
        about = plan.about
        if not all(extra.subset.is_mapped for extra in extras.values()):
            about = about._replace(claims=about.claims.unmapped)
        if has_files:
            about = about._replace(claims=about.claims.with_files)
        bodies[plan.metadata] = metadata(about, title=title, number=number, issued_at=issued_at)
        bodies[plan.info] = information(title=title, issued_at=issued_at)
        references = b"".join(
            b"/%bX%d %d 0 R" % (plan.prefix.encode(), at, plan.size + at * OBJECTS_PER_SUBSET)
            for at in range(len(extras))
        )
        for fonts in plan.fonts:
            bodies[fonts.number] = b"%s%s>>" % (fonts.body, references)
        for annotation in plan.links:
            bodies[annotation.number] = annotation.body + _leading_to(link)
        added: list[bytes] = []
        for at, subset in extras.values():
            added += subset.objects(plan.size + at * OBJECTS_PER_SUBSET, compress=False)
        inputs = repr((plan.digest, plan.side, sorted(texts.items()), number, link))
        identity = hashlib.blake2b(inputs.encode(), digest_size=16).hexdigest()
        return joined(plan, bodies, added, identity.encode())

    def titled(self, values: Mapping[str, str], *, issued_at: datetime) -> str:
        """Return the title of the certificate that `fill` returns for the same."""
        return spoken(self.plan.title, self._texts(values, issued_at))

    def _texts(self, values: Mapping[str, str], issued_at: datetime) -> dict[str, str]:
        if "timestamp" in values:
            raise UnknownValue("The time cannot be given: it is when the certificate is made.")
        unknown = values.keys() - self.fields
        if unknown:
            raise UnknownValue(
                f"The template does not ask for {_listed(unknown)};"
                f" it asks for {_listed(self.fields)}."
            )
        texts = {name: self._meant(name, text) for name, text in values.items()}
        missing = [name for name in self.required if not texts.get(name)]
        if missing:
            raise MissingValue(
                f"The template asks for {_listed(missing)}.",
                extensions={"missing": sorted(missing)},
            )
        texts["timestamp"] = self._formatted("timestamp", issued_at.isoformat(timespec="seconds"))
        return texts

    def _meant(self, name: str, text: str) -> str:
        rule, text = self.plan.rules.get(name), clean_value(name, text)
        return self._formatted(name, rule.meaning(name, text) if rule else text)

    def _formatted(self, name: str, text: str) -> str:
        pattern = self.plan.formats.get(name)
        return formatted(pattern, name, text, self.plan.language) if pattern else text

    def _rows(self, slot: Slot, texts: Mapping[str, str]) -> list[Row]:
        """Return what the slot shows; nothing, when all its values are empty."""
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
            return self.set_text(part.face, text)
        except MissingGlyph as error:
            raise MissingGlyph(
                f"The value of {part.name!r} cannot be drawn. {error.detail}",
                extensions={**error.extensions, "field": part.name},
            ) from error

    def _extras(self, slots: Iterable[Iterable[Row]]) -> dict[str, Extra]:
        """Return name of a face -> subset, where the template's own lack a sign of a value."""
        signs: dict[str, frozenset[Sign]] = {}
        for rows in slots:
            for part, text in [word for row in rows for word in row.words]:
                if isinstance(part, Value):
                    for face, needed in self.set_text(part.face, text).needs.items():
                        signs[face] = signs.get(face, frozenset()) | needed
        return {
            face: Extra(at, self.subset(face, signs[face])) for at, face in enumerate(sorted(signs))
        }

    def _line(self, slot: Slot, rows: Sequence[Row], extras: Mapping[str, Extra]) -> bytes:
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
        if self.set_text(part.face, text).needs:
            return self._shown(part, text, extras)
        return self.encode(part, text)

    def _set_text(self, face: int, text: str) -> Setting:
        runs = set_runs(self.fonts, self.faces[face], text, self.plan.language)
        base = self.bases[face]
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
        setting = self.set_text(part.face, text)
        pieces = [part.before]
        gap = number(-part.gap * 1000 / (part.size * part.stretch)) if part.gap else b""
        for run in setting.runs:
            kind, at, subset = b"B", part.face, self.bases[part.face]
            if run.face.name in setting.needs:
                kind, (at, subset) = b"X", extras[run.face.name]
            encode = subset.encode_clusters if run.has_clusters else subset.encode
            pieces.append(
                b"/%s%s%d %s Tf[%s%s]TJ "
                % (
                    self.plan.prefix.encode(),
                    kind,
                    at,
                    number(part.size),
                    gap,
                    encode(run.glyphs, part.size),
                )
            )
            gap = b""
        return b"".join(pieces)

    def _subset(self, face: str, signs: frozenset[Sign]) -> Subset:
        return Subset(self.fonts.faces[face], signs)


def _captioned(caption: Caption, texts: Mapping[str, str]) -> bytes:
    entries = [
        b"%s%s" % (key.encode(), text_string(spoken(text, texts)))
        for key, text in caption.texts.items()
    ]
    return b"%s%s>>" % (caption.body, b"".join(entries))


def _text_of(part: Literal | Value, texts: Mapping[str, str]) -> str:
    if isinstance(part, Literal):
        return ""
    text = texts.get(part.name, part.default)
    assert text is not None  # noqa: S101  # `_texts` saw that all required values are there
    return text


def _is_set(slot: Placed, texts: Mapping[str, str]) -> TypeGuard[Slot]:
    """Tell whether text is set: a field without a value stays as it is in the template."""
    if not isinstance(slot, Slot):
        return False
    given = any(isinstance(part, Value) and part.name in texts for part in slot.parts)
    return given or not slot.look


def _program(slot: Placed, texts: Mapping[str, str], link: str) -> bytes:
    """Return the operators that draw what is no text, or no text of ours."""
    if isinstance(slot, Slot):
        return slot.look
    if isinstance(slot, Code):
        return qr_program(link, slot.square)
    state = texts.get(slot.name, slot.default)
    return slot.looks.get(state or "", slot.looks[""])


def _leading_to(link: str) -> bytes:
    """Return the end of an annotation that leads to `link`."""
    said = text_string(alternative(link))
    return b"/A<</S/URI/URI<%s>>>/Contents%s>>" % (link.encode().hex().encode(), said)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "nothing"
