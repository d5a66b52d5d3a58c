"""
CMS SignedData for a signature in a PDF (RFC 5652, ETSI EN 319 122-1 and 319 142-1).

All but the digest, the signature's value and the time-stamp is the same for each certificate and
is encoded once.
"""

import hashlib
from typing import NamedTuple

from asn1crypto import algos, cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from fileservice.signingkeys import SigningKey

NO_DIGEST = bytes(SHA256.digest_size)
LONGEST_ECDSA_P256 = 72  # two integers of up to 33 bytes, and what says so
SEQUENCE, SET, OCTETS = 0x30, 0x31, 0x04
SIGNED_ATTRIBUTES, UNSIGNED_ATTRIBUTES, CERTIFICATES, CONTENT = 0xA0, 0xA1, 0xA0, 0xA0
VERSION_1 = b"\x02\x01\x01"
# A reproducible signature: the nonce comes from the key and the digest (RFC 6979).
DETERMINISTIC = ECDSA(SHA256(), deterministic_signing=True)


class Signature(NamedTuple):
    """
    A signature's value, and the parts of the message around it.

    Attributes:
        value: what a time-stamp is asked for.
    """

    value: bytes
    head: bytes
    signer: bytes

    def encoded(self, token: bytes | None = None) -> bytes:
        """Return the message in DER, with the time-stamp token `token` where there is one."""
        unsigned = _der(UNSIGNED_ATTRIBUTES, _time_stamp_attribute(token)) if token else b""
        signer = _der(SEQUENCE, self.signer, _der(OCTETS, self.value), unsigned)
        return _der(
            SEQUENCE, SIGNED_DATA, _der(CONTENT, _der(SEQUENCE, self.head, _der(SET, signer)))
        )


class Signer:
    """
    Signs digests with a key.

    Attributes:
        most_bytes: the longest message without a time-stamp.
    """

    def __init__(self, key: SigningKey) -> None:
        self.key = key.key
        ders = [certificate.public_bytes(Encoding.DER) for certificate in key.chain]
        own = asn1_x509.Certificate.load(ders[0])
        before, after = _signed_attributes(ders[0]).split(NO_DIGEST)
        self._before, self._after = before, after
        self._attributes_size = _length(len(before) + len(NO_DIGEST) + len(after))
        digest_algorithm = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
        name = "sha256_rsa" if isinstance(self.key, RSAPrivateKey) else "sha256_ecdsa"
        self._algorithm = algos.SignedDigestAlgorithm({"algorithm": name}).dump()
        issuer = cms.IssuerAndSerialNumber(
            {"issuer": own.issuer, "serial_number": own.serial_number}
        )
        self._signer = VERSION_1 + issuer.dump() + digest_algorithm
        self._head = b"".join(
            (
                VERSION_1,
                _der(SET, digest_algorithm),
                _der(SEQUENCE, cms.ContentType("data").dump()),
                _der(CERTIFICATES, *sorted(ders)),  # a set, in DER
            )
        )
        longest = LONGEST_ECDSA_P256
        if isinstance(self.key, RSAPrivateKey):
            longest = self.key.key_size // 8
        self.most_bytes = len(self._signature(NO_DIGEST, bytes(longest)).encoded())

    @property
    def is_slow(self) -> bool:
        """Whether a signature takes a millisecond and more, and so a thread."""
        return isinstance(self.key, RSAPrivateKey)

    def sign(self, digest: bytes) -> Signature:
        """Return the signature of what has the SHA-256 `digest`; the same for the same."""
        attributes = self._attributes(digest)
        signed = bytes((SET,)) + attributes
        if isinstance(self.key, RSAPrivateKey):
            value = self.key.sign(signed, PKCS1v15(), SHA256())
        else:
            value = self.key.sign(signed, DETERMINISTIC)
        return self._signature(digest, value)

    def _attributes(self, digest: bytes) -> bytes:
        """Return the length and the content of the signed attributes; their tag is of two kinds."""
        return b"".join((self._attributes_size, self._before, digest, self._after))

    def _signature(self, digest: bytes, value: bytes) -> Signature:
        signer = b"".join(
            (
                self._signer,
                bytes((SIGNED_ATTRIBUTES,)),
                self._attributes(digest),
                self._algorithm,
            )
        )
        return Signature(value, self._head, signer)


def _signed_attributes(certificate: bytes) -> bytes:
    """Return the content of the set that is signed, for a digest of zeros."""
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [NO_DIGEST]}),
            cms.CMSAttribute(
                {
                    "type": "signing_certificate_v2",
                    "values": [_certificate_reference(certificate)],
                }
            ),
        ]
    )
    content: bytes = cms.CMSAttributes.load(attributes.dump()).contents
    return content


def _certificate_reference(certificate: bytes) -> tsp.SigningCertificateV2:
    """Say which certificate is meant, so that no other with the same key can take its place."""
    digest = hashlib.sha256(certificate).digest()
    return tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": digest})]})


def _time_stamp_attribute(token: bytes) -> bytes:
    kind: bytes = cms.CMSAttributeType("signature_time_stamp_token").dump()
    return _der(SEQUENCE, kind, _der(SET, token))


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return b"".join((bytes((tag,)), _length(len(content)), content))


def _length(size: int) -> bytes:
    """X.690 8.1.3: one byte, or how many follow and they."""
    if size < 0x80:
        return bytes((size,))
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0x80 | len(length),)) + length


SIGNED_DATA = cms.ContentType("signed_data").dump()
