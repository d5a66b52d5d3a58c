"""PDFs written by hand for the tests, and what other programs say of ours."""

import io
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pikepdf

from fileservice.pdf.plans import Plan
from fileservice.pdf.slots import Slot
from tests.conftest import need_program

HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
A4 = b"0 0 595 842"
FORM = b"/AcroForm<</DA(/Helv 0 Tf 0 g)/Fields[]>>"


def pdf_of(bodies: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Return a PDF 1.4 file of the objects 1, 2, ..., of which 1 is the catalog."""
    pieces, offsets = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], []
    for number, body in enumerate(bodies, 1):
        offsets.append(sum(map(len, pieces)))
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    lines = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(offsets) + 1
    start = sum(map(len, pieces))
    pieces.append(b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, lines))
    pieces.append(b"trailer\n<</Size %d/Root 1 0 R%b>>\n" % (size, trailer))
    pieces.append(b"startxref\n%d\n%%%%EOF\n" % start)
    return b"".join(pieces)


def stream_of(content: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(content), entries, content)


def page_of(
    content: bytes,
    *,
    font: bytes = HELVETICA,
    box: bytes = A4,
    page: bytes = b"",
    catalog: bytes = b"",
    more: Sequence[bytes] = (),
) -> bytes:
    """Return a PDF of one page, whose font /F1 is object 5; `more` are objects 6, 7, ..."""
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R%b>>" % catalog,
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>%b>>" % (box, page),
            stream_of(content),
            font,
            *more,
        ]
    )


def form_of(
    *fields: bytes,
    content: bytes = b"",
    page: bytes = b"",
    catalog: bytes = FORM,
    more: tuple[bytes, ...] = (),
) -> bytes:
    """Return a page with text fields, whose entries are `fields`."""
    widgets = b"".join(b"<</Subtype/Widget/FT/Tx%b>>" % field for field in fields)
    return page_of(
        content, page=b"/Annots[null 7%b]%b" % (widgets, page), catalog=catalog, more=more
    )


def program_of(content: bytes) -> str:
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.pages[0].contents_coalesce()
        return pdf.pages[0].obj.Contents.read_bytes().decode("latin-1")


def checked(content: bytes) -> bytes:
    """Return `content` after qpdf found nothing to complain of."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(
            [need_program("qpdf"), "--check", file.name],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARN" not in done.stdout + done.stderr
    return content


def text_of(content: bytes, *, complaints: bool = False) -> str:
    """Return what pdftotext reads; it may not complain, unless the template's own text is odd."""
    done = subprocess.run(
        [need_program("pdftotext"), "-layout", "-", "-"],
        input=content,
        capture_output=True,
        check=True,
    )
    assert complaints or not done.stderr, done.stderr.decode()
    return done.stdout.decode()


def words_of(content: bytes) -> list[tuple[float, float, str]]:
    """Return the left edge, the right edge and the text of each word that pdftotext finds."""
    done = subprocess.run(
        [need_program("pdftotext"), "-bbox", "-", "-"],
        input=content,
        capture_output=True,
        check=True,
    )
    words = []
    for line in done.stdout.decode().splitlines():
        if "<word " in line:
            values = dict(part.split("=", 1) for part in line.split(">")[0].split()[1:])
            word = line.split(">", 1)[1].rsplit("</word>", 1)[0]
            words.append((float(values["xMin"].strip('"')), float(values["xMax"].strip('"')), word))
    return words


def lines_of(plan: Plan) -> list[Slot]:
    """Return the lines with placeholders; QR codes are none."""
    return [slot for slot in plan.slots if isinstance(slot, Slot)]


def shipped_template() -> bytes:
    return (Path(__file__).parent.parent / "pdf_templates" / "certificate.pdf").read_bytes()
