"""Draws annotations that are part of how a page looks into the page: text boxes, stamps, lines."""

from copy import copy

from pikepdf import Dictionary, Name, Page

from fileservice.pdf.draft import Draft
from fileservice.pdf.flattening import enclose
from fileservice.pdf.geometry import numbers
from fileservice.pdf.looks import look_of
from fileservice.pdf.templatefonts import name_of
from fileservice.pdf.trees import dictionaries
from fileservice.pdf.widgets import Widget

# ISO 32000-2, table 171, but for notes, which speak to who makes the template, and what plays.
DRAWN = (
    *("/FreeText", "/Stamp", "/Watermark"),
    *("/Circle", "/Ink", "/Line", "/PolyLine", "/Polygon", "/Square"),
    *("/Highlight", "/Squiggly", "/StrikeOut", "/Underline"),
)


def draw_annotations(draft: Draft, page: Page) -> None:
    """Draw them behind the page's program, as forms, in which placeholders are then found."""
    annotations = filter(is_drawn, dictionaries(page.obj.get("/Annots")))
    pictures = [picture for each in annotations for picture in look_of(Widget((each,)))]
    if not pictures:
        return
    enclose(draft, page)
    resources = copy(page.resources)
    known = resources.get("/XObject")
    forms = copy(known) if isinstance(known, Dictionary) else Dictionary()
    program = [b"/Artifact BMC"]
    for at, shown in enumerate(pictures):
        name = f"{draft.marker}A{at}"
        forms[name] = shown.form
        program.append(b"q %s cm %s Do Q" % (numbers(shown.matrix), name.encode()))
    resources.XObject = forms
    page.obj.Resources = resources
    page.contents_add(b"\n".join([*program, b"EMC\n"]))


def is_drawn(annotation: Dictionary) -> bool:
    """Tell whether it is one of these, and seen."""
    return name_of(annotation.get("/Subtype")) in DRAWN and not Widget((annotation,)).is_hidden


def is_drawn_over(page: Page) -> bool:
    """Tell whether something lies over the page that is drawn into it."""
    return any(
        annotation.get("/Subtype") == Name.Widget or is_drawn(annotation)
        for annotation in dictionaries(page.obj.get("/Annots"))
    )
