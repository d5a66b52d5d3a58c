"""Names what of a template its certificates will not have, for whoever made it."""

from collections.abc import Iterator

from pikepdf import Dictionary, Object, Pdf, Stream

from fileservice.pdf.templatefonts import name_of

# By the kind of an action (/S), of an annotation (/Subtype), or by a key.
KINDS = {
    "/JavaScript": "scripts",
    "/AA": "actions",
    "/Launch": "actions",
    "/SubmitForm": "actions",
    "/ImportData": "actions",
    "/GoToR": "actions",
    "/GoToE": "actions",
    "/EmbeddedFiles": "attached files",
    "/EmbeddedFile": "attached files",
    "/FileAttachment": "attached files",
    "/Movie": "films, sounds and models",
    "/Sound": "films, sounds and models",
    "/Rendition": "films, sounds and models",
    "/RichMedia": "films, sounds and models",
    "/3D": "films, sounds and models",
}
HOLDERS = ("/A", "/Names", "/OpenAction")


def left_out(pdf: Pdf) -> list[str]:
    """Return a sentence about what acts, plays or is attached; nothing, when nothing does."""
    found = {KINDS[word] for entry in pdf.objects for word in _words(entry) if word in KINDS}
    return [f"Certificates come without its {', '.join(sorted(found))}."] if found else []


def _words(entry: Object) -> Iterator[str]:
    """Yield what an object, and those that act for it, say of what they are."""
    if not isinstance(entry, Dictionary | Stream):
        return
    for each in (entry, *(entry.get(key) for key in HOLDERS)):
        if isinstance(each, Dictionary | Stream):
            yield from (name_of(each.get(key)) for key in ("/S", "/Subtype", "/Type"))
            yield from (key for key in ("/AA", "/EmbeddedFiles", "/JavaScript") if key in each)
