"""A blob that comes in one piece."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from fileservice.storage import disk
from fileservice.storage.folders import Folders
from fileservice.storage.writing import BlockWriter, Threads


class LocalIncoming(BlockWriter):
    """One blob on its way in; see `storage.Incoming`. Its lock is let go of at its end only."""

    def __init__(self, folders: Folders, threads: Threads, id: str) -> None:
        super().__init__(threads)
        self._folders = folders
        self._id = id
        self._placed = False
        self._finished = False

    async def __aenter__(self) -> Self:
        self._threads.writers += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._threads.writers -= 1
        if self._finished:
            if self._file is not None:
                self._file.close()
            return
        # A cancelled wait leaves the thread working: it must end before the file goes.
        await self._abandon()
        await asyncio.shield(self._threads.off_loop(self._discard))

    async def finish(self) -> str:
        """See `storage.Incoming.finish`; a blob of one block takes a single hop for everything."""
        sha256 = await self._do(self._complete)
        self._finished = True
        return sha256

    def _open(self) -> None:
        self._file = disk.claimed(self._folders.draft(self._id))

    def _complete(self) -> str:
        """Write what is left, sync, and give the blob its place."""
        if self._file is None:
            return self._complete_at_once()
        sha256 = self._end(self._file)
        self._folders.place(self._id)
        self._placed = True
        return sha256

    def _complete_at_once(self) -> str:
        """
        Write a small blob where it belongs.

        A draft would gain nothing: until the row is there nobody looks, and a blob without a row
        is swept as a draft is.
        """
        self._file = file = self._folders.new_blob(self._id)
        self._placed = True
        sha256 = self._end(file)
        disk.sync_folder(self._folders.of(self._id))
        return sha256

    def _end(self, file: disk.WholeFile) -> str:
        self._write_rest(file)
        # An error here is a lost file: the kernel may have dropped the pages, and a second
        # fsync would then report success (PostgreSQL's fsync finding of 2018).
        os.fsync(file.fileno())
        return self._whole.sha256.hexdigest()

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
        left = self._folders.blob if self._placed else self._folders.draft
        Path(left(self._id)).unlink(missing_ok=True)
