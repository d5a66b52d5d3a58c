"""What a compiled template keeps of its placeholders."""

from collections.abc import Mapping
from dataclasses import dataclass

from fileservice.pdf.geometry import Matrix

# A line is shrunk to no less than this part of its size: below it, it looks like a mistake.
LEAST_SCALE = 0.6
PAGE = "page"  # the placeholder for the number of the template's page, which is its default


@dataclass(frozen=True, slots=True)
class Literal:
    """
    Text of the template that stays.

    Attributes:
        program: the operators that show it from where the pen stands.
        width: how far they move the pen, with the gap before it, in the line's space.
    """

    program: bytes
    width: float


@dataclass(frozen=True, slots=True)
class Value:
    """
    A placeholder.

    Attributes:
        default: what is drawn without a value; None when one must be given.
        face: which of the template's faces it is drawn with.
        size: font size in the line's space.
        stretch: 1 for Tz 100.
        gap: from the text before it, in the line's space.
        before: operators to run first: colour, rise.
    """

    name: str
    default: str | None
    face: int
    size: float
    stretch: float
    gap: float
    before: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """
    A line with placeholders.

    Attributes:
        matrix: the text matrix where it begins.
        width: how long it was, in its own space.
        room: how long it may become.
        align: which point of it stays: 0 the left end, 0.5 the centre, 1 the right end.
        before: operators that make the text state plain.
        after: operators that put everything back as the program around it expects it.
        max_lines: how many lines it may become; the first stays on its baseline.
        leading: from one of them to the next, in its own space; 0 for what suits the size.
        least_scale: to which part of its size it is shrunk at most.
        cells: how many cells its room is parted into, with one letter in each; 0 for a plain line.
        look: the operators that draw a form field as it is in the template, which it is without a
            value; empty where the text is always set anew.
    """

    matrix: Matrix
    width: float
    room: float
    align: float
    before: bytes
    after: bytes
    parts: tuple[Literal | Value, ...]
    max_lines: int = 1
    leading: float = 0.0
    least_scale: float = LEAST_SCALE
    cells: int = 0
    look: bytes = b""


@dataclass(frozen=True, slots=True)
class Code:
    """
    A place for the QR code that leads to where the certificate is verified.

    Attributes:
        square: what the unit square becomes on the page.
    """

    square: Matrix


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A button that looks as the value says: a check box, or one of a group of which one is on.

    Attributes:
        default: the state without a value, "" for off; None when one must be given.
        looks: state -> the operators that draw it; other states look as "" does.
    """

    name: str
    default: str | None
    looks: Mapping[str, bytes]


type Placed = Slot | Code | Mark
