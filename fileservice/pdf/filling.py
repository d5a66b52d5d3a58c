"""
Fills a compiled template: a certificate is the static bytes and a few objects behind them.

No value is ever written as PDF syntax. It becomes glyph codes in hexadecimal, so brackets,
backslashes, operators and placeholders in a value are only letters.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import TypeGuard

from fileservice.pdf.asking import Asking
from fileservice.pdf.fonts import FontSet
from fileservice.pdf.joining import joined
from fileservice.pdf.metadata import About, information, metadata, text_string
from fileservice.pdf.phrases import names_in, spoken
from fileservice.pdf.plans import Caption, Plan
from fileservice.pdf.qr import alternative, qr_program
from fileservice.pdf.slots import Code, Placed, Slot, Value
from fileservice.pdf.subsets import OBJECTS_PER_SUBSET, stream
from fileservice.pdf.typesetting import Extra, Typesetter


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
        self.has_code = any(isinstance(slot, Code) for slot in plan.slots)
        self._asking = Asking(plan)
        self.fields, self.required = self._asking.fields, self._asking.required
        self._setter = Typesetter(plan, font_set)

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
        texts = self._asking.texts(values, issued_at)
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
        setter, slots = self._setter, plan.slots
        rows = [setter.rows(slot, texts) if _is_set(slot, texts) else [] for slot in slots]
        extras = setter.extras(rows)
        drawn = [
            setter.line(slot, shown, extras)
            if _is_set(slot, texts)
            else _program(slot, texts, link)
            for slot, shown in zip(slots, rows, strict=True)
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
        for annotation in plan.links:
            bodies[annotation.number] = annotation.body + _leading_to(link)
        title = spoken(plan.title, texts)
        about = self._about(extras.values(), has_files=has_files)
        bodies[plan.metadata] = metadata(about, title=title, number=number, issued_at=issued_at)
        bodies[plan.info] = information(title=title, issued_at=issued_at)
        bodies.update(self._fonts(len(extras)))
        added: list[bytes] = []
        for at, subset in extras.values():
            added += subset.objects(plan.size + at * OBJECTS_PER_SUBSET, compress=False)
        inputs = repr((plan.digest, plan.side, sorted(texts.items()), number, link))
        identity = hashlib.blake2b(inputs.encode(), digest_size=16).hexdigest()
        return joined(plan, bodies, added, identity.encode())

    def _about(self, extras: Iterable[Extra], *, has_files: bool) -> About:
        """Return what the metadata say, with what is still true of claims."""
        about = self.plan.about
        if not all(extra.subset.is_mapped for extra in extras):
            about = about._replace(claims=about.claims.unmapped)
        if has_files:
            about = about._replace(claims=about.claims.with_files)
        return about

    def _fonts(self, count: int) -> Iterator[tuple[int, bytes]]:
        """Yield the dictionaries of fonts, with `count` that the certificate has besides."""
        prefix, first = self.plan.prefix.encode(), self.plan.size
        references = b"".join(
            b"/%bX%d %d 0 R" % (prefix, at, first + at * OBJECTS_PER_SUBSET) for at in range(count)
        )
        for fonts in self.plan.fonts:
            yield fonts.number, b"%s%s>>" % (fonts.body, references)

    def titled(self, values: Mapping[str, str], *, issued_at: datetime) -> str:
        """Return the title of the certificate that `fill` returns for the same."""
        title = self.plan.title
        return spoken(title, self._asking.texts(values, issued_at)) if names_in(title) else title


def _captioned(caption: Caption, texts: Mapping[str, str]) -> bytes:
    entries = [
        b"%s%s" % (key.encode(), text_string(spoken(text, texts)))
        for key, text in caption.texts.items()
    ]
    return b"%s%s>>" % (caption.body, b"".join(entries))


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
