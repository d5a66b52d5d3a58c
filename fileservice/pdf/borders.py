"""The ground and the border of a form field (ISO 32000-1 tables 166 and 189)."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from pikepdf import Array, Dictionary

from fileservice.pdf.geometry import number, numbers
from fileservice.pdf.templatefonts import name_of, real
from fileservice.pdf.widgets import Rect, Widget, values_of

FILLS = {1: b"g", 3: b"rg", 4: b"k"}
STROKES = {1: b"G", 3: b"RG", 4: b"K"}
BEVELLED, DASHED, INSET, UNDERLINED = "/B", "/D", "/I", "/U"
# What the inner edges are filled with, at the left and the top and then at the right and bottom.
EDGES = {BEVELLED: (b"1 g ", b"0.5 g "), INSET: (b"0.5 g ", b"0.75 g ")}
DASHES = [3.0]
MAX_DASHES = 10


class Border(NamedTuple):
    """How wide a field's border is, in points, and of which style."""

    width: float
    style: str
    dashes: Sequence[float] = ()

    @property
    def room(self) -> float:
        """What it takes from each side of the field, in points."""
        return self.width * (2 if self.style in EDGES else 1)


def border_of(widget: Widget) -> Border:
    """Return the border of `widget`; a point wide when it does not say."""
    entry = widget.chain[0]
    said, older = entry.get("/BS"), values_of(entry.get("/Border"))
    if isinstance(said, Dictionary):
        style = name_of(said.get("/S"))
        dashes = _dashes(values_of(said.get("/D")) or DASHES) if style == DASHED else ()
        return Border(max(0.0, real(said.get("/W"), 1.0)), style, dashes)
    if len(older) < 3:
        return Border(1.0, "")
    pattern = cast("Array", entry["/Border"])[3] if len(older) > 3 else None
    return Border(max(0.0, older[2]), "", _dashes(values_of(pattern)))


def colour(values: Sequence[float], operators: dict[int, bytes]) -> bytes:
    """Return the operator that sets the colour; nothing when these are not the numbers of one."""
    operator = operators.get(len(values))
    return b"%s %s " % (numbers(tuple(values)), operator) if operator else b""


def frame(widget: Widget, box: Rect, cells: int = 0) -> bytes:
    """Return operators that draw the ground and the border of `widget`, and between its cells."""
    look, border = widget.characteristics, border_of(widget)
    fill = colour(values_of(look.get("/BG")), FILLS)
    stroke = colour(values_of(look.get("/BC")), STROKES)
    pieces = []
    if fill:
        pieces.append(b"%s%s re f " % (fill, _area(box)))
    if border.width:
        pieces += _edges(box, border)
        if stroke:
            pieces.append(stroke + _outline(box, border, cells))
    return b"q %sQ " % b"".join(pieces)


def _outline(box: Rect, border: Border, cells: int) -> bytes:
    half = border.width / 2
    pen = number(border.width) + b" w "
    if border.dashes:
        pen += b"[%s] 0 d " % numbers(tuple(border.dashes))
    if border.style == UNDERLINED:
        height = box.bottom + half
        return pen + _stroke((box.left, height), (box.right, height))
    pieces = [pen, _area(_inner(box, half)), b" re S "]
    for at in range(1, cells):
        x = box.left + (box.right - box.left) * at / cells
        pieces.append(_stroke((x, box.bottom), (x, box.top)))
    return b"".join(pieces)


def _edges(box: Rect, border: Border) -> list[bytes]:
    if border.style not in EDGES:
        return []
    outer, inner = _inner(box, border.width), _inner(box, 2 * border.width)
    near, far = (outer.left, outer.bottom), (outer.right, outer.top)
    back = [(inner.right, inner.top), (inner.left, inner.bottom)]
    upper = [near, (outer.left, outer.top), far, back[0], (inner.left, inner.top), back[1]]
    lower = [near, (outer.right, outer.bottom), far, back[0], (inner.right, inner.bottom), back[1]]
    light, shadow = EDGES[border.style]
    return [light + _polygon(upper), shadow + _polygon(lower)]


def _dashes(values: Sequence[float]) -> Sequence[float]:
    """Return a pattern that can be drawn: no negative number, and not nothing but noughts."""
    return values[:MAX_DASHES] if sum(values) > 0 and min(values) >= 0 else ()


def _inner(box: Rect, by: float) -> Rect:
    return Rect(box.left + by, box.bottom + by, box.right - by, box.top - by)


def _area(box: Rect) -> bytes:
    return numbers((box.left, box.bottom, box.right - box.left, box.top - box.bottom))


def _stroke(start: tuple[float, float], stop: tuple[float, float]) -> bytes:
    return b"%s m %s l S " % (numbers(start), numbers(stop))


def _polygon(points: Sequence[tuple[float, float]]) -> bytes:
    first, *others = map(numbers, points)
    return b"%s m %sf " % (first, b"".join([b"%s l " % point for point in others]))
