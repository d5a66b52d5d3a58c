"""Turns a line with placeholders into a slot, which draws it anew and puts back the text state."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pikepdf

from fileservice.pdf.fields import Field, Part
from fileservice.pdf.geometry import number, numbers
from fileservice.pdf.lines import Line, PlacedGlyph
from fileservice.pdf.placeholders import is_code
from fileservice.pdf.slots import Literal, Slot, Value
from fileservice.pdf.templatefonts import TemplateFont
from fileservice.pdf.text import Instruction, Show, TextState

# Returns the number of the face that stands in for a template's font.
FaceOf = Callable[[TemplateFont], int]


class Style(NamedTuple):
    """What two glyphs must share to be shown by one operator."""

    font_name: bytes
    size: float
    stretch: float
    rise: float
    mode: int
    colour: tuple[int, ...]


def make_slot(field: Field, program: Sequence[Instruction], face_of: FaceOf) -> Slot:
    """Return the slot for `field`, whose line stands in `program`."""
    line = field.line
    first = line.shows[0].state
    parts: list[Literal | Value] = []
    pen = line.start
    for part in field.parts:
        glyphs = line.glyphs[part.start : part.stop]
        gap = glyphs[0].x - pen
        if part.name is None:
            parts.append(_literal(glyphs, gap, program))
        elif is_code(part.name):
            parts.append(_blank(glyphs, gap, program))
        else:
            parts.append(_value(part, glyphs[0], gap, program, face_of))
        pen = glyphs[-1].x + glyphs[-1].width
    plain = b"0 Tc 0 Tw " if first.char_spacing or first.word_spacing else b""
    return Slot(
        matrix=line.text_matrix.moved(line.start),
        width=line.stop - line.start,
        room=field.room,
        align=field.align,
        before=plain,
        after=_restored(line, program),
        parts=tuple(parts),
    )


def moved_pen(show: Show) -> bytes:
    """Return operators that do all that `show` does but draw."""
    state = show.state
    before = b""
    if show.operator == '"':
        before = b"%s Tw %s Tc " % (number(state.word_spacing), number(state.char_spacing))
    if show.operator in ("'", '"'):
        before += b"T* "
    return before + _displaced(show.advance, state)


def _literal(glyphs: Sequence[PlacedGlyph], gap: float, program: Sequence[Instruction]) -> Literal:
    pieces: list[bytes] = []
    style: Style | None = None
    pen = glyphs[0].x - gap
    for placed in glyphs:
        now = _style(placed)
        if now != style:
            pieces.append((b"]TJ " if style else b"") + _set_style(now, program) + b"[")
            style = now
        if abs(placed.x - pen) > 1e-4:
            pieces.append(number((pen - placed.x) * 1000 / (now.size * now.stretch)))
        pieces.append(b"<%s>" % placed.glyph.code.hex().encode())
        pen = placed.x + placed.width
    pieces.append(b"]TJ ")
    text = b"".join(pieces).replace(b"><", b"")
    return Literal(text, pen - glyphs[0].x + gap)


def _blank(glyphs: Sequence[PlacedGlyph], gap: float, program: Sequence[Instruction]) -> Literal:
    """Return what moves the pen over `glyphs` and draws nothing."""
    style = _style(glyphs[0])
    width = gap + glyphs[-1].x + glyphs[-1].width - glyphs[0].x
    moved = number(-width * 1000 / (style.size * style.stretch))
    return Literal(b"%s[%s]TJ " % (_set_style(style, program), moved), width)


def _value(
    part: Part,
    first: PlacedGlyph,
    gap: float,
    program: Sequence[Instruction],
    face_of: FaceOf,
) -> Value:
    state = first.show.state
    assert state.font is not None  # noqa: S101  # a Show always has one
    assert part.name is not None  # noqa: S101  # the caller looked
    style = _style(first)
    return Value(
        name=part.name,
        default=part.default,
        face=face_of(state.font),
        size=style.size * state.font.em,
        stretch=style.stretch,
        gap=gap,
        before=_set_state(style, program),
    )


def _style(placed: PlacedGlyph) -> Style:
    state = placed.show.state
    return Style(
        state.font_name,
        round(placed.size, 6),
        state.stretch,
        state.rise,
        state.mode,
        state.colour,
    )


def _set_style(style: Style, program: Sequence[Instruction]) -> bytes:
    return _set_state(style, program) + b"%s %s Tf" % (
        style.font_name,
        number(style.size),
    )


def _set_state(style: Style, program: Sequence[Instruction]) -> bytes:
    colour = b"".join(pikepdf.unparse_content_stream([program[at]]) + b" " for at in style.colour)
    return colour + b"%s Tz %s Ts %d Tr " % (
        number(style.stretch * 100),
        number(style.rise),
        style.mode,
    )


def _restored(line: Line, program: Sequence[Instruction]) -> bytes:
    """Return operators that leave the state as the line's first operator leaves it."""
    show = line.shows[0]
    state = show.state
    style = Style(state.font_name, state.size, state.stretch, state.rise, state.mode, state.colour)
    pen = (
        show.line_matrix.inverse().apply(show.matrix.e, show.matrix.f)[0]
        if show.line_matrix.is_sane
        else 0.0
    )
    return b"%s %s Tc %s Tw %s Tm %s" % (
        _set_style(style, program),
        number(state.char_spacing),
        number(state.word_spacing),
        numbers(show.line_matrix),
        _displaced(pen + show.advance, state),
    )


def _displaced(distance: float, state: TextState) -> bytes:
    unit = state.size * state.stretch
    if not unit or abs(distance) < 1e-6:
        return b""
    return b"[%s]TJ " % number(-distance * 1000 / unit)
