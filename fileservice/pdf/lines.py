"""Puts the operators that show text together into the lines a reader sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from fileservice.pdf.geometry import Matrix
from fileservice.pdf.text import Glyph, Show

# In ems. Wider than a word space (0.25), narrower than a column's gap; titles are letter-spaced.
WIDEST_GAP = 1.2
# A kern or a return over the last letter; anything further back is other text.
WIDEST_RETURN = 0.6
# Baselines of one line: superscripts are set by other means (Ts), so little more than rounding.
BASELINE_DRIFT = 0.1
# A gap without a glyph that is read as a space.
WORD_GAP = 0.2
SAME_DIRECTION = 1e-3
# In points. A line of which a unit becomes less is drawn as a point, and seen by nobody.
SHORTEST = 1e-9


class PlacedGlyph(NamedTuple):
    """
    A glyph in the space of its line, whose origin is where the line's first operator began.

    Attributes:
        show: the operator that shows it.
        glyph: what it is there.
        x: where it stands.
        width: how wide it is, without spacing.
        size: its font size.
    """

    show: Show
    glyph: Glyph
    x: float
    width: float
    size: float


@dataclass(frozen=True, slots=True)
class Line:
    """
    Text that stands on one baseline, near enough to be read as one.

    Attributes:
        space: the map from the line's space to the displayed page; its x axis runs along the text.
        text_matrix: the same space as a text matrix (Tm) where the line begins.
    """

    shows: tuple[Show, ...]
    glyphs: tuple[PlacedGlyph, ...]
    space: Matrix
    text_matrix: Matrix

    @property
    def start(self) -> float:
        """Where the first glyph begins, in the line's space."""
        return self.glyphs[0].x

    @property
    def stop(self) -> float:
        """Where the last glyph ends, in the line's space."""
        return self.glyphs[-1].x + self.glyphs[-1].width

    @property
    def left(self) -> float:
        """Where it begins on the displayed page."""
        return self.space.apply(self.start, 0.0)[0]

    @property
    def right(self) -> float:
        """Where it ends on the displayed page."""
        return self.space.apply(self.stop, 0.0)[0]

    @property
    def baseline(self) -> float:
        """The height of its baseline on the displayed page."""
        return self.space.f

    @property
    def is_level(self) -> bool:
        """Whether it reads from left to right on the displayed page."""
        return self.space.a > 0 and abs(self.space.b) < 1e-3 * self.space.a

    @property
    def text(self) -> str:
        """What it says; a gap as wide as a space is one."""
        pieces = []
        pen = self.start
        for placed in self.glyphs:
            if placed.x - pen > WORD_GAP * abs(placed.size):
                pieces.append(" ")
            pieces.append(placed.glyph.text)
            pen = placed.x + placed.width
        return "".join(pieces)


def read_lines(shows: Iterable[Show], view: Matrix) -> list[Line]:
    """Return the lines that `shows` make; `view` maps the page's space to the displayed page."""
    groups: list[list[Show]] = []
    for show in shows:
        if not show.glyphs or not show.placed.is_sane or _is_flat(show):
            continue
        if groups and _continues(groups[-1][-1], show):
            groups[-1].append(show)
        else:
            groups.append([show])
    lines = [_line(tuple(group), view) for group in groups]
    return [line for line in lines if line.space.x_scale > SHORTEST]


def _continues(before: Show, show: Show) -> bool:
    """Whether `show` goes on where `before` ended, on the same baseline."""
    here, there = before.placed, show.placed
    em = here.x_scale * abs(before.state.size)
    along = (here.a / here.x_scale, here.b / here.x_scale)
    if abs(along[0] - there.a / there.x_scale) > SAME_DIRECTION:
        return False
    if abs(along[1] - there.b / there.x_scale) > SAME_DIRECTION:
        return False
    end_x, end_y = here.apply(before.advance, 0.0)
    gap_x, gap_y = there.e - end_x, there.f - end_y
    ahead = gap_x * along[0] + gap_y * along[1]
    drift = gap_y * along[0] - gap_x * along[1]
    return abs(drift) < BASELINE_DRIFT * em and -WIDEST_RETURN * em < ahead < WIDEST_GAP * em


def _line(shows: tuple[Show, ...], view: Matrix) -> Line:
    first = shows[0]
    # A negative font size turns glyphs and pen about; turn the matrix, and x grows along the text.
    turn = -1.0 if first.state.size < 0 else 1.0
    text_matrix = first.matrix.scaled(turn)
    space = text_matrix.then(first.state.ctm)
    back = space.inverse()
    glyphs = []
    for show in shows:
        placed = show.placed
        scale = placed.x_scale / space.x_scale
        for glyph in show.glyphs:
            x = back.apply(*placed.apply(glyph.x, 0.0))[0]
            width = abs(glyph.width) * scale
            glyphs.append(PlacedGlyph(show, glyph, x, width, abs(show.state.size) * scale))
    return Line(shows, tuple(glyphs), space.then(view), text_matrix)


def _is_flat(show: Show) -> bool:
    return abs(show.state.size * show.state.stretch) < 1e-3
