"""Compiles a page with its form fields and its QR codes, which become part of the page."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace

from pikepdf import Array, Dictionary, Name, Page, Stream

from fileservice.pdf.boxes import LETTER, displayed
from fileservice.pdf.buttons import Toggle
from fileservice.pdf.draft import Draft
from fileservice.pdf.forms import drawn, rules_of
from fileservice.pdf.geometry import Matrix, numbers
from fileservice.pdf.looks import Picture
from fileservice.pdf.pages import compile_page, decoded_program
from fileservice.pdf.placements import (
    MAX_PLACEMENTS,
    Placement,
    Sheet,
    placement_of_area,
    placement_of_field,
)
from fileservice.pdf.slots import Code, Mark
from fileservice.pdf.templatefonts import TemplateFont
from fileservice.pdf.text import parse_program
from fileservice.pdf.textfields import Blank
from fileservice.pdf.widgets import Rect, rect_of, take_widgets

# A link that is printed with the page, as PDF/A wants it (ISO 19005-2 6.3.2), without a border.
LINK = {"/Type": Name.Annot, "/Subtype": Name.Link, "/F": 4, "/Border": [0, 0, 0]}

type Piece = bytes | Blank | Picture | Code | Toggle


def compile_with_fields(draft: Draft, page: Page, form: Dictionary) -> None:
    """
    Put the slots of the page and of its fields into `draft`; `form` is the document's AcroForm.

    Raises:
        TemplateError: the page cannot be read, or a placeholder on it cannot be filled.
    """
    widgets = take_widgets(page.obj)
    for name, rule in rules_of(widgets):
        draft.rules[name] = draft.rules.get(name, rule).joined(rule)
    program, placed = compile_page(draft, page)
    back = displayed(page)[1].inverse()
    codes = [Code(square.then(back)) for square in draft.squares]
    draft.forget_page()
    fonts: list[str] = []

    def face_of(font: TemplateFont) -> int:
        fonts.append(font.name)
        return draft.face_of(font)

    shown = rect_of(page.cropbox) or Rect(*LETTER)
    fields = [
        _wished(draft, piece) if isinstance(piece, Blank) else piece
        for piece in drawn(widgets, shown, form, face_of)
    ]
    texts = [piece.slot for piece in fields if isinstance(piece, Blank)]
    areas = [placement_of_area("qr", None, code.square) for code in codes]
    areas += [_placed_button(piece) for piece in fields if isinstance(piece, Toggle)]
    _put_on_sheet(draft, page, [*placed, *map(placement_of_field, texts, fonts), *areas])
    if fields or codes:
        _lay_over(draft, page, program, [*fields, *codes])


def _placed_button(piece: Toggle) -> Placement:
    left, bottom, right, top = piece.box
    area = Matrix(right - left, 0, 0, top - bottom, left, bottom)
    return placement_of_area(piece.name, piece.default, area)


def _wished(draft: Draft, blank: Blank) -> Blank:
    """Return the field as the side file wishes; where it does, it looks no more as it did."""
    slot = draft.wishes.applied(blank.slot, draft.face_named, 1.0)
    return blank if slot is blank.slot else replace(blank, slot=slot, look=())


def _lay_over(draft: Draft, page: Page, program: bytes, pieces: Sequence[Piece]) -> None:
    """Draw `pieces` on top of what the page's `program` draws."""
    before, after = _enclosure(page, program)
    overlay: list[bytes | int] = [after, *_overlay(draft, page, pieces)]
    contents = page.obj.get("/Contents", Array())
    mark = draft.mark(Dictionary())
    draft.programs[draft.marks] = tuple(overlay)
    page.obj.Contents = Array(
        [
            draft.pdf.make_stream(before),
            *(list(contents) if isinstance(contents, Array) else [contents]),
            mark,
        ]
    )


def _put_on_sheet(draft: Draft, page: Page, placed: Sequence[Placement]) -> None:
    """Note the page, and where on it, as it is displayed, placeholders stand."""
    box, view = displayed(page)
    draft.sheets.append(Sheet(box.right - box.left, box.top - box.bottom))
    from_the_top = view.then(Matrix(1, 0, 0, -1, -box.left, box.top))
    for each in placed[: MAX_PLACEMENTS - len(draft.placements)]:
        seen = each.mapped(from_the_top)._replace(page=len(draft.sheets))
        if seen.name and seen.is_near:
            draft.placements.append(seen)


def _overlay(draft: Draft, page: Page, pieces: Sequence[Piece]) -> Iterator[bytes | int]:
    """Yield the program that draws `pieces`, and put into the page what it needs for that."""
    resources = draft.with_fonts(page.resources)
    listed = resources.get("/XObject")
    pictures = copy(listed) if isinstance(listed, Dictionary) else Dictionary()
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        elif isinstance(piece, Picture):
            yield _shown(draft, piece, pictures)
        elif isinstance(piece, Toggle):
            looks = {
                state: b"".join(
                    each if isinstance(each, bytes) else _shown(draft, each, pictures)
                    for each in look
                )
                for state, look in piece.looks.items()
            }
            default = draft.wishes.default_of(piece.name, piece.default)
            state = draft.rules[piece.name].choice(default) or "" if default else default
            yield len(draft.slots)
            draft.slots.append(Mark(piece.name, state, looks))
        elif isinstance(piece, Code):
            # No part of the text: whoever reads aloud has the link.
            yield from (b"/Artifact BMC ", len(draft.slots), b"EMC ")
            draft.slots.append(piece)
            draft.links.append((draft.page, piece.square))
        else:
            yield len(draft.slots)
            look = b"".join(_shown(draft, each, pictures) for each in piece.look)
            draft.slots.append(
                replace(
                    piece.slot,
                    before=b"%sq BT %s" % (piece.ground, piece.slot.before),
                    after=b"%sET Q " % piece.slot.after,
                    look=look,
                )
            )
    resources.XObject = pictures
    page.obj.Resources = resources


def _shown(draft: Draft, picture: Picture, pictures: Dictionary) -> bytes:
    """Return the operators that draw `picture`, which is put among the page's `pictures`."""
    name = f"{draft.marker}P{len(pictures)}"
    pictures[name] = picture.form
    return b"q %s cm %s Do Q " % (numbers(picture.matrix), Name(name).unparse())


def lay_links(draft: Draft) -> None:
    """Lay links over the QR codes; in a tagged document they would need tags of their own."""
    if "/StructTreeRoot" in draft.pdf.Root:
        return
    for number, square in draft.links:
        across, up = zip(*(square.apply(x, y) for x in (0, 1) for y in (0, 1)), strict=True)
        link = Dictionary({**LINK, "/Rect": [min(across), min(up), max(across), max(up)]})
        page = draft.pdf.pages[number - 1].obj
        page.Annots = Array([*page.get("/Annots", []), draft.mark(link)])
        draft.link_marks.append(draft.marks)


def enclose(draft: Draft, page: Page) -> None:
    """Let the page's program leave the graphics state as it found it."""
    if "/Contents" in page.obj:
        page.contents_coalesce()
    contents = page.obj.get("/Contents")
    program = decoded_program(contents) if isinstance(contents, Stream) else b""
    page.obj.Contents = draft.pdf.make_stream(program)
    before, after = _enclosure(page, program)
    page.obj.Contents = draft.pdf.make_stream(before + program + after)


def _enclosure(page: Page, program: bytes) -> tuple[bytes, bytes]:
    """Return what lets `program` leave the graphics state as it found it: before and behind it."""
    depth = lowest = 0
    for instruction in parse_program(page, program):
        depth += {b"q": 1, b"Q": -1}.get(instruction.operator.unparse(), 0)
        lowest = min(lowest, depth)
    opened = 1 - lowest
    return b"q " * opened + b"\n", b"\n" + b"Q " * (opened + depth) + b"\n"
