"""What a certificate says of itself: XMP (ISO 16684-1) and information, which agree."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from xml.sax.saxutils import escape

from fileservice.pdf.conformance import Claims
from fileservice.pdf.subsets import stream

PRODUCER = b"fileservice"
PACKET_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">\n'
    "<dc:format>application/pdf</dc:format>\n"
).encode()
PACKET_TAIL = b'</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
# Predefined in no part of PDF/A, so that it has to be described there (ISO 19005-2, 6.6.2.3.2).
UA_SCHEMA = (
    '<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"'
    ' xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"'
    ' xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag>'
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA</pdfaSchema:schema>'
    "<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"
    '<rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>'
    "<pdfaProperty:valueType>Integer</pdfaProperty:valueType>"
    "<pdfaProperty:category>internal</pdfaProperty:category>"
    "<pdfaProperty:description>The part of ISO 14289</pdfaProperty:description></rdf:li>"
    "</rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>\n"
)


class About(NamedTuple):
    """What stays the same in the metadata of all certificates of a template."""

    claims: Claims
    language: str
    creators: tuple[str, ...] = ()
    rights: str = ""


def metadata(about: About, *, title: str, number: str, issued_at: datetime) -> bytes:
    """Return the document's metadata as the body of a stream object, which is not compressed."""
    moment = _moment(issued_at).encode()
    return stream(
        b"%s%s%s<xmp:CreateDate>%s</xmp:CreateDate>\n<xmp:ModifyDate>%s</xmp:ModifyDate>\n"
        b"<xmp:MetadataDate>%s</xmp:MetadataDate>\n%s"
        % (
            PACKET_HEAD,
            _alternatives("title", title) if title else b"",
            b"<dc:identifier>%s</dc:identifier>\n" % escape(number).encode() if number else b"",
            moment,
            moment,
            moment,
            _rest(about),
        ),
        b"/Type/Metadata/Subtype/XML",
    )


def information(*, title: str, issued_at: datetime) -> bytes:
    """Return the document's information, all of which its metadata say too."""
    moment = date_of(issued_at)
    return b"<<%s/Producer(%s)/CreationDate%s/ModDate%s>>" % (
        b"/Title%s" % text_string(title) if title else b"",
        PRODUCER,
        moment,
        moment,
    )


def date_of(moment: datetime) -> bytes:
    """Return a time as a date (ISO 32000-1 7.9.4)."""
    said = _moment(moment).replace("-", "").replace(":", "").replace("T", "")
    return b"(D:%s)" % said.encode()


@lru_cache(maxsize=16)
def _moment(moment: datetime) -> str:
    """Return a time in UTC, to the second, as 2026-11-21T08:30:05Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def text_string(text: str) -> bytes:
    """Return `text` as a text string (ISO 32000-1 7.9.2.2), in which no syntax can be."""
    return b"<feff%s>" % text.encode("utf-16-be").hex().encode()


@lru_cache(maxsize=64)
def _rest(about: About) -> bytes:
    """Return the end of a packet, from behind the dates on."""
    claims, language, creators, rights = about
    pieces = [b"<xmp:CreatorTool>%s</xmp:CreatorTool>\n" % PRODUCER]
    pieces.append(b"<pdf:Producer>%s</pdf:Producer>\n" % PRODUCER)
    if language:
        pieces.append(_array("language", "Bag", [language]))
    if creators:
        pieces.append(_array("creator", "Seq", creators))
    if rights:
        pieces.append(_alternatives("rights", rights))
    pieces.append(b"</rdf:Description>\n")
    pieces.append(_claimed(claims).encode())
    return b"".join([*pieces, PACKET_TAIL])


def _claimed(claims: Claims) -> str:
    said = ""
    if claims.part:
        said += (
            '<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">'
            f"<pdfaid:part>{claims.part}</pdfaid:part>"
            f"<pdfaid:conformance>{claims.level}</pdfaid:conformance></rdf:Description>\n"
        )
    if claims.is_accessible:
        said += (
            '<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">'
            "<pdfuaid:part>1</pdfuaid:part></rdf:Description>\n"
        )
    return said + UA_SCHEMA if claims.part and claims.is_accessible else said


def _alternatives(name: str, text: str) -> bytes:
    return (
        f'<dc:{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'
        f"</dc:{name}>\n"
    ).encode()


def _array(name: str, kind: str, texts: Sequence[str]) -> bytes:
    items = "".join(f"<rdf:li>{escape(text)}</rdf:li>" for text in texts)
    return f"<dc:{name}><rdf:{kind}>{items}</rdf:{kind}></dc:{name}>\n".encode()
