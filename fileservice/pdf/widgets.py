"""A form field where it is seen: a page's widget (ISO 32000-1 12.5.6.19 and 12.7.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pikepdf import Array, Dictionary, Name, Object

from fileservice.pdf.templatefonts import name_of, real, text_of

MAX_PARENTS = 32  # of a field, which may be its own
MAX_NAME = 200  # characters of a field's full name
# ISO 32000-1 tables 165 and 221.
HIDDEN_FLAGS = 1 << 1 | 1 << 5
READ_ONLY_FLAG, REQUIRED_FLAG = 1 << 0, 1 << 1


class Rect(NamedTuple):
    """A rectangle in the page's space."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Rect") -> bool:
        """Whether the two have a part in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


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
        names = (text_of(each["/T"]) for each in reversed(self.chain) if "/T" in each)
        return ".".join(names)[:MAX_NAME]

    @property
    def kind(self) -> str:
        """What kind of field it is: /Tx, /Ch, /Btn, /Sig."""
        return name_of(self.get("/FT"))

    @property
    def flags(self) -> int:
        """The field's flags (ISO 32000-1 tables 221, 226, 228 and 230)."""
        return int(real(self.get("/Ff")))

    @property
    def is_hidden(self) -> bool:
        """Whether it is not seen on a screen."""
        return bool(int(real(self.chain[0].get("/F"))) & HIDDEN_FLAGS)

    @property
    def characteristics(self) -> Dictionary:
        """How it says that it looks (ISO 32000-1 table 189)."""
        found = self.chain[0].get("/MK")
        return found if isinstance(found, Dictionary) else Dictionary()

    @property
    def box(self) -> Rect | None:
        """Where it is; None when it has no extent."""
        return rect_of(self.chain[0].get("/Rect"))

    def get(self, key: str) -> Object | None:
        """Return its own entry, or the nearest it inherits."""
        return next((each[key] for each in self.chain if key in each), None)


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


def values_of(listed: object) -> list[float]:
    """Return the numbers that `listed` has."""
    return [real(value) for value in listed] if isinstance(listed, Array) else []


def rect_of(value: object) -> Rect | None:
    """Return the rectangle that `value` is; None when it has no extent."""
    corners = values_of(value)
    if len(corners) != 4:
        return None
    left, right = sorted(corners[::2])
    bottom, top = sorted(corners[1::2])
    return Rect(left, bottom, right, top) if left < right and bottom < top else None


def _chain(entry: Dictionary) -> Iterator[Dictionary]:
    for _ in range(MAX_PARENTS):
        yield entry
        parent = entry.get("/Parent")
        if not isinstance(parent, Dictionary):
            return
        entry = parent
