"""Checks a certificate against the clauses of PDF/A and PDF/UA that its engine could break."""

import io
import re
import subprocess
import tempfile
from collections.abc import Iterator
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Stream

from tests.conftest import need_program

ACTIONS = ("/GoTo", "/URI")


def breaches(content: bytes) -> list[str]:
    """Return what is wrong by ISO 19005-2 and -3 (A) and ISO 14289-1 (UA), by clause."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        return [*_of_the_file(content), *_of_the_catalog(pdf), *_of_fonts(pdf), *_of_pages(pdf)]


def untagged(content: bytes) -> list[str]:
    """Return the operators that show something outside of all tags (UA 7.1)."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        return [found for page in pdf.pages for found in _loose(page.obj)]


def texts_of_tags(content: bytes) -> str:
    """Return what poppler reads by the tags alone."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(
            [need_program("pdfinfo"), "-struct-text", file.name], capture_output=True, check=True
        )
    return done.stdout.decode(errors="replace")  # a tag's own title comes in UTF-16


def _of_the_file(content: bytes) -> Iterator[str]:
    head, comment = content.split(b"\n", 2)[:2]
    if not re.fullmatch(rb"%PDF-1\.[0-7]", head) or not re.match(rb"%[\x80-\xff]{4}", comment):
        yield "A 6.1.2: the header"
    if not content.endswith(b"%%EOF\n"):
        yield "A 6.1.3: something behind the end"
    if not re.search(rb"/ID\s*\[\s*<[0-9a-f]{32}>\s*<[0-9a-f]{32}>", content):
        yield "A 6.1.3: no /ID"
    if not re.search(rb"\nxref\n0 \d+\n0000000000 65535 f \n", content):
        yield "A 6.1.4: the cross-reference table"
    yield from _of_objects(content)


def _of_objects(content: bytes) -> Iterator[str]:
    for start in map(int, re.findall(rb"\n(\d{10}) 00000 n ", content)):
        if not re.match(rb"\n\d+ 0 obj\n", content[start - 1 : start + 24]):
            yield f"A 6.1.9: the object at {start}"
    if re.search(rb"[^\n]endstream\nendobj", content):
        yield "A 6.1.7: endstream on no line of its own"


def _of_the_catalog(pdf: pikepdf.Pdf) -> Iterator[str]:
    for key in ("/AA", "/Requirements", "/NeedsRendering", "/Collection"):
        if key in pdf.Root:
            yield f"A 6.5: {key}"
    metadata = pdf.Root.Metadata
    if "/Filter" in metadata or metadata.Type != Name.Metadata or metadata.Subtype != Name.XML:
        yield "A 6.6.2.1: the metadata stream"
    packet = metadata.read_bytes().decode()
    yield from _of_information(pdf, packet)
    if "pdfaid:part" in packet and not any(
        intent.get("/S") == Name.GTS_PDFA1 and "/DestOutputProfile" in intent
        for intent in pdf.Root.get("/OutputIntents", Array())
    ):
        yield "A 6.2.3: no output intent"
    if "pdfuaid:part" in packet:
        yield from _of_accessibility(pdf, packet)


def _of_information(pdf: pikepdf.Pdf, packet: str) -> Iterator[str]:
    title = str(pdf.docinfo.get("/Title", ""))
    if title and f">{escape(title)}<" not in packet:
        yield "A 6.6.3: another title"
    digits = re.findall(r"<xmp:CreateDate>([^<]*)<", packet)[0]
    if str(pdf.docinfo.CreationDate) != "D:" + re.sub("[T:-]", "", digits):
        yield "A 6.6.3: another time"
    if f"<pdf:Producer>{pdf.docinfo.Producer}</pdf:Producer>" not in packet:
        yield "A 6.6.3: another producer"


def _of_accessibility(pdf: pikepdf.Pdf, packet: str) -> Iterator[str]:
    if not pdf.Root.MarkInfo.Marked or "/StructTreeRoot" not in pdf.Root:
        yield "UA 6.2: not tagged"
    if not pdf.Root.ViewerPreferences.DisplayDocTitle or "<dc:title>" not in packet:
        yield "UA 7.1: no title"
    if "/Lang" not in pdf.Root:
        yield "UA 7.2: no language"
    if "pdfaid:part" in packet and "<pdfaSchema:prefix>pdfuaid<" not in packet:
        yield "A 6.6.2.3: no schema of pdfuaid"


def _of_fonts(pdf: pikepdf.Pdf) -> Iterator[str]:
    for font in _dictionaries(pdf):
        if font.get("/Type") != Name.Font:
            continue
        if font.get("/Subtype") in (Name.Type0, Name.Type3):
            continue
        descriptor = font.get("/FontDescriptor", Dictionary())
        if not any(key in descriptor for key in ("/FontFile", "/FontFile2", "/FontFile3")):
            yield f"A 6.2.11.4: {font.get('/BaseFont')} is not embedded"


def _of_pages(pdf: pikepdf.Pdf) -> Iterator[str]:
    for page in pdf.pages:
        for annotation in page.obj.get("/Annots", Array()):
            if not int(annotation.get("/F", 0)) & 4 and annotation.Subtype != Name.Link:
                yield "A 6.3.2: an annotation that is not printed"
            if "/A" in annotation and str(annotation.A.S) not in ACTIONS:
                yield f"A 6.5.1: {annotation.A.S}"


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[Dictionary]:
    for entry in list(pdf.objects):
        if isinstance(entry, Dictionary) and not isinstance(entry, Stream):
            yield entry


def _loose(page: Object) -> Iterator[str]:
    depth = 0
    for instruction in pikepdf.parse_content_stream(page):
        operator = str(instruction.operator)
        depth += {"BDC": 1, "BMC": 1, "EMC": -1}.get(operator, 0)
        if operator in ("Tj", "TJ", "Do", "f", "f*", "S", "B", "sh") and not depth:
            yield operator
