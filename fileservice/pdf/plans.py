"""A compiled template as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fileservice.pdf.faces import Sign
from fileservice.pdf.metadata import About
from fileservice.pdf.placements import Placement, Sheet
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Placed

# Changes with what is compiled and how it is written down: part of a kept template's name.
ENGINE_VERSION = 19


class Open(NamedTuple):
    """A dictionary that each certificate completes: `body` is it without the closing `>>`."""

    number: int
    body: bytes


class Program(NamedTuple):
    """
    The program of a page, or of a form drawn on it, as far as it changes: object `number`.

    Attributes:
        entries: what its dictionary has besides its length.
        pieces: operators, and the numbers of slots.
    """

    number: int
    entries: bytes
    pieces: tuple[bytes | int, ...]


class Caption(NamedTuple):
    """
    A bookmark, a tag or a link that says a value: object `number`.

    Attributes:
        body: its dictionary without the closing `>>` and without `texts`.
        texts: by key, with their placeholders.
    """

    number: int
    body: bytes
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    All of a template that does not depend on the values.

    Attributes:
        digest: hex SHA-256 of the template.
        faces: names of the faces that values are drawn with.
        bases: for each face, the signs of the subset that is part of `static`.
        slots: the lines with placeholders, and the places of QR codes and check boxes.
        rules: name -> what its form fields take.
        formats: name -> how its value is written.
        side: hex SHA-256 of the file beside the template; "" when there is none.
        programs: what draws them.
        fonts: the pages' dictionaries of fonts.
        links: the annotations over QR codes, which lead where those do.
        captions: what is not drawn but says values.
        info: the object number of the document's information.
        metadata: that of its metadata.
        root: that of its catalog.
        title: its title, maybe with placeholders; "" for none.
        about: what its metadata say of all its certificates.
        lost: what the template says of itself or has, and its certificates do not, in sentences.
        prefix: with what the names of the faces among a page's fonts begin.
        size: how many objects there are, and with that the next free number.
        xref: the cross-reference lines, with `%010d` for each object above, by number.
        static: the file up to the first of those objects.
        sheets: its pages.
        placements: its placeholders, where they stand on them.
        is_repaired: whether the file was damaged.
    """

    digest: str
    faces: tuple[str, ...]
    bases: tuple[tuple[Sign, ...], ...]
    slots: tuple[Placed, ...]
    rules: Mapping[str, Rule]
    formats: Mapping[str, str]
    programs: tuple[Program, ...]
    fonts: tuple[Open, ...]
    links: tuple[Open, ...]
    captions: tuple[Caption, ...]
    info: int
    metadata: int
    root: int
    title: str
    about: About
    lost: tuple[str, ...]
    prefix: str
    size: int
    xref: bytes
    static: bytes
    sheets: tuple[Sheet, ...]
    placements: tuple[Placement, ...]
    is_repaired: bool
    side: str = ""

    @property
    def language(self) -> str:
        """What it says it is written in (BCP 47), "" for nothing."""
        return self.about.language
