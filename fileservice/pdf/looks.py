"""How a form field looks (ISO 32000-1 12.5.5), for what of it stays as it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pikepdf import Dictionary, Name, Object, Stream

from fileservice.pdf.geometry import Matrix
from fileservice.pdf.templatefonts import matrix_of
from fileservice.pdf.widgets import Rect, Widget, values_of


class Picture(NamedTuple):
    """What stays of a field: how it looks, and where."""

    form: Stream
    matrix: Matrix


def look_of(widget: Widget) -> Iterator[Picture]:
    """Yield how `widget` looks now; nothing when it does not say."""
    look = _normal(widget)
    state = widget.chain[0].get("/AS")
    if isinstance(look, Dictionary) and not isinstance(look, Stream):
        look = look.get(state) if isinstance(state, Name) else None
    if isinstance(look, Stream) and widget.box is not None:
        yield from _placed(look, widget.box)


def looks_of(widget: Widget) -> Mapping[str, Sequence[Picture]]:
    """Return state -> how `widget` looks then; a state may look like nothing."""
    looks, box = _normal(widget), widget.box
    if not isinstance(looks, Dictionary) or isinstance(looks, Stream) or box is None:
        return {}
    return {
        # A name is bytes (ISO 32000-1 7.3.5), of which pikepdf makes what can be made bytes again.
        readable(key.encode("utf-8", "surrogateescape")): (
            list(_placed(look, box)) if isinstance(look, Stream) else []
        )
        for key, look in looks.items()
    }


def readable(name: bytes) -> str:
    """Return the text of a name, without its slash."""
    return name.removeprefix(b"/").decode("utf-8", "replace")


def _normal(widget: Widget) -> Object | None:
    looks = widget.chain[0].get("/AP")
    return looks.get("/N") if isinstance(looks, Dictionary) else None


def _placed(look: Stream, box: Rect) -> Iterator[Picture]:
    """Algorithm 8.1: the box around the look, turned as it says, becomes the field's."""
    corners = values_of(look.get("/BBox"))
    own = matrix_of(look.get("/Matrix"))
    if len(corners) != 4:
        return
    points = [own.apply(x, y) for x in corners[::2] for y in corners[1::2]]
    across, up = zip(*points, strict=True)
    if min(across) == max(across) or min(up) == max(up):
        return
    # Nothing else may be drawn, and readers of annotations do not ask for it.
    look.Subtype = Name.Form
    x_scale = (box.right - box.left) / (max(across) - min(across))
    y_scale = (box.top - box.bottom) / (max(up) - min(up))
    yield Picture(
        look,
        Matrix(
            x_scale,
            0,
            0,
            y_scale,
            box.left - x_scale * min(across),
            box.bottom - y_scale * min(up),
        ),
    )
