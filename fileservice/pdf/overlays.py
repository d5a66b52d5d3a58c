"""Draws boxes around a page's placeholders, on a transparent page of the same size."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fileservice.pdf.encodings import WIN_ANSI, standard_width, tables
from fileservice.pdf.geometry import number, numbers
from fileservice.pdf.placements import Corners, Placement, Sheet

FONT = "Helvetica-Bold"
# Of the page's width: on a phone that shows the whole page letters are as large as a footnote's.
TAG_SIZE = 0.02
TAG_HEIGHT, TAG_PADDING, TAG_BASELINE = 1.2, 0.3, 0.3  # in ems
LINE_WIDTH = 0.0022  # of the page's width
# How far from the letters the line is drawn, in widths of it: they and its white rim stay apart.
DISTANCE = 2.0
TOUCH = 1e-3  # points that two places may share and only touch
# One blue, which all eyes tell from black and white (5.2:1 against white); what may stay away is
# told by dashes and not by a colour.
BLUE = (0.0, 0.447, 0.698)


class Tag(NamedTuple):
    """What says which placeholder a box is; the corner is the lower left one."""

    left: float
    bottom: float
    width: float
    height: float
    text: str

    def meets(self, other: "Tag") -> bool:
        """Tell whether the two cover a place both."""
        return (
            self.left + TOUCH < other.left + other.width
            and other.left + TOUCH < self.left + self.width
            and self.bottom + TOUCH < other.bottom + other.height
            and other.bottom + TOUCH < self.bottom + self.height
        )


def overlay(sheet: Sheet, placements: Sequence[Placement], first: int = 1) -> bytes:
    """
    Return a PDF of one page, as large as `sheet`, with boxes around the `placements` on it.

    Each has a tag with its number, counted from `first`, and with its name where there is room.
    """
    line = LINE_WIDTH * sheet.width
    pieces = [b"1 J 1 j "]
    for placed in placements:
        path = b" ".join(_path(sheet, _widened(placed.corners, DISTANCE * line)))
        dashes = b"[] 0 d " if placed.default is None else b"[%s] 0 d " % number(3 * line)
        pieces += [
            b"/G gs %s rg %sf /N gs " % (numbers(BLUE), path),
            b"[] 0 d 1 G %s w %sS " % (number(2 * line), path),
            b"%s%s RG %s w %sS " % (dashes, numbers(BLUE), number(line), path),
        ]
    pieces += [_shown(tag, TAG_SIZE * sheet.width) for tag in _tags(sheet, placements, first)]
    return _page(sheet, b"\n".join(pieces))


def _widened(corners: Corners, distance: float) -> Corners:
    """Return the corners of a rectangle whose sides are `distance` further out."""
    (x, y), (right_x, right_y), _, (up_x, up_y) = corners
    across, along = (right_x - x, right_y - y), (up_x - x, up_y - y)
    a, b = (distance / (math.hypot(*side) or 1.0) for side in (across, along))
    sides = ((-a, -b), (a, -b), (a, b), (-a, b))
    return tuple(
        (x + i * across[0] + j * along[0], y + i * across[1] + j * along[1])
        for (x, y), (i, j) in zip(corners, sides, strict=True)
    )


def _path(sheet: Sheet, corners: Corners) -> Iterator[bytes]:
    for (x, y), operator in zip(corners, (b"m", b"l", b"l", b"l h "), strict=True):
        yield b"%s %s" % (numbers((x, sheet.height - y)), operator)


def _tags(sheet: Sheet, placements: Sequence[Placement], first: int) -> Iterator[Tag]:
    """Yield the tags, beside their boxes; the name stays away where it would cover another."""
    boxes = [_area(sheet, placed) for placed in placements]
    taken: list[Tag] = []
    for at, (placed, box) in enumerate(zip(placements, boxes, strict=True)):
        number = str(first + at)
        named = _beside(sheet, box, f"{number} {_drawable(placed.name)}")
        tried = [*named, *_beside(sheet, box, number)]
        free = (tag for tag in tried if not any(map(tag.meets, [*boxes, *taken])))
        taken.append(next(free, tried[-1]))
        yield taken[-1]


def _area(sheet: Sheet, placed: Placement) -> Tag:
    """Return the place that a box takes."""
    left, top, right, bottom = placed.box
    far = DISTANCE * LINE_WIDTH * sheet.width
    return Tag(
        left - far, sheet.height - bottom - far, right - left + 2 * far, bottom - top + 2 * far, ""
    )


def _beside(sheet: Sheet, box: Tag, text: str) -> Iterator[Tag]:
    """Yield the tag with `text` to the right of a box, above it and to the left, on the sheet."""
    size = TAG_SIZE * sheet.width
    width = sum(standard_width(FONT, each) for each in text) * size / 1000
    width += 2 * TAG_PADDING * size
    height = TAG_HEIGHT * size
    middle = box.bottom + (box.height - height) / 2
    for left, bottom in (
        (box.left + box.width, middle),
        (box.left, box.bottom + box.height),
        (box.left - width, middle),
    ):
        yield Tag(
            max(0.0, min(left, sheet.width - width)),
            max(0.0, min(bottom, sheet.height - height)),
            width,
            height,
            text,
        )


def _drawable(name: str) -> str:
    """Return a name as far as the font has its letters."""
    known = tables().widths[FONT]
    return "".join(each for each in name if each in known).strip()


def _shown(tag: Tag, size: float) -> bytes:
    codes = {text: code for code, text in tables().encodings[WIN_ANSI].items()}
    text = bytes(codes[each] for each in tag.text if each in codes).hex().encode()
    return b"%s rg %s re f BT 1 g /F %s Tf %s Td <%s> Tj ET" % (
        numbers(BLUE),
        numbers((tag.left, tag.bottom, tag.width, tag.height)),
        number(size),
        numbers((tag.left + TAG_PADDING * size, tag.bottom + TAG_BASELINE * size)),
        text,
    )


def _page(sheet: Sheet, program: bytes) -> bytes:
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Contents 4 0 R/Resources<<"
        b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/%s/Encoding/WinAnsiEncoding>>>>"
        b"/ExtGState<</G<</ca .12>>/N<</ca 1>>>>>>>>" % (numbers(sheet), FONT.encode()),
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(program), program),
    )
    pieces, offsets = [b"%PDF-1.4\n"], []
    for at, body in enumerate(bodies, 1):
        offsets.append(sum(map(len, pieces)))
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (at, body))
    lines = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = sum(map(len, pieces))
    size = len(bodies) + 1
    pieces.append(b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, lines))
    pieces.append(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start))
    return b"".join(pieces)
