"""What a template asks for, where that stands, and what to know before it is filled."""

from typing import NamedTuple

from fileservice.certificates import MADE_HERE
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import is_stand_in
from fileservice.pdf.placements import NO_FACE
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Mark
from fileservice.pdf.values import MAX_VALUE_CHARACTERS

ALIGNMENTS = {0.0: "left", 0.5: "centre", 1.0: "right"}
ANY_TEXT = Rule()


class Input(NamedTuple):
    """
    A value to be given.

    Attributes:
        default: what is drawn without one; None when it is required.
        longest: how many characters it may have.
        choices: what it may be, of a form field with choices.
        is_open: whether it may be something else, or several of them.
    """

    name: str
    required: bool
    default: str | None
    longest: int
    choices: list[str]
    is_open: bool


class Mention(NamedTuple):
    """
    A placeholder where it stands.

    Attributes:
        made_here: whether nobody is asked for it.
        box: left, top, right and bottom, in points from the displayed page's top left corner.
        font: the one in the template.
        face: the one that values are drawn in; "" for what is no text, a button or a QR code.
        size: of the font, in points.
        lines: how many a value may take.
    """

    number: int
    name: str
    made_here: bool
    page: int
    box: list[float]
    font: str
    face: str
    substituted: bool
    size: float
    align: str
    lines: int


def inputs_of(template: CompiledTemplate) -> list[Input]:
    """Return what can be given, in the order of the pages, each once."""
    plan = template.plan
    defaults: dict[str, str | None] = {}
    for each in plan.placements:
        defaults.setdefault(each.name, each.default)
    for slot in plan.slots:
        if isinstance(slot, Mark):
            # Of a group the button that is on.
            defaults[slot.name] = slot.default or defaults.get(slot.name)
    for name in sorted(template.fields):
        defaults[name] = defaults.get(name) or ("" if name not in template.required else None)
    return [
        Input(
            name=name,
            required=name in template.required,
            default=None if name in template.required else default,
            longest=min(filter(None, (rule.longest, MAX_VALUE_CHARACTERS))),
            choices=[*rule.choices],
            is_open=not rule.choices or rule.is_open or rule.takes_several,
        )
        for name, default in defaults.items()
        if name in template.fields - MADE_HERE
        for rule in [plan.rules.get(name, ANY_TEXT)]
    ]


def mentions_of(template: CompiledTemplate) -> list[Mention]:
    """Return all placeholders, numbered as in the pictures of the pages."""
    faces = template.plan.faces
    return [
        Mention(
            number=number,
            name=each.name,
            made_here=each.name not in template.fields - MADE_HERE,
            page=each.page,
            box=[round(value, 1) for value in each.box],
            font=each.font,
            face=face,
            substituted=bool(face) and is_stand_in(face, each.font),
            size=round(each.size, 1),
            align=ALIGNMENTS[each.align],
            lines=each.max_lines,
        )
        for number, each in enumerate(template.plan.placements, 1)
        for face in ["" if each.face == NO_FACE else faces[each.face]]
    ]


def warnings_of(template: CompiledTemplate) -> list[str]:
    """Return what may surprise whoever made the template, in sentences."""
    found = [
        f"{each.font or 'A font without a name'} is not at hand: values are drawn in {each.face}."
        for each in mentions_of(template)
        if each.substituted
    ]
    if template.plan.is_repaired:
        found.append("The file is damaged, and was read as far as that could be mended.")
    found += template.plan.lost
    return list(dict.fromkeys(found))
