"""Blobs on the local disk: `incoming/<id>` while they are written, then `<aa>/<id>`."""

import asyncio
import contextlib
import errno
import hashlib
import io
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiofiles.base import wrap as off_loop
from aiofiles.threadpool import wrap as wrap_file

from fileservice.storage import disk

# One upload alone writes blocks of 1 MiB; a thousand share 64 MiB in blocks of 64 KiB.
LARGEST_BLOCK = 1 << 20
SMALLEST_BLOCK = 64 << 10
ALL_BLOCKS = 64 << 20
# Chunks below this are gathered into one buffer: a body of one-byte chunks would otherwise
# cost some 80 bytes of memory for each byte.
SMALL_CHUNK = 4 << 10
READ_BLOCK = 512 << 10
PRIVATE_FOLDER = 0o700
NOWAIT = getattr(os, "RWF_NOWAIT", 0)


def share(users: int, largest: int) -> int:
    """Return the block size for each of `users`, so that all of them stay within `ALL_BLOCKS`."""
    return max(SMALLEST_BLOCK, min(largest, ALL_BLOCKS // max(1, users)))


class LocalIncoming:
    """One blob on its way in; see `storage.Incoming`."""

    def __init__(self, storage: "LocalStorage", id: str) -> None:
        self.size = 0
        self._storage = storage
        self._id = id
        self._draft = f"{storage.incoming}/{id}"
        self._chunks: list[bytes | bytearray | memoryview] = []
        self._waiting = 0
        self._file: disk.WholeFile | None = None
        self._digest = hashlib.sha256()
        self._job: asyncio.Future[Any] | None = None
        self._placed = False
        self._finished = False

    async def __aenter__(self) -> Self:
        self._storage.writers += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._storage.writers -= 1
        if self._finished:
            return
        # A cancelled wait leaves the thread working: it must end before the file goes.
        with contextlib.suppress(OSError):
            await self._settle()
        await asyncio.shield(self._storage.off_loop(self._discard))

    async def write(self, chunk: bytes | memoryview) -> None:
        """See `storage.Incoming.write`; one block is being written while the next gathers."""
        self._gather(chunk)
        if self._waiting >= self._storage.block_size:
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
            self._job = asyncio.ensure_future(self._storage.off_loop(self._open))
            await self._settle()
        threads = self._storage.block_executor
        file = wrap_file(self._file, executor=threads)
        # Side by side: for one large PUT that takes 0.67 s where one after the other takes 0.86.
        self._job = asyncio.gather(
            file.writelines(chunks),
            off_loop(disk.digest_all)(self._digest, chunks, executor=threads),
        )

    async def finish(self) -> str:
        """See `storage.Incoming.finish`; a blob of one block takes a single hop for everything."""
        await self._settle()
        self._job = job = asyncio.ensure_future(self._storage.off_loop(self._complete))
        await self._settle()
        self._finished = True
        return job.result()

    async def _settle(self) -> None:
        """Wait for the job under way; where the wait is cancelled, the job is still known."""
        if self._job is not None:
            await asyncio.shield(self._job)
            self._job = None

    def _open(self) -> None:
        self._file = disk.WholeFile(self._draft)

    def _complete(self) -> str:
        """Write what is left, sync, and give the blob its place."""
        if self._file is None:
            return self._complete_at_once()
        self._end(self._file)
        self._storage.place(self._draft, self._id)
        self._placed = True
        return self._digest.hexdigest()

    def _complete_at_once(self) -> str:
        """
        Write a small blob where it belongs.

        A draft would gain nothing: until the row is there nobody looks, and a blob without a row
        is swept as a draft is.
        """
        file = self._storage.new_blob(self._id)
        self._placed = True
        self._end(file)
        disk.sync_folder(self._storage.folder(self._id))
        return self._digest.hexdigest()

    def _end(self, file: disk.WholeFile) -> None:
        with file:
            disk.digest_all(self._digest, self._chunks)
            file.writelines(self._chunks)
            # An error here is a lost file: the kernel may have dropped the pages, and a second
            # fsync would then report success (PostgreSQL's fsync finding of 2018).
            os.fsync(file.fileno())

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
        left = self._storage.path(self._id) if self._placed else Path(self._draft)
        left.unlink(missing_ok=True)


class LocalStorage:
    """
    Blobs below one folder; see `storage.Storage`.

    Blocks are hashed and written by `block_executor`, everything else that waits by `executor`:
    hashing takes a core, and more hashing threads than cores keep the loop from its own.
    """

    def __init__(self, root: Path, executor: Executor, block_executor: Executor) -> None:
        self.root = root
        self.block_executor = block_executor
        self.incoming = root / "incoming"
        self.executor = executor
        self.writers = 0
        self.readers = 0
        self._root = str(root)

    def prepare(self) -> None:
        """Make the folders."""
        self.incoming.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def off_loop[T](self, call: Callable[..., T], *args: object) -> Awaitable[T]:
        """Run `call` in a thread of this storage."""
        return off_loop(call)(*args, executor=self.executor)

    @property
    def block_size(self) -> int:
        """How many bytes one upload gathers before it writes, while so many write at once."""
        return share(self.writers, LARGEST_BLOCK)

    def create(self, id: str) -> LocalIncoming:
        """See `storage.Storage.create`."""
        return LocalIncoming(self, id)

    def path(self, id: str) -> Path:
        """See `storage.Storage.path`."""
        return Path(self.folder(id), id)

    def folder(self, id: str) -> str:
        """Return where a blob lies; as text, since pathlib takes longer for it than the kernel."""
        return f"{self._root}/{id[:2]}"

    def free_bytes(self) -> int:
        """See `storage.Storage.free_bytes`: what this user may still write."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def new_blob(self, id: str) -> disk.WholeFile:
        """
        Open a blob to be written in its place; call it in a thread.

        Raises:
            FileExistsError: there is a blob with this id.
        """
        folder = self.folder(id)
        try:
            return disk.WholeFile(f"{folder}/{id}")
        except FileNotFoundError:
            self._make_folder(folder)
            return disk.WholeFile(f"{folder}/{id}")

    def _make_folder(self, folder: str) -> None:
        Path(folder).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        disk.sync_folder(self._root)

    def place(self, draft: str, id: str) -> None:
        """
        Move a synced draft to where the blob belongs, durably; call it in a thread.

        Raises:
            FileExistsError: there is a blob with this id; it is untouched.
        """
        folder = self.folder(id)
        # link, unlike rename, never overwrites.
        try:
            os.link(draft, f"{folder}/{id}")
        except FileNotFoundError:
            self._make_folder(folder)
            os.link(draft, f"{folder}/{id}")
        Path(draft).unlink()
        disk.sync_folder(folder)

    def peek(self, id: str, start: int, stop: int) -> bytes | None:
        """See `storage.Storage.peek`: from the page cache, 7 microseconds for 10 KB."""
        if not NOWAIT:
            return None
        file = os.open(f"{self.folder(id)}/{id}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            buffer = bytearray(stop - start)
            size = os.preadv(file, [buffer], start, NOWAIT)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):  # the latter on tmpfs
                raise
            return None
        finally:
            os.close(file)
        return bytes(buffer) if size == stop - start else None

    async def fetch(self, id: str, start: int, stop: int) -> bytes:
        """See `storage.Storage.fetch`: one hop to a thread."""
        return await self.off_loop(disk.read_whole, self.path(id), start, stop)

    async def read(self, id: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """See `storage.Storage.read`: a block is read while the one before it is sent."""
        file = await self.off_loop(disk.open_at, self.path(id), start)
        left = stop - start
        ahead: asyncio.Future[bytes] | None = None
        self.readers += 1
        try:
            while left:
                block = await (ahead or self._next_block(file, left))
                left -= len(block)
                ahead = self._next_block(file, left) if left else None
                yield block
        finally:
            self.readers -= 1
            if ahead is not None:
                with contextlib.suppress(OSError):
                    await asyncio.shield(ahead)
            file.close()

    def _next_block(self, file: io.FileIO, left: int) -> asyncio.Future[bytes]:
        size = min(left, share(self.readers, READ_BLOCK))
        return asyncio.ensure_future(self.off_loop(disk.read_block, file, size))

    async def delete(self, id: str) -> None:
        """See `storage.Storage.delete`: the folder is synced, so the blob stays gone."""
        await self.off_loop(disk.remove, self.path(id))

    async def discard_drafts(self, before: datetime) -> int:
        """See `storage.Storage.discard_drafts`: what a killed process left."""
        return await self.off_loop(self._discard_drafts, before)

    def _discard_drafts(self, before: datetime) -> int:
        drafts = disk.unchanged(self.incoming, before)
        for draft in drafts:
            draft.unlink(missing_ok=True)
        return len(drafts)

    async def ids(self, before: datetime) -> AsyncGenerator[list[str]]:
        """See `storage.Storage.ids`: folder by folder."""
        folders = await self.off_loop(lambda: sorted(self.root.glob("[a-z2-7][a-z2-7]")))
        for folder in folders:
            yield [path.name for path in await self.off_loop(disk.unchanged, folder, before)]
