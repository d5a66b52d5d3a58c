"""What makes files of resumable uploads that have all their bytes, whoever brought the last."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fileservice.actors import Actor
from fileservice.drops import Drops
from fileservice.errors import DigestMismatch, Expired, FileserviceError, UnsupportedRequest
from fileservice.holding import Holding, Holdings, busy_where_lost, ignored
from fileservice.ledger import Ledger, StoredFile
from fileservice.mediatypes import HEAD_BYTES, check_type, media_type
from fileservice.quotas import Quotas
from fileservice.resumables import Resumable, Resumables
from fileservice.storage import Draft, Storage
from fileservice.tasks import Flights
from fileservice.uploads import disk_errors

log = logging.getLogger("fileservice.resuming")

# A concatenation that takes longer is answered while it goes on.
JOIN_SECONDS = 10.0
# Between two looks for what a killed worker left complete, but no file.
LOOK_SECONDS = 30.0
# Parts that have become a file, for who joins them a second time.
PARTS_STAY = timedelta(hours=1)


class Finishing:
    """What is made a file by one worker, each once for all who wait for it."""

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        resumables: Resumables,
        holdings: Holdings,
        quotas: Quotas,
        drops: Drops,
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._resumables = resumables
        self._holdings = holdings
        self._quotas = quotas
        self._drops = drops
        self._flights: Flights[str, None] = Flights()

    @contextlib.asynccontextmanager
    async def reopened(self, held: Resumable) -> AsyncIterator[Draft]:
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
                    draft.counts_all = held.parcel_id is not None
                    await draft.trim()
                    yield draft
            except EOFError as error:
                log.critical("Bytes of the upload %s are lost: %s.", held.id, error)
                await self._resumables.fail(held)
                raise Expired("Bytes of this upload, or a part of it, are gone.") from error

    async def finish(self, holding: Holding, draft: Draft, by: Actor) -> None:
        """
        Make a file of what is whole, and note who brought the last of it; of a part, that it is.

        Raises:
            EOFError: it has not as many bytes as it should.
        """
        held = replace(holding.resumable, offset=draft.size, length=draft.size)
        if holding.resumable.length not in (None, draft.size):
            raise EOFError(f"there are {draft.size} of {holding.resumable.length} bytes")
        file = None if held.kind == "part" else await self._placed(held, draft)
        counted = self._quotas.counting(held)
        expire = datetime.now(UTC) + PARTS_STAY
        await self._resumables.finish(held, file, by, *counted, parts_expire=expire)
        holding.resumable = replace(held, state="finished")

    async def _placed(self, held: Resumable, draft: Draft) -> StoredFile:
        sha256 = await draft.finish(held.sha256)
        if held.sha256 not in ("", sha256):
            await self.fail(held)
            raise DigestMismatch(
                f"The bytes that arrived have the SHA-256 {sha256}; nothing was stored."
            )
        size = min(held.offset, HEAD_BYTES)
        head = self._storage.peek(held.id, 0, size)
        if head is None:
            head = await self._storage.fetch(held.id, 0, size)
        file = file_of(held, sha256, draft.crc32, head)
        if held.drop_id is not None:
            file = await self._accepted(held, file)
        return replace(file, state=self._ledger.arrival_state)

    async def _accepted(self, held: Resumable, file: StoredFile) -> StoredFile:
        """Return the row of what is put into a box, where guests have an hour from now on."""
        drop = self._drops.find(held.drop_id) if held.drop_id else None
        try:
            check_type(file.media_type, drop.media_types if drop else ())
        except UnsupportedRequest:
            await self.fail(held)
            await self._storage.delete(held.id)
            raise
        return replace(file, created_at=datetime.now(UTC))

    async def fail(self, held: Resumable) -> None:
        """Let nothing be made of an upload any more, and drop its bytes."""
        await self._resumables.fail(held)
        await self._storage.discard_draft(held.id)

    async def soon(self, id: str) -> None:
        """Make a file of what has all its bytes; return when it is one, or after a while."""
        finishing = self.aside(id)
        await asyncio.wait([finishing], timeout=JOIN_SECONDS)
        if finishing.done():
            finishing.result()

    def aside(self, id: str) -> "asyncio.Future[None]":
        """Begin to make a file of what has all its bytes; what goes wrong is logged."""
        joined = self._flights.join(id, lambda: self._complete(id))
        finishing = asyncio.ensure_future(joined)
        finishing.add_done_callback(heard)
        return finishing

    async def _complete(self, id: str) -> None:
        """Make a file of what has all its bytes: an upload, or the parts of a final one."""
        async with self._holdings.hold(id, ignored) as holding:
            held = holding.resumable
            if not held.is_open:
                return
            async with self.reopened(held) as draft:
                if held.parts and not draft.is_whole:
                    await draft.splice(held.parts)
                if held.kind == "part":
                    await draft.sync()
                await self.finish(holding, draft, Actor(user_id=held.user_id))

    async def keep_looking(self) -> None:
        """Finish what a killed worker left, until cancelled."""
        while True:
            try:
                for id in self._resumables.left(datetime.now(UTC)):
                    _ = self.aside(id)
            except (sqlite3.Error, FileserviceError):
                log.exception("What a killed worker left could not be looked for.")
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Leave what is under way to the next worker."""
        await self._flights.close()


def heard(finishing: "asyncio.Future[None]") -> None:
    """Log what went wrong where nobody waits for it."""
    if not finishing.cancelled() and (error := finishing.exception()) is not None:
        log.error("An upload could not be made a file: %s", error)


def file_of(held: Resumable, sha256: str, crc32: int | None, head: bytes) -> StoredFile:
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
        user_id=held.user_id,
        restricted=held.restricted,
        expires_at=held.file_expires_at,
        crc32=crc32,
        parcel_id=held.parcel_id,
        path=held.path,
        drop_id=held.drop_id,
        address=held.address,
    )
