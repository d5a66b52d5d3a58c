"""What a template asks for, and what is warned of."""

import json
from dataclasses import replace

import pytest

from fileservice.overviews import Input, inputs_of, mentions_of, warnings_of
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from tests.pdfs import page_of, shipped_template

TEXT = b"BT /F1 14 Tf 60 700 Td (%name|Ada% %name% %page% %timestamp% %id% %qr%) Tj ET"


def compiled(content: bytes, side: bytes = b"") -> CompiledTemplate:
    return compile_template(content, shipped_fonts(), side)


def test_what_is_made_here_is_not_asked_for() -> None:
    template = compiled(page_of(TEXT))

    [asked] = inputs_of(template)

    # Once it has a default and once not: it must be given.
    assert asked == Input("name", True, None, 500, [], True)
    names = [each.name for each in mentions_of(template)]
    assert sorted(names) == ["id", "name", "name", "page", "qr", "timestamp"]
    made = {each.name for each in mentions_of(template) if each.made_here}
    assert made == {"id", "page", "qr", "timestamp"}


def test_what_is_no_text_has_no_face() -> None:
    [code] = [each for each in mentions_of(compiled(page_of(TEXT))) if each.name == "qr"]

    assert (code.face, code.font, code.substituted, code.size) == ("", "", False, 0)


def test_what_stands_beside_the_template_is_heeded() -> None:
    side = json.dumps({"fields": {"name": {"required": False, "size": 20, "align": "right"}}})

    template = compiled(page_of(TEXT), side.encode())

    [asked] = inputs_of(template)
    assert (asked.required, asked.default) == (False, "Ada")
    mention = mentions_of(template)[0]
    assert (mention.size, mention.align) == (20, "right")


def test_a_font_that_is_not_at_hand_is_warned_of_once() -> None:
    assert warnings_of(compiled(page_of(TEXT))) == [
        "Helvetica is not at hand: values are drawn in NotoSans-Regular."
    ]


def test_a_font_that_is_here_is_no_matter() -> None:
    assert warnings_of(compiled(shipped_template())) == []


def test_a_file_that_was_damaged_is_warned_of() -> None:
    damaged = page_of(TEXT).replace(b"startxref\n", b"startxref\n99")

    assert warnings_of(compiled(damaged))[1].startswith("The file is damaged")


@pytest.mark.parametrize(
    ("catalog", "more", "said"),
    [
        (b"/OpenAction<</S/JavaScript/JS(x)>>", b"null", "scripts"),
        (b"/Names<</JavaScript<</Names[]>>>>", b"null", "scripts"),
        (b"/OpenAction 6 0 R", b"<</S/Launch/F(x)>>", "actions"),
        (b"/Names<</EmbeddedFiles<</Names[]>>>>", b"<</S/JavaScript>>", "attached files, scripts"),
        (b"/AA<</WC<</S/Named>>>>", b"7", "actions"),
        (b"", b"<</Type/Annot/Subtype/Movie>>", "films, sounds and models"),
    ],
)
def test_what_is_left_out_is_told(catalog: bytes, more: bytes, said: str) -> None:
    template = compiled(page_of(TEXT, catalog=catalog, more=[more]))

    assert warnings_of(template)[1:] == [f"Certificates come without its {said}."]


def test_a_claim_that_certificates_cannot_make_is_told() -> None:
    template = compiled(page_of(TEXT))
    template.plan = replace(template.plan, lost=("It claims too much.",))

    assert warnings_of(template)[-1] == "It claims too much."
