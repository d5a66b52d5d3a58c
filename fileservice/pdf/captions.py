"""Texts in a template's bookmarks, tags and links that ask for values, as its pages do."""

from collections.abc import Iterator

from pikepdf import Dictionary

from fileservice.pdf.draft import Draft
from fileservice.pdf.phrases import plain_text
from fileservice.pdf.placeholders import PLACEHOLDER
from fileservice.pdf.templatefonts import text_of
from fileservice.pdf.trees import dictionaries, reachable

MAX_CAPTIONS = 200
# A bookmark's title; a tag's title, its description, replacement and expansion; what a link says.
SAID = ("/ActualText", "/Alt", "/Contents", "/E", "/T", "/Title")


def take_captions(draft: Draft) -> None:
    """Put them into `draft`, and leave room for them; from the first that is one too many, drop."""
    for holder in _speaking(draft):
        texts = {key: text_of(holder.get(key)) for key in SAID if key in holder}
        asking = {key: plain_text(text) for key, text in texts.items() if PLACEHOLDER.search(text)}
        for key in asking:
            del holder[key]
        if asking and holder.is_indirect and len(draft.captions) < MAX_CAPTIONS:
            draft.mark(holder)
            draft.captions[draft.marks] = asking


def _speaking(draft: Draft) -> Iterator[Dictionary]:
    catalog = draft.pdf.Root
    yield from reachable(catalog.get("/Outlines"), ("/First", "/Next"))
    yield from reachable(catalog.get("/StructTreeRoot"), ("/K",))
    for page in draft.pdf.pages:
        yield from dictionaries(page.obj.get("/Annots"))
