"""Cuts the programs of pages, and of forms drawn on them, where placeholders stand."""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import pairwise

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Stream

from fileservice.pdf.drawing import make_slot, moved_pen
from fileservice.pdf.errors import Damaged, OverLimits
from fileservice.pdf.fields import Box, find_fields
from fileservice.pdf.fonts import Face, FontSet
from fileservice.pdf.geometry import IDENTITY, Matrix
from fileservice.pdf.lines import Line, read_lines
from fileservice.pdf.markedcontent import unsaid
from fileservice.pdf.placements import MAX_PLACEMENTS, Placement, Sheet, placements_on_line
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Slot, Value
from fileservice.pdf.templatefonts import TemplateFont, decoded, matrix_of, read_font, real
from fileservice.pdf.text import FontOf, Instruction, TextReader, parse_program

COMMENT = re.compile(rb"%[^\r\n]*")
MAX_DEPTH = 8  # of forms within forms
MAX_FORMS = 200
LETTER = (0.0, 0.0, 612.0, 792.0)  # what readers take for a page whose size makes no sense
# What a stream's dictionary says of its bytes, which are ours then.
STREAM_KEYS = ("/Length", "/Filter", "/DecodeParms")


@dataclass(slots=True)
class Draft:
    """
    What is known of a template while its pages are read.

    Attributes:
        marker: the key that marks an object written anew for each certificate; no template has it.
        faces: those that values are drawn with, in the order of their numbers.
        marks: how many objects are marked.
        slots: all lines with placeholders.
        rules: name -> what the form fields of that name take.
        programs: mark -> the program that each certificate writes: bytes, and numbers of slots.
        fonts: marks of the dictionaries of fonts that each certificate adds to.
        lines: all lines of all pages.
        comments: what programs say in comments, where it is never drawn.
        forms: what became of the forms that were seen: what to draw in their place.
        placed: where placeholders stand in those forms, in their own space.
        placements: where they stand on the pages.
        sheets: the pages so far.
    """

    pdf: Pdf
    marker: str
    font_set: FontSet
    faces: list[Face] = field(default_factory=list)
    marks: int = 0
    slots: list[Slot] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=dict)
    programs: dict[int, tuple[bytes | int, ...]] = field(default_factory=dict)
    fonts: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    comments: list[bytes] = field(default_factory=list)
    forms: dict[tuple[int, int], Object] = field(default_factory=dict)
    placed: dict[tuple[int, int], Sequence[Placement]] = field(default_factory=dict)
    placements: list[Placement] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    read_fonts: dict[tuple[int, int], TemplateFont] = field(default_factory=dict)

    def mark(self, dictionary: Dictionary) -> Object:
        """Return `dictionary` as an object that each certificate writes anew, marked `marks`."""
        self.marks += 1
        dictionary[self.marker] = self.marks
        return self.pdf.make_indirect(dictionary)

    def names(self) -> Iterator[str]:
        """Yield what the slots ask for."""
        for slot in self.slots:
            yield from (part.name for part in slot.parts if isinstance(part, Value) and part.name)

    def face_of(self, font: TemplateFont) -> int:
        """Return the number of the face that stands in for `font`."""
        face = self.font_set.match(font.name, font.flags)
        if face not in self.faces:
            self.faces.append(face)
        return self.faces.index(face)

    def font_of(self, resources: Dictionary) -> FontOf:
        """Return how a program finds its fonts; each is read once however many share it."""
        listed = resources.get("/Font")

        known: dict[bytes, TemplateFont | None] = {}

        def find(name: Name) -> TemplateFont | None:
            key = name.unparse()
            if key not in known:
                source = listed.get(name) if isinstance(listed, Dictionary) else None
                known[key] = self._read(source) if isinstance(source, Dictionary) else None
            return known[key]

        return find

    def _read(self, source: Dictionary) -> TemplateFont:
        if not source.is_indirect:
            return read_font(source)
        if source.objgen not in self.read_fonts:
            self.read_fonts[source.objgen] = read_font(source)
        return self.read_fonts[source.objgen]


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


def compile_page(draft: Draft, page: Page) -> Sequence[Placement]:
    """
    Put the page's slots into `draft`, and into the page what leaves room for them.

    Returns where its placeholders stand, in its own space.

    Raises:
        TemplateError: the page cannot be read, or a placeholder on it cannot be filled.
    """
    if "/Contents" not in page.obj:
        return ()
    # One stream: what is counted, what is parsed and what is cut are then the same bytes.
    page.contents_coalesce()
    contents = page.obj.get("/Contents")
    if not isinstance(contents, Stream):
        return ()
    box, view = displayed(page)
    # qpdf has mended resources and media boxes that are none.
    cut = _cut(draft, Canvas(page, decoded_program(contents), page.resources, view, box))
    if cut.pieces:
        page.obj.Contents = Array([_stream(draft, piece) for piece in cut.pieces])
    page.obj.Resources = cut.resources
    return cut.placed


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
    for found in find_fields(lines, canvas.box):
        first, *others = found.line.shows
        replaced[first.at] = len(draft.slots)
        slot = make_slot(found, program, draft.face_of)
        draft.slots.append(slot)
        placed += placements_on_line(found, slot)
        replaced.update({show.at: moved_pen(show) for show in others})
    if not replaced:
        return Cut(None, resources, placed)
    replaced.update(unsaid(program, replaced.copy()))
    return Cut(_split(program, replaced), with_fonts(draft, resources), placed)


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


def with_fonts(draft: Draft, resources: Dictionary) -> Dictionary:
    """Return `resources` with fonts that each certificate adds to."""
    listed = resources.get("/Font")
    if isinstance(listed, Dictionary) and draft.marker in listed:
        return resources
    own = copy(resources)
    own.Font = draft.mark(copy(listed) if isinstance(listed, Dictionary) else Dictionary())
    draft.fonts.append(draft.marks)
    return own


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
    if form.objgen in draft.forms:
        return draft.forms[form.objgen]
    if len(draft.forms) == MAX_FORMS:
        raise OverLimits(f"The template draws more than {MAX_FORMS} forms.")
    # Seen from now on, also from within.
    draft.forms[form.objgen] = form
    own = matrix_of(form.get("/Matrix"))
    resources = form.get("/Resources")
    if not isinstance(resources, Dictionary):
        resources = canvas.resources
    view = own.then(matrix).then(canvas.view)
    box = _clipped(canvas.box, form.get("/BBox"), view)
    within = Canvas(form, decoded_program(form), resources, view, box, canvas.depth + 1)
    cut = _cut(draft, within)
    draft.placed[form.objgen] = cut.placed
    if cut.pieces is None:
        form.Resources = cut.resources
        return form
    entries = copy(form.stream_dict)
    for key in STREAM_KEYS:
        if key in entries:
            del entries[key]
    entries.Resources = cut.resources
    # Its object is marked; from then on the form names another.
    draft.forms[form.objgen] = draft.mark(entries)
    draft.programs[draft.marks] = cut.pieces
    return draft.forms[form.objgen]


def _corners(value: object) -> tuple[float, float, float, float] | None:
    if not isinstance(value, Array) or len(value) != 4:
        return None
    left, bottom, right, top = map(real, value)
    return left, bottom, right, top


def _clipped(box: Box, clip: object, view: Matrix) -> Box:
    """Return what a form shows of `box` (ISO 32000-1 8.10.2); all of it, when it says nothing."""
    corners = _corners(clip)
    if corners is None:
        return box
    left, bottom, right, top = corners
    across, up = zip(*(view.apply(x, y) for x in (left, right) for y in (bottom, top)), strict=True)
    return Box(
        max(box.left, min(across)),
        max(box.bottom, min(up)),
        min(box.right, max(across)),
        min(box.top, max(up)),
    )


def _shown(page: Page) -> Box:
    """Return what of the page is shown: of its crop box what lies in its media box (14.11.2)."""
    whole = _sorted(_corners(page.mediabox) or LETTER)
    crop = _sorted(_corners(page.cropbox) or whole)
    shown = Box(
        max(whole.left, crop.left),
        max(whole.bottom, crop.bottom),
        min(whole.right, crop.right),
        min(whole.top, crop.top),
    )
    return shown if shown.left < shown.right and shown.bottom < shown.top else whole


def _sorted(corners: tuple[float, float, float, float]) -> Box:
    left, bottom, right, top = corners
    return Box(min(left, right), min(bottom, top), max(left, right), max(bottom, top))


def displayed(page: Page) -> tuple[Box, Matrix]:
    """Return the page as it is shown, maybe turned, and the map from its own space to that."""
    left, bottom, right, top = _shown(page)
    turns = int(real(page.obj.get("/Rotate"))) // 90 % 4
    if turns == 0:
        return Box(left, bottom, right, top), IDENTITY
    if turns == 2:
        return Box(-right, -top, -left, -bottom), Matrix(-1, 0, 0, -1, 0, 0)
    if turns == 1:
        return Box(bottom, -right, top, -left), Matrix(0, -1, 1, 0, 0, 0)
    return Box(-top, left, -bottom, right), Matrix(0, 1, -1, 0, 0, 0)
