"""
Uploads that come in several requests: one state machine below every protocol that resumes.

An upload is open until its last byte is durable, then finished: the file is there, under the id
it had from the start. Who asks where it stands is told what a power cut leaves.
"""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fileservice.actors import Actor
from fileservice.appending import Append, Appending, agreed, other_offset
from fileservice.drops import Drops
from fileservice.errors import Expired
from fileservice.finishing import Finishing
from fileservice.following import Following
from fileservice.holding import Holding, Holdings, busy_where_lost, ignored
from fileservice.ledger import Ledger, StoredFile
from fileservice.names import CleanName
from fileservice.quotas import Quotas, add_of
from fileservice.recipients import NOBODY, Recipient
from fileservice.resumables import LeaseLost, Resumable, Resumables
from fileservice.storage import Draft, Storage
from fileservice.tasks import beside, to_its_end
from fileservice.uploads import Limits, Upload, check_room, delete, finish


class Resuming:
    """The resumable uploads of one worker."""

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        resumables: Resumables,
        following: Following,
        quotas: Quotas,
        drops: Drops,
        *,
        lifetime: timedelta,
    ) -> None:
        self._storage = storage
        self._ledger = ledger
        self._resumables = resumables
        self._following = following
        self._quotas = quotas
        self._lifetime = lifetime
        self._holdings = Holdings(storage, resumables)
        self._finishing = Finishing(storage, ledger, resumables, self._holdings, quotas, drops)

    def find(self, key: str) -> Resumable | None:
        """
        Return the upload of a link to keep, unless the time of its file is up.

        Raises:
            Expired: it was not finished in time, or nothing can be made of it any more.
        """
        found = self._resumables.find_by_key(key)
        if found is None:
            return None
        check_state(found)
        is_file = found.state == "finished" and found.kind != "part"
        return None if is_file and self._ledger.find(found.id) is None else found

    def drop_of(self, key: str) -> str | None:
        """Return the box that the upload of a link to keep is put into."""
        found = self._resumables.find_by_key(key)
        return found.drop_id if found is not None else None

    async def start(
        self, resumable: Resumable, limits: Limits, to: Recipient = NOBODY
    ) -> Resumable:
        """
        Begin an upload and return it as it is then: one of no bytes is finished at once.

        A final one is joined from its parts. Where that takes long it goes on when this returns,
        and its offset tells when it is done. One that was begun before, of the same parts for
        the same name, is returned instead of a second.

        Raises:
            BadRequest: a part is not finished.
            TooLarge, InsufficientStorage: see `uploads.check_room`.
            QuotaExceeded, DropFull: there is no room for it.
        """
        check_room(self._storage, limits, resumable.length or 0)
        expires = datetime.now(UTC) + self._lifetime
        resumable = replace(resumable, expires_at=expires)
        reserving = self._quotas.reserving(resumable, to)
        resumable = await self._resumables.add(resumable, *reserving)
        if resumable.is_open and (resumable.kind == "final" or resumable.is_complete):
            await self._finishing.soon(resumable.id)
            return self._resumables.find(resumable.id) or resumable
        return resumable

    async def store(
        self,
        resumable: Resumable,
        chunks: AsyncIterable[bytes],
        limits: Limits,
        by: Actor,
        to: Recipient,
    ) -> Resumable:
        """
        Take an upload that comes whole in the request that begins it, as any file is taken.

        Nobody knows its link before it is a file, so that nothing stays of one cut short, and
        nobody else can want to write. Only what a file has no room for takes a row of its own.

        Raises:
            TooLarge, InsufficientStorage: see `uploads.check_room`.
            QuotaExceeded, DropFull: there is no room for it.
            ServiceUnavailable: see `uploads.finish`.
        """
        check_room(self._storage, limits, resumable.length or 0)
        name = CleanName(resumable.name, resumable.name_changed)
        now = datetime.now(UTC)
        upload = Upload(self._storage, name, to=to, now=now, path=resumable.path)
        async with upload, self._quotas.room(upload.id, to, resumable.length) as room:
            await upload.append(chunks, limits)
            await upload.seal()
            whole = replace(
                resumable,
                id=upload.id,
                key=upload.key,
                state="finished",
                offset=upload.size,
                created_at=now,
                expires_at=now,
            )

            async def add(files: Sequence[StoredFile], by: Actor) -> None:
                counting = self._quotas.counting(whole)
                await self._resumables.add_finished(whole, files[0], by, *counting)
                if room is not None:
                    room.settled = True

            await finish(self._ledger, [upload], by, add if whole.metadata else add_of(room))
        return whole

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
            _ = self._finishing.aside(resumable.id)
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
            QuotaExceeded, DropFull: there is no room for more.
            InsufficientStorage, ServiceUnavailable: see `uploads.disk_errors`.
        """
        async with self._holdings.hold(resumable.id, append.interrupt) as holding:
            held = holding.resumable
            check_state(held)
            holding.resumable = held = agreed(held, append, limits)
            if held.is_open:
                check_room(self._storage, limits, append.declared or 0)
                await self._write(holding, append, limits)
                await self._ledger.arrived(holding.resumable.id)
        return holding.resumable

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
                    await self._finishing.fail(holding.resumable)

    async def delete(self, resumable: Resumable, by: Actor) -> bool:
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
        return file is not None and await delete(self._ledger, self._storage, file, by)

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
            async with (
                beside(self._holdings.keep_looking()),
                beside(self._finishing.keep_looking()),
            ):
                yield
        finally:
            await self._finishing.close()
            await self._holdings.close()

    async def _write(self, holding: Holding, append: Append, limits: Limits) -> None:
        async with self._finishing.reopened(holding.resumable) as draft:
            if draft.is_whole:
                await self._finishing.finish(holding, draft, append.by)
                raise other_offset(holding.resumable, append)
            room = self._quotas.rest_of(holding.resumable)
            if room is not None:
                length = holding.resumable.length
                await room.need(draft.size + (append.declared or 0) if length is None else length)
            appending = Appending(
                self._resumables, self._following, holding, draft, append, self._lifetime, room
            )
            arrived = False
            try:
                await appending.take(limits, lambda: check_room(self._storage, limits, 0))
                arrived = True
            finally:
                await to_its_end(self._end(holding, draft, appending, append.by, arrived=arrived))

    async def _end(
        self, holding: Holding, draft: Draft, appending: Appending, by: Actor, *, arrived: bool
    ) -> None:
        await appending.end(arrived=arrived)
        # What was to be the end and is not may have been too long, and then is no file.
        if holding.resumable.is_complete and (arrived or not appending.is_last):
            await self._finishing.finish(holding, draft, by)


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
