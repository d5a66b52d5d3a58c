"""
A ZIP file of certificates, piece by piece.

Its size is known before its content: what is in it is stored as it is, since what is large in a
certificate is compressed already.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from fileservice.errors import BadName
from fileservice.names import clean_name
from fileservice.ziplayout import (
    Member,
    directory_end,
    directory_entry,
    entry_size,
    header_size,
    local_header,
)

# Of what a person is called, for the name of a file.
NAMING = ("name", "full_name", "recipient", "whom")
LONGEST_NAME = 80
UNFIT = re.compile(r"[/\\%&;]+")


class Item(NamedTuple):
    """A file in the archive: its name and its bytes."""

    name: bytes
    size: int


class Archive:
    """The archive as it is written: each method returns the bytes that come next."""

    def __init__(self, made_at: datetime) -> None:
        self._made_at = made_at
        self._size = 0
        self._entries: list[bytes] = []

    def add(self, name: bytes, content: bytes) -> bytes:
        """Return a file with its header."""
        member = Member(name, len(content), zlib.crc32(content), self._made_at)
        written = local_header(member) + content
        self._entries.append(directory_entry(member, self._size))
        self._size += len(written)
        return written

    def end(self) -> bytes:
        """Return the directory."""
        directory = b"".join(self._entries)
        return directory + directory_end(len(self._entries), len(directory), self._size)


def size_of(items: Iterable[Item]) -> int:
    """Return the size of the archive of these files."""
    place = directory = count = 0
    for count, (name, size) in enumerate(items, 1):  # noqa: B007 - it is used after the loop
        directory += entry_size(name, size, place)
        place += header_size(name, size) + size
    return place + directory + len(directory_end(count, directory, place))


def name_of(line: int, values: Mapping[str, str]) -> str:
    """Return the name of a certificate's file: the line it came from, and whose it is."""
    whose = next((values[name] for name in NAMING if name in values), "")
    whose = " ".join(UNFIT.sub(" ", whose).split())
    try:
        cleaned = clean_name(whose.encode()).text if whose else ""
    except BadName:
        cleaned = ""
    return f"{line:06} {cleaned[:LONGEST_NAME]}".strip() + ".pdf"
