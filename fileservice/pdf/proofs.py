"""Fills a template with its own placeholders, to be looked at."""

from datetime import UTC, datetime

from fileservice.pdf.errors import MissingGlyph, TooLong
from fileservice.pdf.filling import CompiledTemplate

# What is drawn instead of a placeholder that cannot be: any font has it, and it fits anywhere.
STAND_IN = "?"
EXAMPLE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE_LINK = "https://service.example/verify/00000000000000000000000000"


def proof(template: CompiledTemplate) -> bytes:
    """
    Return the template with its placeholders as it has them, in the faces that values get.

    That is what will be drawn, and where: a picture of the file itself would show its own fonts,
    also where others stand in, and its fields without what they say.
    """
    texts = {name: f"%{name}%" for name in template.fields}
    texts.update((each.name, each.text) for each in reversed(template.plan.placements))
    for _ in template.fields:
        try:
            return template.write(texts, issued_at=EXAMPLE_TIME, link=EXAMPLE_LINK)
        except MissingGlyph as error:
            texts[str(error.extensions["field"])] = STAND_IN
        except TooLong:
            texts = dict.fromkeys(texts, STAND_IN)
    return template.write(texts, issued_at=EXAMPLE_TIME, link=EXAMPLE_LINK)
