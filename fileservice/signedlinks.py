"""Ids that prove they came from us: what lies in the database alone makes no link."""

import base64
from collections.abc import Sequence
from typing import Literal

from django.utils.crypto import constant_time_compare, salted_hmac

Purpose = Literal["share", "drop"]

ID_LENGTH = 26
SIGNATURE_BYTES = 16  # 26 letters; whoever guesses can do so only by asking the service


def signed(purpose: Purpose, id: str, keys: Sequence[str]) -> str:
    """Return `id`, of 26 characters, with its signature behind it: 52 lower-case characters."""
    return id + signature(purpose, id, keys[0])


def read_signed(purpose: Purpose, code: str, keys: Sequence[str]) -> str | None:
    """
    Return the id of a code; None where none of `keys` has signed it for this purpose.

    Nothing is looked up for a code that was made up, and a dump of the rows opens nothing.
    """
    if not code.isascii() or len(code) <= ID_LENGTH:
        return None
    id, given = code[:ID_LENGTH], code[ID_LENGTH:]
    good = [constant_time_compare(given, signature(purpose, id, key)) for key in keys]
    return id if any(good) else None


def signature(purpose: Purpose, id: str, key: str) -> str:
    """Return what one key makes of an id; each purpose has a key of its own, derived from it."""
    mac = salted_hmac(f"fileservice.{purpose}", id, secret=key, algorithm="sha256")
    return base64.b32encode(mac.digest()[:SIGNATURE_BYTES]).decode().lower().rstrip("=")
