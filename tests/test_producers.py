"""Templates of many programs are filled, or refused for the right reason."""

from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import Encrypted, NoPlaceholders, Signed, TemplateError
from fileservice.pdf.fonts import shipped_fonts
from tests.pdfs import checked, text_of, words_of
from tests.rasters import by_pdfium, by_poppler

TEMPLATES = Path(__file__).parent / "templates"
NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
STAMP = "2026-11-21T08:30:05+00:00"
VALUES = {"name": "Ada Lovelace", "course": "Analytical Engines (b) Tj", "id": "A\\101%id%"}
REFUSED = {
    "hand-comment": NoPlaceholders,
    "qpdf-encrypted": Encrypted,
    "reportlab-encrypted": Encrypted,
    "signed": Signed,
    "signed-certified": Signed,
    "signed-weasyprint": Signed,
}
FILLED = sorted({path.stem for path in TEMPLATES.glob("*.pdf")} - REFUSED.keys())
CENTRED = [name for name in FILLED if not name.startswith(("hand-", "reportlab-form"))]


def content_of(name: str) -> bytes:
    return (TEMPLATES / f"{name}.pdf").read_bytes()


def filled(name: str) -> bytes:
    template = compile_template(content_of(name), shipped_fonts())
    known = VALUES | {"passed": "yes"}
    values = {field: known[field] for field in template.fields - {"timestamp"}}
    return checked(template.fill(values, issued_at=NOW))


def second_reading(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        page = document[0].get_textpage()
        text: str = page.get_text_bounded()
        page.close()
    return text


@pytest.mark.parametrize("name", FILLED)
def test_every_producers_template_is_filled(name: str) -> None:
    certificate = filled(name)

    wanted = [STAMP, *(VALUES.values() if not name.startswith("hand-") else ())]
    for text in (text_of(certificate), second_reading(certificate)):
        assert [value for value in wanted if value not in text] == []
        assert "%timestamp%" not in text


@pytest.mark.parametrize("name", FILLED)
def test_two_renderers_draw_the_same(name: str) -> None:
    certificate = filled(name)

    one, other = bytes(by_poppler(certificate))[::3], bytes(by_pdfium(certificate))[::3]

    # At their edges letters differ: by a third of what is dark. A line that is missing in one, or
    # elsewhere, would be as much again.
    dark = sum(level < 128 for level in one)
    assert sum(abs(a - b) > 127 for a, b in zip(one, other, strict=True)) < dark / 2


def test_the_whole_set_is_there() -> None:
    assert len(FILLED) == 21
    assert len(REFUSED) == 6


@pytest.mark.parametrize(("name", "kind"), REFUSED.items())
def test_what_cannot_be_filled_is_refused(name: str, kind: type[TemplateError]) -> None:
    with pytest.raises(kind):
        compile_template(content_of(name), shipped_fonts())


@pytest.mark.parametrize("name", CENTRED)
def test_a_line_stays_centred_where_it_was(name: str) -> None:
    before = words_of(content_of(name))
    after = words_of(filled(name))

    (old,) = [(left + right) / 2 for left, right, word in before if word == "%name%"]
    first = next(left for left, _, word in after if word == "Ada")
    last = next(right for _, right, word in after if word == "Lovelace")
    assert (first + last) / 2 == pytest.approx(old, abs=0.5)


@pytest.mark.parametrize("name", CENTRED)
def test_what_does_not_change_stays_where_it_was(name: str) -> None:
    title = [word for word in words_of(content_of(name)) if word[2] == "Completion"]

    assert [word for word in words_of(filled(name)) if word[2] == "Completion"] == title
