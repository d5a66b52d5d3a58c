"""Compiles a page with its form fields, which become part of the page."""

from copy import copy

from pikepdf import Array, Dictionary, Name, Page, Stream

from fileservice.pdf.forms import Picture, drawn, take_widgets
from fileservice.pdf.geometry import numbers
from fileservice.pdf.pages import Draft, compile_page, decoded_program, with_fonts
from fileservice.pdf.text import parse_program


def compile_with_fields(draft: Draft, page: Page, form: Dictionary) -> None:
    """
    Put the slots of the page and of its fields into `draft`; `form` is the document's AcroForm.

    Raises:
        TemplateError: the page cannot be read, or a placeholder on it cannot be filled.
    """
    widgets = take_widgets(page.obj)
    if widgets:
        _enclose(draft, page)
    compile_page(draft, page)
    if not widgets:
        return
    resources = with_fonts(draft, page.resources)
    listed = resources.get("/XObject")
    pictures = copy(listed) if isinstance(listed, Dictionary) else Dictionary()
    program: list[bytes | int] = []
    for piece in drawn(widgets, form, draft.face_of):
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
    resources.XObject = pictures
    page.obj.Resources = resources
    mark = draft.mark(Dictionary())
    draft.programs[draft.marks] = tuple(program)
    contents = page.obj.Contents
    before = list(contents) if isinstance(contents, Array) else [contents]
    page.obj.Contents = Array([*before, mark])


def _enclose(draft: Draft, page: Page) -> None:
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
