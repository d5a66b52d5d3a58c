"""Fields of tus 1.0.0, the protocol for resumable uploads of tus.io."""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Protocol

from fileservice.errors import BadRequest, ChecksumMismatch

MAX_NUMBER = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_PAIR = re.compile(r"([!-+\--~]+)(?: +([A-Za-z0-9+/]*={0,2}))?")
_CHECKSUM = re.compile(r"([a-z0-9-]+) ([A-Za-z0-9+/]+={0,2})")


def parse_number(name: str, field: str | None) -> int:
    """
    Return an offset or a length.

    Raises:
        BadRequest: the field is missing or no decimal number of 63 bits.
    """
    if field is None:
        raise BadRequest(f"{name} is missing.")
    if not _DIGITS.fullmatch(field) or int(field) > MAX_NUMBER:
        raise BadRequest(f"{name} must be a decimal number below 2^63.")
    return int(field)


def parse_metadata(field: str) -> dict[str, bytes]:
    """
    Return the pairs of Upload-Metadata; a key without a value has an empty one.

    Raises:
        BadRequest: a pair is malformed, its value no Base64, or a key stands twice.
    """
    found: dict[str, bytes] = {}
    if not field.strip():
        return found
    for pair in field.split(","):
        match = _PAIR.fullmatch(pair.strip())
        if match is None:
            raise BadRequest("Upload-Metadata reads `key base64,key base64`.")
        key, value = match.groups()
        if key in found:
            raise BadRequest("Upload-Metadata has a key twice.")
        found[key] = _decode("Upload-Metadata", value or "")
    return found


def _decode(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadRequest(f"{name} holds what is not Base64.") from error


class Hash(Protocol):
    """What the algorithms have in common."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take `data` into account."""

    def digest(self) -> bytes:
        """Return the checksum of what was taken."""


class Crc32:
    """The CRC-32 of ITU-T V.42, four bytes, the highest first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take `data` into account."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return the checksum of what was taken."""
        return self._value.to_bytes(4, "big")


# Against errors of a line, not against people: there is Repr-Digest for that.
ALGORITHMS: dict[str, Callable[[], Hash]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": Crc32,
}


class UploadChecksum:
    """An Upload-Checksum, to be held against the bytes it came with."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        self._hash = ALGORITHMS[algorithm]()
        self._expected = expected

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take bytes of the request into account."""
        self._hash.update(data)

    def verify(self) -> None:
        """
        Return where the bytes are those that were meant.

        Raises:
            ChecksumMismatch: they are not.
        """
        if self._hash.digest() != self._expected:
            raise ChecksumMismatch("The bytes that arrived are others; none of them is kept.")


def parse_checksum(field: str) -> UploadChecksum:
    """
    Return what Upload-Checksum asks for.

    Raises:
        BadRequest: it is malformed, or of an algorithm that is not known.
    """
    match = _CHECKSUM.fullmatch(field)
    if match is None:
        raise BadRequest("Upload-Checksum reads `sha1 base64`.")
    algorithm, text = match.groups()
    if algorithm not in ALGORITHMS:
        raise BadRequest(f"Upload-Checksum may be one of {', '.join(ALGORITHMS)}.")
    return UploadChecksum(algorithm, _decode("Upload-Checksum", text))
