"""What an embedded font program says of its codes, where the PDF does not (ISO 32000-1 9.6.6.1)."""

import re
from collections.abc import Mapping

from pikepdf import Dictionary, PikepdfError, Stream

from fileservice.pdf.compactfonts import compact_texts
from fileservice.pdf.encodings import STANDARD, UNREADABLE, character_of, tables

MAX_PROGRAM_BYTES = 4 << 20
MAX_BYTE = 0xFF
# Adobe Type 1 Font Format, section 2.2: the encoding stands before what is encrypted.
ENCRYPTED = b"eexec"
ENCODING = re.compile(rb"/Encoding\s+(StandardEncoding\b|\d)")
ENTRY = re.compile(rb"\bdup\s+(\d{1,3})\s*/([^\s/(){}\[\]<>%]{1,127})\s+put\b")


def builtin_texts(descriptor: object) -> Mapping[int, str]:
    """Return code -> text as the font's own program has it; nothing when it does not say."""
    if not isinstance(descriptor, Dictionary):
        return {}
    if descriptor.get("/FontFile3") is not None:
        return compact_texts(_content(descriptor.get("/FontFile3")))
    clear = _content(descriptor.get("/FontFile")).partition(ENCRYPTED)[0]
    start = ENCODING.search(clear)
    if start is None:
        return {}
    if start[1] == b"StandardEncoding":
        return tables().encodings[STANDARD]
    entries = (
        (int(row[1]), row[2].decode("latin-1")) for row in ENTRY.finditer(clear, start.end())
    )
    return {code: character_of(name) or UNREADABLE for code, name in entries if code <= MAX_BYTE}


def _content(program: object) -> bytes:
    """Return the bytes of a font program; none when they cannot be unpacked."""
    if not isinstance(program, Stream):
        return b""
    try:
        return program.read_bytes()[:MAX_PROGRAM_BYTES]
    except PikepdfError:
        return b""
