"""Digest fields of HTTP (RFC 9530): Repr-Digest, Content-Digest and what clients want of them."""

import base64
import binascii
import re

from fileservice.errors import BadRequest
from fileservice.structured import KEY, PARAMETERS

DIGEST_BYTES = {"sha-256": 32, "sha-512": 64}  # the algorithms that RFC 9530 5 calls active
MAX_WEIGHT = 10  # RFC 9530 4

# Structured dictionaries (RFC 9651 3.2) whose items are all of one kind.
_DIGEST = rf"({KEY})=:([A-Za-z0-9+/]*+=*+):{PARAMETERS}"
_WEIGHT = rf"({KEY})=([0-9]{{1,15}}+){PARAMETERS}"
_COMMA = r"[ \t]*+,[ \t]*+"
_DIGESTS = re.compile(rf"{_DIGEST}(?:{_COMMA}{_DIGEST})*+")
_WEIGHTS = re.compile(rf"{_WEIGHT}(?:{_COMMA}{_WEIGHT})*+")


def format_sha256(hexadecimal: str) -> str:
    """Return the value of a digest field that carries this SHA-256."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(hexadecimal)).decode('ascii')}:"


def parse_digests(field: str) -> dict[str, bytes]:
    """
    Return the digests of a Repr-Digest or Content-Digest field, by algorithm.

    Other algorithms than sha-256 and sha-512 are left out: a client may send what it likes beside
    those (RFC 9530 2). The last of two members with one name counts.

    Raises:
        BadRequest: the field is no dictionary of byte sequences, or a digest has the wrong size.
    """
    if not _DIGESTS.fullmatch(field):
        raise BadRequest("A digest field reads sha-256=:<base64>: (RFC 9530).")
    digests = {}
    for match in re.finditer(_DIGEST, field):
        algorithm, text = match.groups()
        if algorithm in DIGEST_BYTES:
            digests[algorithm] = _decode(text, DIGEST_BYTES[algorithm])
    return digests


def _decode(text: str, size: int) -> bytes:
    unpadded = text.rstrip("=")  # RFC 9651 4.2.7: do not fail where padding is missing
    try:
        digest = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4))
    except binascii.Error as error:
        raise BadRequest("The digest is not Base64.") from error
    if len(digest) != size:
        raise BadRequest(f"The digest has {len(digest)} bytes, its algorithm makes {size}.")
    return digest


def weigh_sha256(field: str) -> int | None:
    """
    Return how much a Want-Repr-Digest or Want-Content-Digest field wants sha-256, 0 to 10.

    0 means that it is not to be sent. None means that the field does not say: it names other
    algorithms only, or it is malformed, which for a wish is the same.
    """
    if not _WEIGHTS.fullmatch(field):
        return None
    weights = {algorithm: int(weight) for algorithm, weight in re.findall(_WEIGHT, field)}
    if max(weights.values()) > MAX_WEIGHT:
        return None
    return weights.get("sha-256")
