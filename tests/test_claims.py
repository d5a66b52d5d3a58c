"""What templates claim, PDF/A and PDF/UA, stays true of their certificates, or is not claimed."""

import io
from datetime import UTC, datetime
from functools import cache

import pikepdf
import pytest
import typst
import weasyprint

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.conformance import Claims, kept_claims
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, shipped_fonts
from fileservice.pdf.subsets import Subset
from fileservice.pdf.xmp import Told
from tests.clauses import breaches, texts_of_tags, untagged
from tests.pdfs import checked, text_of

# WeasyPrint leaves its colour profile open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
STAMP = "2026-11-21T08:30:05+00:00"
VALUES = {"name": "Ada Łukasz Ада & Co"}
SEAL = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>"
)
HTML = f"""<!doctype html><html lang=en><title>Award for %name%</title><meta name=author content=Us>
<body style="font-family:'Noto Sans'"><h1>Award for %name%</h1><p>Issued %timestamp%</p>
<p><a href="https://issuer.example/">issuer</a></p><img alt="Seal of %name%" src="{SEAL}"></body>"""
TYPST = """#let day = datetime(year: 2026, month: 1, day: 1)
#set document(title: "Award for %name%", author: "Us", date: day)
#set text(lang: "en")
= Award for %name%
Issued %timestamp%

#link("https://issuer.example/")[issuer]
"""


@cache
def fonts() -> FontSet:
    return shipped_fonts()


@cache
def compiled(maker: str, *standards: str) -> CompiledTemplate:
    if maker == "typst":
        content: bytes = typst.compile(TYPST.encode(), pdf_standards=list(standards))  # type: ignore[arg-type]  # names are names
    else:
        content = weasyprint.HTML(string=HTML).write_pdf(pdf_variant=standards[0])
    return compile_template(content, fonts())


def packet_of(certificate: bytes) -> str:
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        return pdf.Root.Metadata.read_bytes().decode()


KEPT = {
    ("typst", "a-2b"): Claims(2, "B"),
    ("typst", "a-2u"): Claims(2, "U"),
    ("typst", "a-2a", "ua-1"): Claims(2, "A", is_accessible=True),
    ("typst", "a-3b"): Claims(3, "B"),
    ("typst", "ua-1"): Claims(is_accessible=True),
    ("weasyprint", "pdf/a-2b"): Claims(2, "B"),
    ("weasyprint", "pdf/a-3a"): Claims(3, "A"),
    ("weasyprint", "pdf/a-3u"): Claims(3, "U"),
    ("weasyprint", "pdf/ua-1"): Claims(is_accessible=True),
}


@pytest.mark.parametrize(("template", "claims"), KEPT.items(), ids=map("-".join, KEPT))
def test_what_a_template_claims_stays_true(template: tuple[str, ...], claims: Claims) -> None:
    filled = compiled(*template)

    certificate = checked(filled.fill(VALUES, issued_at=NOW, number="0123456789"))

    assert filled.plan.about.claims == claims
    assert filled.plan.lost == ()
    assert breaches(certificate) == []
    packet = packet_of(certificate)
    assert (f"<pdfaid:part>{claims.part}<" in packet) == bool(claims.part)
    assert (f"<pdfaid:conformance>{claims.level}<" in packet) == bool(claims.part)
    assert ("<pdfuaid:part>1<" in packet) == claims.is_accessible
    assert "Award for Ada Łukasz Ада &amp; Co" in packet
    assert STAMP in text_of(certificate)
    assert b"%name%" not in certificate


TAGGED = [("typst", "a-2a", "ua-1"), ("weasyprint", "pdf/a-3a"), ("weasyprint", "pdf/ua-1")]


@pytest.mark.parametrize("template", TAGGED)
def test_a_value_stays_in_its_tag(template: tuple[str, ...]) -> None:
    certificate = compiled(*template).fill(VALUES, issued_at=NOW)

    assert untagged(certificate) == []
    read = texts_of_tags(certificate)
    assert "Award for Ada Łukasz Ада & Co" in read
    assert STAMP in read


@pytest.mark.parametrize(
    ("template", "lost"),
    [
        (("weasyprint", "pdf/a-1b"), "PDF/A-1b"),
        (("typst", "a-4"), "PDF/A-4"),
    ],
)
def test_what_would_not_stay_true_is_not_claimed(template: tuple[str, ...], lost: str) -> None:
    filled = compiled(*template)

    certificate = checked(filled.fill(VALUES, issued_at=NOW))

    (sentence,) = filled.plan.lost
    assert lost in sentence
    assert "pdfaid" not in packet_of(certificate)


@pytest.mark.parametrize(
    ("told", "has_intent", "is_tagged", "claims", "lost"),
    [
        (Told(), True, False, Claims(), 0),
        (Told(part="2", level="B"), True, False, Claims(2, "B"), 0),
        (Told(part="2", level="A", accessible="1"), True, False, Claims(2, "U"), 1),
        (Told(accessible="1"), False, False, Claims(), 1),
        (Told(part="2", level="B"), False, True, Claims(), 1),
        (Told(part="2", level="X"), True, True, Claims(), 1),
        (Told(part="x", level="B"), True, True, Claims(), 1),
        (Told(accessible="2"), True, True, Claims(), 1),
    ],
)
def test_what_is_lost_is_said(
    told: Told, has_intent: bool, is_tagged: bool, claims: Claims, lost: int
) -> None:
    kept, said = kept_claims(told, has_intent=has_intent, is_tagged=is_tagged)

    assert kept == claims
    assert len(said) == lost


def test_a_glyph_without_a_text_of_its_own_lowers_the_claim() -> None:
    face = next(iter(fonts().faces.values()))

    assert Subset(face, [(1, "a"), (2, "b")]).is_mapped
    assert not Subset(face, [(1, "a"), (2, "")]).is_mapped
    assert Claims(2, "A", is_accessible=True).unmapped == Claims(2, "B")
    assert Claims(is_accessible=True).unmapped == Claims()


def test_a_breach_is_found() -> None:
    certificate = compiled("typst", "a-2b").fill(VALUES, issued_at=NOW)

    assert breaches(certificate.replace(b" 0 obj\n<</Title", b" 0 obj <</Title"))
    assert breaches(certificate.replace(b"CreationDate(D:2026", b"CreationDate(D:2025"))
    assert breaches(certificate.replace(b"/GTS_PDFA1", b"/GTS_PDFX0"))
