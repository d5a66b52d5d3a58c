"""A file in a certificate: readers find it, signatures hold, claims stay true."""

import io
from datetime import UTC, datetime

import pikepdf
import pytest

from fileservice.pdf.attaching import attach
from fileservice.pdf.cms import Signer
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.signing import sign
from tests.clauses import breaches
from tests.pdfs import checked, page_of, text_of
from tests.signatures import VALID, key_of, pdfsig, pyhanko_accepts
from tests.test_claims import compiled, packet_of

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
TJ = b"BT /F1 14 Tf 60 700 Td (For %name%) Tj ET"
DATA = b'{"name": "Ada"}\n'


def attached(content: bytes) -> bytes:
    return attach(content, name="certificate.json", data=DATA, made_at=NOW)


def filled(catalog: bytes = b"") -> bytes:
    template = compile_template(page_of(TJ, catalog=catalog), shipped_fonts())
    return template.fill({"name": "Ada Ада"}, issued_at=NOW, has_files=True)


@pytest.mark.parametrize("catalog", [b"", b"/Names<</Dests<</Names[(end)[3 0 R/Fit]]>>>>"])
def test_a_reader_finds_the_file(catalog: bytes) -> None:
    content = checked(attached(filled(catalog)))

    with pikepdf.open(io.BytesIO(content)) as pdf:
        (name,) = list(pdf.attachments)
        assert pdf.attachments[name].get_file().read_bytes() == DATA
        assert ("/Dests" in pdf.Root.Names) == bool(catalog)
    assert "For Ada Ада" in text_of(content)


def test_the_same_comes_out_the_same() -> None:
    assert attached(filled()) == attached(filled())


@pytest.mark.parametrize(
    ("template", "part"),
    [
        (("typst", "a-2a", "ua-1"), "3"),
        (("weasyprint", "pdf/a-3u"), "3"),
        (("typst", "ua-1"), ""),
    ],
)
def test_with_a_file_in_it_it_is_of_part_3(template: tuple[str, ...], part: str) -> None:
    certificate = compiled(*template).fill({"name": "Ada"}, issued_at=NOW, has_files=True)

    content = checked(attached(certificate))

    assert breaches(content) == []
    packet = packet_of(content)
    assert ("pdfaid:part" in packet) == bool(part)
    assert (f"<pdfaid:part>{part}</" in packet) == bool(part)


def test_a_signature_holds_over_the_file() -> None:
    key = key_of()

    content = checked(sign(attached(filled()), Signer(key), signed_at=NOW))

    status = pdfsig(content)
    assert VALID in status
    assert pyhanko_accepts(content, key)
