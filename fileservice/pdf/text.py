"""Reads a page's program (ISO 32000-1 8 and 9) and tells where each glyph of its text stands."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import pikepdf
from pikepdf import Array, ContentStreamInstruction, Name, Object, String

from fileservice.pdf.errors import Damaged, OverLimits
from fileservice.pdf.geometry import IDENTITY, Matrix
from fileservice.pdf.templatefonts import TemplateFont, real

MAX_OPERATORS = 200_000
# What looks like an operator: a bare word that is no name and ends where a word ends.
WORD = re.compile(rb"(?<![/\w])[A-Za-z'\"][\w*'\"]*")
SHOWING = ("Tj", "TJ", "'", '"')
COLOURING = ("g", "rg", "k", "cs", "sc", "scn")
Instruction = ContentStreamInstruction | pikepdf.ContentStreamInlineImage
# Returns the font that a page calls by a name, if there is one.
FontOf = Callable[[Name], TemplateFont | None]


class Glyph(NamedTuple):
    """
    One glyph that an operator shows.

    Attributes:
        code: the bytes that show it.
        text: the characters it draws.
        x: where it stands, from where the operator began, in text space.
        advance: how far the pen moves on, spacing included.
        width: how far it would move without spacing.
    """

    code: bytes
    text: str
    x: float
    advance: float
    width: float


@dataclass(slots=True)
class TextState:
    """
    What the operators before have set (ISO 32000-1 table 104, and the colour).

    `font_name` is as it is written; `colour` holds the places of the instructions that set it;
    `stretch` is 1 for Tz 100.
    """

    ctm: Matrix = IDENTITY
    font: TemplateFont | None = None
    font_name: bytes = b""
    size: float = 0.0
    char_spacing: float = 0.0
    word_spacing: float = 0.0
    stretch: float = 1.0
    leading: float = 0.0
    rise: float = 0.0
    mode: int = 0
    colour: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Show:
    """
    One operator that shows text.

    Attributes:
        at: the place of the instruction in its program.
        operator: Tj, TJ, ' or ".
        glyphs: what it shows.
        advance: how far it moves the pen in text space.
        matrix: the text matrix before it.
        line_matrix: the text line matrix before it.
        state: what held when it ran; `state.font` is never None.
        is_certain: whether the pen stands where we think: no reader's own widths moved it before.
    """

    at: int
    operator: str
    glyphs: tuple[Glyph, ...]
    advance: float
    matrix: Matrix
    line_matrix: Matrix
    state: TextState
    is_certain: bool

    @property
    def placed(self) -> Matrix:
        """The map from the space its glyphs stand in to the page's."""
        return self.matrix.then(self.state.ctm)


def parse_program(owner: Object | pikepdf.Page, program: bytes) -> list[Instruction]:
    """
    Return the instructions of the page or form `owner`, whose decoded content is `program`.

    Raises:
        OverLimits: there are more than MAX_OPERATORS.
        Damaged: it cannot be told where one ends and the next begins.
    """
    # Counted before parsing: an instruction is a hundred times larger in memory than in the file.
    words = sum(1 for _ in islice(WORD.finditer(program), 2 * MAX_OPERATORS + 1))
    if words > 2 * MAX_OPERATORS:
        raise OverLimits(f"A page has more than {MAX_OPERATORS:,} operators; simplify its drawing.")
    try:
        instructions = list(pikepdf.parse_content_stream(owner))
    except (pikepdf.PikepdfError, TypeError) as error:
        raise Damaged("A page's program cannot be read; save the template again.") from error
    if len(instructions) > MAX_OPERATORS:
        raise OverLimits(
            f"A page has {len(instructions):,} operators, {MAX_OPERATORS:,} are accepted;"
            " simplify its drawing."
        )
    return instructions


class TextReader:
    """
    Follows the text state through a program; an operator with wrong operands changes nothing.

    Attributes:
        shows: the operators that show text, in order.
        drawn: the names of the XObjects that are drawn, with the matrix that holds there.
    """

    def __init__(self, font_of: FontOf) -> None:
        self.font_of = font_of
        self.shows: list[Show] = []
        self.drawn: list[tuple[Name, Matrix]] = []
        self.state = TextState()
        self.stack: list[TextState] = []
        self.matrix = self.line_matrix = IDENTITY
        self.is_certain = True
        self.verbs: dict[str, Callable[[list[object]], None]] = {
            "q": self._save,
            "Q": self._restore,
            "cm": self._concatenate,
            "BT": self._begin_text,
            "Tf": self._set_font,
            "Tm": self._set_matrix,
            "Td": self._move,
            "TD": self._move_and_lead,
            "T*": self._next_line,
            "TL": lambda operands: self._set("leading", operands),
            "Tc": lambda operands: self._set("char_spacing", operands),
            "Tw": lambda operands: self._set("word_spacing", operands),
            "Ts": lambda operands: self._set("rise", operands),
            "Tz": lambda operands: self._set("stretch", operands, unit=0.01),
            "Tr": self._set_mode,
            "Do": self._draw,
        }

    def read_all(self, program: Iterable[Instruction]) -> None:
        """Take in `program`."""
        for at, instruction in enumerate(program):
            self.read(at, instruction)

    def read(self, at: int, instruction: Instruction) -> None:
        """Take in the instruction at the place `at`."""
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            return
        operator = instruction.operator.unparse().decode("latin-1")
        operands: list[object] = list(instruction.operands)
        if operator in SHOWING:
            self._show(at, operator, operands)
        elif operator in COLOURING:
            kept = self.state.colour if operator in ("sc", "scn") else ()
            self.state.colour = (*kept[:1], at)
        elif (verb := self.verbs.get(operator)) is not None:
            verb(operands)

    def _save(self, _: list[object]) -> None:
        self.stack.append(replace(self.state))

    def _restore(self, _: list[object]) -> None:
        if self.stack:
            self.state = self.stack.pop()

    def _concatenate(self, operands: list[object]) -> None:
        if matrix := _matrix(operands):
            self.state.ctm = matrix.then(self.state.ctm)

    def _draw(self, operands: list[object]) -> None:
        if len(operands) == 1 and isinstance(operands[0], Name):
            self.drawn.append((operands[0], self.state.ctm))

    def _begin_text(self, _: list[object]) -> None:
        self._start_line(IDENTITY)

    def _set_font(self, operands: list[object]) -> None:
        if len(operands) != 2 or not isinstance(operands[0], Name):
            return
        self.state.font_name = operands[0].unparse()
        self.state.font = self.font_of(operands[0])
        self.state.size = real(operands[1])

    def _set_matrix(self, operands: list[object]) -> None:
        if matrix := _matrix(operands):
            self._start_line(matrix)

    def _move(self, operands: list[object]) -> None:
        if len(operands) == 2:
            x, y = map(real, operands)
            self._start_line(self.line_matrix.moved(x, y))

    def _move_and_lead(self, operands: list[object]) -> None:
        if len(operands) == 2:
            self.state.leading = -real(operands[1])
            self._move(operands)

    def _next_line(self, _: list[object]) -> None:
        self._start_line(self.line_matrix.moved(0.0, -self.state.leading))

    def _start_line(self, matrix: Matrix) -> None:
        self.matrix = self.line_matrix = matrix
        self.is_certain = True

    def _set(self, what: str, operands: list[object], unit: float = 1.0) -> None:
        if len(operands) == 1:
            setattr(self.state, what, real(operands[0]) * unit)

    def _set_mode(self, operands: list[object]) -> None:
        if len(operands) == 1:
            self.state.mode = int(real(operands[0]))

    def _show(self, at: int, operator: str, operands: list[object]) -> None:
        if operator == '"' and len(operands) == 3:
            self._set("word_spacing", operands[:1])
            self._set("char_spacing", operands[1:2])
        if operator in ("'", '"'):
            self._next_line([])
        if self.state.font is None or not operands:
            self.is_certain = False
            return
        glyphs, advance = _set_glyphs(_pieces(operator, operands), self.state, self.state.font)
        font = self.state.font
        show = Show(
            at=at,
            operator=operator,
            glyphs=glyphs,
            advance=advance,
            matrix=self.matrix,
            line_matrix=self.line_matrix,
            state=replace(self.state),
            is_certain=self.is_certain,
        )
        self.is_certain = self.is_certain and font.is_readable and font.is_measured
        self.matrix = self.matrix.moved(advance)
        self.shows.append(show)


def _pieces(operator: str, operands: list[object]) -> list[object]:
    """Return the strings that an operator shows, and between them the numbers that move the pen."""
    shown = operands[-1]
    if operator == "TJ":
        return list(shown) if isinstance(shown, Array) else []
    return [shown] if isinstance(shown, String) else []


def _set_glyphs(
    pieces: Iterable[object], state: TextState, font: TemplateFont
) -> tuple[tuple[Glyph, ...], float]:
    """ISO 32000-1 9.4.4: the pen moves by width, spacing and the numbers between the strings."""
    glyphs: list[Glyph] = []
    x = 0.0
    for piece in pieces:
        if not isinstance(piece, String):
            x -= real(piece) / 1000 * state.size * state.stretch
            continue
        for code, text, thousandths in font.decode(bytes(piece)):
            width = thousandths / 1000 * state.size * state.stretch
            spacing = state.char_spacing + (state.word_spacing if code == b" " else 0.0)
            advance = width + spacing * state.stretch
            glyphs.append(Glyph(code, text, x, advance, width))
            x += advance
    return tuple(glyphs), x


def _matrix(operands: list[object]) -> Matrix | None:
    return Matrix(*map(real, operands)) if len(operands) == 6 else None
