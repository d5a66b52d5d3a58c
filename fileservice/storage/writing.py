"""Chunks on their way into a file: gathered to blocks, written and hashed while more arrive."""

import asyncio
import hashlib
import math
import zlib
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from typing import Any, Protocol

from aiofiles.base import wrap as off_loop

from fileservice.storage import disk

# One upload alone writes blocks of 1 MiB; a thousand share 64 MiB in blocks of 64 KiB.
LARGEST_BLOCK = 1 << 20
SMALLEST_BLOCK = 64 << 10
ALL_BLOCKS = 64 << 20
# Chunks below this are gathered into one buffer: a body of one-byte chunks would otherwise
# cost some 80 bytes of memory for each byte.
SMALL_CHUNK = 4 << 10
# Up to here the CRC-32 is for nothing beside the syncs. Of a large upload on two cores it takes a
# tenth of all CPU time, which few would ever use (docs/decisions/0035).
COUNTED_BYTES = 16 << 20


def share(users: int, largest: int) -> int:
    """Return the block size for each of `users`, so that all of them stay within `ALL_BLOCKS`."""
    return max(SMALLEST_BLOCK, min(largest, ALL_BLOCKS // max(1, users)))


class Threads:
    """
    The threads of a storage, and how many share its blocks.

    Blocks are hashed and written by `block_executor`, everything else that waits by `executor`:
    hashing takes a core, and more hashing threads than cores keep the loop from its own.
    """

    def __init__(self, executor: Executor, block_executor: Executor) -> None:
        self.executor = executor
        self.block_executor = block_executor
        self.writers = 0
        self.readers = 0

    def off_loop[T](self, call: Callable[..., T], *args: object) -> Awaitable[T]:
        """Run `call` in a thread."""
        return off_loop(call)(*args, executor=self.executor)

    @property
    def block_size(self) -> int:
        """How many bytes one upload gathers before it writes, while so many write at once."""
        return share(self.writers, LARGEST_BLOCK)


class Checksum(Protocol):
    """What is fed every byte, beside the SHA-256."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take `data` into account."""


class Sums:
    """
    What is computed of bytes as they pass: each by one thread at a time.

    Attributes:
        crc32: that of ITU-T V.42, which ZIP files have of what is in them; None where more came
            than was to be counted.
    """

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.crc32: int | None = 0
        self._counted = 0

    def copy(self) -> "Sums":
        """Return one that goes its own way from here."""
        other = Sums()
        other.sha256, other.crc32 = self.sha256.copy(), self.crc32
        other._counted = self._counted
        return other

    def count(self, chunks: Iterable[bytes | bytearray | memoryview], most: float) -> None:
        """Take `chunks` into account for the CRC-32, as long as all are no more than `most`."""
        for chunk in chunks:
            if self.crc32 is None:
                return
            self._counted += len(chunk)
            self.crc32 = zlib.crc32(chunk, self.crc32) if self._counted <= most else None


class BlockWriter:
    """
    One file that is written; one block is on its way while the next gathers.

    Attributes:
        size: bytes written so far.
        checksum: is fed every byte from now on; None where nobody asks.
        counts_all: see `storage.Incoming.counts_all`.
    """

    def __init__(self, threads: Threads) -> None:
        self.size = 0
        self.checksum: Checksum | None = None
        self.counts_all = False
        self._threads = threads
        self._chunks: list[bytes | bytearray | memoryview] = []
        self._waiting = 0
        self._file: disk.WholeFile | None = None
        # None where bytes are in the file that this process did not see.
        self._sums: Sums | None = Sums()
        self._job: asyncio.Future[Any] | None = None

    @property
    def crc32(self) -> int | None:
        """See `storage.Incoming.crc32`."""
        return self._whole.crc32

    @property
    def _whole(self) -> Sums:
        assert self._sums is not None  # noqa: S101 - every byte came through here, or was read
        return self._sums

    async def write(self, chunk: bytes | memoryview) -> None:
        """See `storage.Incoming.write`."""
        self._gather(chunk)
        if self._waiting >= self._threads.block_size:
            await self._flush()

    def _gather(self, chunk: bytes | memoryview) -> None:
        size = len(chunk)
        self.size += size
        self._waiting += size
        if size >= SMALL_CHUNK:
            self._chunks.append(chunk)
        elif self._chunks and isinstance(last := self._chunks[-1], bytearray):
            last += chunk
        else:
            self._chunks.append(bytearray(chunk))

    async def _flush(self) -> None:
        await self._settle()
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        if self._file is None:
            await self._do(self._open)
        threads = self._threads.block_executor
        # Side by side: for one large PUT that takes 0.67 s where one after the other takes 0.86.
        self._job = asyncio.gather(
            off_loop(self._write_all)(self._file, chunks, executor=threads),
            off_loop(self._digest_all)(chunks, executor=threads),
        )

    def _write_all(
        self, file: disk.WholeFile, chunks: list[bytes | bytearray | memoryview]
    ) -> None:
        # Who writes counts, too: who hashes takes longer already.
        self._count(chunks)
        file.writelines(chunks)

    def _count(self, chunks: list[bytes | bytearray | memoryview]) -> None:
        if self._sums is not None:
            self._sums.count(chunks, math.inf if self.counts_all else COUNTED_BYTES)

    def _digest_all(self, chunks: list[bytes | bytearray | memoryview]) -> None:
        for chunk in chunks:
            if self._sums is not None:
                self._sums.sha256.update(chunk)
            if self.checksum is not None:
                self.checksum.update(chunk)

    def _write_rest(self, file: disk.WholeFile) -> None:
        """Write what has gathered; call it in a thread."""
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        self._digest_all(chunks)
        self._write_all(file, chunks)

    async def _do[T](self, call: Callable[..., T], *args: object) -> T:
        """Run `call` in a thread, after the block under way."""
        await self._settle()
        self._job = job = asyncio.ensure_future(self._threads.off_loop(call, *args))
        await self._settle()
        return job.result()

    async def _settle(self) -> None:
        """Wait for the job under way; where the wait is cancelled, the job is still known."""
        if self._job is not None:
            await asyncio.shield(self._job)
            self._job = None

    async def _abandon(self) -> bool:
        """Wait for the job under way, whose thread uses the file; return whether it went well."""
        if self._job is None:
            return True
        await asyncio.wait([self._job])
        return not self._job.cancelled() and self._job.exception() is None

    def _open(self) -> None:
        raise NotImplementedError
