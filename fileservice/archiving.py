"""The ZIP file of a parcel, read as if it were a file that lies here."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fileservice.ledger import Ledger
from fileservice.parcels import Entry, Parcels
from fileservice.sharing import is_given_out
from fileservice.storage import Storage
from fileservice.tasks import Flights
from fileservice.ziplayout import Content, Layout, Member, size_of

# How long an answer waits for CRCs that nobody knows yet; they go on being computed.
WAIT_SECONDS = 10.0
# Files of which that is done at once: each takes a core.
PLACES = 1
# What is gathered of headers and small files before it is sent.
BLOCK_BYTES = 128 << 10
# Up to here a file is looked for in the page cache first, and held whole.
SMALL_BYTES = 64 << 10


class NotYet(Exception):
    """What an archive needs of its files is still being computed."""


class FileGone(Exception):
    """A file of an archive was deleted, or is not given out any more."""


class Archive:
    """
    What a ZIP file of some files consists of.

    Attributes:
        size: bytes.
        digest: that no other archive has, in hexadecimal.
    """

    def __init__(
        self, ledger: Ledger, storage: Storage, entries: Sequence[Entry], layout: Layout
    ) -> None:
        self._ledger = ledger
        self._storage = storage
        self._entries = entries
        self._layout = layout
        self.size = layout.size
        self.digest = layout.digest(entry.sha256 for entry in entries)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """
        Yield bytes `start` up to, not including, `stop`.

        Raises:
            FileGone: a file is not there any more; nothing of it, and nothing after it, came.
            OSError: the storage failed.
        """
        held = bytearray()
        for piece in self._layout.pieces(start, stop):
            if isinstance(piece, Content) and size_of(piece) > SMALL_BYTES:
                yield bytes(held)
                held.clear()
                async with aclosing(self._large(piece)) as blocks:
                    async for block in blocks:
                        yield block
                continue
            held += await self._small(piece) if isinstance(piece, Content) else piece
            if len(held) >= BLOCK_BYTES:
                yield bytes(held)
                held.clear()
        yield bytes(held)

    async def _small(self, piece: Content) -> bytes:
        id = self._there(piece)
        try:
            content = self._storage.peek(id, piece.start, piece.stop)
            if content is None:
                content = await self._storage.fetch(id, piece.start, piece.stop)
        except FileNotFoundError:
            raise self._gone(id) from None
        return content

    async def _large(self, piece: Content) -> AsyncGenerator[bytes]:
        id = self._there(piece)
        try:
            async with aclosing(self._storage.read(id, piece.start, piece.stop)) as blocks:
                async for block in blocks:
                    yield block
        except FileNotFoundError:
            raise self._gone(id) from None

    def _there(self, piece: Content) -> str:
        """Return the id of the file that a piece is of; it may have been deleted since."""
        id = self._entries[piece.member].id
        file = self._ledger.find(id)
        if file is None or not is_given_out(file):
            raise FileGone(id)
        return id

    def _gone(self, id: str) -> Exception:
        """Return what to raise of bytes that are not there: their row may have gone before."""
        if self._ledger.find(id) is None:
            return FileGone(id)
        return FileNotFoundError(f"the bytes of {id} are missing")


class Archiving:
    """What makes archives, for one worker."""

    def __init__(self, ledger: Ledger, storage: Storage, parcels: Parcels) -> None:
        self._ledger = ledger
        self._storage = storage
        self._parcels = parcels
        self._flights: Flights[str, int] = Flights()
        self._places = asyncio.Semaphore(PLACES)

    async def close(self) -> None:
        """Stop what is being computed."""
        await self._flights.close()

    async def archive(self, entries: Sequence[Entry]) -> Archive:
        """
        Return the archive of these files.

        Raises:
            NotYet: the CRC-32 of one is not known, and takes a while; ask again.
            FileGone: one was deleted meanwhile.
        """
        entries = await self._counted(entries)
        return await asyncio.to_thread(self._laid_out, entries)

    def _laid_out(self, entries: Sequence[Entry]) -> Archive:
        return Archive(self._ledger, self._storage, entries, Layout([*map(member_of, entries)]))

    async def _counted(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the files with the CRC-32 of each."""
        unknown = [entry for entry in entries if entry.crc32 is None]
        if not unknown:
            return entries
        found = {entry.id: asyncio.ensure_future(self._crc32(entry)) for entry in unknown}
        for future in found.values():
            future.add_done_callback(heard)
        await asyncio.wait(found.values(), timeout=WAIT_SECONDS)
        if not all(future.done() for future in found.values()):
            raise NotYet
        return [
            entry._replace(crc32=found[entry.id].result()) if entry.crc32 is None else entry
            for entry in entries
        ]

    async def _crc32(self, entry: Entry) -> int:
        return await self._flights.join(entry.id, lambda: self._count(entry))

    async def _count(self, entry: Entry) -> int:
        """Read a file for its CRC-32, and keep that."""
        crc32 = 0
        async with self._places:
            try:
                async with aclosing(self._storage.read(entry.id, 0, entry.size)) as blocks:
                    async for block in blocks:
                        crc32 = await asyncio.to_thread(zlib.crc32, block, crc32)
            except FileNotFoundError:
                raise FileGone(entry.id) from None
        await self._parcels.note_crc32(entry.id, crc32)
        return crc32


def heard(future: "asyncio.Future[int]") -> None:
    """Take note of what went wrong where nobody waits any more: who asks again is told."""
    if not future.cancelled():
        future.exception()


def member_of(entry: Entry) -> Member:
    """Return what an archive has of a file whose CRC-32 is known."""
    assert entry.crc32 is not None  # noqa: S101 - see `Archiving.archive`
    return Member(entry.path.encode(), entry.size, entry.crc32, entry.created_at)
