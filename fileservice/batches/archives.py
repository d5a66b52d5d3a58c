"""
A ZIP file of certificates, piece by piece (PKWARE APPNOTE 6.3.10).

Its size is known before its content: what is in it is stored as it is, since what is large in a
certificate is compressed already.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from fileservice.errors import BadName
from fileservice.names import clean_name

LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
END = struct.Struct("<4s4H2LH")
PLACE64 = struct.Struct("<2HQ")  # an extra field, for a place that is too far for the entry
FILE_MODE = 0o100644 << 16
MADE_BY = 3 << 8 | 45  # Unix, version 4.5
NEEDED, NEEDED64 = 20, 45
UTF8 = 1 << 11
FARTHEST, MOST_ENTRIES = 0xFFFFFFFF, 0xFFFF
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
        self._time = made_at.hour << 11 | made_at.minute << 5 | made_at.second // 2
        self._date = (made_at.year - 1980) << 9 | made_at.month << 5 | made_at.day
        self._size = 0
        self._entries: list[bytes] = []

    def add(self, name: bytes, content: bytes) -> bytes:
        """Return a file with its header."""
        size, crc = len(content), zlib.crc32(content)
        stamp = UTF8, 0, self._time, self._date, crc, size, size
        header = LOCAL.pack(b"PK\3\4", NEEDED, *stamp, len(name), 0) + name
        extra = PLACE64.pack(1, 8, self._size) if self._size >= FARTHEST else b""
        place = min(self._size, FARTHEST)
        lengths = len(name), len(extra)
        needed = NEEDED64 if extra else NEEDED
        entry = ENTRY.pack(
            *(b"PK\1\2", MADE_BY, needed, *stamp, *lengths, 0, 0, 0, FILE_MODE, place)
        )
        self._entries.append(entry + name + extra)
        self._size += len(header) + size
        return header + content

    def end(self) -> bytes:
        """Return the directory."""
        return _directory(self._entries, self._size)


def size_of(items: Iterable[Item]) -> int:
    """Return the size of the archive of these files."""
    place, entries = 0, []
    for name, size in items:
        entries.append(bytes(ENTRY.size + len(name) + PLACE64.size * (place >= FARTHEST)))
        place += LOCAL.size + len(name) + size
    return place + len(_directory(entries, place))


def _directory(entries: list[bytes], place: int) -> bytes:
    written = b"".join(entries)
    count, size, end64 = len(entries), len(written), b""
    if count >= MOST_ENTRIES or place >= FARTHEST:
        end64 = END64.pack(
            b"PK\6\6", END64.size - 12, MADE_BY, NEEDED64, 0, 0, count, count, size, place
        ) + LOCATOR.pack(b"PK\6\7", 0, place + size, 1)
    count, place = min(count, MOST_ENTRIES), min(place, FARTHEST)
    return written + end64 + END.pack(b"PK\5\6", 0, 0, count, count, size, place, 0)


def name_of(line: int, values: Mapping[str, str]) -> str:
    """Return the name of a certificate's file: the line it came from, and whose it is."""
    whose = next((values[name] for name in NAMING if name in values), "")
    whose = " ".join(UNFIT.sub(" ", whose).split())
    try:
        cleaned = clean_name(whose.encode()).text if whose else ""
    except BadName:
        cleaned = ""
    return f"{line:06} {cleaned[:LONGEST_NAME]}".strip() + ".pdf"
