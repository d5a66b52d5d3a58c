"""What a template says of itself, its title and its language, and room for what replaces it."""

from copy import copy

from pikepdf import Dictionary, Pdf, String

from fileservice.pdf.draft import Draft
from fileservice.pdf.phrases import plain_text
from fileservice.pdf.sidefiles import LANGUAGE
from fileservice.pdf.templatefonts import text_of
from fileservice.pdf.xmp import Told


def title_in(pdf: Pdf) -> str:
    """Return the title that the document's information has, "" for none."""
    return plain_text(text_of(pdf.docinfo.get("/Title"))) if "/Info" in pdf.trailer else ""


def language_in(pdf: Pdf, told: Told) -> str:
    """Return the language (BCP 47) that the catalog says, or else the metadata; "" for none."""
    language = text_of(pdf.Root.get("/Lang")) or told.language
    return language if LANGUAGE.fullmatch(language) else ""


def describe(draft: Draft, title: str, language: str) -> None:
    """Let the catalog say what it knows, and each certificate what is its own."""
    catalog = draft.pdf.Root
    catalog.Metadata = draft.mark(Dictionary())
    draft.pdf.trailer.Info = draft.mark(Dictionary())
    if language:
        catalog.Lang = String(language)
    elif "/Lang" in catalog:
        del catalog["/Lang"]
    if title:
        shown = catalog.get("/ViewerPreferences")
        catalog.ViewerPreferences = copy(shown) if isinstance(shown, Dictionary) else Dictionary()
        catalog.ViewerPreferences.DisplayDocTitle = True
