"""Reads a page's form fields (ISO 32000-1 12.7): from then on they are drawn, and no fields."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pikepdf import Array, Dictionary, Name, Object, Stream, String

from fileservice.pdf.drawing import FaceOf
from fileservice.pdf.geometry import Matrix, number, numbers
from fileservice.pdf.slots import Slot, Value
from fileservice.pdf.templatefonts import TemplateFont, matrix_of, name_of, read_font, real

MAX_PARENTS = 32  # of a field, which may be its own
MAX_NAME = 200  # characters of a field's full name
# ISO 32000-1 tables 165, 221 and 228.
HIDDEN_FLAGS = 1 << 1 | 1 << 5
REQUIRED_FLAG, MULTILINE_FLAG = 1 << 1, 1 << 12
ALIGNMENTS = (0.0, 0.5, 1.0)
COLOURS = {1: b"g", 3: b"rg", 4: b"k"}
STROKE_COLOURS = {1: b"G", 3: b"RG", 4: b"K"}
NUMBER = rb"-?(?:\d+\.?\d*|\.\d+)"
# What a default appearance says: a font and its size, a colour.
FONT_SET = re.compile(rb"(/[^\s/()<>\[\]{}%%]+)\s+(%b)\s+Tf\b" % NUMBER)
COLOUR_SET = re.compile(rb"((?:%b\s+){1,4})(g|rg|k)\b" % NUMBER)
DEFAULT_FONT = "Helvetica"
# Of the field's height, when its font size is 0; 12 points are what readers take for many lines.
AUTO_SIZE, AUTO_LINES_SIZE = 0.7, 12.0
LEAST_SIZE = 4.0
LEADING = 1.2  # in ems
PADDING = 2.0
CAP_HEIGHT = 0.72  # in ems


class Picture(NamedTuple):
    """What stays of a field: how it looks, and where."""

    form: Stream
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class Widget:
    """
    A field where it is seen.

    Attributes:
        chain: its dictionary and those it inherits from.
    """

    chain: tuple[Dictionary, ...]

    @property
    def name(self) -> str:
        """Its full name: those of the fields it belongs to, a full stop between."""
        return ".".join(text_of(each["/T"]) for each in reversed(self.chain) if "/T" in each)

    def get(self, key: str) -> Object | None:
        """Return its own entry, or the nearest it inherits."""
        return next((each[key] for each in self.chain if key in each), None)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Left, bottom, right and top; None when it has no extent."""
        corners = self.chain[0].get("/Rect")
        if not isinstance(corners, Array) or len(corners) != 4:
            return None
        left, bottom, right, top = map(real, corners)
        left, right = sorted((left, right))
        bottom, top = sorted((bottom, top))
        return (left, bottom, right, top) if left < right and bottom < top else None


def text_of(value: object) -> str:
    """Return the text that `value` is; "" when it is none."""
    try:
        return str(value) if isinstance(value, String) else ""
    except UnicodeDecodeError:
        return ""


def take_widgets(page: Dictionary) -> list[Widget]:
    """Return the fields of `page`, which has them no more; its other annotations stay."""
    listed = page.get("/Annots")
    annotations = [
        entry
        for entry in (listed if isinstance(listed, Array) else ())
        if isinstance(entry, Dictionary)
    ]
    taken = [entry for entry in annotations if entry.get("/Subtype") == Name.Widget]
    if taken:
        page.Annots = Array(
            [entry for entry in annotations if entry.get("/Subtype") != Name.Widget]
        )
    return [Widget(tuple(_chain(entry))) for entry in taken]


def drawn(
    widgets: Sequence[Widget], form: Dictionary, face_of: FaceOf
) -> Iterator[bytes | Slot | Picture]:
    """Yield what is drawn in the place of `widgets`, fields of the document's `form`."""
    for widget in widgets:
        flags = int(real(widget.chain[0].get("/F")))
        box = widget.box
        if flags & HIDDEN_FLAGS or box is None:
            continue
        kind, name = name_of(widget.get("/FT")), widget.name
        if kind in ("/Tx", "/Ch") and name:
            yield _frame(widget, box)
            yield _slot(widget, box, form, face_of)
        elif kind == "/Btn":
            yield from _picture(widget.chain[0], box)


def _chain(entry: Dictionary) -> Iterator[Dictionary]:
    for _ in range(MAX_PARENTS):
        yield entry
        parent = entry.get("/Parent")
        if not isinstance(parent, Dictionary):
            return
        entry = parent


def _slot(
    widget: Widget, box: tuple[float, float, float, float], form: Dictionary, face_of: FaceOf
) -> Slot:
    appearance = widget.get("/DA") or form.get("/DA")
    said = bytes(appearance) if isinstance(appearance, String) else b""
    flags = int(real(widget.get("/Ff")))
    matrix, width, height = _turned(widget, box)
    font_set = FONT_SET.search(said)
    size = abs(float(font_set[2])) if font_set else 0.0
    lines = 1
    if flags & MULTILINE_FLAG:
        size = size or AUTO_LINES_SIZE
        baseline = height - PADDING - size
        lines = max(1, int((height - 2 * PADDING) / (LEADING * size)))
    else:
        size = size or max(LEAST_SIZE, AUTO_SIZE * height)
        baseline = (height - CAP_HEIGHT * size) / 2
    room = max(width - 2 * PADDING, size)
    value = text_of(widget.get("/V"))
    part = Value(
        name=widget.name[:MAX_NAME],
        default=value if value or not flags & REQUIRED_FLAG else None,
        face=face_of(_font(form, font_set[1] if font_set else b"")),
        size=size,
        stretch=1.0,
        gap=0.0,
        before=b"%s100 Tz 0 Ts 0 Tr " % _colour_set(said),
    )
    alignment = int(real(widget.get("/Q"), real(form.get("/Q"))))
    return Slot(
        matrix=matrix.moved(PADDING, baseline),
        width=room,
        room=room,
        align=ALIGNMENTS[alignment] if 0 <= alignment < len(ALIGNMENTS) else 0.0,
        before=b"",
        after=b"",
        parts=(part,),
        max_lines=lines,
        leading=LEADING * size,
    )


def _turned(widget: Widget, box: tuple[float, float, float, float]) -> tuple[Matrix, float, float]:
    """Return the space its text stands in, and how long and how high that is."""
    left, bottom, right, top = box
    across, up = right - left, top - bottom
    turns = int(real(_characteristics(widget).get("/R"))) // 90 % 4
    return (
        (Matrix(1, 0, 0, 1, left, bottom), across, up),
        (Matrix(0, 1, -1, 0, right, bottom), up, across),
        (Matrix(-1, 0, 0, -1, right, top), across, up),
        (Matrix(0, -1, 1, 0, left, top), up, across),
    )[turns]


def _characteristics(widget: Widget) -> Dictionary:
    found = widget.chain[0].get("/MK")
    return found if isinstance(found, Dictionary) else Dictionary()


def _font(form: Dictionary, name: bytes) -> TemplateFont:
    """Return the font that a default appearance calls `name`."""
    resources = form.get("/DR")
    fonts = resources.get("/Font") if isinstance(resources, Dictionary) else None
    if name and isinstance(fonts, Dictionary):
        source = fonts.get(name.decode("latin-1"))
        if isinstance(source, Dictionary):
            return read_font(source)
    return TemplateFont(DEFAULT_FONT)


def _colour_set(said: bytes) -> bytes:
    found = COLOUR_SET.search(said)
    values = [float(value) for value in found[1].split()] if found else [0.0]
    return _coloured(values, COLOURS) or b"0 g "


def _coloured(values: Sequence[float], operators: dict[int, bytes]) -> bytes:
    operator = operators.get(len(values))
    return b"%s %s " % (numbers(tuple(values)), operator) if operator else b""


def _frame(widget: Widget, box: tuple[float, float, float, float]) -> bytes:
    """Return operators that draw its background and its border."""
    left, bottom, right, top = box
    look = _characteristics(widget)
    area = numbers((left, bottom, right - left, top - bottom)) + b" re "
    ground = _coloured(_values(look.get("/BG")), COLOURS)
    border = _coloured(_values(look.get("/BC")), STROKE_COLOURS)
    style = widget.chain[0].get("/BS")
    wide = real(style.get("/W"), 1.0) if isinstance(style, Dictionary) else 1.0
    pieces = [ground + area + b"f " if ground else b""]
    if border and wide > 0:
        pieces.append(b"%s%s w %sS " % (border, number(wide), area))
    return b"q %sQ " % b"".join(pieces)


def _values(listed: object) -> list[float]:
    return [real(value) for value in listed] if isinstance(listed, Array) else []


def _picture(entry: Dictionary, box: tuple[float, float, float, float]) -> Iterator[Picture]:
    """Yield how a button looks in its present state (ISO 32000-1 12.5.5, algorithm 8.1)."""
    looks = entry.get("/AP")
    look = looks.get("/N") if isinstance(looks, Dictionary) else None
    state = entry.get("/AS")
    if isinstance(look, Dictionary) and isinstance(state, Name):
        look = look.get(state)
    if not isinstance(look, Stream):
        return
    corners = _values(look.get("/BBox"))
    own = matrix_of(look.get("/Matrix"))
    if len(corners) != 4:
        return
    points = [own.apply(x, y) for x in corners[::2] for y in corners[1::2]]
    across, up = zip(*points, strict=True)
    if min(across) == max(across) or min(up) == max(up):
        return
    left, bottom, right, top = box
    x_scale = (right - left) / (max(across) - min(across))
    y_scale = (top - bottom) / (max(up) - min(up))
    yield Picture(
        look,
        Matrix(x_scale, 0, 0, y_scale, left - x_scale * min(across), bottom - y_scale * min(up)),
    )
