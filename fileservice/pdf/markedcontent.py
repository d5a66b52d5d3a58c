"""Text that a program says in the place of what it draws (ISO 32000-1 14.9)."""

from collections.abc import Container, Sequence
from copy import copy

import pikepdf
from pikepdf import Dictionary

from fileservice.pdf.text import Instruction

# Replacement, alternate description, expansion: they would say the placeholder, not the value.
SAID = ("/ActualText", "/Alt", "/E")


def unsaid(program: Sequence[Instruction], changed: Container[int]) -> dict[int, bytes]:
    """Return what to put for the operators that speak for instructions at the `changed` places."""
    opened: list[int] = []
    speaking: set[int] = set()
    for at, instruction in enumerate(program):
        operator = instruction.operator.unparse()
        if operator in (b"BDC", b"BMC"):
            opened.append(at)
        elif operator == b"EMC" and opened:
            opened.pop()
        elif at in changed:
            speaking.update(opened)
    return {at: said for at in speaking if (said := _silenced(program[at]))}


def _silenced(instruction: Instruction) -> bytes:
    """Return the operator without the text it says; nothing when it says none."""
    tag, *properties = instruction.operands
    if not properties or not isinstance(properties[0], Dictionary):
        return b""
    said = [key for key in SAID if key in properties[0]]
    if not said:
        return b""
    rest = copy(properties[0])
    for key in said:
        del rest[key]
    return pikepdf.unparse_content_stream([([tag, rest], pikepdf.Operator("BDC"))])
