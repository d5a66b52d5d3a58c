"""What a request says of the bytes it brings: their name, their coding, their digests."""

import hashlib
from collections.abc import Mapping

from django.core.handlers.asgi import ASGIRequest

from fileservice.digests import parse_digests
from fileservice.disposition import parse_filename
from fileservice.errors import DigestMismatch, UnsupportedRequest

UNNAMED = b"unnamed"  # for a body that came without a name, as from a pipe


def told_name(request: ASGIRequest) -> bytes:
    """Return the name in Content-Disposition as the client's bytes."""
    field = request.META.get("HTTP_CONTENT_DISPOSITION")
    return (parse_filename(field.encode("latin-1")) if field else b"") or UNNAMED


def refuse_encoded(request: ASGIRequest) -> None:
    """Refuse a compressed body: it would be stored compressed, or be a bomb to unpack."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise UnsupportedRequest(
            "Send the body without Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )


def told_sha256(request: ASGIRequest) -> bytes | None:
    """Return the SHA-256 that the whole is said to have (RFC 9530), if it is said."""
    field = request.META.get("HTTP_REPR_DIGEST")
    return parse_digests(field).get("sha-256") if field else None


def expected_sha256(request: ASGIRequest) -> bytes | None:
    """Return the SHA-256 that a body which is the whole is said to have, if it is said."""
    if "HTTP_REPR_DIGEST" in request.META:
        return told_sha256(request)
    field = request.META.get("HTTP_CONTENT_DIGEST")
    return parse_digests(field).get("sha-256") if field else None


class ContentDigest:
    """
    The digests of one body, to be held against what came.

    Attributes:
        differs: what came has another.
    """

    def __init__(self, expected: Mapping[str, bytes]) -> None:
        self.differs = False
        self._expected = expected
        self._hashes = {name: hashlib.new(name.replace("-", "")) for name in expected}

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take bytes of the body into account."""
        for digest in self._hashes.values():
            digest.update(data)

    def verify(self) -> None:
        """
        Return where the bytes are those that were meant.

        Raises:
            DigestMismatch: they are not.
        """
        self.differs = any(
            digest.digest() != self._expected[name] for name, digest in self._hashes.items()
        )
        if self.differs:
            raise DigestMismatch("The bytes that arrived are others; none of them is kept.")


def content_digest(request: ASGIRequest) -> ContentDigest | None:
    """Return what Content-Digest asks for; None where it names nothing that we compare."""
    field = request.META.get("HTTP_CONTENT_DIGEST")
    expected = parse_digests(field) if field else {}
    return ContentDigest(expected) if expected else None


def is_form(request: ASGIRequest) -> bool:
    """Tell whether the body is said to be a form."""
    content_type: str = request.META.get("CONTENT_TYPE", "")
    return content_type.lower().startswith("multipart/form-data")
