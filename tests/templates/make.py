"""
Makes the templates in this folder anew, each with another program or in another spelling.

Run it where the programs are: `python -m tests.templates.make`, in an environment with reportlab,
fpdf2, weasyprint, typst, pyhanko, pikepdf and pytest, and with chromium, soffice, gs and fc-match
on PATH.
README.md says which versions made the files that are kept.
"""

import io
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import typst
import weasyprint
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fpdf import FPDF
from pikepdf import Encryption, ObjectStreamMode, StreamDecodeLevel
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm
from reportlab.lib.pagesizes import A4 as A4_SIZE
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.pdfs import page_of

FOLDER = Path(__file__).parent
TITLE = "Certificate of Completion"
LINES = ("%name%", "has completed %course%", "Issued %timestamp%", "No. %id%")
FONT = "DejaVu Sans"
HTML = f"""<!doctype html><html lang=en><head><meta charset=utf-8><title>{TITLE}</title>
<style>@page{{size:A4;margin:0}}body{{font-family:'Noto Sans';margin:60px;text-align:center}}
h1{{font-size:40px}}</style></head><body><h1>{TITLE}</h1>
{"".join(f"<p>{line}</p>" for line in LINES)}</body></html>"""
TYPST = f"""#set page(paper: "a4")
#set text(font: "Noto Sans")
#align(center)[#text(36pt)[{TITLE}]

{"".join(f'#text(20pt, "{line}"){chr(10) * 2}' for line in LINES)}]
"""
# One text, spelled in the ways that ISO 32000-1 7.3.4 and 9.4.3 allow.
SPELLINGS = {
    "hand-plain": b"(Issued %timestamp%) Tj",
    "hand-kerned": b"[(Issued %t) 20 (imes) -15 (tamp%)] TJ",
    "hand-hexadecimal": b"<%b> Tj" % b"Issued %timestamp%".hex().encode(),
    "hand-continued": b"(Issued %time\\\nstamp%) Tj",
    "hand-octal": b"(Issued %ti\\155estamp%) Tj",
    "hand-comment": b"(Issued ) Tj %timestamp%\n(2026) Tj",
}


def main() -> None:
    """Write all of them, or those that begin with an argument."""
    made = {**by_reportlab(), **by_fpdf(), **by_layout(), **by_hand()}
    plain = made["reportlab-plain"]
    made |= by_qpdf(plain)
    made["ghostscript"] = by_ghostscript(plain)
    made |= by_pyhanko(plain, made["weasyprint"])
    for name, content in made.items():
        if name.startswith(tuple(sys.argv[1:]) or ""):
            (FOLDER / f"{name}.pdf").write_bytes(content)


def font_file(family: str) -> str:
    """Return the file that has the regular style of `family`."""
    done = subprocess.run(
        ["fc-match", "-f", "%{file}", f"{family}:regular"], capture_output=True, check=True
    )
    return done.stdout.decode()


def by_reportlab() -> dict[str, bytes]:
    pdfmetrics.registerFont(TTFont("DejaVu", font_file(FONT)))
    locked = StandardEncryption("", "owner", strength=128)
    return {
        "reportlab-plain": reportlab_page("Helvetica"),
        "reportlab-compressed": reportlab_page("Helvetica", compressed=1),
        "reportlab-truetype": reportlab_page("DejaVu"),
        "reportlab-encrypted": reportlab_page("Helvetica", encryption=locked),
        "reportlab-form": reportlab_form(),
    }


def reportlab_page(
    font: str, *, compressed: int = 0, encryption: StandardEncryption | None = None
) -> bytes:
    target = io.BytesIO()
    canvas = Canvas(
        target, pagesize=A4_SIZE, pageCompression=compressed, encrypt=encryption, invariant=1
    )
    canvas.setFont(font, 36)
    canvas.drawCentredString(A4_SIZE[0] / 2, 700, TITLE)
    canvas.setFont(font, 14)
    for at, line in enumerate(LINES):
        canvas.drawCentredString(A4_SIZE[0] / 2, 600 - 50 * at, line)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def reportlab_form() -> bytes:
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4_SIZE, invariant=1)
    canvas.setFont("Helvetica", 36)
    canvas.drawCentredString(A4_SIZE[0] / 2, 700, TITLE)
    form = canvas.acroForm
    for at, name in enumerate(("name", "course", "timestamp", "id")):
        form.textfield(
            name=name, x=100, y=600 - 50 * at, width=395, height=30, fontSize=14, borderWidth=0
        )
    form.checkbox(name="passed", x=100, y=400, size=20)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def by_fpdf() -> dict[str, bytes]:
    return {
        "fpdf2-plain": fpdf_page("Helvetica", compressed=False),
        "fpdf2-compressed": fpdf_page("Helvetica", compressed=True),
        "fpdf2-truetype": fpdf_page("DejaVu", compressed=False),
    }


def fpdf_page(font: str, *, compressed: bool) -> bytes:
    document = FPDF()
    document.set_creation_date(datetime(2026, 11, 21, tzinfo=UTC))
    document.set_compression(compressed)
    document.add_page()
    if font == "DejaVu":
        document.add_font(font, fname=font_file(FONT))
    document.set_font(font, size=20)
    for line in (TITLE, *LINES):
        document.cell(0, 20, line, align="C", new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


def by_layout() -> dict[str, bytes]:
    """Return what programs make that set HTML or a language of their own."""
    document = weasyprint.HTML(string=HTML)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "page.html"
        page.write_text(HTML)
        chromium = folder / "chromium.pdf"
        run(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
            f"--user-data-dir={folder}", f"--print-to-pdf={chromium}", page.as_uri(),
        )  # fmt: skip
        office = ("soffice", f"-env:UserInstallation={folder.as_uri()}/office", "--headless")
        run(*office, "--convert-to", "odt", "--outdir", name, str(page))
        run(
            *office, "--convert-to", "pdf:writer_pdf_Export", "--outdir", name,
            str(folder / "page.odt"),
        )  # fmt: skip
        source = folder / "page.typ"
        source.write_text(TYPST)
        return {
            "weasyprint": document.write_pdf(),
            "weasyprint-uncompressed": document.write_pdf(uncompressed_pdf=True),
            "typst": typst.compile(str(source)),
            "chromium": chromium.read_bytes(),
            "libreoffice": (folder / "page.pdf").read_bytes(),
        }


def by_hand() -> dict[str, bytes]:
    return {
        name: page_of(b"BT /F1 24 Tf 100 700 Td %b ET" % spelling)
        for name, spelling in SPELLINGS.items()
    }


def by_qpdf(plain: bytes) -> dict[str, bytes]:
    kept = {"compress_streams": False, "stream_decode_level": StreamDecodeLevel.generalized}
    packed = {"object_stream_mode": ObjectStreamMode.generate}
    return {
        "qpdf-object-streams": saved(plain, **kept, **packed),
        "qpdf-linearized": saved(plain, **kept, linearize=True),
        "qpdf-qdf": saved(plain, qdf=True),
        "qpdf-encrypted": saved(plain, encryption=Encryption(owner="owner", user="", R=6)),
    }


def saved(content: bytes, **options: object) -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(target, **options)  # type: ignore[arg-type]  # options are of many types
    return target.getvalue()


def by_ghostscript(plain: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "plain.pdf", Path(name) / "ghostscript.pdf"
        source.write_bytes(plain)
        run("gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pdfwrite", f"-o{target}", str(source))
        return target.read_bytes()


def by_pyhanko(plain: bytes, compressed: bytes) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        key, certificate = Path(name) / "key.pem", Path(name) / "certificate.pem"
        write_identity(key, certificate)
        signer = signers.SimpleSigner.load(str(key), str(certificate))  # type: ignore[no-untyped-call]
        approval = signers.PdfSignatureMetadata(field_name="Signature")
        certification = signers.PdfSignatureMetadata(
            field_name="Signature", certify=True, docmdp_permissions=MDPPerm.NO_CHANGES
        )
        return {
            "signed": signed(plain, approval, signer),
            "signed-weasyprint": signed(compressed, approval, signer),
            "signed-certified": signed(plain, certification, signer),
        }


def signed(
    content: bytes, metadata: signers.PdfSignatureMetadata, signer: signers.SimpleSigner
) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    target = signers.sign_pdf(writer, metadata, signer=signer)
    assert isinstance(target, io.BytesIO)
    return target.getvalue()


def write_identity(key_file: Path, certificate_file: Path) -> None:
    """Write a key and its certificate, which nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.example")])
    now = datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
