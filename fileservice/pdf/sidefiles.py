"""
What `<name>.template.json` says of a template beside it: how its values are set.

    {"title": "...", "lang": "de", "fields": {"name": {"align": "center", "max_lines": 2}}}
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fileservice.pdf.errors import BadSideFile
from fileservice.pdf.geometry import numbers
from fileservice.pdf.slots import Literal, Slot, Value

MAX_SIDE_FILE_BYTES = 32 << 10
MAX_TEXT = 500
MAX_WISHES = 200
MAX_LINES = 100
GREATEST_POINTS = 14_400.0  # a page's longest side (ISO 32000-1 annex C)
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")  # BCP 47, as far as we look
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
ALIGNMENTS = {"left": 0.0, "center": 0.5, "right": 1.0}
BLACK = b"0 g "

# Returns the number of the face of a PostScript name; None when there is none.
FaceNamed = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Wish:
    """
    How the value of a name is set; None, or "" for texts, leaves it as the template has it.

    Attributes:
        align: which point of its line stays: 0 the left end, 0.5 the centre, 1 the right end.
        max_width: how long the line may become, in points.
        size: of the font, in points.
        min_size: what it is shrunk to at most, in points.
        max_lines: on how many lines it may be broken.
        font: the PostScript name of a font at hand.
        colour: operators that set it.
        required: whether it must be given.
        default: what is drawn without a value.
        pattern: how it is written, as `formats.formatted` takes it.
    """

    align: float | None = None
    max_width: float | None = None
    size: float | None = None
    min_size: float | None = None
    max_lines: int | None = None
    font: str = ""
    colour: bytes = b""
    required: bool | None = None
    default: str | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class SideFile:
    """
    What is said of a template.

    Attributes:
        title: of the document; "" for the template's own.
        language: of its texts (BCP 47); "" for the template's own.
        wishes: by the names of values.
    """

    title: str = ""
    language: str = ""
    wishes: Mapping[str, Wish] = field(default_factory=dict)

    def align_of(self, names: Iterable[str | None]) -> float | None:
        """Return how a line with these placeholders is aligned; None for as it seems."""
        return next((wish.align for wish in self._of(names) if wish.align is not None), None)

    def room_of(self, names: Iterable[str | None]) -> float:
        """Return how many points a line with these placeholders may be long."""
        widths = [wish.max_width for wish in self._of(names) if wish.max_width is not None]
        return min(widths, default=GREATEST_POINTS)

    def default_of(self, name: str, default: str | None) -> str | None:
        """Return what is drawn without a value for `name`, which is `default` in the template."""
        wish = self.wishes.get(name, Wish())
        default = default if wish.default is None else wish.default
        if wish.required is None:
            return default
        return None if wish.required else default or ""

    def applied(self, slot: Slot, face_named: FaceNamed, point: float) -> Slot:
        """
        Return the slot as wished; `point` is the length of a point in its space.

        Raises:
            BadSideFile: a font is not at hand.
        """
        names = [part.name for part in slot.parts if isinstance(part, Value)]
        wishes = list(self._of(names))
        if not wishes:
            return slot
        parts = tuple(self._wished(part, face_named, point) for part in slot.parts)
        sizes = [part.size / point for part in parts if isinstance(part, Value)]
        least = [wish.min_size for wish in wishes if wish.min_size is not None]
        lines = [wish.max_lines for wish in wishes if wish.max_lines is not None]
        is_coloured = any(wish.colour for wish in wishes)
        align = self.align_of(names)
        return replace(
            slot,
            parts=tuple(map(_coloured, parts)) if is_coloured else parts,
            after=_in_black(slot.after) if is_coloured else slot.after,
            align=slot.align if align is None else align,
            room=min(slot.room, self.room_of(names) * point),
            max_lines=max(lines, default=slot.max_lines),
            least_scale=min(1.0, max(least) / max(sizes)) if least else slot.least_scale,
        )

    def _of(self, names: Iterable[str | None]) -> Iterable[Wish]:
        return (self.wishes[name] for name in names if name is not None and name in self.wishes)

    def _wished(
        self, part: Literal | Value, face_named: FaceNamed, point: float
    ) -> Literal | Value:
        wish = self.wishes.get(part.name) if isinstance(part, Value) else None
        if wish is None or not isinstance(part, Value):
            return part
        face: int | None = part.face
        if wish.font and (face := face_named(wish.font)) is None:
            raise BadSideFile(f"The side file asks for the font {wish.font!r}, which is not here.")
        assert face is not None  # noqa: S101  # by the line above
        return replace(
            part,
            face=face,
            size=part.size if wish.size is None else wish.size * point,
            before=part.before + wish.colour,
            default=self.default_of(part.name, part.default),
        )


def _coloured(part: Literal | Value) -> Literal | Value:
    """Return `part` in the colour that the page has where it sets none."""
    if isinstance(part, Literal):
        return replace(part, program=_in_black(part.program))
    return replace(part, before=_in_black(part.before))


def _in_black(program: bytes) -> bytes:
    # Behind what is coloured, text that sets no colour is black as a page begins: a template's own
    # colour stands in `program` and comes after this.
    return BLACK + program


def read_side_file(content: bytes) -> SideFile:
    """
    Read a side file; without bytes there is none, and nothing is wished.

    Raises:
        BadSideFile: it is no JSON, too large, or says what is not known here.
    """
    if not content:
        return SideFile()
    if len(content) > MAX_SIDE_FILE_BYTES:
        raise BadSideFile(f"The side file has more than {MAX_SIDE_FILE_BYTES:,} bytes.")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadSideFile(f"The side file is no JSON: {error}.") from error
    members = _members(said, "The side file", {"title", "lang", "fields"})
    listed = members.get("fields", {})
    if not isinstance(listed, dict) or len(listed) > MAX_WISHES:
        raise BadSideFile(f"`fields` is not an object with at most {MAX_WISHES} members.")
    language = _text(members, "lang", "The side file")
    if language and not LANGUAGE.fullmatch(language):
        raise BadSideFile(f"`lang` is no language tag: {language!r}; write en or zh-Hans.")
    return SideFile(
        title=_text(members, "title", "The side file"),
        language=language,
        wishes={name: _wish(wanted, f"Field {name!r}") for name, wanted in listed.items()},
    )


KNOWN = {
    *("align", "max_width", "size", "min_size", "max_lines"),
    *("font", "color", "required", "default", "format"),
}


def _wish(said: object, whose: str) -> Wish:
    members = _members(said, whose, KNOWN)
    align = _text(members, "align", whose)
    if align and align not in ALIGNMENTS:
        raise BadSideFile(f"{whose}: `align` is left, center or right, not {align!r}.")
    lines = members.get("max_lines")
    if lines is not None and not (type(lines) is int and 1 <= lines <= MAX_LINES):
        raise BadSideFile(f"{whose}: `max_lines` is a number from 1 to {MAX_LINES}.")
    required = members.get("required")
    if required is not None and not isinstance(required, bool):
        raise BadSideFile(f"{whose}: `required` is true or false.")
    return Wish(
        align=ALIGNMENTS.get(align),
        max_width=_points(members, "max_width", whose),
        size=_points(members, "size", whose),
        min_size=_points(members, "min_size", whose),
        max_lines=lines,
        font=_text(members, "font", whose),
        colour=_colour(_text(members, "color", whose), whose),
        required=required,
        default=_text(members, "default", whose) if "default" in members else None,
        pattern=_text(members, "format", whose),
    )


def _members(said: object, whose: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise BadSideFile(f"{whose} is no object.")
    unknown = said.keys() - known
    if unknown:
        raise BadSideFile(
            f"{whose} has a member {min(unknown)!r}; known are {', '.join(sorted(known))}."
        )
    return said


def _text(members: Mapping[str, Any], name: str, whose: str) -> str:
    text = members.get(name, "")
    if not isinstance(text, str) or len(text) > MAX_TEXT or not text.isprintable():
        raise BadSideFile(f"{whose}: `{name}` is a text of at most {MAX_TEXT} characters.")
    return text


def _points(members: Mapping[str, Any], name: str, whose: str) -> float | None:
    said = members.get(name)
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not said >= 1:
        raise BadSideFile(f"{whose}: `{name}` is a number of points, 1 or more.")
    return min(float(said), GREATEST_POINTS)


def _colour(said: str, whose: str) -> bytes:
    if not said:
        return b""
    if not COLOUR.fullmatch(said):
        raise BadSideFile(f"{whose}: `color` is #rrggbb, not {said!r}.")
    levels = tuple(int(said[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return numbers(levels) + b" rg "
