"""
CMS SignedData that others made (RFC 5652): what is read of it, and whether its signature holds.

It may be anything: only DER of bounded depth is shown to a library, and what is not known here
is refused. Whether a certificate is to be trusted is not asked.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import algos, cms, core, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fileservice.pdf.der import NotDer, measure

MAX_CERTIFICATES = 16
MAX_NAME_CHARACTERS = 128
SALTS = range(512)  # less than the largest key
SET = b"\x31"
RSA_BITS = range(2048, 4096 + 1)
MAX_RSA_EXPONENT = 1 << 32
CURVES = ("secp256r1", "secp384r1", "secp521r1")
DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
# What asn1crypto and cryptography make of bytes that are something else.
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, UnsupportedAlgorithm)


class BadSignedData(Exception):
    """It cannot be relied on; the message says why, as what follows "that"."""


class Malformed(BadSignedData):
    """It is no SignedData with one signature, or not in DER."""


class Unsupported(BadSignedData):
    """It is made in a way that is not checked here."""


@dataclass(frozen=True, slots=True)
class Holder:
    """
    Whom a certificate says that a key belongs to.

    Attributes:
        name: what anybody may have written there.
        encoded: the certificate, DER.
        key: its public key, DER.
        since: when its validity begins.
        until: when it ends.
        may_stamp: whether it is one of a time-stamping authority.
    """

    name: str
    encoded: bytes
    key: bytes
    since: datetime
    until: datetime
    may_stamp: bool

    @property
    def sha256(self) -> str:
        """The fingerprint, in hexadecimal."""
        return hashlib.sha256(self.encoded).hexdigest()

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether the certificate is valid at `moment`."""
        return self.since <= moment <= self.until


@dataclass(frozen=True, slots=True)
class SignedData:
    """
    A message whose signature holds: its holder signed what has this digest.

    Attributes:
        digest: of the content, by `algorithm`, a name that hashlib knows.
        kind: of content: `data`, or `tst_info` for a time-stamp.
        content: what is signed, where the message has it in itself.
        value: the signature, which is what a time-stamp stamps.
        token: the time-stamp token beside the signature, DER, not yet looked at.
    """

    holder: Holder
    algorithm: str
    digest: bytes
    kind: str
    content: bytes | None
    value: bytes
    token: bytes | None

    def signs(self, content: bytes) -> bool:
        """Tell whether it was `content` that was signed."""
        return self.digest == hashlib.new(self.algorithm, content).digest()


def read_signed_data(message: bytes) -> SignedData:
    """
    Return what a message, which may be padded with zeros, proves.

    Raises:
        BadSignedData: nothing, or nothing that is checked here.
    """
    try:
        size = measure(message)
    except NotDer as error:
        raise Malformed("cannot be read") from error
    if message[size:].strip(b"\0"):
        raise Malformed("is followed by something else")
    try:
        return _read(cms.ContentInfo.load(message[:size], strict=True))
    except MALFORMED as error:
        raise Malformed("cannot be read") from error


def _read(info: cms.ContentInfo) -> SignedData:
    if info["content_type"].native != "signed_data":
        raise Malformed("is no signature")
    signed = info["content"]
    if len(signed["signer_infos"]) != 1:
        raise Unsupported("has not exactly one signature")
    [signer] = signed["signer_infos"]
    # Before it is looked into: asn1crypto may then write anew what was left out as a default.
    # It is signed as the set it is, and sent under another tag (RFC 5652 5.4).
    what_is_signed = SET + signer["signed_attrs"].dump()[1:]
    attributes = _signed_attributes(signer)
    inside = signed["encap_content_info"]
    if attributes["content_type"][0].native != inside["content_type"].native:
        raise Malformed("signs another kind of content than it has")
    certificate = _certificate(signed, signer["sid"])
    if not _is_meant(certificate, attributes):
        raise BadSignedData("means another certificate")
    holder = holder_of(certificate)
    digest = _digest(signer)
    _verify(signer, what_is_signed, holder.key, digest)
    content = inside["content"]
    return SignedData(
        holder=holder,
        algorithm=digest.name,
        digest=attributes["message_digest"][0].native,
        kind=inside["content_type"].native,
        content=None if isinstance(content, core.Void) else bytes(content),
        value=signer["signature"].native,
        token=_token(signer),
    )


def _signed_attributes(signer: cms.SignerInfo) -> dict[str, cms.SetOfAny]:
    if isinstance(signer["signed_attrs"], core.Void):
        raise Unsupported("signs no attributes")
    attributes = {each["type"].native: each["values"] for each in signer["signed_attrs"]}
    if len(attributes) < len(signer["signed_attrs"]):
        raise Malformed("has an attribute twice")
    return attributes


def _certificate(signed: cms.SignedData, wanted: cms.SignerIdentifier) -> bytes:
    for choice in list(signed["certificates"])[:MAX_CERTIFICATES]:
        own = choice.chosen
        if not isinstance(own, x509.Certificate):
            continue
        encoded: bytes = own.dump()
        named = cms.IssuerAndSerialNumber(
            {"issuer": own.issuer, "serial_number": own.serial_number}
        )
        if wanted.chosen.native in (named.native, own.key_identifier):
            return encoded
    raise Unsupported("left its certificate out")


def _is_meant(certificate: bytes, attributes: Mapping[str, cms.SetOfAny]) -> bool:
    """
    Tell whether what is signed names the certificate (RFC 5035, RFC 5816), or none.

    PAdES wants it to; signatures before PAdES do not.
    """
    if "signing_certificate_v2" in attributes:
        meant = attributes["signing_certificate_v2"][0]["certs"][0]
        name = meant["hash_algorithm"]["algorithm"].native
    elif "signing_certificate" in attributes:
        meant, name = attributes["signing_certificate"][0]["certs"][0], "sha1"
    else:
        return True
    if name not in (*DIGESTS, "sha1"):
        raise Unsupported("names its certificate by a hash that is not known here")
    return bool(meant["cert_hash"].native == hashlib.new(name, certificate).digest())


def holder_of(encoded: bytes) -> Holder:
    """Return what a certificate, in DER, says."""
    certificate = x509.Certificate.load(encoded)
    key = certificate.public_key.dump()
    validity = certificate["tbs_certificate"]["validity"]
    since, until = validity["not_before"].native, validity["not_after"].native
    if not (isinstance(since, datetime) and isinstance(until, datetime)):
        raise Malformed("has a certificate of the year 0")
    usage = certificate.extended_key_usage_value
    return Holder(
        name=_name(certificate.subject),
        encoded=encoded,
        key=key,
        since=since,
        until=until,
        may_stamp=usage is not None and "time_stamping" in usage.native,
    )


def _name(subject: x509.Name) -> str:
    """Return a name on one line, without what changes how the words around it are read."""
    name = subject.native.get("common_name") or subject.human_friendly
    text = name if isinstance(name, str) else name[-1]
    return "".join(filter(str.isprintable, text))[:MAX_NAME_CHARACTERS]


def _digest(signer: cms.SignerInfo) -> hashes.HashAlgorithm:
    name = signer["digest_algorithm"]["algorithm"].native
    if name not in DIGESTS:
        raise Unsupported("uses a hash that is not known here")
    return DIGESTS[name]()


def _verify(
    signer: cms.SignerInfo, content: bytes, encoded_key: bytes, digest: hashes.HashAlgorithm
) -> None:
    key = load_der_public_key(encoded_key)
    value = signer["signature"].native
    algorithm = signer["signature_algorithm"]
    name = algorithm["algorithm"].native
    try:
        if isinstance(key, RSAPublicKey) and _is_fair(key):
            key.verify(value, content, _padding(algorithm, digest), digest)
        elif (
            isinstance(key, EllipticCurvePublicKey)
            and key.curve.name in CURVES
            and name == f"{digest.name}_ecdsa"
        ):
            key.verify(value, content, ECDSA(digest))
        else:
            raise Unsupported("uses a key that is not known here")
    except InvalidSignature as error:
        raise BadSignedData("was not made with the key of its certificate") from error


def _is_fair(key: RSAPublicKey) -> bool:
    """Tell whether a key of RSA is neither weak, nor so large as to keep us busy."""
    return key.key_size in RSA_BITS and key.public_numbers().e < MAX_RSA_EXPONENT


def _padding(
    algorithm: algos.SignedDigestAlgorithm, digest: hashes.HashAlgorithm
) -> PKCS1v15 | PSS:
    name = algorithm["algorithm"].native
    if name in ("rsassa_pkcs1v15", f"{digest.name}_rsa"):
        return PKCS1v15()
    if name != "rsassa_pss":
        raise Unsupported("is of a kind that is not known here")
    chosen = algorithm["parameters"]
    mask = chosen["mask_gen_algorithm"]
    named = (
        chosen["hash_algorithm"]["algorithm"].native,
        mask["algorithm"].native,
        mask["parameters"]["algorithm"].native,
        chosen["trailer_field"].native,
    )
    salt = chosen["salt_length"].native
    if named != (digest.name, "mgf1", digest.name, "trailer_field_bc") or salt not in SALTS:
        raise Unsupported("is of a kind that is not known here")
    return PSS(MGF1(digest), salt)


def _token(signer: cms.SignerInfo) -> bytes | None:
    if isinstance(signer["unsigned_attrs"], core.Void):
        return None
    for each in signer["unsigned_attrs"]:
        if each["type"].native == "signature_time_stamp_token":
            token: bytes = each["values"][0].dump()
            return token
    return None
