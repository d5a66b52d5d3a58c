"""Cuts the programs of pages, and of forms drawn on them, where placeholders stand."""

import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Page, Stream

from fileservice.pdf.boxes import Box, clipped, displayed
from fileservice.pdf.codes import square_in
from fileservice.pdf.draft import Draft
from fileservice.pdf.drawing import make_slot, moved_pen
from fileservice.pdf.errors import Damaged, OverLimits
from fileservice.pdf.fields import Field, find_fields
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.lines import read_lines
from fileservice.pdf.markedcontent import unsaid
from fileservice.pdf.placeholders import is_code
from fileservice.pdf.placements import MAX_PLACEMENTS, Placement, placements_on_line
from fileservice.pdf.slots import PAGE, Placed, Slot, Value
from fileservice.pdf.templatefonts import decoded, matrix_of
from fileservice.pdf.text import Instruction, TextReader, parse_program

COMMENT = re.compile(rb"%[^\r\n]*")
MAX_DEPTH = 8  # of forms within forms
MAX_FORMS = 1000  # drawings of TeX have one for each shading and mark
# What a stream's dictionary says of its bytes, which are ours then.
STREAM_KEYS = ("/Length", "/Filter", "/DecodeParms")


@dataclass(frozen=True, slots=True)
class Canvas:
    """
    What a program draws on.

    Attributes:
        owner: the page or the form whose program it is.
        view: the map from its space to the displayed page.
        box: what of that it can draw on.
        depth: how many forms it is in.
    """

    owner: Page | Stream
    content: bytes
    resources: Dictionary
    view: Matrix
    box: Box
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """
    A program with its slots.

    Attributes:
        pieces: what is drawn, bytes and numbers of slots; None when nothing of it changes.
        resources: what it is drawn with.
        placed: where its placeholders stand, in its own space.
    """

    pieces: tuple[bytes | int, ...] | None
    resources: Dictionary
    placed: Sequence[Placement]


class Compiled(NamedTuple):
    """
    A page that was compiled.

    Attributes:
        program: its program as it was, unpacked.
        placed: where its placeholders stand, in its own space.
    """

    program: bytes = b""
    placed: Sequence[Placement] = ()


def compile_page(draft: Draft, page: Page) -> Compiled:
    """
    Put the page's slots into `draft`, and into the page what leaves room for them.

    Raises:
        TemplateError: the page cannot be read, or a placeholder on it cannot be filled.
    """
    if "/Contents" not in page.obj:
        return Compiled()
    # One stream: what is counted, what is parsed and what is cut are then the same bytes.
    page.contents_coalesce()
    contents = page.obj.get("/Contents")
    if not isinstance(contents, Stream):
        return Compiled()
    box, view = displayed(page)
    program = decoded_program(contents)
    # qpdf has mended resources and media boxes that are none.
    cut = _cut(draft, Canvas(page, program, page.resources, view, box))
    if cut.pieces:
        page.obj.Contents = Array([_stream(draft, piece) for piece in cut.pieces])
    page.obj.Resources = cut.resources
    return Compiled(program, cut.placed)


def _stream(draft: Draft, piece: bytes | int) -> Object:
    if isinstance(piece, bytes):
        return draft.pdf.make_stream(piece)
    mark = draft.mark(Dictionary())
    draft.programs[draft.marks] = (piece,)
    return mark


def decoded_program(stream: Stream) -> bytes:
    """Return the program of a page or a form, unpacked."""
    content = decoded(stream)
    if content is None:
        raise Damaged("A page's program cannot be unpacked; save the template again.")
    return content


def _cut(draft: Draft, canvas: Canvas) -> Cut:
    draft.comments += COMMENT.findall(canvas.content)
    program = parse_program(canvas.owner, canvas.content)
    reader = TextReader(draft.font_of(canvas.resources))
    reader.read_all(program)
    resources, placed = _with_forms(draft, canvas, reader.drawn)
    lines = read_lines(reader.shows, canvas.view)
    draft.lines += lines
    replaced: dict[int, bytes | int] = {}
    for found in find_fields(lines, canvas.box, draft.page, draft.wishes):
        slot = make_slot(found, program, draft.face_of)
        point = 1 / found.line.space.x_scale
        slot = draft.wishes.applied(slot, draft.face_named, point)
        placed += placements_on_line(found, slot)
        replaced.update(_replaced(draft, found, slot, canvas.box))
    if not replaced:
        return Cut(None, resources, placed)
    replaced.update(unsaid(program, replaced.copy()))
    return Cut(_split(program, replaced), draft.with_fonts(resources), placed)


def _replaced(draft: Draft, found: Field, slot: Slot, box: Box) -> dict[int, bytes | int]:
    """Return what stands in for the operators of a line: its slot, and what only moves the pen."""
    codes = [part for part in found.parts if is_code(part.name)]
    draft.squares += [square_in(found, part, box) for part in codes]
    first, *others = found.line.shows
    draft.slots.append(slot)
    return {first.at: len(draft.slots) - 1, **{show.at: moved_pen(show) for show in others}}


def _split(
    program: Sequence[Instruction], replaced: Mapping[int, bytes | int]
) -> tuple[bytes | int, ...]:
    """Return the program in pieces: operators as bytes, and slots by their numbers."""
    pieces: list[bytes | int] = []
    run: list[bytes] = []
    for before, at in pairwise([-1, *sorted(replaced), len(program)]):
        run.append(pikepdf.unparse_content_stream(program[before + 1 : at]))
        piece = replaced.get(at)
        if isinstance(piece, bytes):
            run.append(piece)
            continue
        pieces.append(b"\n".join(filter(None, run)) + b"\n")
        run.clear()
        if piece is not None:
            pieces.append(piece)
    return tuple(pieces)


def _with_forms(
    draft: Draft, canvas: Canvas, drawn: Sequence[tuple[Name, Matrix]]
) -> tuple[Dictionary, list[Placement]]:
    """Return the resources with the forms that are `drawn` compiled, and the placeholders there."""
    placed: list[Placement] = []
    listed = canvas.resources.get("/XObject")
    if not isinstance(listed, Dictionary) or canvas.depth == MAX_DEPTH:
        return canvas.resources, placed
    forms = copy(listed)
    for name, matrix in drawn:
        form = listed.get(name)
        if isinstance(form, Stream) and form.get("/Subtype") == Name.Form:
            forms[name] = _compiled_form(draft, canvas, form, matrix)
            view = matrix_of(form.get("/Matrix")).then(matrix)
            within = draft.placed.get(form.objgen, ())
            placed += [each.mapped(view) for each in within[: MAX_PLACEMENTS - len(placed)]]
    own = copy(canvas.resources)
    own.XObject = forms
    return own, placed


def _compiled_form(draft: Draft, canvas: Canvas, form: Stream, matrix: Matrix) -> Object:
    """Return what is drawn in the place of `form`: itself, unless it has placeholders."""
    seen = form.objgen
    if seen in draft.forms:
        return draft.forms[seen]
    if len(draft.forms) == MAX_FORMS:
        raise OverLimits(f"The template draws more than {MAX_FORMS} forms.")
    # Seen from now on, also from within.
    draft.forms[seen] = form
    own = matrix_of(form.get("/Matrix"))
    resources = form.get("/Resources")
    if not isinstance(resources, Dictionary):
        resources = canvas.resources
    view = own.then(matrix).then(canvas.view)
    box = clipped(canvas.box, form.get("/BBox"), view)
    within = Canvas(form, decoded_program(form), resources, view, box, canvas.depth + 1)
    slots, squares = len(draft.slots), len(draft.squares)
    cut = _cut(draft, within)
    draft.placed[seen] = cut.placed
    if len(draft.squares) > squares or any(map(_says_page, draft.slots[slots:])):
        draft.page_forms.add(seen)
    elif cut.pieces is None:
        form.Resources = cut.resources
        return form
    draft.forms[seen] = _rewritten(draft, form, cut)
    return draft.forms[seen]


def _rewritten(draft: Draft, form: Stream, cut: Cut) -> Object:
    """Return a form that draws what `cut` says and is like `form` in all else."""
    entries = copy(form.stream_dict)
    for key in STREAM_KEYS:
        if key in entries:
            del entries[key]
    entries.Resources = cut.resources
    if cut.pieces is None:
        return draft.pdf.make_stream(decoded_program(form), entries)
    # Its object is marked; from then on the form names another.
    marked = draft.mark(entries)
    draft.programs[draft.marks] = cut.pieces
    return marked


def _says_page(slot: Placed) -> bool:
    """Tell whether a slot shows the number of its page."""
    return isinstance(slot, Slot) and any(
        isinstance(part, Value) and part.name == PAGE for part in slot.parts
    )
