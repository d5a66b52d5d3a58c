"""Where the QR codes of a template stand: `%qr%`, `%qr.90%`, and form fields of that name."""

from fileservice.pdf.boxes import Box
from fileservice.pdf.errors import TemplateError
from fileservice.pdf.fields import Field, Part
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.placeholders import CODE_NAME

# In points, the quiet zone included.
USUAL_SIDE = 80
LEAST_SIDE, GREATEST_SIDE = 20, 2000
CAP_HEIGHT = 0.7  # in ems: the code hangs from where the placeholder's letters end above


def square_in(field: Field, part: Part, box: Box) -> Matrix:
    """
    Return the map from the unit square to the square of `part` on the displayed page.

    It hangs from the top of the placeholder's letters. Alone on its line it is aligned as the line
    is, else it begins where the placeholder does; on the page `box` it is kept where it can be.

    Raises:
        TemplateError: no scanner would read a code of this size.
    """
    assert part.name is not None  # noqa: S101  # the caller looked
    side = _side(part.name)
    line, first = field.line, field.line.glyphs[part.start]
    space, scale = line.space, line.space.x_scale
    x = first.x
    if is_alone(field, part):
        x = line.start + (line.stop - line.start - side / scale) * field.align
    top = space.moved(x, CAP_HEIGHT * first.size)
    across = (space.a / scale, space.b / scale)
    # Upwards from the line, even where the text leans.
    corner = (top.e + across[1] * side, top.f - across[0] * side)
    square = Matrix(
        side * across[0], side * across[1], -side * across[1], side * across[0], *corner
    )
    return _kept_within(square, box, side) if line.is_level else square


def is_alone(field: Field, part: Part) -> bool:
    """Tell whether nothing else is seen on the line of `part`."""
    return all(
        other is part or (other.name is None and not _text(field, other).strip())
        for other in field.parts
    )


def square_of(left: float, bottom: float, right: float, top: float) -> Matrix:
    """Return the map from the unit square to the largest square in the middle of a rectangle."""
    side = min(right - left, top - bottom)
    return Matrix(side, 0, 0, side, (left + right - side) / 2, (bottom + top - side) / 2)


def _text(field: Field, part: Part) -> str:
    return "".join(placed.glyph.text for placed in field.line.glyphs[part.start : part.stop])


def _side(name: str) -> float:
    found = CODE_NAME.fullmatch(name)
    assert found is not None  # noqa: S101  # the caller looked
    side = int(found["side"] or USUAL_SIDE)
    if not LEAST_SIDE <= side <= GREATEST_SIDE:
        raise TemplateError(
            f"%{name}% asks for a QR code of {side} points;"
            f" {LEAST_SIDE} to {GREATEST_SIDE} can be drawn."
        )
    return float(side)


def _kept_within(square: Matrix, box: Box, side: float) -> Matrix:
    x = max(box.left, min(square.e, box.right - side))
    y = max(box.bottom, min(square.f, box.top - side))
    return square._replace(e=x, f=y)
