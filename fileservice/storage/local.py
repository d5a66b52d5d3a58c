"""Blobs on the local disk; see `folders` for where."""

import asyncio
import contextlib
import errno
import io
import os
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path

from fileservice.storage import disk
from fileservice.storage.drafts import Digests, LocalDraft
from fileservice.storage.folders import Folders
from fileservice.storage.incoming import LocalIncoming
from fileservice.storage.writing import Threads, share

READ_BLOCK = 512 << 10
NOWAIT = getattr(os, "RWF_NOWAIT", 0)


class LocalStorage:
    """Blobs below one folder; see `storage.Storage`."""

    def __init__(self, root: Path, executor: Executor, block_executor: Executor) -> None:
        self.root = root
        self.threads = Threads(executor, block_executor)
        self._folders = Folders(root)
        self._digests = Digests()

    def prepare(self) -> None:
        """Make the folders."""
        self._folders.prepare()

    def create(self, id: str) -> LocalIncoming:
        """See `storage.Storage.create`."""
        return LocalIncoming(self._folders, self.threads, id)

    def reopen(self, id: str, size: int) -> LocalDraft:
        """See `storage.Storage.reopen`."""
        return LocalDraft(self._folders, self.threads, self._digests, id, size)

    async def is_written_to(self, id: str) -> bool:
        """See `storage.Storage.is_written_to`."""
        async with self.unheld(id) as unheld:
            return not unheld

    @contextlib.asynccontextmanager
    async def unheld(self, id: str) -> AsyncGenerator[bool]:
        """See `storage.Storage.unheld`: the kernel's lock tells."""
        paths = self._folders.draft(id), self._folders.blob(id)
        try:
            file = await self.threads.off_loop(disk.seized, *paths)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            if file is not None:
                file.close()

    async def discard_draft(self, id: str) -> None:
        """See `storage.Storage.discard_draft`."""
        await self.threads.off_loop(disk.remove, Path(self._folders.draft(id)))

    def path(self, id: str) -> Path:
        """See `storage.Storage.path`."""
        return Path(self._folders.blob(id))

    def free_bytes(self) -> int:
        """See `storage.Storage.free_bytes`: what this user may still write."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def peek(self, id: str, start: int, stop: int) -> bytes | None:
        """See `storage.Storage.peek`: from the page cache, 7 microseconds for 10 KB."""
        if not NOWAIT:
            return None
        try:
            file = os.open(self._folders.blob(id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            file = os.open(self._folders.draft(id), os.O_RDONLY | os.O_CLOEXEC)
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
        return await self.threads.off_loop(self._read_whole, id, start, stop)

    def _read_whole(self, id: str, start: int, stop: int) -> bytes:
        with self._open_at(id, start) as file:
            return disk.read_whole(file, stop - start)

    def _open_at(self, id: str, start: int) -> io.FileIO:
        """Open a blob, or the draft that is to become one, with its position at `start`."""
        # In this order: what is no draft any more has its place already.
        try:
            return disk.open_at(self._folders.draft(id), start)
        except FileNotFoundError:
            return disk.open_at(self._folders.blob(id), start)

    async def read(self, id: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """See `storage.Storage.read`: a block is read while the one before it is sent."""
        file = await self.threads.off_loop(self._open_at, id, start)
        left = stop - start
        ahead: asyncio.Future[bytes] | None = None
        self.threads.readers += 1
        try:
            while left:
                block = await (ahead or self._next_block(file, left))
                left -= len(block)
                ahead = self._next_block(file, left) if left else None
                yield block
        finally:
            self.threads.readers -= 1
            if ahead is not None:
                with contextlib.suppress(OSError):
                    await asyncio.shield(ahead)
            file.close()

    def _next_block(self, file: io.FileIO, left: int) -> asyncio.Future[bytes]:
        size = min(left, share(self.threads.readers, READ_BLOCK))
        return asyncio.ensure_future(self.threads.off_loop(disk.read_block, file, size))

    async def delete(self, id: str) -> None:
        """See `storage.Storage.delete`: the folder is synced, so the blob stays gone."""
        await self.threads.off_loop(disk.remove, self.path(id))

    async def drafts(self, before: datetime) -> list[str]:
        """See `storage.Storage.drafts`."""
        incoming = Path(self._folders.incoming)
        return [path.name for path in await self.threads.off_loop(disk.unchanged, incoming, before)]

    async def ids(self, before: datetime) -> AsyncGenerator[list[str]]:
        """See `storage.Storage.ids`: folder by folder."""
        folders = await self.threads.off_loop(lambda: sorted(self.root.glob("[a-z2-7][a-z2-7]")))
        for folder in folders:
            yield [
                path.name for path in await self.threads.off_loop(disk.unchanged, folder, before)
            ]
