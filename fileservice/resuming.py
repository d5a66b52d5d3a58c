"""
Uploads that come in several requests: one state machine below every protocol that resumes.

An upload is open until its last byte is durable, then finished: the file is there, under the id
it had from the start. Who asks where it stands is told what a power cut leaves.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.db import Error

from fileservice.appending import Append, Appending, agreed, other_offset
from fileservice.errors import DigestMismatch, Expired, FileserviceError
from fileservice.following import Following
from fileservice.holding import Holding, Holdings, busy, ignored
from fileservice.ledger import Ledger, StoredFile
from fileservice.mediatypes import HEAD_BYTES, media_type
from fileservice.resumables import LeaseLost, Resumable, Resumables
from fileservice.storage import Draft, Storage
from fileservice.tasks import Flights, beside, to_its_end
from fileservice.uploads import Limits, check_room, delete, disk_errors

log = logging.getLogger("fileservice.resuming")

# A concatenation that takes longer is answered while it goes on.
JOIN_SECONDS = 10.0
# Between two looks for what a killed worker left complete, but no file.
LOOK_SECONDS = 30.0

# Parts that have become a file, for who joins them a second time.
PARTS_STAY = timedelta(hours=1)


class Resuming:
    """The resumable uploads of one worker."""

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        resumables: Resumables,
        following: Following,
        *,
        lifetime: timedelta,
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._resumables = resumables
        self._following = following
        self._lifetime = lifetime
        self._holdings = Holdings(storage, resumables)
        self._finishing: Flights[str, None] = Flights()

    def find(self, key: str) -> Resumable | None:
        """
        Return the upload of a link to keep.

        Raises:
            Expired: it was not finished in time, or nothing can be made of it any more.
        """
        found = self._resumables.find_by_key(key)
        if found is not None:
            check_state(found)
        return found

    async def start(self, resumable: Resumable, limits: Limits) -> Resumable:
        """
        Begin an upload and return it as it is then: one of no bytes is finished at once.

        A final one is joined from its parts. Where that takes long it goes on when this returns,
        and its offset tells when it is done. One that was begun before, of the same parts for
        the same name, is returned instead of a second.

        Raises:
            BadRequest: a part is not finished.
            TooLarge, InsufficientStorage: see `uploads.check_room`.
        """
        check_room(self._storage, limits, resumable.length or 0)
        expires = datetime.now(UTC) + self._lifetime
        resumable = await self._resumables.add(replace(resumable, expires_at=expires))
        if resumable.is_open and (resumable.kind == "final" or resumable.is_complete):
            await self._finish_soon(resumable.id)
        return self._now(resumable)

    async def settle(self, resumable: Resumable) -> Resumable:
        """
        Return an upload as it is when nobody writes to it: who did has let go.

        Raises:
            NotFound: it was deleted meanwhile.
            Locked: who writes does not let go in time.
        """
        if not resumable.is_open or resumable.kind == "final":
            return resumable
        is_held = self._holdings.is_held(resumable.id)
        if resumable.is_complete and not is_held:
            _ = self._finish_aside(resumable.id)
        if resumable.is_complete or not is_held:
            return resumable
        async with self._holdings.hold(resumable.id, ignored) as holding:
            return holding.resumable

    async def append(self, resumable: Resumable, append: Append, limits: Limits) -> Resumable:
        """
        Take the bytes of one request, and finish the upload if they were the last.

        What came is durable and counted when this returns or raises, unless the request's own
        verification says that it is wrong, or could not say so because the rest is missing.

        Raises:
            OffsetMismatch, InconsistentLength: see `agreed`; nothing was read.
            TooLarge: more bytes come than are missing; those that fit were taken.
            Locked: another request writes and does not let go, or wants to write in turn.
            Expired: it has failed, or does now.
            DigestMismatch: the whole is not what the client said; the upload has failed.
            InsufficientStorage, ServiceUnavailable: see `uploads.disk_errors`.
        """
        async with self._holdings.hold(resumable.id, append.interrupt) as holding:
            held = holding.resumable
            check_state(held)
            holding.resumable = held = agreed(held, append, limits)
            if held.is_open:
                check_room(self._storage, limits, append.declared or 0)
                await self._write(holding, append, limits)
        return self._now(holding.resumable)

    async def fail(self, resumable: Resumable) -> None:
        """
        Let nothing be made of an upload any more, and drop its bytes.

        Raises:
            NotFound: it was deleted meanwhile.
            Locked: who writes does not let go in time.
        """
        async with self._holdings.hold(resumable.id, ignored) as holding:
            if holding.resumable.is_open:
                with busy_where_lost():
                    await self._fail(holding.resumable)

    async def delete(self, resumable: Resumable) -> bool:
        """
        Remove an upload, or the file it has become; return whether this call did.

        Raises:
            NotFound: it was deleted meanwhile.
            Locked: who writes does not let go in time.
        """
        if self._ledger.find(resumable.id) is None:
            async with self._holdings.hold(resumable.id, ignored) as holding:
                if holding.resumable.kind == "part" or holding.resumable.state != "finished":
                    return await self._forget(holding.resumable)
        file = self._ledger.find(resumable.id)
        return file is not None and await delete(self._ledger, self._storage, file)

    async def _forget(self, held: Resumable) -> bool:
        try:
            await self._resumables.remove(held)
        except LeaseLost:
            return False
        await self._storage.discard_draft(held.id)
        # Where somebody was killed before he could make a row, it has its place already.
        await self._storage.delete(held.id)
        return True

    def let_go(self) -> None:
        """End appends under way, since the service stops: their clients come back to the next."""
        self._holdings.let_go()
        self._following.let_go()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Do in the background what nobody waits for, until the end of the block."""
        try:
            async with beside(self._keep_looking_after()), beside(self._keep_finishing()):
                yield
        finally:
            await self._finishing.close()
            await self._holdings.close()

    def _now(self, resumable: Resumable) -> Resumable:
        return self._resumables.find(resumable.id) or resumable

    @contextlib.asynccontextmanager
    async def _reopened(self, held: Resumable) -> AsyncIterator[Draft]:
        """
        Open the draft of an upload, and only then look whose lease it is.

        Who was stopped after taking it, for longer than others wait, knows an offset that is no
        longer the last; behind the lock nobody else can write any more.

        Raises:
            Locked: somebody else writes, or has written.
            Expired: bytes are missing that were durable; the upload has failed.
            InsufficientStorage, ServiceUnavailable: see `uploads.disk_errors`.
        """
        with disk_errors(), busy_where_lost():
            try:
                async with self._storage.reopen(held.id, held.offset) as draft:
                    self._resumables.check(held)
                    await draft.trim()
                    yield draft
            except EOFError as error:
                log.critical("Bytes of the upload %s are lost: %s.", held.id, error)
                await self._resumables.fail(held)
                raise Expired("Bytes of this upload, or a part of it, are gone.") from error

    async def _write(self, holding: Holding, append: Append, limits: Limits) -> None:
        async with self._reopened(holding.resumable) as draft:
            if draft.is_whole:
                await self._finish(holding, draft)
                raise other_offset(holding.resumable, append)
            appending = Appending(
                self._resumables, self._following, holding, draft, append, self._lifetime
            )
            arrived = False
            try:
                await appending.take(limits, lambda: check_room(self._storage, limits, 0))
                arrived = True
            finally:
                await to_its_end(self._end(holding, draft, appending, arrived=arrived))

    async def _end(
        self, holding: Holding, draft: Draft, appending: Appending, *, arrived: bool
    ) -> None:
        await appending.end(arrived=arrived)
        # What was to be the end and is not may have been too long, and then is no file.
        if holding.resumable.is_complete and (arrived or not appending.is_last):
            await self._finish(holding, draft)

    async def _finish(self, holding: Holding, draft: Draft) -> None:
        """
        Make a file of what is whole; of a part, note that it is.

        Raises:
            EOFError: it has not as many bytes as it should.
        """
        held = replace(holding.resumable, offset=draft.size, length=draft.size)
        if holding.resumable.length not in (None, draft.size):
            raise EOFError(f"there are {draft.size} of {holding.resumable.length} bytes")
        file = None if held.kind == "part" else await self._placed(held, draft)
        await self._resumables.finish(held, file, parts_expire=datetime.now(UTC) + PARTS_STAY)
        holding.resumable = replace(held, state="finished")

    async def _placed(self, held: Resumable, draft: Draft) -> StoredFile:
        sha256 = await draft.finish(held.sha256)
        if held.sha256 not in ("", sha256):
            await self._fail(held)
            raise DigestMismatch(
                f"The bytes that arrived have the SHA-256 {sha256}; nothing was stored."
            )
        size = min(held.offset, HEAD_BYTES)
        head = self._storage.peek(held.id, 0, size)
        if head is None:
            head = await self._storage.fetch(held.id, 0, size)
        return file_of(held, sha256, head)

    async def _fail(self, held: Resumable) -> None:
        await self._resumables.fail(held)
        await self._storage.discard_draft(held.id)

    async def _finish_soon(self, id: str) -> None:
        """Make a file of what has all its bytes; return when it is one, or after a while."""
        finishing = self._finish_aside(id)
        await asyncio.wait([finishing], timeout=JOIN_SECONDS)
        if finishing.done():
            finishing.result()

    def _finish_aside(self, id: str) -> "asyncio.Future[None]":
        joined = self._finishing.join(id, lambda: self._complete(id))
        finishing = asyncio.ensure_future(joined)
        finishing.add_done_callback(heard)
        return finishing

    async def _complete(self, id: str) -> None:
        """Make a file of what has all its bytes: an upload, or the parts of a final one."""
        async with self._holdings.hold(id, ignored) as holding:
            held = holding.resumable
            if not held.is_open:
                return
            async with self._reopened(held) as draft:
                if held.parts and not draft.is_whole:
                    await draft.splice(held.parts)
                if held.kind == "part":
                    await draft.sync()
                await self._finish(holding, draft)

    async def _keep_looking_after(self) -> None:
        while True:
            try:
                await self._holdings.look_after()
            except (Error, sqlite3.Error, FileserviceError):
                log.exception("Leases of uploads could not be looked after.")

    async def _keep_finishing(self) -> None:
        while True:
            try:
                for id in self._resumables.left(datetime.now(UTC)):
                    _ = self._finish_aside(id)
            except (sqlite3.Error, FileserviceError):
                log.exception("What a killed worker left could not be looked for.")
            await asyncio.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def busy_where_lost() -> Iterator[None]:
    """
    Say what it means that another has the lock or the lease.

    Raises:
        Locked: one has.
    """
    try:
        yield
    except (BlockingIOError, LeaseLost) as error:
        raise busy() from error


def heard(finishing: "asyncio.Future[None]") -> None:
    """Log what went wrong where nobody waits for it."""
    if not finishing.cancelled() and (error := finishing.exception()) is not None:
        log.error("An upload could not be made a file: %s", error)


def check_state(resumable: Resumable) -> None:
    """
    Refuse what cannot be gone on with.

    Raises:
        Expired: it was not finished in time, or nothing can be made of it any more.
    """
    if resumable.state == "failed":
        raise Expired("This upload has failed; begin a new one.")
    kept = resumable.state == "finished" and resumable.kind != "part"
    if not kept and resumable.expires_at <= datetime.now(UTC):
        raise Expired("This upload was not finished in time; begin a new one.")


def file_of(held: Resumable, sha256: str, head: bytes) -> StoredFile:
    """Return the row of the file that an upload has become."""
    return StoredFile(
        id=held.id,
        key=held.key,
        name=held.name,
        name_changed=held.name_changed,
        size=held.offset,
        sha256=sha256,
        media_type=media_type(head, held.name),
        created_at=held.created_at,
        sender=held.sender,
    )
