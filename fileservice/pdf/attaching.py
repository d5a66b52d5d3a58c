"""Attaches a file to a filled certificate, as its data (ISO 32000-2 14.13, ISO 19005-3 6.8)."""

import hashlib
from datetime import datetime

from fileservice.pdf.metadata import date_of, text_string
from fileservice.pdf.subsets import stream
from fileservice.pdf.written import WrittenFile, dictionary, reference_of


def attach(content: bytes, *, name: str, data: bytes, made_at: datetime) -> bytes:
    """Return the certificate `content`, as this engine filled it, with the JSON `data` in it."""
    file = WrittenFile(content)
    size = int(file.trailer[b"/Size"])
    root = reference_of(file.trailer[b"/Root"])
    catalog = file.entries(root)
    called = text_string(name)
    names = catalog.get(b"/Names", b"<<>>").removeprefix(b"<<").removesuffix(b">>")
    catalog[b"/AF"] = b"[%d 0 R]" % size
    catalog[b"/Names"] = b"<<%s/EmbeddedFiles<</Names[%s %d 0 R]>>>>" % (names, called, size)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    parameters = b"/Params<</Size %d/ModDate%s/CheckSum<%s>>>" % (
        len(data),
        date_of(made_at),
        digest.encode(),
    )
    specification = (
        b"<</Type/Filespec/F%s/UF%s/Desc%s/AFRelationship/Data/EF<</F %d 0 R/UF %d 0 R>>>>"
    ) % (called, called, text_string("The data of this certificate"), size + 1, size + 1)
    embedded = stream(data, b"/Type/EmbeddedFile/Subtype/application#2Fjson" + parameters)
    return file.with_objects({root: dictionary(catalog), size: specification, size + 1: embedded})
