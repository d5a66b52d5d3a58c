"""Check boxes and groups of buttons of which one is on (ISO 32000-1 12.7.4.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pikepdf import Array, Dictionary, Name

from fileservice.pdf.appearances import colour_set, said_of
from fileservice.pdf.borders import frame
from fileservice.pdf.geometry import Matrix, numbers
from fileservice.pdf.looks import Picture, look_of, looks_of, readable
from fileservice.pdf.rules import Rule
from fileservice.pdf.templatefonts import text_of
from fileservice.pdf.widgets import READ_ONLY_FLAG, REQUIRED_FLAG, Rect, Widget

RADIO_FLAG, PUSH_FLAG = 1 << 15, 1 << 16  # ISO 32000-1 table 226
OFF, USUAL_STATE = "Off", "Yes"
# A check mark in the unit square, for boxes that say that they can be on and not how that looks.
CHECK = ((0.14, 0.5), (0.24, 0.6), (0.41, 0.4), (0.76, 0.84), (0.88, 0.76), (0.42, 0.16))


@dataclass(frozen=True, slots=True)
class Toggle:
    """
    A button before it is drawn.

    Attributes:
        default: its state in the template, "" for off; None when one must be given.
        looks: state -> what is drawn; "" is off.
    """

    name: str
    box: Rect
    default: str | None
    looks: Mapping[str, Sequence[bytes | Picture]]


def is_toggle(widget: Widget) -> bool:
    """Tell whether `widget` is a button that is on or off, and not only pushed."""
    return widget.kind == "/Btn" and not widget.flags & PUSH_FLAG and bool(_states(widget))


def is_open(widget: Widget) -> bool:
    """Tell whether the state of `widget`, which `is_toggle`, may be given."""
    return bool(widget.name) and not widget.flags & READ_ONLY_FLAG


def rule_of_toggle(widget: Widget) -> Rule:
    """Return what the field takes: its states, by their names and by their export values."""
    states = _states(widget)
    choices = {
        **{_exported(widget, state): state for state in states},
        **{state: state for state in states},
        OFF: "",
    }
    return Rule(choices=choices, is_switch=not widget.flags & RADIO_FLAG)


def toggle_of(widget: Widget, box: Rect, form: Dictionary) -> Toggle:
    """Return what is drawn in the place of `widget`, which `is_toggle`."""
    shown = looks_of(widget)
    states = _states(widget)
    own = _check(box, colour_set(said_of(widget, form)))
    has_looks = any(shown.get(state) for state in states)
    ground: list[bytes | Picture] = [] if has_looks else [frame(widget, box)]
    marked = [*ground, own]
    looks = {state: shown.get(state) or marked for state in states}
    now = _present(widget)
    is_required = widget.flags & REQUIRED_FLAG and now not in states
    return Toggle(
        name=widget.name,
        box=box,
        default=None if is_required else now if now in states else "",
        looks={**looks, "": shown.get(OFF) or ground},
    )


def _states(widget: Widget) -> Sequence[str]:
    """Return the states in which it is on; a check box has one also when it names none."""
    shown = looks_of(widget)
    named = [state for state in shown if state != OFF]
    looks_the_same = not shown and any(look_of(widget))
    if named or looks_the_same or widget.flags & RADIO_FLAG:
        return named
    now = _present(widget)
    return [now if now not in ("", OFF) else USUAL_STATE]


def _present(widget: Widget) -> str:
    own, shared = widget.chain[0].get("/AS"), widget.get("/V")
    now = own if isinstance(own, Name) else shared
    return readable(bytes(now)) if isinstance(now, Name) else ""


def _exported(widget: Widget, state: str) -> str:
    """Return the text that stands for a state which is a number, if there is one."""
    listed = widget.get("/Opt")
    texts = list(listed) if isinstance(listed, Array) else []
    at = int(state) if state.isascii() and state.isdigit() and len(state) < 5 else len(texts)
    return (text_of(texts[at]) or state) if at < len(texts) else state


def _check(box: Rect, colour: bytes) -> bytes:
    side = min(box.right - box.left, box.top - box.bottom)
    space = Matrix(
        side,
        0,
        0,
        side,
        (box.left + box.right - side) / 2,
        (box.bottom + box.top - side) / 2,
    )
    first, *others = [numbers(space.apply(x, y)) for x, y in CHECK]
    return b"q %s%s m %sf Q " % (colour, first, b"".join([b"%s l " % point for point in others]))
