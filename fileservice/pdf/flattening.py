"""Compiles a page with its form fields, which become part of the page."""

from collections.abc import Sequence
from copy import copy

from pikepdf import Array, Dictionary, Name, Page, Stream

from fileservice.pdf.forms import drawn, rules_of
from fileservice.pdf.geometry import Matrix, numbers
from fileservice.pdf.looks import Picture
from fileservice.pdf.pages import (
    LETTER,
    Draft,
    compile_page,
    decoded_program,
    displayed,
    with_fonts,
)
from fileservice.pdf.placements import MAX_PLACEMENTS, Placement, Sheet, placement_of_field
from fileservice.pdf.templatefonts import TemplateFont
from fileservice.pdf.text import parse_program
from fileservice.pdf.widgets import Rect, Widget, rect_of, take_widgets


def compile_with_fields(draft: Draft, page: Page, form: Dictionary) -> None:
    """
    Put the slots of the page and of its fields into `draft`; `form` is the document's AcroForm.

    Raises:
        TemplateError: the page cannot be read, or a placeholder on it cannot be filled.
    """
    widgets = take_widgets(page.obj)
    if widgets:
        enclose(draft, page)
    placed = [*compile_page(draft, page)]
    if widgets:
        placed += _draw_fields(draft, page, widgets, form)
    _put_on_sheet(draft, page, placed)


def _draw_fields(
    draft: Draft, page: Page, widgets: Sequence[Widget], form: Dictionary
) -> list[Placement]:
    """Add to the page what draws its fields, and return where values stand in them."""
    for name, rule in rules_of(widgets):
        draft.rules[name] = draft.rules.get(name, rule).joined(rule)
    resources = with_fonts(draft, page.resources)
    listed = resources.get("/XObject")
    pictures = copy(listed) if isinstance(listed, Dictionary) else Dictionary()
    program: list[bytes | int] = []
    placed: list[Placement] = []
    fonts: list[str] = []

    def face_of(font: TemplateFont) -> int:
        fonts.append(font.name)
        return draft.face_of(font)

    shown = rect_of(page.cropbox) or Rect(*LETTER)
    for piece in drawn(widgets, shown, form, face_of):
        if isinstance(piece, bytes):
            program.append(piece)
        elif isinstance(piece, Picture):
            name = f"{draft.marker}P{len(pictures)}"
            pictures[name] = piece.form
            matrix = numbers(piece.matrix)
            program.append(b"q %s cm %s Do Q " % (matrix, Name(name).unparse()))
        else:
            program += [b"q BT ", len(draft.slots), b"ET Q "]
            draft.slots.append(piece)
            placed.append(placement_of_field(piece, fonts[-1]))
    resources.XObject = pictures
    page.obj.Resources = resources
    mark = draft.mark(Dictionary())
    draft.programs[draft.marks] = tuple(program)
    contents = page.obj.Contents
    before = list(contents) if isinstance(contents, Array) else [contents]
    page.obj.Contents = Array([*before, mark])
    return placed


def _put_on_sheet(draft: Draft, page: Page, placed: Sequence[Placement]) -> None:
    """Note the page, and where on it, as it is displayed, placeholders stand."""
    box, view = displayed(page)
    draft.sheets.append(Sheet(box.right - box.left, box.top - box.bottom))
    from_the_top = view.then(Matrix(1, 0, 0, -1, -box.left, box.top))
    for each in placed[: MAX_PLACEMENTS - len(draft.placements)]:
        seen = each.mapped(from_the_top)._replace(page=len(draft.sheets))
        if seen.name and seen.is_near:
            draft.placements.append(seen)


def enclose(draft: Draft, page: Page) -> None:
    """Let the page's program leave the graphics state as it found it."""
    if "/Contents" in page.obj:
        page.contents_coalesce()
    contents = page.obj.get("/Contents")
    program = decoded_program(contents) if isinstance(contents, Stream) else b""
    page.obj.Contents = draft.pdf.make_stream(program)
    depth = lowest = 0
    for instruction in parse_program(page, program):
        depth += {b"q": 1, b"Q": -1}.get(instruction.operator.unparse(), 0)
        lowest = min(lowest, depth)
    opened = 1 - lowest
    page.obj.Contents = draft.pdf.make_stream(
        b"q " * opened + program + b"\nQ" * (opened + depth) + b"\n"
    )
