"""
A file that is read while it is uploaded: what is durable of it, and what comes yet.

One task of a worker looks at an upload for all who read it there. Who writes it is not asked for
anything, in whichever worker that is.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime

from fileservice.errors import ServiceUnavailable
from fileservice.mediatypes import BINARY, HEAD_BYTES, media_type
from fileservice.resumables import Resumable, Resumables
from fileservice.storage import Storage

log = logging.getLogger("fileservice.following")

LOOK_SECONDS = 0.2
HOT_BLOCK = 64 << 10


class Gone(Exception):
    """The upload was deleted, has failed or was not finished in time: nothing more comes of it."""


class Stalled(Exception):
    """Nothing of what is waited for came in time."""


class Followed:
    """
    An upload that somebody in this worker reads.

    Attributes:
        readers: how many do.
        seen: as it was noted last; None once it is gone.
        looking: keeps `seen` up to date.
    """

    looking: asyncio.Task[None]

    def __init__(self, seen: Resumable | None) -> None:
        self.readers = 0
        self.seen = seen
        self._moved = asyncio.Event()
        self._is_over = False

    def show(self, seen: Resumable | None) -> None:
        """Tell the readers how it is now."""
        if seen != self.seen:
            self.seen = seen
            self._wake()

    def let_go(self) -> None:
        """Let nobody wait any longer; what is here can still be read."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def readable(self) -> int:
        """
        Return how many bytes may be read.

        The last one only of what is finished: who has all bytes has those that were verified.

        Raises:
            Gone: nothing more comes.
        """
        if self.seen is None or not may_come(self.seen):
            raise Gone
        if self.seen.is_open and self.seen.length is not None:
            return min(self.seen.offset, self.seen.length - 1)
        return self.seen.offset

    async def beyond(self, at: int, wait_seconds: float) -> int:
        """
        Return how many bytes may be read, once they are more than `at`.

        Raises:
            Gone: nothing more comes.
            Stalled: so many seconds later they are not, or the service stops.
        """
        try:
            async with asyncio.timeout(wait_seconds):
                while (readable := self.readable()) <= at:
                    if self._is_over:
                        raise Stalled
                    await self._moved.wait()
        except TimeoutError as error:
            raise Stalled from error
        return readable


class Following:
    """The unfinished uploads that are read in one worker."""

    def __init__(self, storage: Storage, resumables: Resumables, *, wait_seconds: float) -> None:
        self._storage = storage
        self._resumables = resumables
        self._wait_seconds = wait_seconds
        self._followed: dict[str, Followed] = {}
        self._is_over = False

    def find(self, id: str) -> Resumable | None:
        """Return the upload that is to become this file, or just has."""
        found = self._resumables.find(id)
        return found if found is not None and may_come(found) else None

    def is_read(self, id: str) -> bool:
        """Tell whether somebody reads an upload in this worker."""
        return id in self._followed

    def let_go(self) -> None:
        """Let nobody wait any longer, since the service stops."""
        self._is_over = True
        for followed in self._followed.values():
            followed.let_go()

    async def reach(self, id: str, at: int) -> None:
        """
        Return once the byte `at` can be read.

        Raises:
            Gone: it never will.
            Stalled: it did not come in time.
        """
        with self._follow(id) as followed:
            await followed.beyond(at, self._wait_seconds)

    async def media_type(self, id: str) -> str:
        """
        Return what the first bytes tell, once so many are there that later ones cannot change it.

        Raises:
            Gone: there are none any more.
        """
        found = self.find(id)
        if found is None or found.offset < HEAD_BYTES:
            return BINARY
        try:
            head = await self._storage.fetch(id, 0, HEAD_BYTES)
        except FileNotFoundError as error:
            raise Gone from error
        return media_type(head, found.name)

    async def read(self, id: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """
        Yield bytes `start` up to, not including, `stop` as they become durable.

        Raises:
            Gone: those that are missing never will.
            Stalled: none of them did for too long.
        """
        at = start
        with self._follow(id) as followed:
            while at < stop:
                until = min(stop, await followed.beyond(at, self._wait_seconds))
                async with aclosing(self._there(id, at, until)) as blocks:
                    async for block in blocks:
                        followed.readable()
                        at += len(block)
                        yield block

    async def _there(self, id: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """
        Yield what is durable.

        It was written a moment ago, so the page cache has it: a thousand readers that wake up at
        once do not line up for threads, before the one who writes.
        """
        at = start
        with contextlib.suppress(FileNotFoundError):  # it is getting its place; or below
            while at < stop and (block := self._storage.peek(id, at, min(at + HOT_BLOCK, stop))):
                at += len(block)
                yield block
        if at == stop:
            return
        try:
            async with aclosing(self._storage.read(id, at, stop)) as blocks:
                async for block in blocks:
                    yield block
        except FileNotFoundError as error:
            raise Gone from error

    @contextlib.contextmanager
    def _follow(self, id: str) -> Iterator[Followed]:
        """Know how an upload is until the end of the block."""
        followed = self._followed.get(id)
        if followed is None:
            followed = self._followed[id] = Followed(self._resumables.find(id))
            followed.looking = asyncio.create_task(self._keep_looking(id, followed))
            if self._is_over:
                followed.let_go()
        followed.readers += 1
        try:
            yield followed
        finally:
            followed.readers -= 1
            if not followed.readers:
                del self._followed[id]
                followed.looking.cancel()

    async def _keep_looking(self, id: str, followed: Followed) -> None:
        while followed.seen is not None and followed.seen.is_open:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                with contextlib.suppress(ServiceUnavailable):  # locked; the next look will tell
                    followed.show(self._resumables.find(id))
            except sqlite3.Error:
                log.exception("How far the upload %s is could not be looked up.", id)


def may_come(resumable: Resumable) -> bool:
    """Tell whether an upload is a file or may become one; a part of another never does."""
    if resumable.kind == "part" or resumable.state == "failed":
        return False
    return not resumable.is_open or resumable.expires_at > datetime.now(UTC)
