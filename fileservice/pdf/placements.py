"""Where the placeholders of a template stand, for whoever wants to see them."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fileservice.pdf.geometry import FAR_AWAY, Matrix
from fileservice.pdf.slots import Slot, Value

if TYPE_CHECKING:
    # Workers have placements, and no library that reads PDFs.
    from fileservice.pdf.fields import Field

# A form may be drawn a thousand times, and a form within it as often each time.
MAX_PLACEMENTS = 1000
# What letters have below and above their baseline, in ems.
DESCENT, ASCENT = 0.25, 0.85
NO_FACE = -1

type Corners = tuple[tuple[float, float], ...]


class Sheet(NamedTuple):
    """A page as it is shown, maybe turned, in points."""

    width: float
    height: float


class Placement(NamedTuple):
    """
    A placeholder where it stands.

    Attributes:
        text: what the template says there; of a form field its name.
        page: which, from 1.
        corners: as its text is read the lower left one, the lower right, the upper right and the
            upper left; in points to the right of the displayed page's left edge, and below its top.
        font: the font it is written in, without the tag of a subset.
        face: which of the template's faces values are drawn with; NO_FACE for what is no text.
        size: of the font, in points.
        align: which point of its line stays: 0 the left end, 0.5 the centre, 1 the right end.
        default: what is drawn without a value; None when it is never empty: a value must be given,
            or is made here.
        max_lines: how many lines a value may take.
    """

    name: str
    text: str
    page: int
    corners: Corners
    font: str
    face: int
    size: float
    align: float
    default: str | None
    max_lines: int

    def mapped(self, view: Matrix) -> "Placement":
        """Return it in the space that `view` leads to."""
        return self._replace(
            corners=tuple(view.apply(x, y) for x, y in self.corners),
            size=self.size * math.hypot(view.c, view.d),
        )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what surrounds it, on its page."""
        across, down = zip(*self.corners, strict=True)
        return min(across), min(down), max(across), max(down)

    @property
    def is_near(self) -> bool:
        """Whether it can be on a page at all."""
        return all(abs(x) < FAR_AWAY and abs(y) < FAR_AWAY for x, y in self.corners)


def placements_on_line(field: "Field", slot: Slot) -> Iterator[Placement]:
    """Yield what of the line `field` became values in `slot`; the space is that of its program."""
    line = field.line
    space = line.text_matrix.then(line.shows[0].state.ctm)
    for part, made in zip(field.parts, slot.parts, strict=True):
        if not isinstance(made, Value):
            continue
        glyphs = line.glyphs[part.start : part.stop]
        font = glyphs[0].show.state.font
        yield Placement(
            name=made.name,
            text="".join(placed.glyph.text for placed in glyphs),
            page=0,
            corners=_corners(glyphs[0].x, glyphs[-1].x + glyphs[-1].width, glyphs[0].size),
            font=font.name.split("+")[-1] if font else "",
            face=made.face,
            size=made.size,
            align=slot.align,
            default=made.default,
            max_lines=slot.max_lines,
        ).mapped(space)


def placement_of_field(slot: Slot, font: str) -> Placement:
    """Return where the form field stands that became `slot`; the space is that of its page."""
    [value] = slot.parts
    assert isinstance(value, Value)  # noqa: S101  # by `forms`
    return Placement(
        name=value.name,
        text=value.name,
        page=0,
        corners=_corners(0.0, slot.room, value.size, (slot.max_lines - 1) * slot.leading),
        font=font.split("+")[-1],
        face=value.face,
        size=value.size,
        align=slot.align,
        default=value.default,
        max_lines=slot.max_lines,
    ).mapped(slot.matrix)


def placement_of_area(name: str, default: str | None, area: Matrix) -> Placement:
    """Return where a button or a QR code stands: what `area` makes of the unit square."""
    corners = tuple(area.apply(x, y) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1)))
    return Placement(name, "", 0, corners, "", NO_FACE, 0.0, 0.0, default, 1)


def placement_from(values: Sequence[Any]) -> Placement:
    """Return the placement that was written as a list."""
    name, text, page, corners, font, face, size, align, default, max_lines = values
    return Placement(
        str(name),
        str(text),
        int(page),
        tuple((float(x), float(y)) for x, y in corners),
        str(font),
        int(face),
        float(size),
        float(align),
        None if default is None else str(default),
        int(max_lines),
    )


def _corners(left: float, right: float, size: float, more: float = 0.0) -> Corners:
    """Return the corners of text on a baseline; `more` is how far down its last one is."""
    bottom, top = -DESCENT * size - more, ASCENT * size
    return (left, bottom), (right, bottom), (right, top), (left, top)
