"""The key that certificates are signed with, and the X.509 certificates that say whose it is."""

import os
import secrets
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

type PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO
RSA_SIZES = (2048, 3072, 4096)
RSA_EXPONENT = 65537
MAX_PEM_BYTES = 1 << 16
LONGEST_NAME = 64  # X.520's bound of a common name
CLOCK_SKEW = timedelta(hours=1)


class BadKey(ValueError):
    """The file of the key cannot be used; the message says why, as what follows its name."""


class BadCertificate(ValueError):
    """The file of the certificates cannot be used; the message is as that of BadKey."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    A private key and its certificate, which belong together.

    Attributes:
        chain: the certificate of the key, then those of its issuers as far as they are known.
    """

    key: PrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def name(self) -> str:
        """Whose it is, as the certificate says."""
        subject = self.chain[0].subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else subject.rfc4514_string()

    @property
    def algorithm(self) -> str:
        """What it signs with, in the words of people."""
        if isinstance(self.key, RSAPrivateKey):
            return f"RSA {self.key.key_size}"
        return "ECDSA P-256"

    @property
    def period(self) -> str:
        """From when to when the certificate is valid."""
        own = self.chain[0]
        return f"from {own.not_valid_before_utc} to {own.not_valid_after_utc}"

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether the certificate is valid at `moment`."""
        own = self.chain[0]
        return own.not_valid_before_utc <= moment <= own.not_valid_after_utc


def read_signing_key(key_file: Path, certificate_file: Path) -> SigningKey:
    """
    Read a key and its certificates, both PEM.

    Raises:
        BadKey, BadCertificate: with the reason.
    """
    key = _read_key(key_file)
    chain = _read_chain(certificate_file)
    if _public_bytes(key) != chain[0].public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ):
        raise BadCertificate("begins with a certificate that is not that of the key")
    if not _may_sign(chain[0]):
        raise BadCertificate("begins with a certificate that is not for signatures (key usage)")
    return SigningKey(key, chain)


def make_signing_key(
    folder: Path, name: str, *, rsa_bits: int | None, days: int, now: datetime
) -> SigningKey:
    """
    Make a key and a certificate that it signs itself, as `key.pem` and `certificate.pem`.

    Raises:
        FileExistsError: one of the two is there; both are left as they are.
        BadKey, BadCertificate: a size of RSA or a name that is not taken.
    """
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise BadCertificate(f"needs a name of 1 to {LONGEST_NAME} printable characters")
    if rsa_bits is not None and rsa_bits not in RSA_SIZES:
        raise BadKey(f"would be RSA {rsa_bits}; {_sizes()} are accepted")
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    for path in (key_file, certificate_file):
        if path.exists():
            raise FileExistsError(str(path))
    key = (
        generate_rsa_key(RSA_EXPONENT, rsa_bits) if rsa_bits else generate_private_key(SECP256R1())
    )
    certificate = _self_signed(key, name, days=days, now=now)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(key_file, pem, PRIVATE)
    _write_new(certificate_file, certificate.public_bytes(Encoding.PEM), 0o644)
    return SigningKey(key, (certificate,))


def _read_key(path: Path) -> PrivateKey:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(MAX_PEM_BYTES)
    except OSError as error:
        raise BadKey(f"names a file that cannot be read: {error}") from error
    if mode & OTHERS:
        raise BadKey(f"names a file that others may read (chmod 600 {path})")
    try:
        key = load_pem_private_key(pem, None)
    except TypeError as error:
        raise BadKey("names a key with a password; give one without (openssl pkey)") from error
    except ValueError as error:
        raise BadKey("names a file that is no private key in PEM") from error
    if isinstance(key, Ed25519PrivateKey | Ed448PrivateKey):
        raise BadKey(
            "names an Edwards curve key, whose signatures poppler and NSS take for broken;"
            " use P-256 or RSA"
        )
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size in RSA_SIZES:
        return key
    raise BadKey(f"names a key that is neither P-256 nor RSA of {_sizes()} bits")


def _read_chain(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_PEM_BYTES)
        return tuple(x509.load_pem_x509_certificates(pem))
    except OSError as error:
        raise BadCertificate(f"names a file that cannot be read: {error}") from error
    except ValueError as error:
        raise BadCertificate("names a file without certificates in PEM") from error


def _public_bytes(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature or usage.content_commitment


def _self_signed(key: PrivateKey, name: str, *, days: int, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that nobody else wrote meanwhile, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - the mode has to be right from the first byte
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _sizes() -> str:
    return f"{', '.join(map(str, RSA_SIZES[:-1]))} or {RSA_SIZES[-1]}"
