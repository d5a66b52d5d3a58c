"""What other programs say of a signature, and keys to sign with."""

import io
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pyhanko_certvalidator
from asn1crypto import x509
from asn1crypto.keys import PrivateKeyInfo
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    CertificateBuilder,
    ExtendedKeyUsage,
    Name,
    NameAttribute,
    ObjectIdentifier,
    random_serial_number,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import SigningError
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import PdfSignatureStatus

from fileservice.signingkeys import SigningKey, make_signing_key
from tests.conftest import need_program

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
VALID = "Signature is Valid."
WHOLE = "Total document signed"


def key_of(rsa_bits: int | None = None, name: str = "Office of the Tests") -> SigningKey:
    """Return a key that lives as long as the tests."""
    return _key(rsa_bits, name)


@cache
def _key(rsa_bits: int | None, name: str) -> SigningKey:
    with tempfile.TemporaryDirectory() as folder:
        return make_signing_key(Path(folder), name, rsa_bits=rsa_bits, days=3650, now=NOW)


@cache
def stamper_of(
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
) -> DummyTimeStamper:
    """Return an authority that stamps with the time NOW, with a certificate for `purpose`."""
    key = generate_private_key(65537, 2048)
    subject = Name([NameAttribute(NameOID.COMMON_NAME, "Clock of the Tests")])
    certificate = (
        CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(ExtendedKeyUsage([purpose]), critical=True)
        .sign(key, SHA256())
    )
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return DummyTimeStamper(
        x509.Certificate.load(certificate.public_bytes(Encoding.DER)),
        PrivateKeyInfo.load(pkcs8),
        fixed_dt=NOW,
    )


def pyhanko_status(content: bytes, *trusted: SigningKey) -> PdfSignatureStatus:
    """Return what pyHanko finds, which trusts `trusted` and nobody else."""
    roots = [x509.Certificate.load(key.chain[0].public_bytes(Encoding.DER)) for key in trusted]
    [signature] = PdfFileReader(io.BytesIO(content)).embedded_signatures
    return validate_pdf_signature(
        signature,
        pyhanko_certvalidator.ValidationContext(trust_roots=roots, moment=NOW),
        ts_validation_context=pyhanko_certvalidator.ValidationContext(
            trust_roots=[stamper_of().tsa_cert], moment=NOW
        ),
    )


def pyhanko_accepts(content: bytes, key: SigningKey) -> bool:
    """Tell whether pyHanko can read `content` and finds it whole, signed by `key` and trusted."""
    try:
        return bool(pyhanko_status(content, key).bottom_line)
    except (PdfError, SignatureValidationError, SigningError, ValueError, KeyError, TypeError):
        return False


def pdfsig(content: bytes) -> str:
    """Return what poppler says of the signatures."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(
            [need_program("pdfsig"), "-nocert", file.name],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    return done.stdout
