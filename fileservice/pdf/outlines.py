"""
Glyphs as a CFF font program, which PDF takes for every kind of font (Adobe notes 5176 and 5177).

HarfBuzz's own subsetter needs 6 ms for two glyphs of a font with 65,535; a certificate has less.
A glyph's outline is read once, whatever the format it came in, and a program is a row of them.
"""

from collections.abc import Sequence
from itertools import accumulate

import uharfbuzz as hb

MOVE, LINE, CURVE, END = b"\x15", b"\x05", b"\x08", b"\x0e"
# The most that a charstring's stack may hold (5177, appendix B), in whole lines and curves.
LINES_AT_ONCE, CURVES_AT_ONCE = 24, 8
HEADER = b"\1\0\4\4"
ADOBE, IDENTITY = 391, 392  # the first numbers of strings of one's own
NO_SUBROUTINES = b"\0\0"
PRIVATE = b"\x8b\x14\x8b\x15"  # defaultWidthX 0, nominalWidthX 0

type Point = tuple[int, int]


class _Pen:
    """Collects an outline in thousandths of the font size: moves, and runs of lines or curves."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.at: Point = (0, 0)
        self.runs: list[tuple[bytes, list[list[int]]]] = []

    def add(self, operator: bytes, *ends: float) -> None:
        x, y = self.at
        steps: list[int] = []
        for right, up in zip(ends[::2], ends[1::2], strict=True):
            # Rounded where it ends, not how far it goes: errors do not add up.
            end_x, end_y = round(right * self.scale), round(up * self.scale)
            steps += (end_x - x, end_y - y)
            x, y = end_x, end_y
        self.at = (x, y)
        if not self.runs or self.runs[-1][0] != operator:
            self.runs.append((operator, []))
        self.runs[-1][1].append(steps)

    def curve_through(self, through: tuple[float, float], end: tuple[float, float]) -> None:
        """Add a quadratic curve as a cubic one."""
        (x, y), (right, up) = through, end
        start_x, start_y = self.at[0] / self.scale, self.at[1] / self.scale
        self.add(
            CURVE,
            *(start_x + (x - start_x) * 2 / 3, start_y + (y - start_y) * 2 / 3),
            *(right + (x - right) * 2 / 3, up + (y - up) * 2 / 3),
            *(right, up),
        )


def _draw_funcs() -> hb.DrawFuncs:
    funcs = hb.DrawFuncs()
    funcs.set_move_to_func(lambda x, y, pen: pen.add(MOVE, x, y))
    funcs.set_line_to_func(lambda x, y, pen: pen.add(LINE, x, y))
    funcs.set_quadratic_to_func(lambda x, y, right, up, pen: pen.curve_through((x, y), (right, up)))
    funcs.set_cubic_to_func(lambda *values: values[6].add(CURVE, *values[:6]))
    return funcs


DRAW = _draw_funcs()


def charstring(font: hb.Font, glyph: int, scale: float) -> bytes:
    """Return the glyph as a Type 2 charstring, `scale` thousandths to the font's unit."""
    pen = _Pen(scale)
    font.draw_glyph(glyph, DRAW, pen)
    pieces = [_integer(round(font.get_glyph_h_advance(glyph) * scale))]
    for operator, steps in pen.runs:
        most = {MOVE: 1, LINE: LINES_AT_ONCE, CURVE: CURVES_AT_ONCE}[operator]
        for at in range(0, len(steps), most):
            pieces += [_integer(value) for step in steps[at : at + most] for value in step]
            pieces.append(operator)
    return b"".join(pieces) + END


def font_program(charstrings: Sequence[bytes], box: Sequence[int]) -> bytes:
    """Return a CFF font whose CIDs 0, 1, ... draw `charstrings`; `box` holds each of them."""
    count = len(charstrings)
    glyphs = _index(charstrings)
    charset = b"\2\0\1" + (count - 2).to_bytes(2, "big") if count > 1 else b"\0"
    select = b"\3\0\1\0\0\0" + count.to_bytes(2, "big")
    strings = _index([b"Adobe", b"Identity"])
    names = _index([b"F"])
    # All numbers in it are of one length, so it is as long with the right ones.
    length = len(_index([_top(box, count, (0, 0, 0, 0))]))
    start = len(HEADER) + len(names) + length + len(strings) + len(NO_SUBROUTINES)
    pieces = (charset, select, glyphs, PRIVATE)
    at = list(accumulate(map(len, pieces), initial=start))
    fonts = _index([_offset(len(PRIVATE)) + _offset(at[3]) + b"\x12"])
    top = _index([_top(box, count, (at[0], at[1], at[2], at[4]))])
    return b"".join((HEADER, names, top, strings, NO_SUBROUTINES, *pieces, fonts))


def _top(box: Sequence[int], count: int, at: tuple[int, int, int, int]) -> bytes:
    charset, select, glyphs, fonts = at
    return b"".join(
        (
            *(_offset(ADOBE), _offset(IDENTITY), b"\x8b\x0c\x1e"),  # ROS
            *map(_offset, box),
            b"\5",
            _offset(count) + b"\x0c\x22",  # CIDCount
            _offset(charset) + b"\x0f",
            _offset(select) + b"\x0c\x25",  # FDSelect
            _offset(glyphs) + b"\x11",  # CharStrings
            _offset(fonts) + b"\x0c\x24",  # FDArray
        )
    )


def _index(items: Sequence[bytes]) -> bytes:
    starts = b"".join([at.to_bytes(4, "big") for at in accumulate(map(len, items), initial=1)])
    return b"%s\4%s%s" % (len(items).to_bytes(2, "big"), starts, b"".join(items))


def _offset(value: int) -> bytes:
    """Return a number of a dictionary, always five bytes long."""
    return b"\x1d" + value.to_bytes(4, "big", signed=True)


def _integer(value: int) -> bytes:
    """Return a number of a charstring (5177, 3.2)."""
    if -107 <= value <= 107:
        return bytes((value + 139,))
    if 108 <= value <= 1131:
        return bytes(((value - 108 >> 8) + 247, value - 108 & 255))
    if -1131 <= value <= -108:
        return bytes(((-value - 108 >> 8) + 251, -value - 108 & 255))
    return b"\x1c" + value.to_bytes(2, "big", signed=True)
