"""Fields for text and fields with choices (ISO 32000-1 12.7.4.3 and 12.7.4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pikepdf import Array, Dictionary, Object

from fileservice.pdf.appearances import colour_set, font_set, said_of
from fileservice.pdf.borders import border_of
from fileservice.pdf.drawing import FaceOf
from fileservice.pdf.errors import OverLimits
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.looks import Picture
from fileservice.pdf.rules import JOINED, Rule
from fileservice.pdf.slots import Slot, Value
from fileservice.pdf.templatefonts import real, text_of
from fileservice.pdf.values import LINE_BREAKS, MAX_VALUE_CHARACTERS
from fileservice.pdf.widgets import READ_ONLY_FLAG, REQUIRED_FLAG, Rect, Widget

CHOICE = "/Ch"
# ISO 32000-1 tables 228 and 230.
MULTILINE_FLAG, PASSWORD_FLAG, FILE_FLAG, COMB_FLAG = 1 << 12, 1 << 13, 1 << 20, 1 << 24
COMBO_FLAG, EDIT_FLAG, SEVERAL_FLAG = 1 << 17, 1 << 18, 1 << 21
MAX_CHOICES = 1000
ALIGNMENTS = (0.0, 0.5, 1.0)
# Of the field's height, when its font size is 0; 12 points are what readers take for many lines.
AUTO_SIZE, AUTO_LINES_SIZE = 0.7, 12.0
LEAST_SIZE = 4.0
LEADING = 1.2  # in ems
CAP_HEIGHT = 0.72  # in ems


@dataclass(frozen=True, slots=True)
class Blank:
    """
    A field before it is drawn.

    Attributes:
        ground: the operators that draw what is under its text.
        look: how it is without a value; empty when it does not say.
    """

    ground: bytes
    slot: Slot
    look: Sequence[Picture]


def is_asked(widget: Widget) -> bool:
    """Tell whether `widget` is for a text or a choice that may be given."""
    return bool(widget.name) and _takes_text(widget) and not is_fixed(widget)


def is_fixed(widget: Widget) -> bool:
    """Tell whether `widget` has a text that nobody is to change, or could name."""
    is_free = widget.name and not widget.flags & READ_ONLY_FLAG
    return _takes_text(widget) and not is_free and bool(_content(widget))


def rule_of(widget: Widget) -> Rule:
    """
    Return what the field takes.

    Raises:
        OverLimits: it has more than MAX_CHOICES.
    """
    if widget.kind != CHOICE:
        longest = int(real(widget.get("/MaxLen")))
        return Rule(longest=longest if 0 < longest <= MAX_VALUE_CHARACTERS else 0)
    return Rule(
        choices=_choices(widget),
        is_open=widget.flags & (COMBO_FLAG | EDIT_FLAG) == COMBO_FLAG | EDIT_FLAG,
        takes_several=bool(widget.flags & SEVERAL_FLAG),
    )


def slot_of(widget: Widget, box: Rect, form: Dictionary, face_of: FaceOf) -> Slot:
    """Return the slot of `widget`, a field of the document's `form` that `takes_text`."""
    said = said_of(widget, form)
    matrix, width, height = _turned(widget, box)
    padding = 2 * max(1.0, border_of(widget).room)
    font, size = font_set(said, form)
    lines, cells = 1, cells_of(widget)
    if _has_lines(widget):
        size = size or AUTO_LINES_SIZE
        baseline = height - padding - size
        lines = max(1, int((height - 2 * padding) / (LEADING * size)))
    else:
        size = size or max(LEAST_SIZE, AUTO_SIZE * height)
        baseline = (height - CAP_HEIGHT * size) / 2
    room = width if cells else max(width - 2 * padding, size)
    part = Value(
        name="" if is_fixed(widget) else widget.name,
        default=_default(widget),
        face=face_of(font),
        size=size,
        stretch=1.0,
        gap=0.0,
        before=b"%s100 Tz 0 Ts 0 Tr " % colour_set(said),
    )
    alignment = int(real(widget.get("/Q"), real(form.get("/Q"))))
    return Slot(
        matrix=matrix.moved(0.0 if cells else padding, baseline),
        width=room,
        room=room,
        align=ALIGNMENTS[alignment] if 0 <= alignment < len(ALIGNMENTS) else 0.0,
        before=b"",
        after=b"",
        parts=(part,),
        max_lines=lines,
        leading=LEADING * size,
        cells=cells,
    )


def cells_of(widget: Widget) -> int:
    """Return how many cells of one width the field's letters stand in; 0 when they do not."""
    others = MULTILINE_FLAG | PASSWORD_FLAG | FILE_FLAG
    if widget.kind == CHOICE or widget.flags & (COMB_FLAG | others) != COMB_FLAG:
        return 0
    return rule_of(widget).longest


def _takes_text(widget: Widget) -> bool:
    """
    Tell whether text is drawn in `widget`.

    What is typed into a field for a password is not to be seen, and in one for a file it is a path.
    """
    if widget.kind == CHOICE:
        return True
    return widget.kind == "/Tx" and not widget.flags & (PASSWORD_FLAG | FILE_FLAG)


def _has_lines(widget: Widget) -> bool:
    if widget.kind == CHOICE:
        return not widget.flags & COMBO_FLAG
    return bool(widget.flags & MULTILINE_FLAG)


def _choices(widget: Widget) -> Mapping[str, str]:
    """Return what may be given -> what is drawn: a choice is named by its export value or so."""
    listed = widget.get("/Opt")
    rows = list(listed) if isinstance(listed, Array) else []
    if len(rows) > MAX_CHOICES:
        raise OverLimits(
            f"The field {widget.name!r} has {len(rows):,} choices, {MAX_CHOICES:,} are accepted."
        )
    pairs = [
        (text_of(row[0]), text_of(row[1]))
        if isinstance(row, Array) and len(row) == 2
        else (text_of(row), text_of(row))
        for row in rows
    ]
    exported = {export: shown for export, shown in pairs if export}
    return {**exported, **{shown: shown for _, shown in pairs if shown and shown not in exported}}


def _content(widget: Widget) -> str:
    """Return what the field holds in the template, or would after a reset."""
    own, reset = widget.get("/V"), widget.get("/DV")
    return _shown(widget, own) or _shown(widget, reset)


def _shown(widget: Widget, value: Object | None) -> str:
    texts = map(text_of, value) if isinstance(value, Array) else [text_of(value)]
    choices = rule_of(widget).choices
    return JOINED.join([LINE_BREAKS.sub(" ", choices.get(text, text)) for text in texts])


def _default(widget: Widget) -> str | None:
    content = _content(widget)
    return content if content or not widget.flags & REQUIRED_FLAG else None


def _turned(widget: Widget, box: Rect) -> tuple[Matrix, float, float]:
    """Return the space its text stands in, and how long and how high that is."""
    left, bottom, right, top = box
    across, up = right - left, top - bottom
    turns = int(real(widget.characteristics.get("/R"))) // 90 % 4
    return (
        (Matrix(1, 0, 0, 1, left, bottom), across, up),
        (Matrix(0, 1, -1, 0, right, bottom), up, across),
        (Matrix(-1, 0, 0, -1, right, top), across, up),
        (Matrix(0, -1, 1, 0, left, top), up, across),
    )[turns]
