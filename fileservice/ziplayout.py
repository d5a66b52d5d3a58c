"""
The layout of a ZIP file whose members are stored as they are (PKWARE APPNOTE 6.3.10).

Names, sizes, CRCs and times tell every byte but those of the members themselves, so that the
size is known before the first byte, and any part can be had without those before it.
"""

import hashlib
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
END = struct.Struct("<4s4H2LH")
EXTRA = struct.Struct("<2H")
FILE_MODE = 0o100644 << 16
MADE_BY = 3 << 8 | 45  # Unix, version 4.5
NEEDED, NEEDED64 = 20, 45
UTF8 = 1 << 11
# What stands in a field of 32 or 16 bits whose value is elsewhere, in 64 (4.4.1.4).
FARTHEST, MOST_ENTRIES = 0xFFFFFFFF, 0xFFFF
FIRST_YEAR, LAST_YEAR = 1980, 2107  # of the times of MS-DOS


class Member(NamedTuple):
    """
    A file in the archive.

    Attributes:
        name: UTF-8, folders and all, with slashes between.
        size: bytes.
        made_at: aware; the archive shows it as the clock of its zone does.
    """

    name: bytes
    size: int
    crc32: int
    made_at: datetime


class Content(NamedTuple):
    """Bytes `start` up to, not including, `stop` of the member of that number, from 0."""

    member: int
    start: int
    stop: int


type Piece = bytes | Content


class Layout:
    """
    An archive, of which only what is asked for is made.

    Attributes:
        size: of all of it, in bytes.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        # Where each member begins, then where each entry of the directory does, then its end.
        self._starts = array("Q")
        place = 0
        for name, size, _, _ in members:
            self._starts.append(place)
            place += header_size(name, size) + size
        self._directory = place
        for index, (name, size, _, _) in enumerate(members):
            self._starts.append(place)
            place += entry_size(name, size, self._starts[index])
        self._starts.append(place)
        self._end = directory_end(len(members), place - self._directory, self._directory)
        self.size = place + len(self._end)

    def digest(self, contents: Iterable[str]) -> str:
        """Return what no archive of other bytes has, given the digest of each member."""
        whole = hashlib.sha256()
        for index, content in enumerate(contents):
            whole.update(self._entry(index) + content.encode("ascii"))
        return whole.hexdigest()

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield what bytes `start` up to, not including, `stop` consist of."""
        at = bisect_right(self._starts, start) - 1
        while start < stop:
            for piece in self._pieces_from(at, start - self._starts[at]):
                taken = clipped(piece, stop - start)
                start += size_of(taken)
                if taken:
                    yield taken
            at += 1

    def _pieces_from(self, at: int, skipped: int) -> Iterator[Piece]:
        """Yield one part of the archive but for its first bytes."""
        count = len(self.members)
        if at >= count:
            whole = self._entry(at - count) if at < 2 * count else self._end
            yield whole[skipped:]
            return
        header = local_header(self.members[at])
        yield header[skipped:]
        yield Content(at, max(skipped - len(header), 0), self.members[at].size)

    def _entry(self, index: int) -> bytes:
        return directory_entry(self.members[index], self._starts[index])


def size_of(piece: Piece) -> int:
    """Return how many bytes a piece has."""
    return piece.stop - piece.start if isinstance(piece, Content) else len(piece)


def clipped(piece: Piece, size: int) -> Piece:
    """Return the first bytes of a piece, at most `size`; empty where there are none."""
    if not isinstance(piece, Content):
        return piece[:size]
    if size <= 0 or piece.start == piece.stop:
        return b""
    return piece._replace(stop=min(piece.stop, piece.start + size))


def local_header(member: Member) -> bytes:
    """Return what stands before a member (4.3.7)."""
    name, size, _, _ = member
    extra = b""
    if size >= FARTHEST:  # here both sizes have to be there (4.5.3)
        extra = extra64(size, size)
    needed = NEEDED64 if extra else NEEDED
    return LOCAL.pack(b"PK\3\4", needed, *stamp(member), len(name), len(extra)) + name + extra


def header_size(name: bytes, size: int) -> int:
    """Return the size of what stands before a member."""
    return LOCAL.size + len(name) + (size_of_extra64(2) if size >= FARTHEST else 0)


def directory_entry(member: Member, place: int) -> bytes:
    """Return what the directory says of a member (4.3.12), which begins at `place`."""
    name, size, _, _ = member
    far = [size, size] * (size >= FARTHEST) + [place] * (place >= FARTHEST)
    extra = extra64(*far) if far else b""
    needed = NEEDED64 if extra else NEEDED
    lengths = len(name), len(extra), 0
    entry = ENTRY.pack(
        *(b"PK\1\2", MADE_BY, needed, *stamp(member), *lengths),
        *(0, 0, FILE_MODE, min(place, FARTHEST)),
    )
    return entry + name + extra


def entry_size(name: bytes, size: int, place: int) -> int:
    """Return the size of what the directory says of a member."""
    far = 2 * (size >= FARTHEST) + (place >= FARTHEST)
    return ENTRY.size + len(name) + size_of_extra64(far)


def extra64(*values: int) -> bytes:
    """Return the extra field of numbers that have no room elsewhere (4.5.3)."""
    return EXTRA.pack(1, 8 * len(values)) + struct.pack(f"<{len(values)}Q", *values)


def size_of_extra64(count: int) -> int:
    """Return the size of that field; without numbers it is not there."""
    return EXTRA.size + 8 * count if count else 0


def directory_end(count: int, size: int, place: int) -> bytes:
    """Return what follows a directory of `count` entries and `size` bytes, begun at `place`."""
    end64 = b""
    if count >= MOST_ENTRIES or max(size, place) >= FARTHEST:
        end64 = END64.pack(
            b"PK\6\6", END64.size - 12, MADE_BY, NEEDED64, 0, 0, count, count, size, place
        ) + LOCATOR.pack(b"PK\6\7", 0, place + size, 1)
    count, size, place = min(count, MOST_ENTRIES), min(size, FARTHEST), min(place, FARTHEST)
    return end64 + END.pack(b"PK\5\6", 0, 0, count, count, size, place, 0)


def stamp(member: Member) -> tuple[int, ...]:
    """Return the fields that header and entry have in common, from flags to sizes."""
    size = min(member.size, FARTHEST)
    return UTF8, 0, *dos_time(member.made_at), member.crc32, size, size


def dos_time(moment: datetime) -> tuple[int, int]:
    """Return time and date as MS-DOS has them, in steps of two seconds; the nearest it knows."""
    if moment.year < FIRST_YEAR:
        moment = datetime(FIRST_YEAR, 1, 1, tzinfo=moment.tzinfo)
    elif moment.year > LAST_YEAR:
        moment = datetime(LAST_YEAR, 12, 31, 23, 59, 58, tzinfo=moment.tzinfo)
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (moment.year - FIRST_YEAR) << 9 | moment.month << 5 | moment.day,
    )
