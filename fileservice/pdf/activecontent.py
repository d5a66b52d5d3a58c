"""
Leaves of a template what is shown; all else in a PDF that acts, plays, attaches or refers goes.

What may stay is listed, by the tables of ISO 32000-2: what nobody thought of is not among it.
"""

import re
from collections.abc import Container, Iterable

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from fileservice.pdf.trees import dictionaries, reachable


def _names(listed: str) -> frozenset[str]:
    return frozenset(f"/{name}" for name in listed.split())


CATALOG = _names(
    "Type Version Extensions Pages PageLabels Names Dests ViewerPreferences PageLayout PageMode"
    " Outlines OpenAction StructTreeRoot MarkInfo Lang OutputIntents OCProperties"
)
PAGE = _names(
    "Type Parent Resources MediaBox CropBox BleedBox TrimBox ArtBox Contents Rotate Group Annots"
    " StructParents Tabs UserUnit OutputIntents"
)
LINK = _names("Type Subtype Rect Contents P F Border C BS H QuadPoints A Dest StructParent OC Lang")
OUTLINE_ITEM = _names("Title Parent Prev Next First Last Count Dest A SE C F")
# What a stream, be it a form, an image or a font, may refer to besides what it draws with.
REFERRING = _names(
    "AF Alternates F FDecodeParms FFilter LastModified Metadata OPI PieceInfo PS Ref"
)
# RFC 3986, so that a placeholder, which nobody would fill, makes it none.
SAFE_URI = re.compile(
    rb"(?:https?://|mailto:)(?:[\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+", re.IGNORECASE
)
MAX_URI_BYTES = 2048


def remove_active_content(pdf: Pdf) -> None:
    """
    Leave of the annotations links to pages and to http, https and mailto, and nothing that acts.

    Outlines, destinations, tags, layers, languages and output intents stay.
    """
    for entry in pdf.objects:
        if isinstance(entry, Stream):
            _drop(entry, REFERRING)
    _clean_catalog(pdf.Root)
    links: set[tuple[int, int]] = set()
    for page in pdf.pages:
        _keep(page.obj, PAGE)
        links.update(_clean_annotations(pdf, page.obj))
    _clean_outlines(pdf.Root.get("/Outlines"))
    _clean_structure(pdf.Root.get("/StructTreeRoot"), links)


def _keep(holder: Object, allowed: frozenset[str]) -> None:
    for key in set(holder.keys()) - allowed:
        del holder[key]


def _drop(holder: Object, keys: Iterable[str]) -> None:
    for key in keys:
        if key in holder:
            del holder[key]


def _clean_catalog(catalog: Object) -> None:
    _keep(catalog, CATALOG)
    names = catalog.get("/Names")
    destinations = names.get("/Dests") if isinstance(names, Dictionary) else None
    _drop(catalog, ["/Names"])
    if destinations is not None:
        catalog.Names = Dictionary(Dests=destinations)
    if catalog.get("/PageMode") == Name.UseAttachments:
        del catalog["/PageMode"]
    _clean_action(catalog, "/OpenAction")
    for intent in dictionaries(catalog.get("/OutputIntents")):
        _drop(intent, ["/DestOutputProfileRef"])
    _clean_layers(catalog)


def _clean_layers(catalog: Object) -> None:
    layers = catalog.get("/OCProperties")
    if not isinstance(layers, Dictionary) or not isinstance(layers.get("/D"), Dictionary):
        _drop(catalog, ["/OCProperties"])
        return
    for configuration in (layers.D, *dictionaries(layers.get("/Configs"))):
        _drop(configuration, ["/AS"])


def _clean_annotations(pdf: Pdf, page: Dictionary) -> list[tuple[int, int]]:
    """Leave the page its links, and return their numbers."""
    if "/Annots" not in page:
        return []
    links = [entry for entry in dictionaries(page.Annots) if _is_link(entry)]
    del page["/Annots"]
    if links:
        page.Annots = Array([pdf.make_indirect(link) for link in links])
    return [link.objgen for link in dictionaries(page.get("/Annots"))]


def _is_link(annotation: Dictionary) -> bool:
    """Tell whether it is a link, of which then nothing else is left."""
    if annotation.get("/Subtype") != Name.Link:
        return False
    _keep(annotation, LINK)
    _clean_action(annotation, "/A")
    return "/A" in annotation or "/Dest" in annotation


def _clean_action(holder: Object, key: str) -> None:
    """Leave the action, or the destination, only if it is one that is safe, and what it needs."""
    action = holder.get(key)
    if isinstance(action, Array) or action is None:
        return
    del holder[key]
    kind = action.get("/S") if isinstance(action, Dictionary) else None
    if kind == Name.GoTo and "/D" in action:
        holder[key] = Dictionary(S=Name.GoTo, D=action.D)
    elif kind == Name.URI and _is_safe_uri(action.get("/URI")):
        holder[key] = Dictionary(S=Name.URI, URI=action.URI)


def _is_safe_uri(uri: object) -> bool:
    return (
        isinstance(uri, String)
        and len(bytes(uri)) <= MAX_URI_BYTES
        and SAFE_URI.fullmatch(bytes(uri)) is not None
    )


def _clean_outlines(outlines: object) -> None:
    for item in reachable(outlines, ("/First", "/Next")):
        if item is not outlines:
            _keep(item, OUTLINE_ITEM)
            _clean_action(item, "/A")


def _clean_structure(root: object, links: Container[tuple[int, int]]) -> None:
    """Take out of the tags what they attach, and the annotations that are gone."""
    if not isinstance(root, Dictionary):
        return
    _drop(root, ["/AF", "/PronunciationLexicon"])
    for namespace in dictionaries(root.get("/Namespaces")):
        _drop(namespace, ["/Schema"])
    for element in reachable(root, ("/K",)):
        _drop(element, ["/AF"])
        kids = element.get("/K")
        if isinstance(kids, Array):
            element.K = Array([kid for kid in kids if _stays(kid, links)])
        elif not _stays(kids, links):
            del element["/K"]


def _stays(kid: object, links: Container[tuple[int, int]]) -> bool:
    if not isinstance(kid, Dictionary) or kid.get("/Type") != Name.OBJR:
        return True
    target = kid.get("/Obj")
    return isinstance(target, Stream) or (isinstance(target, Dictionary) and target.objgen in links)
