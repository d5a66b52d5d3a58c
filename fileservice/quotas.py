"""
How much anybody may have here: reserved before the first byte, counted when the last has come.

Room is reserved by one conditional UPDATE, so that of any number of uploads at once, in however
many workers, as many are taken as fit (docs/decisions/0034).
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from django.db import Error

from fileservice import entries, reservations
from fileservice.actors import Actor
from fileservice.errors import FileserviceError, ServiceUnavailable
from fileservice.leases import this_process
from fileservice.ledger import Ledger, StoredFile, stored
from fileservice.pauses import network_of
from fileservice.recipients import Recipient, subject_of
from fileservice.reservations import ABANDONED, BYTES, UNLIMITED, USAGE, Most
from fileservice.resumables import Resumable

log = logging.getLogger("fileservice.quotas")

# What comes without a length is given room in steps, and asks again at the end of each.
STEP_BYTES = 8 << 20
RENEW_SECONDS = 15.0


USED = f"SELECT used_bytes, used_files, max_bytes, max_files FROM {USAGE} WHERE subject = ?"  # noqa: S608 - all names are ours


class Standing(NamedTuple):
    """
    What somebody uses, with what is on its way, and may use.

    Attributes:
        max_bytes, max_files: None for any number.
    """

    used_bytes: int
    used_files: int
    max_bytes: int | None
    max_files: int | None


class Room:
    """
    Room for the files of one request.

    Attributes:
        id: of its reservation.
    """

    def __init__(
        self, quotas: "Quotas", id: str, to: Recipient, size: int, *, taken: int = 0
    ) -> None:
        self.id = id
        self._quotas = quotas
        self._to = to
        self._reserved = size
        self._taken = taken
        self._files = 0
        self.settled = False

    async def take(self, size: int) -> None:
        """
        Use some of it, and reserve more where that is not enough.

        Raises:
            QuotaExceeded, DropFull: there is no more.
        """
        self._taken += size
        if self._taken > self._reserved:
            self._reserved = await self._quotas.grow(self.id, self._taken)

    async def need(self, total: int) -> None:
        """
        Reserve room for `total` bytes.

        Raises:
            QuotaExceeded, DropFull: there is none.
        """
        if total > self._reserved:
            self._reserved = await self._quotas.grow(self.id, total, step=0)

    async def one_more(self, size: int) -> None:
        """
        Reserve room for another file, of `size` bytes where there is so much.

        Raises:
            QuotaExceeded, DropFull: no other may come.
        """
        self._files += 1
        more = 1 if self._files > 1 else 0  # the first one has its room
        size = max(0, self._taken + size - self._reserved)
        if more or size:
            total = max(self._taken, self._reserved)
            self._reserved = await self._quotas.grow(self.id, total, step=size, files=more)

    async def add(self, files: Sequence[StoredFile], by: Actor) -> None:
        """Commit files, all or none, and count them in place of what was reserved."""
        await self._quotas.add(self.id, self._to, files, by)
        self.settled = True

    def counting(self, files: Sequence[StoredFile]) -> Callable[[], None]:
        """Return what counts files, to be committed with them; they are `settled` then."""
        size = sum(file.size for file in files)
        return partial(reservations.settle, self.id, self._to, size, len(files))


class Quotas:
    """What is reserved by one worker, and by what limits."""

    def __init__(self, ledger: Ledger, *, max_bytes: int, max_files: int) -> None:
        """Limits hold for each user and each address; 0 is none."""
        self._ledger = ledger
        self._is_limited = max_bytes > 0 or max_files > 0
        self.most = Most(max_bytes or UNLIMITED, max_files or UNLIMITED)
        self.owner = this_process(os.urandom(4).hex())
        self._rooms = 0

    def recipient(self, by: Actor) -> Recipient:
        """Return whose an upload becomes; the operator's own token has no limit."""
        if not self._is_limited or (by.user_id is None and by.name):
            return Recipient(by.user_id, by.sender)
        address = "" if by.user_id is not None else network_of(by.address) or "socket"
        return Recipient(by.user_id, by.sender, address, subject_of(by.user_id, address))

    def standing(self, by: Actor) -> Standing | None:
        """Return what an actor uses and may use; None where nobody counts."""
        subject = self.recipient(by).subject
        if not subject:
            return None
        row = self._ledger.row(USED, subject) or (0, 0, None, None)
        limits = (
            most if own is None else own for own, most in zip(row[2:], self.most, strict=True)
        )
        return Standing(*row[:2], *(None if most == UNLIMITED else most for most in limits))

    def of_drop(self, by: Actor, id: str, user_id: int, media_types: tuple[str, ...]) -> Recipient:
        """Return whose becomes what a guest puts into a box: the box's owner's alone."""
        return Recipient(
            user_id=user_id,
            sender=by.sender,
            subject=subject_of(user_id, "") if self._is_limited else "",
            restricted=True,
            drop_id=id,
            media_types=media_types,
        )

    def of_resumable(self, held: Resumable) -> Recipient:
        """Return whose an upload becomes that was begun before."""
        subject = subject_of(held.user_id, held.address) if self._is_limited else ""
        return Recipient(
            held.user_id,
            held.sender,
            held.address,
            subject,
            held.restricted,
            held.drop_id,
            parcel_id=held.parcel_id,
        )

    def rest_of(self, held: Resumable) -> Room | None:
        """Return the room of an upload that was begun before; None where nobody counts."""
        to = self.of_resumable(held)
        if not to.is_counted:
            return None
        return Room(self, held.id, to, self.reserved(held.id), taken=held.offset)

    @contextlib.asynccontextmanager
    async def room(self, id: str, to: Recipient, size: int | None) -> AsyncIterator[Room | None]:
        """
        Reserve room for one file until the end of the block; None where nobody counts.

        Args:
            id: of the reservation.
            to: whose the file becomes.
            size: bytes, where they are known.

        Raises:
            QuotaExceeded, DropFull: there is none.
        """
        if not to.is_counted:
            yield None
            return
        room = Room(self, id, to, size or 0)
        self._rooms += 1
        try:
            await self._ledger.commit(self.reserve, id, to, size or 0)
            yield room
        finally:
            self._rooms -= 1
            if not room.settled:
                await asyncio.shield(self._release(id))

    def reserve(self, id: str, to: Recipient, size: int) -> None:
        """Reserve room for one upload in the transaction that is open; see `reservations`."""
        now = datetime.now(UTC)
        reservations.reserve(id, to, size, 1, self.most, owner=self.owner, now=now)

    def counting(self, held: Resumable) -> list[Callable[[], None]]:
        """Return what counts an upload that is whole, to be committed with it."""
        to = self.of_resumable(held)
        if not to.is_counted:
            return []
        if held.kind == "part":
            return [partial(reservations.shrink, held.id, held.offset)]
        return [partial(reservations.settle, held.id, to, held.offset)]

    def reserving(self, begun: Resumable, to: Recipient) -> list[Callable[[], None]]:
        """Return what reserves room for an upload, to be committed with it."""
        if not to.is_counted:
            return []
        return [partial(self.reserve, begun.id, to, begun.length or 0)]

    async def _release(self, id: str) -> None:
        try:
            await self._ledger.commit(reservations.release, id)
        except (Error, ServiceUnavailable):
            log.exception("What was reserved for %s is given back by the next sweep.", id)

    async def grow(self, id: str, total: int, *, step: int = STEP_BYTES, files: int = 0) -> int:
        """
        Reserve more, and return for how many bytes there is room then.

        Raises:
            QuotaExceeded, DropFull: there is no more.
        """
        return await self._ledger.commit(reservations.grow, id, total, step, files, self.most)

    def reserved(self, id: str) -> int:
        """Return for how many bytes there is room; without end where nobody counts."""
        row = self._ledger.row(BYTES, id)
        return row[0] if row else UNLIMITED

    async def add(self, id: str, to: Recipient, files: Sequence[StoredFile], by: Actor) -> None:
        """Commit files, all or none, and count them in place of what was reserved."""
        await self._ledger.commit(add, id, to, files, by)

    async def keep_renewing(self) -> None:
        """
        Say that this worker lives, while it takes something in, until cancelled.

        What another had reserved that lives no more is given back.
        """
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if self._rooms:
                    await self._ledger.commit(reservations.renew, self.owner, datetime.now(UTC))
                await give_back_abandoned(self._ledger)
            except (Error, sqlite3.Error, FileserviceError):
                log.exception("What is reserved could not be looked after.")


async def give_back_abandoned(ledger: Ledger) -> None:
    """Give back what is reserved by workers that live no more; each once, whoever comes first."""
    now = datetime.now(UTC)
    for (id,) in ledger.rows(ABANDONED, stored(now)):
        if await ledger.commit(reservations.release_abandoned, id, now):
            log.warning("What a killed worker had reserved for %s is given back.", id)


def add_of(room: Room | None) -> Callable[[Sequence[StoredFile], Actor], Awaitable[None]] | None:
    """Return what commits the files that `room` is for; None where nobody counts."""
    return None if room is None else room.add


def add(id: str, to: Recipient, files: Sequence[StoredFile], by: Actor) -> None:
    """Insert files, and count them."""
    entries.insert([(file, by) for file in files])
    reservations.settle(id, to, sum(file.size for file in files), len(files))
