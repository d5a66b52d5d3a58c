"""
Fills a compiled template: a certificate is the static bytes and a few objects behind them.

No value is ever written as PDF syntax. It becomes glyph codes in hexadecimal, so brackets,
backslashes, operators and placeholders in a value are only letters.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from fileservice.pdf.errors import MissingValue, TooLong, UnknownValue
from fileservice.pdf.fonts import FontSet, SetGlyph, Sign
from fileservice.pdf.geometry import Matrix, number, numbers
from fileservice.pdf.plans import Plan
from fileservice.pdf.slots import Literal, Slot, Value
from fileservice.pdf.subsets import OBJECTS_PER_SUBSET, Subset, stream
from fileservice.pdf.values import clean_value

PRODUCER = b"fileservice"
# A line is shrunk to no less than this part of its size: below it, it looks like a mistake.
LEAST_SCALE = 0.6
CACHED_TEXTS = 4096
CACHED_SUBSETS = 256


class Setting(NamedTuple):
    """
    A text set in a face.

    Attributes:
        signs: what it needs of the face.
        width: in thousandths of the font size.
        is_base: whether the template's own subset has them all.
    """

    glyphs: Sequence[SetGlyph]
    signs: frozenset[Sign]
    width: float
    is_base: bool


class CompiledTemplate:
    """
    A template ready to be filled; safe to share, and the same inputs give the same bytes.

    Attributes:
        fields: the names it asks for.
        required: those of them that must be given, besides `timestamp`, which is always at hand.
    """

    def __init__(self, plan: Plan, font_set: FontSet) -> None:
        self.plan = plan
        self.faces = [font_set.faces[name] for name in plan.faces]
        self.bases = [Subset(*each) for each in zip(self.faces, plan.bases, strict=True)]
        values = [part for slot in plan.slots for part in slot.parts if isinstance(part, Value)]
        self.fields = frozenset(value.name for value in values)
        self.required = frozenset(v.name for v in values if v.default is None) - {"timestamp"}
        self.set_text = lru_cache(maxsize=CACHED_TEXTS)(self._set_text)
        self.encode = lru_cache(maxsize=CACHED_TEXTS)(self._encode)
        self.subset = lru_cache(maxsize=CACHED_SUBSETS)(self._subset)
        self.numbers = sorted(
            [*(p.number for p in plan.programs), *(f.number for f in plan.fonts), plan.info]
        )
        self.title = f"\ufeff{plan.title}".encode("utf-16-be").hex().encode()

    def fill(self, values: Mapping[str, str], *, issued_at: datetime, number: str = "") -> bytes:
        """
        Return the certificate with `values`, by name; `timestamp` is `issued_at`, to the second.

        Certificates of different numbers have a different /ID, also where they look the same.

        Raises:
            BadValue: a value is missing, unknown, cannot be drawn or does not fit.
        """
        stamp = issued_at.isoformat(timespec="seconds")
        texts = self._texts(values, stamp)
        extras = self._extras(texts)
        plan = self.plan
        lines = [self._line(slot, texts, extras) for slot in plan.slots]
        bodies = {
            number: stream(
                b"".join([lines[piece] if isinstance(piece, int) else piece for piece in pieces]),
                entries,
            )
            for number, entries, pieces in plan.programs
        }
        bodies[plan.info] = self._info(issued_at)
        references = b"".join(
            b"/%bX%d %d 0 R" % (plan.prefix.encode(), face, plan.size + at * OBJECTS_PER_SUBSET)
            for at, face in enumerate(extras)
        )
        for fonts in plan.fonts:
            bodies[fonts.number] = b"%s%s>>" % (fonts.body, references)
        added: list[bytes] = []
        for at, extra in enumerate(extras.values()):
            added += extra.objects(plan.size + at * OBJECTS_PER_SUBSET, compress=False)
        inputs = repr((plan.digest, sorted(texts.items()), number))
        identity = hashlib.blake2b(inputs.encode(), digest_size=16).hexdigest()
        return self._joined(bodies, added, identity.encode())

    def _texts(self, values: Mapping[str, str], stamp: str) -> dict[str, str]:
        if "timestamp" in values:
            raise UnknownValue("The time cannot be given: it is when the certificate is made.")
        unknown = values.keys() - self.fields
        if unknown:
            raise UnknownValue(
                f"The template does not ask for {_listed(unknown)};"
                f" it asks for {_listed(self.fields)}."
            )
        texts = {name: clean_value(name, text) for name, text in values.items()}
        missing = [name for name in self.required if not texts.get(name)]
        if missing:
            raise MissingValue(
                f"The template asks for {_listed(missing)}.",
                extensions={"missing": sorted(missing)},
            )
        texts["timestamp"] = stamp
        return texts

    def _extras(self, texts: Mapping[str, str]) -> dict[int, Subset]:
        """Return face -> subset, where the template's own lacks a sign of a value."""
        signs: dict[int, frozenset[Sign]] = {}
        for slot in self.plan.slots:
            for part in slot.parts:
                if isinstance(part, Value):
                    setting = self.set_text(part.face, _text_of(part, texts))
                    if not setting.is_base:
                        signs[part.face] = signs.get(part.face, frozenset()) | setting.signs
        return {face: self.subset(face, signs[face]) for face in sorted(signs)}

    def _line(self, slot: Slot, texts: Mapping[str, str], extras: Mapping[int, Subset]) -> bytes:
        pieces: list[bytes] = []
        width = 0.0
        is_blank = True
        for part in slot.parts:
            if isinstance(part, Literal):
                pieces.append(part.program)
                width += part.width
                continue
            text = _text_of(part, texts)
            setting = self.set_text(part.face, text)
            width += part.gap + setting.width * part.size * part.stretch / 1000
            if setting.is_base:
                pieces.append(self.encode(part, text))
            else:
                pieces.append(self._shown(part, setting, extras[part.face], b"X"))
            is_blank = is_blank and not text
        if is_blank:
            return slot.after
        return b"%s%s Tm %s%s" % (
            slot.before,
            numbers(_fitted(slot, width)),
            b"".join(pieces),
            slot.after,
        )

    def _set_text(self, face: int, text: str) -> Setting:
        glyphs = self.faces[face].set_text(text)
        signs = frozenset([glyph.sign for glyph in glyphs])
        width = sum([glyph.advance for glyph in glyphs])
        return Setting(glyphs, signs, width, signs <= self.bases[face].codes.keys())

    def _encode(self, part: Value, text: str) -> bytes:
        return self._shown(part, self.set_text(part.face, text), self.bases[part.face], b"B")

    def _shown(self, part: Value, setting: Setting, subset: Subset, kind: bytes) -> bytes:
        """Return the operators that show `setting`, the gap before it first."""
        return b"%s/%s%s%d %s Tf[%s%s]TJ " % (
            part.before,
            self.plan.prefix.encode(),
            kind,
            part.face,
            number(part.size),
            number(-part.gap * 1000 / (part.size * part.stretch)) if part.gap else b"",
            subset.encode(setting.glyphs, part.size),
        )

    def _subset(self, face: int, signs: frozenset[Sign]) -> Subset:
        return Subset(self.faces[face], signs)

    def _info(self, issued_at: datetime) -> bytes:
        stamp = b"%04d%02d%02d%02d%02d%02d" % issued_at.astimezone(UTC).timetuple()[:6]
        title = b"/Title<%s>" % self.title if self.plan.title else b""
        return b"<<%s/Producer(%s)/CreationDate(D:%sZ)/ModDate(D:%sZ)>>" % (
            title,
            PRODUCER,
            stamp,
            stamp,
        )

    def _joined(
        self, bodies: Mapping[int, bytes], added: Sequence[bytes], identity: bytes
    ) -> bytes:
        plan = self.plan
        objects = [b"%d 0 obj\n%s\nendobj\n" % (n, bodies[n]) for n in self.numbers]
        objects += [b"%d 0 obj\n%s\nendobj\n" % row for row in enumerate(added, plan.size)]
        offsets = list(accumulate(map(len, objects), initial=len(plan.static)))
        replaced = len(self.numbers)
        xref = plan.xref % tuple(offsets[:replaced])
        more = b"".join([b"%010d 00000 n \n" % offset for offset in offsets[replaced:-1]])
        size = plan.size + len(added)
        tail = (
            b"xref\n0 %d\n%s%strailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\n"
            b"startxref\n%d\n%%%%EOF\n"
        ) % (size, xref, more, size, plan.root, plan.info, identity, identity, offsets[-1])
        return b"".join((plan.static, *objects, tail))


def _text_of(part: Value, texts: Mapping[str, str]) -> str:
    text = texts.get(part.name, part.default)
    assert text is not None  # noqa: S101  # `_texts` saw that all required values are there
    return text


def _fitted(slot: Slot, width: float) -> Matrix:
    """Return the text matrix with which the line keeps its place and its room."""
    scale = 1.0
    if width > slot.room:
        scale = slot.room / width
        if scale < LEAST_SCALE:
            names = _listed({part.name for part in slot.parts if isinstance(part, Value)})
            raise TooLong(
                f"The value of {names} is too long: even at {LEAST_SCALE:.0%} of its size the line"
                f" is {width * LEAST_SCALE:.0f} long, where there is room for {slot.room:.0f}."
            )
    return slot.matrix.moved((slot.width - width * scale) * slot.align).scaled(scale)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "nothing"
