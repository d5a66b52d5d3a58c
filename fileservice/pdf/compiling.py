"""Compiles a template: finds its placeholders and freezes all that no value changes."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace

import pikepdf
from pikepdf import Pdf

from fileservice.errors import BadValue
from fileservice.pdf.activecontent import remove_active_content
from fileservice.pdf.annotations import draw_annotations, is_drawn_over
from fileservice.pdf.captions import take_captions
from fileservice.pdf.conformance import kept_claims
from fileservice.pdf.describing import describe, language_in, title_in
from fileservice.pdf.draft import Draft
from fileservice.pdf.encodings import UNREADABLE
from fileservice.pdf.errors import (
    BadSideFile,
    Damaged,
    NoPlaceholders,
    NoUnicode,
    OverLimits,
    TemplateError,
)
from fileservice.pdf.faces import Sign
from fileservice.pdf.fields import near_misses
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.flattening import compile_with_fields, lay_links
from fileservice.pdf.fonts import Face, FontSet
from fileservice.pdf.freezing import Frozen, freeze
from fileservice.pdf.leftovers import left_out
from fileservice.pdf.metadata import About
from fileservice.pdf.opening import BROKEN, form_of, opened, refuse_unfit
from fileservice.pdf.phrases import plain_text
from fileservice.pdf.placeholders import PLACEHOLDER
from fileservice.pdf.plans import Caption, Open, Plan, Program
from fileservice.pdf.rules import Rule
from fileservice.pdf.sidefiles import SideFile, read_side_file
from fileservice.pdf.slots import PAGE, Slot, Value
from fileservice.pdf.subsets import OBJECTS_PER_SUBSET, Subset
from fileservice.pdf.xmp import told_by

MAX_SLOTS = 500  # an authority's form of two pages has 240 fields
# What names and titles are written with; what a template's own subset has costs a certificate
# nothing.
LATIN = "".join(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2027)))) + "€№™"
# All that the values made here are written with.
MADE_HERE = {
    "timestamp": "0123456789-:+TZ",
    "id": "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
    PAGE: "0123456789",
}


def compile_template(content: bytes, font_set: FontSet, side: bytes = b"") -> CompiledTemplate:
    """Compile the template `content` here and now: `plan_template` says how."""
    return CompiledTemplate(plan_template(content, font_set, side), font_set)


def plan_template(content: bytes, font_set: FontSet, side: bytes = b"") -> Plan:
    """
    Compile the template `content`, of which the file `side` says more.

    Run it in a process whose memory and time are limited (`fileservice.pdf.child`).

    Raises:
        TemplateError: it cannot be filled; the error says why and what to do.
    """
    wishes = read_side_file(side)
    pdf = opened(content)
    try:
        refuse_unfit(pdf)
        plan = _planned(pdf, hashlib.sha256(content).hexdigest(), font_set, wishes)
    except BROKEN as error:
        raise Damaged(
            "The template is broken inside; save it again with another program."
        ) from error
    return replace(plan, side=hashlib.sha256(side).hexdigest()) if side else plan


def _planned(pdf: Pdf, digest: str, font_set: FontSet, wishes: SideFile) -> Plan:
    told = told_by(pdf)
    title = plain_text(wishes.title) or title_in(pdf) or told.title
    language = wishes.language or language_in(pdf, told)
    is_tagged = not any(map(is_drawn_over, pdf.pages))
    # Later ones are about what is made of it.
    is_repaired = bool(pdf.get_warnings())
    draft = Draft(pdf, f"/Fs{digest[:12]}", font_set, wishes, is_repaired)
    absent = left_out(pdf)
    form = form_of(pdf)
    for draft.page, page in enumerate(pdf.pages, 1):
        try:
            draw_annotations(draft, page)
            compile_with_fields(draft, page, form)
        except TemplateError as error:
            raise type(error)(f"Page {draft.page}: {error.detail}") from error
    if not any(draft.names()) and not draft.has_code:
        raise _nothing_found(draft)
    if len(draft.slots) > MAX_SLOTS:
        raise OverLimits(f"There are more than {MAX_SLOTS} lines with placeholders.")
    _refuse_unknown(draft)
    remove_active_content(pdf)
    lay_links(draft)
    take_captions(draft)
    claims, lost = kept_claims(told, has_intent="/OutputIntents" in pdf.Root, is_tagged=is_tagged)
    describe(draft, title, language)
    about = About(claims, language, told.creators, told.rights)
    return _frozen(draft, digest, title, about, [*lost, *absent])


def _refuse_unknown(draft: Draft) -> None:
    unknown = draft.wishes.wishes.keys() - set(draft.names())
    if unknown:
        raise BadSideFile(
            f"The side file speaks of {min(unknown)!r}, which the template does not ask for;"
            f" it asks for {', '.join(map(repr, sorted(set(draft.names()))))}."
        )
    for name, wish in draft.wishes.wishes.items():
        try:
            draft.rules.get(name, Rule()).meaning(name, wish.default or "")
        except BadValue as error:
            raise BadSideFile(f"The side file gives a default. {error.detail}") from error


def _nothing_found(draft: Draft) -> TemplateError:
    text = " ".join(line.text for line in draft.lines)
    if text.strip() and text.count(UNREADABLE) > len(text) / 2:
        return NoUnicode(
            f"The template's fonts do not say which characters they draw ({_unread(draft)});"
            " export it again so that its text can be selected and copied."
        )
    hints = []
    if any(PLACEHOLDER.search(comment.decode("latin-1")) for comment in draft.comments):
        hints.append("One stands in a page's program but is never drawn: perhaps in a comment.")
    if misses := near_misses(draft.lines):
        hints.append(f"Near misses: {', '.join(misses[:5])}.")
    if "/AcroForm" in draft.pdf.Root:
        hints.append("It has a form, but no visible text field or check box with a name.")
    if not text.strip():
        hints.append("It has no text at all; is it an image, or converted to outlines?")
    elif not hints:
        hints.append(f"It begins: {' '.join(text.split())[:60]!r}.")
    return NoPlaceholders(f"No %placeholder% was found in the template's text. {' '.join(hints)}")


def _unread(draft: Draft) -> str:
    """Return the names of the first fonts whose text cannot be read."""
    names = {
        placed.show.state.font.name or "a font without a name": None
        for line in draft.lines
        for placed in line.glyphs
        if placed.glyph.text == UNREADABLE and placed.show.state.font
    }
    return ", ".join(list(names)[:3])


def _frozen(draft: Draft, digest: str, title: str, about: About, lost: Sequence[str]) -> Plan:
    saved = io.BytesIO()
    draft.pdf.save(
        saved,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        static_id=True,
        fix_metadata_version=False,
    )
    frozen = freeze(saved.getvalue(), draft.marker.encode())
    bases = [Subset(face, _base_signs(draft, at, face)) for at, face in enumerate(draft.faces)]
    bodies: list[bytes] = []
    references = b""
    prefix = draft.marker.removeprefix("/")
    for at, base in enumerate(bases):
        number = frozen.size + at * OBJECTS_PER_SUBSET
        bodies += base.objects(number, compress=True)
        references += b"/%bB%d %d 0 R" % (prefix.encode(), at, number)
    frozen = frozen.with_objects(bodies)
    programs = []
    for mark, pieces in draft.programs.items():
        number, body = frozen.marked[mark]
        programs.append(Program(number, body.removeprefix(b"<<").removesuffix(b">>"), pieces))
    return Plan(
        digest=digest,
        faces=tuple(face.name for face in draft.faces),
        bases=tuple(tuple(base.signs) for base in bases),
        slots=tuple(draft.slots),
        rules=draft.rules,
        formats={name: wish.pattern for name, wish in draft.wishes.wishes.items() if wish.pattern},
        programs=tuple(programs),
        fonts=tuple(_open(frozen, mark, references) for mark in draft.fonts),
        links=tuple(_open(frozen, mark) for mark in draft.link_marks),
        captions=tuple(
            Caption(*_open(frozen, mark), texts) for mark, texts in draft.captions.items()
        ),
        info=frozen.marked[draft.marks][0],
        metadata=frozen.marked[draft.marks - 1][0],
        root=frozen.root,
        title=title,
        about=about,
        lost=tuple(lost),
        prefix=prefix,
        size=frozen.size,
        xref=frozen.xref(),
        static=frozen.static,
        sheets=tuple(draft.sheets),
        placements=tuple(draft.placements),
        is_repaired=draft.is_repaired,
    )


def _open(frozen: Frozen, mark: int, entries: bytes = b"") -> Open:
    """Return a marked dictionary, with `entries`, for each certificate to complete."""
    number, body = frozen.marked[mark]
    return Open(number, body.removesuffix(b">>") + entries)


def _letters(draft: Draft, name: str) -> str:
    wish = draft.wishes.wishes.get(name)
    return LATIN if wish and wish.pattern else MADE_HERE.get(name, LATIN)


def _base_signs(draft: Draft, number: int, face: Face) -> list[Sign]:
    """Return what comes with the template: Latin, or less if only the time or the number is set."""
    values = [
        part
        for slot in draft.slots
        if isinstance(slot, Slot)
        for part in slot.parts
        if isinstance(part, Value) and part.face == number
    ]
    wanted = set("".join(_letters(draft, value.name) for value in values))
    wanted.update("".join(value.default or "" for value in values))
    return [(face.glyphs[character], character) for character in wanted & face.glyphs.keys()]
