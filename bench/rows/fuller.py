"""What a certificate costs that has more on it: Chinese, a QR code, a signature."""

import io
import itertools
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import x509
from asn1crypto.keys import PrivateKeyInfo
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.contenders import TEMPLATE
from bench.environment import Absent
from bench.figures import Bound, Measure, Ratio, Row, Sample
from bench.race import Terms, without_paths
from bench.rows.engines import user_seconds
from fileservice.certificates import new_number
from fileservice.pdf.cms import Signer
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import open_fonts, shipped_fonts
from fileservice.pdf.signing import sign
from fileservice.signingkeys import SigningKey, make_signing_key

EACH = Measure("user CPU each", "ms")
CHINESE_FONTS = Path("/usr/share/fonts/opentype/noto")
MIXED, SIGNED, SIGNED_RSA = "Chinese, QR code", "signed, P-256", "signed, RSA-2048"
PYHANKO = "pyHanko signs ours, P-256"
# A third of those who live in China have one of these as the name of their family, and the given
# names of many are made of those.
FAMILIES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂婷玉萍红鹏华飞鑫波斌宇浩凯健俊帆"
LINK = "https://certificates.example/verify/"

type Make = Callable[[str], bytes]


def fuller(terms: Terms) -> Row:
    contenders: dict[str, Callable[[], Make]] = {
        MIXED: chinese_with_code,
        SIGNED: lambda: signed(None),
        SIGNED_RSA: lambda: signed(2048),
        PYHANKO: signed_by_pyhanko,
    }
    samples: dict[str, list[Sample]] = {}
    absent: dict[str, str] = {}
    for _ in range(terms.rounds):
        for name, contender in contenders.items():
            try:
                samples.setdefault(name, []).append({EACH.name: each(contender(), terms.seconds)})
            except Absent as error:
                absent[name] = without_paths(str(error))
    return Row(
        "One certificate with more on it",
        (EACH,),
        {name: laps for name, laps in samples.items() if name not in absent},
        absent,
        (
            Bound(EACH, 0.5, MIXED),
            Bound(EACH, 0.8, SIGNED),
            Ratio(EACH, PYHANKO, 10, SIGNED),
        ),
        (
            "Each document has a name, a number and a link of its own; user CPU, in one process. "
            "The mixed one has a course, the time, its number, a name such as 张伟 Zhāng Wěi and "
            "a QR code; the signed ones are the shipped template with PAdES B-B, deterministic.",
        ),
    )


def each(make: Make, seconds: float) -> float:
    """Return the user CPU of a document in milliseconds, after the first."""
    numbers = (new_number() for _ in itertools.count())
    make(next(numbers))
    done, start = 0, user_seconds()
    while (taken := user_seconds() - start) < seconds:
        make(next(numbers))
        done += 1
    return taken / done * 1000


def chinese_with_code() -> Make:
    """
    Return what fills a page with five placeholders and a QR code.

    Raises:
        Absent: there is no font for Chinese here.
    """
    fonts = open_fonts([CHINESE_FONTS])
    if not any("CJKsc" in name for name in fonts.faces):
        raise Absent("Debian's fonts-noto-cjk is not installed")
    template = compile_template(_page(), fonts)
    names = chinese_names()

    def make(number: str) -> bytes:
        values = {"name": f"{next(names)} Zhāng Wěi", "course": "Analytical Engines", "id": number}
        return template.fill(values, issued_at=_now(), number=number, link=LINK + number)

    return make


def chinese_names() -> Iterator[str]:
    """Yield names in Chinese, each once."""
    for family, first, second in itertools.product(FAMILIES, GIVEN, GIVEN):
        yield family + first + second


def signed(rsa_bits: int | None) -> Make:
    """Return what fills the shipped template and signs it."""
    template, signer = _shipped(), Signer(_key(rsa_bits))

    def make(number: str) -> bytes:
        now = _now()
        return sign(_filled(template, number), signer, signed_at=now)

    return make


def signed_by_pyhanko() -> Make:
    """
    Return what fills the shipped template and has it signed by pyHanko.

    Raises:
        Absent: it is not installed.
    """
    try:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign import signers
        from pyhanko_certvalidator.registry import SimpleCertificateStore
    except ImportError as error:
        raise Absent("pyHanko is not installed") from error
    template, key = _shipped(), _key(None)
    certificate = x509.Certificate.load(key.chain[0].public_bytes(Encoding.DER))
    private = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko says nothing
    store.register(certificate)
    signer = signers.SimpleSigner(certificate, PrivateKeyInfo.load(private), store)

    def make(number: str) -> bytes:
        writer = IncrementalPdfFileWriter(io.BytesIO(_filled(template, number)))
        metadata = signers.PdfSignatureMetadata(field_name="Signature")
        return bytes(signers.sign_pdf(writer, metadata, signer=signer).getvalue())

    return make


def _shipped() -> CompiledTemplate:
    return compile_template(TEMPLATE.read_bytes(), shipped_fonts())


def _filled(template: CompiledTemplate, number: str) -> bytes:
    values = {"name": f"Ada {number}", "course": "Analytical Engines"}
    return template.fill(values, issued_at=_now(), number=number)


def _key(rsa_bits: int | None) -> SigningKey:
    with tempfile.TemporaryDirectory() as folder:
        return make_signing_key(Path(folder), "Bench", rsa_bits=rsa_bits, days=365, now=_now())


def _now() -> datetime:
    return datetime.now(UTC)


def _page() -> bytes:
    program = (
        b"BT /F1 36 Tf 180 700 Td (Certificate) Tj ET BT /F1 24 Tf 180 620 Td (%name%) Tj ET"
        b" BT /F1 14 Tf 180 560 Td (%course%) Tj ET BT /F1 10 Tf 180 500 Td (%timestamp%) Tj ET"
        b" BT /F1 10 Tf 180 470 Td (No. %id%) Tj ET BT /F1 10 Tf 180 440 Td (%qr.90%) Tj ET"
    )
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R/Lang(zh-CN)>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(program), program),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    )
    # qpdf finds the objects without a table.
    objects = b"".join(b"%d 0 obj\n%s\nendobj\n" % each for each in enumerate(bodies, 1))
    return b"%%PDF-1.4\n%strailer\n<</Size 6/Root 1 0 R>>\nstartxref\n0\n%%%%EOF\n" % objects
