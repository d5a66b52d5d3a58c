"""Reads a template's metadata (XMP, ISO 16684-1), of which certificates keep a few facts."""

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from pikepdf import Pdf, Stream

from fileservice.pdf.phrases import plain_text
from fileservice.pdf.templatefonts import decoded

MAX_PACKET_BYTES = 1 << 20
MAX_CREATORS = 20
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
PDFA = "{http://www.aiim.org/pdfa/ns/id/}"
PDFUA = "{http://www.aiim.org/pdfua/ns/id/}"


class Told(NamedTuple):
    """
    What a template's metadata tell; "" or nothing where they do not.

    Attributes:
        language: in which it is written, if it is one.
        rights: its first statement of rights.
        part: of PDF/A (ISO 19005), to which it says that it conforms.
        level: the conformance level of that part: A, B, U.
        accessible: the part of PDF/UA (ISO 14289).
    """

    title: str = ""
    language: str = ""
    creators: tuple[str, ...] = ()
    rights: str = ""
    part: str = ""
    level: str = ""
    accessible: str = ""


def told_by(pdf: Pdf) -> Told:
    """Return what the document's metadata tell; what cannot be read tells nothing."""
    metadata = pdf.Root.get("/Metadata")
    packet = decoded(metadata) if isinstance(metadata, Stream) else None
    if not packet or len(packet) > MAX_PACKET_BYTES:
        return Told()
    try:
        return read_packet(packet.decode("utf-8-sig"))
    except (UnicodeDecodeError, ElementTree.ParseError):
        return Told()


def read_packet(packet: str) -> Told:
    """
    Return what `packet` tells.

    Raises:
        ElementTree.ParseError: it is not XML.
    """
    # Entities, which grow without bound or name other files, are only what a DTD defines.
    if "<!DOCTYPE" in packet:
        return Told()
    root = ElementTree.fromstring(packet)  # noqa: S314  # without a DTD, and of a bounded size
    facts: dict[str, list[str]] = {}
    for description in root.iter(f"{RDF}Description"):
        for name, texts in _properties(description):
            facts.setdefault(name, texts)
    languages = facts.get(f"{DC}language", [])
    return Told(
        title=_first(facts, f"{DC}title"),
        language=languages[0] if len(languages) == 1 else "",
        creators=tuple(facts.get(f"{DC}creator", [])[:MAX_CREATORS]),
        rights=_first(facts, f"{DC}rights"),
        part=_first(facts, f"{PDFA}part"),
        level=_first(facts, f"{PDFA}conformance").upper(),
        accessible=_first(facts, f"{PDFUA}part"),
    )


def _properties(description: ElementTree.Element) -> Iterator[tuple[str, list[str]]]:
    """Yield names and texts: a property is an attribute, an element, or an array in one."""
    for name, text in description.items():
        yield name, [plain_text(text)]
    for element in description:
        items = [*element.iter(f"{RDF}li")] or [element]
        texts = [plain_text(item.text or "") for item in items]
        yield element.tag, [text for text in texts if text]


def _first(facts: dict[str, list[str]], name: str) -> str:
    return next(iter(facts.get(name, [])), "")
