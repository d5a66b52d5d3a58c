"""
A compiled template as plain values, and its form on disk and in pipes.

The form is a line with FORMAT, a line with the length of the head, the head in JSON, and the
static bytes. Reading it builds numbers, texts and bytes, and nothing that runs: it may have been
written by a process that was taken over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fileservice.pdf.conformance import Claims
from fileservice.pdf.faces import Sign
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.metadata import About
from fileservice.pdf.placements import Placement, Sheet, placement_from
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Code, Literal, Mark, Placed, Slot, Value

# Changes with what is compiled and how it is written down: part of a kept template's name.
ENGINE_VERSION = 15
FORMAT = b"fileservice compiled template %d\n" % ENGINE_VERSION


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

    def to_bytes(self) -> bytes:
        """Return the form that `from_bytes` reads."""
        head = json.dumps(
            {
                "digest": self.digest,
                "faces": self.faces,
                "bases": self.bases,
                "slots": [_slot_values(slot) for slot in self.slots],
                "rules": {name: _rule_values(rule) for name, rule in self.rules.items()},
                "formats": self.formats,
                "side": self.side,
                "programs": [_program_values(program) for program in self.programs],
                "fonts": [_open_values(fonts) for fonts in self.fonts],
                "links": [_open_values(link) for link in self.links],
                "captions": [[c.number, _text(c.body), c.texts] for c in self.captions],
                "info": self.info,
                "metadata": self.metadata,
                "root": self.root,
                "title": self.title,
                "about": self.about,
                "lost": self.lost,
                "prefix": self.prefix,
                "size": self.size,
                "xref": _text(self.xref),
                "sheets": self.sheets,
                "placements": self.placements,
                "is_repaired": self.is_repaired,
            }
        ).encode()
        return b"%s%d\n%s%s" % (FORMAT, len(head), head, self.static)

    @classmethod
    def from_bytes(cls, form: bytes) -> "Plan":
        """
        Read what `to_bytes` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        if not form.startswith(FORMAT):
            raise ValueError("not a compiled template of this version")
        start = form.index(b"\n", len(FORMAT)) + 1
        stop = start + int(form[len(FORMAT) : start])
        head = json.loads(form[start:stop])
        return cls(
            digest=str(head["digest"]),
            faces=tuple(map(str, head["faces"])),
            bases=tuple(
                tuple((int(glyph), str(text)) for glyph, text in base) for base in head["bases"]
            ),
            slots=tuple(map(_slot, head["slots"])),
            rules={str(name): _rule(values) for name, values in head["rules"].items()},
            formats={str(name): str(pattern) for name, pattern in head["formats"].items()},
            side=str(head["side"]),
            programs=tuple(map(_program, head["programs"])),
            fonts=tuple(map(_open, head["fonts"])),
            links=tuple(map(_open, head["links"])),
            captions=tuple(map(_caption, head["captions"])),
            info=int(head["info"]),
            metadata=int(head["metadata"]),
            root=int(head["root"]),
            title=str(head["title"]),
            about=_about(head["about"]),
            lost=tuple(map(str, head["lost"])),
            prefix=str(head["prefix"]),
            size=int(head["size"]),
            xref=_bytes(head["xref"]),
            static=form[stop:],
            sheets=tuple(Sheet(float(width), float(height)) for width, height in head["sheets"]),
            placements=tuple(map(placement_from, head["placements"])),
            is_repaired=bool(head["is_repaired"]),
        )


def _program_values(program: Program) -> list[object]:
    pieces = [_text(piece) if isinstance(piece, bytes) else piece for piece in program.pieces]
    return [program.number, _text(program.entries), pieces]


def _program(values: list[Any]) -> Program:
    number, entries, pieces = values
    return Program(
        int(number),
        _bytes(entries),
        tuple(_bytes(piece) if isinstance(piece, str) else int(piece) for piece in pieces),
    )


def _caption(values: list[Any]) -> Caption:
    number, body, texts = values
    return Caption(int(number), _bytes(body), {str(key): str(texts[key]) for key in texts})


def _about(values: list[Any]) -> About:
    (part, level, is_accessible), language, creators, rights = values
    claims = Claims(int(part), str(level), bool(is_accessible))
    return About(claims, str(language), tuple(map(str, creators)), str(rights))


def _rule_values(rule: Rule) -> list[object]:
    return [rule.longest, rule.choices, rule.is_open, rule.takes_several, rule.is_switch]


def _rule(values: list[Any]) -> Rule:
    longest, choices, is_open, takes_several, is_switch = values
    return Rule(
        int(longest),
        {str(given): str(meant) for given, meant in choices.items()},
        bool(is_open),
        bool(takes_several),
        bool(is_switch),
    )


def _open_values(dictionary: Open) -> list[object]:
    return [dictionary.number, _text(dictionary.body)]


def _open(values: list[Any]) -> Open:
    number, body = values
    return Open(int(number), _bytes(body))


def _slot_values(slot: Placed) -> list[object]:
    if isinstance(slot, Code):
        return [slot.square]
    if isinstance(slot, Mark):
        return [slot.name, slot.default, {state: _text(b) for state, b in slot.looks.items()}]
    return [
        slot.matrix,
        slot.width,
        slot.room,
        slot.align,
        _text(slot.before),
        _text(slot.after),
        [_part_values(part) for part in slot.parts],
        slot.max_lines,
        slot.leading,
        slot.least_scale,
        slot.cells,
        _text(slot.look),
    ]


def _part_values(part: Literal | Value) -> list[object]:
    if isinstance(part, Literal):
        return [_text(part.program), part.width]
    return [
        part.name,
        part.default,
        part.face,
        part.size,
        part.stretch,
        part.gap,
        _text(part.before),
    ]


def _slot(values: list[Any]) -> Placed:
    if len(values) == 1:
        return Code(_matrix(values[0]))
    if len(values) == 3:
        name, default, looks = values
        return Mark(
            str(name),
            None if default is None else str(default),
            {str(state): _bytes(look) for state, look in looks.items()},
        )
    matrix, width, room, align, before, after, parts, lines, leading, least, cells, look = values
    return Slot(
        _matrix(matrix),
        float(width),
        float(room),
        float(align),
        _bytes(before),
        _bytes(after),
        tuple(map(_part, parts)),
        int(lines),
        float(leading),
        float(least),
        int(cells),
        _bytes(look),
    )


def _part(values: list[Any]) -> Literal | Value:
    if len(values) == 2:
        return Literal(_bytes(values[0]), float(values[1]))
    name, default, face, size, stretch, gap, before = values
    return Value(
        str(name),
        None if default is None else str(default),
        int(face),
        float(size),
        float(stretch),
        float(gap),
        _bytes(before),
    )


def _matrix(values: list[Any]) -> Matrix:
    return Matrix(*map(float, values))


def _text(content: bytes) -> str:
    return content.decode("latin-1")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
