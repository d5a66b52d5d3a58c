"""Fits a line into its room: smaller, then narrower, then on several lines."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from fileservice.pdf.errors import TooLong
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.slots import Literal, Slot, Value
from fileservice.pdf.wrapping import split_letters, split_words

# A line that was shrunk is made no narrower than this.
LEAST_STRETCH = 0.85
# How many sizes are tried when a line is broken; the largest that fits is taken.
WRAPPED_SIZES = 5
LEADING = 1.2
ROUNDING = 1e-6


class Word(NamedTuple):
    """What is drawn at once: text of the template (`text` is "" then), or of a value."""

    part: Literal | Value
    text: str


class Row(NamedTuple):
    """Words on one baseline, and the text matrix that they are drawn with."""

    matrix: Matrix
    words: Sequence[Word]


# Returns how wide a word is, with the gap before it.
WidthOf = Callable[[Word], float]


def fitted(slot: Slot, words: Sequence[Word], width_of: WidthOf) -> list[Row]:
    """
    Return `words` as the rows that keep the slot's place and its room.

    Raises:
        TooLong: there is no room for them.
    """
    if slot.cells:
        return _spread(slot, words, width_of)
    width = sum([width_of(word) for word in words])
    if width <= slot.room:
        return [Row(_placed(slot, width), words)]
    scale = max(slot.room / width, slot.least_scale)
    stretch = min(1.0, slot.room / (width * scale))
    if stretch >= LEAST_STRETCH - ROUNDING:
        return [Row(_placed(slot, width, scale, stretch), words)]
    return _wrapped(slot, words, width_of) or _refuse(slot, width)


def _spread(slot: Slot, words: Sequence[Word], width_of: WidthOf) -> list[Row]:
    """Return the words with one letter in the middle of each cell."""
    letters = [Word(part, letter) for part, text in words for letter in split_letters(text)]
    if len(letters) > slot.cells:
        raise TooLong(
            f"The value of {_names(slot)} is {len(letters)} characters long,"
            f" its field has {slot.cells} cells.",
            extensions={"limit": slot.cells},
        )
    cell = slot.room / slot.cells
    widths = [width_of(letter) for letter in letters]
    scale = min(1.0, cell / max(widths, default=cell))
    first = int((slot.cells - len(letters)) * slot.align)
    return [
        Row(slot.matrix.moved(cell * at + (cell - width * scale) / 2).scaled(scale), [letter])
        for at, (letter, width) in enumerate(zip(letters, widths, strict=True), first)
    ]


def _placed(
    slot: Slot, width: float, scale: float = 1.0, stretch: float = 1.0, down: float = 0.0
) -> Matrix:
    start = (slot.width - width * scale * stretch) * slot.align
    return slot.matrix.moved(start, -down * scale).scaled(scale).stretched(stretch)


def _wrapped(slot: Slot, words: Sequence[Word], width_of: WidthOf) -> list[Row]:
    """Return the words on as many lines as the slot may have; nothing when that does not do."""
    if slot.max_lines == 1:
        return []
    pieces = [Word(word.part, text) for word in words for text in _texts(word)]
    leading = slot.leading or LEADING * max(
        [part.size for part in slot.parts if isinstance(part, Value)]
    )
    step = (1.0 - slot.least_scale) / (WRAPPED_SIZES - 1)
    scales = [1.0 - at * step for at in range(WRAPPED_SIZES)]
    for scale, stretch in [*((each, 1.0) for each in scales), (slot.least_scale, LEAST_STRETCH)]:
        room = slot.room / (scale * stretch)
        lines = _lines(pieces, room, width_of)
        widths = [sum(map(width_of, line)) for line in lines]
        if len(lines) <= slot.max_lines and max(widths) <= room + ROUNDING:
            return [
                Row(_placed(slot, width, scale, stretch, at * leading), line)
                for at, (line, width) in enumerate(zip(lines, widths, strict=True))
            ]
    return []


def _texts(word: Word) -> list[str]:
    return [word.text] if isinstance(word.part, Literal) else split_words(word.text)


def _lines(pieces: Sequence[Word], room: float, width_of: WidthOf) -> list[list[Word]]:
    """Return `pieces` on lines, each as full as it can be."""
    lines: list[list[Word]] = [[]]
    for piece in pieces:
        tried = _joined([*lines[-1], piece])
        if lines[-1] and sum(map(width_of, _trimmed(tried))) > room:
            lines.append([_first(piece)])
        else:
            lines[-1] = tried
    return [_trimmed(line) for line in lines]


def _joined(line: list[Word]) -> list[Word]:
    """Return `line` with its last two words as one when they are of one value."""
    if len(line) > 1 and line[-2].part == line[-1].part and isinstance(line[-1].part, Value):
        return [*line[:-2], Word(line[-1].part, line[-2].text + line[-1].text)]
    return line


def _trimmed(line: list[Word]) -> list[Word]:
    return [*line[:-1], line[-1]._replace(text=line[-1].text.rstrip(" "))]


def _first(word: Word) -> Word:
    """Return `word` as the first of its line, where there is nothing to keep a gap to."""
    part = word.part
    return Word(replace(part, gap=0.0), word.text) if isinstance(part, Value) else word


def _names(slot: Slot) -> str:
    return ", ".join(sorted({repr(p.name) for p in slot.parts if isinstance(p, Value)}))


def _refuse(slot: Slot, width: float) -> list[Row]:
    points = slot.matrix.x_scale
    needed, available = width * slot.least_scale * LEAST_STRETCH * points, slot.room * points
    lines = f" on {slot.max_lines} lines" if slot.max_lines > 1 else ""
    raise TooLong(
        f"The value of {_names(slot)} is too long: even at {slot.least_scale:.0%} of its size and"
        f" {LEAST_STRETCH:.0%} of its width the line is {needed:.0f} points long,"
        f" where there is room for {available:.0f}{lines}.",
        extensions={"needed": round(needed, 1), "available": round(available, 1)},
    )
