"""
A compiled template's form on disk and in pipes.

It is a line with FORMAT, a line with the length of the head, the head in JSON, and the static
bytes. Reading it builds numbers, texts and bytes, and nothing that runs: it may have been written
by a process that was taken over.
"""

import json
from typing import Any

from fileservice.pdf.conformance import Claims
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.metadata import About
from fileservice.pdf.placements import Sheet, placement_from
from fileservice.pdf.plans import ENGINE_VERSION, Caption, Open, Plan, Program
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Code, Literal, Mark, Placed, Slot, Value

FORMAT = b"fileservice compiled template %d\n" % ENGINE_VERSION


def pack(plan: Plan) -> bytes:
    """Return the form that `unpack` reads."""
    head = json.dumps(
        {
            "digest": plan.digest,
            "faces": plan.faces,
            "bases": plan.bases,
            "slots": [_slot_values(slot) for slot in plan.slots],
            "rules": {name: _rule_values(rule) for name, rule in plan.rules.items()},
            "formats": plan.formats,
            "side": plan.side,
            "programs": [_program_values(program) for program in plan.programs],
            "fonts": [_open_values(fonts) for fonts in plan.fonts],
            "links": [_open_values(link) for link in plan.links],
            "captions": [[c.number, _text(c.body), c.texts] for c in plan.captions],
            "info": plan.info,
            "metadata": plan.metadata,
            "root": plan.root,
            "title": plan.title,
            "about": plan.about,
            "lost": plan.lost,
            "prefix": plan.prefix,
            "size": plan.size,
            "xref": _text(plan.xref),
            "sheets": plan.sheets,
            "placements": plan.placements,
            "is_repaired": plan.is_repaired,
        }
    ).encode()
    return b"%s%d\n%s%s" % (FORMAT, len(head), head, plan.static)


def unpack(form: bytes) -> Plan:
    """
    Read what `pack` wrote.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    if not form.startswith(FORMAT):
        raise ValueError("not a compiled template of this version")
    start = form.index(b"\n", len(FORMAT)) + 1
    stop = start + int(form[len(FORMAT) : start])
    head = json.loads(form[start:stop])
    return Plan(
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
