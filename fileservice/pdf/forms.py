"""What becomes of a page's form fields (ISO 32000-1 12.7): they are drawn, and no fields."""

from collections.abc import Iterator, Sequence
from typing import cast

from pikepdf import Dictionary

from fileservice.pdf.borders import frame
from fileservice.pdf.buttons import Toggle, is_open, is_toggle, rule_of_toggle, toggle_of
from fileservice.pdf.codes import square_of
from fileservice.pdf.drawing import FaceOf
from fileservice.pdf.looks import Picture, look_of
from fileservice.pdf.placeholders import is_code
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Code
from fileservice.pdf.textfields import Blank, cells_of, is_asked, is_fixed, rule_of, slot_of
from fileservice.pdf.widgets import Rect, Widget

SIGNATURE = "/Sig"


def drawn(
    widgets: Sequence[Widget], page: Rect, form: Dictionary, face_of: FaceOf
) -> Iterator[Picture | Blank | Code | Toggle | bytes]:
    """Yield what is drawn for `widgets`, fields of the document's `form` that `page` may show."""
    for widget in widgets:
        box = widget.box
        if box is None or widget.is_hidden or not box.meets(page) or widget.kind == SIGNATURE:
            continue
        looks = list(look_of(widget))
        if is_code(widget.name):
            yield Code(square_of(*box))
        elif is_toggle(widget):
            toggle = toggle_of(widget, box, form)
            yield from [toggle] if is_open(widget) else toggle.looks[toggle.default or ""]
        elif is_asked(widget) or (is_fixed(widget) and (_is_stale(form) or not looks)):
            ground = frame(widget, box, cells_of(widget))
            slot = slot_of(widget, box, form, face_of)
            yield Blank(ground, slot, () if _is_stale(form) else looks)
        else:
            yield from looks


def rules_of(widgets: Sequence[Widget]) -> Iterator[tuple[str, Rule]]:
    """Yield the names that are asked for and what their fields take."""
    for widget in widgets:
        if is_code(widget.name):
            continue
        if is_asked(widget):
            yield widget.name, rule_of(widget)
        elif is_toggle(widget) and is_open(widget):
            yield widget.name, rule_of_toggle(widget)


def _is_stale(form: Dictionary) -> bool:
    """Whether the form says that its fields have other values than they look like."""
    return cast("object", form.get("/NeedAppearances")) is True
