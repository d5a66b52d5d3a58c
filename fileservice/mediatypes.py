"""What a content is, told by its first bytes; the client's word is not asked."""

import mimetypes
from collections.abc import Sequence

import filetype

from fileservice.errors import UnsupportedRequest

HEAD_BYTES = 4096  # enough for every signature `filetype` knows and to tell text from binary
BINARY = "application/octet-stream"
TEXT = "text/plain"
# Python's own table only: a machine's /etc/mime.types would make two machines differ.
BY_EXTENSION = mimetypes.MimeTypes(filenames=())
TEXTUAL = frozenset(
    ("application/json", "application/javascript", "application/xml", "image/svg+xml")
)
CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r\x1b") | {127}


def media_type(head: bytes, name: str) -> str:
    """
    Return the media type of a content that begins with `head`.

    A signature decides where there is one. Text has none: there the extension of `name` chooses
    among the kinds of text, so that it can never make text pass for an image or a program.
    """
    found: str | None = filetype.guess_mime(head) if head else None
    if found:
        return found
    if not is_text(head):
        return BINARY
    guess, encoding = BY_EXTENSION.guess_type(name)
    if guess and not encoding and (guess.startswith("text/") or guess in TEXTUAL):
        return guess
    return TEXT


def is_text(head: bytes) -> bool:
    """Tell whether `head` is UTF-8 without control bytes; a character cut at its end is no harm."""
    if not CONTROLS.isdisjoint(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) >= HEAD_BYTES and error.start > len(head) - 4
    return True


def check_type(media_type: str, accepted: Sequence[str]) -> None:
    """
    Refuse a content of a type that may not come.

    Raises:
        UnsupportedRequest: it is.
    """
    kind = media_type.partition("/")[0]
    if accepted and media_type not in accepted and f"{kind}/*" not in accepted:
        raise wrong_type(media_type, accepted)


def wrong_type(media_type: str, accepted: Sequence[str]) -> UnsupportedRequest:
    """Return the refusal of a content."""
    return UnsupportedRequest(
        f"Only {', '.join(accepted)} may come; this is {media_type}. Nothing was stored."
    )
