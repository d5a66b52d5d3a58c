"""Finds the placeholders in a page's lines, and how each line keeps its place when they change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fileservice.pdf.boxes import Box
from fileservice.pdf.errors import BadMode, SplitLigature, UnknownCmap
from fileservice.pdf.lines import Line, PlacedGlyph
from fileservice.pdf.placeholders import NAME, PLACEHOLDER
from fileservice.pdf.sidefiles import SideFile
from fileservice.pdf.slots import PAGE

# What may have been meant for one: a sign missing, single braces, a mail merge's way.
NEAR_MISS = re.compile(
    rf"% ?{NAME} ?%|%{NAME}|\{{+ ?{NAME} ?\}}+|\$\{{?{NAME}\}}?|<<{NAME}>>|\[{NAME}\]"
)
LEFT, CENTRE, RIGHT = 0.0, 0.5, 1.0
# In points: what two lines' edges may differ by and still be meant to agree.
SAME_EDGE = 1.5
DIFFERENT_EDGE = 3.0
# The margin that is kept free at both sides: what the template itself keeps at the left, within
# these parts of the width. On A4 that is 18 to 60 points.
LEAST_MARGIN, GREATEST_MARGIN = 0.03, 0.1
# Text render modes from 4 on add the glyphs to the clipping path (ISO 32000-1 9.3.6).
FIRST_CLIPPING_MODE = 4


class Part(NamedTuple):
    """
    A stretch of a line's glyphs, `start` up to, not including, `stop`.

    `name` is the placeholder it spells, None for text that stays; `default` is None when a value
    must be given.
    """

    start: int
    stop: int
    name: str | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """
    A line with placeholders.

    Attributes:
        align: which point of the line stays: LEFT, CENTRE or RIGHT.
        room: how long the line may become, in its own space.
    """

    line: Line
    parts: tuple[Part, ...]
    align: float
    room: float


def find_fields(lines: Sequence[Line], box: Box, page: int, wishes: SideFile) -> list[Field]:
    """
    Return the lines that have placeholders; `page` is the number of their page.

    Raises:
        SplitLigature, UnknownCmap, BadMode: there is one, but it cannot be filled.
    """
    margin = _margin(lines, box)
    fields = []
    for line in lines:
        parts = _parts(line, page)
        if not parts:
            continue
        _check(line)
        wished = wishes.align_of(part.name for part in parts)
        align = _align(line, lines, box) if wished is None else wished
        room = _room(line, lines, box, align, margin)
        fields.append(Field(line, parts, align, room))
    return fields


def near_misses(lines: Sequence[Line]) -> list[str]:
    """Return what looks like an attempt at a placeholder, each once."""
    return list(dict.fromkeys(m[0] for line in lines for m in NEAR_MISS.finditer(line.text)))


def _parts(line: Line, page: int) -> tuple[Part, ...]:
    glyphs = line.glyphs
    text = "".join(placed.glyph.text for placed in glyphs)
    owners = [at for at, placed in enumerate(glyphs) for _ in placed.glyph.text]
    parts: list[Part] = []
    done = 0
    for match in PLACEHOLDER.finditer(text):
        start, stop = owners[match.start()], owners[match.end() - 1] + 1
        starts_within = match.start() > 0 and owners[match.start() - 1] == start
        stops_within = match.end() < len(text) and owners[match.end()] == stop - 1
        if starts_within or stops_within:
            raise SplitLigature(
                f"{match[0]} shares a glyph with the letter beside it;"
                " put a space there, or export the template without ligatures."
            )
        if done < start:
            parts.append(Part(done, start))
        name = match["name"] or match["braced"]
        default = str(page) if name == PAGE else _default(glyphs[start:stop])
        parts.append(Part(start, stop, name, default))
        done = stop
    if parts and done < len(glyphs):
        parts.append(Part(done, len(glyphs)))
    return tuple(parts)


def _default(glyphs: Sequence[PlacedGlyph]) -> str | None:
    """Return the text after the bar, with its gaps: some producers write no space for them."""
    text = Line((), tuple(glyphs), *(glyphs[0].show.matrix,) * 2).text
    _, bar, default = text.partition("|")
    return default.strip("%{}").strip() if bar else None


def _check(line: Line) -> None:
    for show in line.shows:
        font = show.state.font
        if font is None or not font.is_readable:
            raise UnknownCmap(
                "A placeholder is written downwards, or in a font with an encoding of its own,"
                " which is not read here; export the template with another font."
            )
        if not show.is_certain or not font.is_measured:
            raise BadMode(
                "A placeholder stands on a line with a font of which it cannot be told how wide its"
                " letters are; export the template with its fonts embedded."
            )
        if show.state.mode >= FIRST_CLIPPING_MODE:
            raise BadMode(
                "A placeholder is used as a clipping path; write it as plain text instead."
            )


def _margin(lines: Sequence[Line], box: Box) -> float:
    width = box.right - box.left
    lefts = [line.left - box.left for line in lines if line.is_level and line.left > box.left]
    return max(LEAST_MARGIN * width, min([GREATEST_MARGIN * width, *lefts]))


def _align(line: Line, lines: Sequence[Line], box: Box) -> float:
    """Return which edge, or the centre, the line shares with most others, or with the page."""
    if not line.is_level:
        return LEFT
    others = [
        other
        for other in lines
        if other is not line
        and other.is_level
        and abs((other.right - other.left) - (line.right - line.left)) > DIFFERENT_EDGE
    ]
    votes = {
        align: sum(abs(_point(other, align) - _point(line, align)) < SAME_EDGE for other in others)
        for align in (CENTRE, LEFT, RIGHT)
    }
    width = box.right - box.left
    off_centre = abs(_point(line, CENTRE) - (box.left + box.right) / 2)
    if off_centre < max(3.0, 0.012 * width) and line.left - box.left > 0.06 * width:
        votes[CENTRE] += 1
    best = max(votes.values())
    if not best:
        return LEFT
    return next(align for align in (CENTRE, LEFT, RIGHT) if votes[align] == best)


def _point(line: Line, align: float) -> float:
    return line.left + (line.right - line.left) * align


def _room(line: Line, lines: Sequence[Line], box: Box, align: float, margin: float) -> float:
    """Return how long the line may become before it meets a margin or text beside it."""
    length = line.stop - line.start
    if not line.is_level:
        return 3 * length
    em = line.glyphs[0].size * line.space.a
    lower, upper = box.left + margin, box.right - margin
    for other in lines:
        if other is line or not other.is_level or abs(other.baseline - line.baseline) > em / 2:
            continue
        if other.left >= line.right:
            upper = min(upper, other.left - em / 3)
        elif other.right <= line.left:
            lower = max(lower, other.right + em / 3)
    point = _point(line, align)
    if align == LEFT:
        room = upper - point
    elif align == RIGHT:
        room = point - lower
    else:
        room = 2 * min(upper - point, point - lower)
    return max(length, room / line.space.a)
