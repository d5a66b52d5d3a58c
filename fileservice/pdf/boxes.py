"""What of a page, or of a form drawn on it, is seen (ISO 32000-1 14.11.2 and 8.10)."""

from typing import NamedTuple

from pikepdf import Array, Page

from fileservice.pdf.geometry import IDENTITY, Matrix
from fileservice.pdf.templatefonts import real

LETTER = (0.0, 0.0, 612.0, 792.0)  # what readers take for a page whose size makes no sense


class Box(NamedTuple):
    """What of the displayed page can be drawn on."""

    left: float
    bottom: float
    right: float
    top: float


def corners_of(value: object) -> tuple[float, float, float, float] | None:
    """Return the four numbers that `value` is; None when it is not."""
    if not isinstance(value, Array) or len(value) != 4:
        return None
    left, bottom, right, top = map(real, value)
    return left, bottom, right, top


def clipped(box: Box, clip: object, view: Matrix) -> Box:
    """Return what a form shows of `box` (ISO 32000-1 8.10.2); all of it, when it says nothing."""
    corners = corners_of(clip)
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


def _shown(page: Page) -> Box:
    """Return what of the page is shown: of its crop box what lies in its media box (14.11.2)."""
    whole = _sorted(corners_of(page.mediabox) or LETTER)
    crop = _sorted(corners_of(page.cropbox) or whole)
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
