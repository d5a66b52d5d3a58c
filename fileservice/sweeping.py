"""
What nobody is going to use any more is removed: by one worker at a time, of all on all hosts.

Rows go before their bytes: a sweep that is killed leaves bytes without a row, which the next one
removes. What somebody who is alive has open is left alone, whatever its age.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched

from django.db import Error

from fileservice import attempts, delivering, reservations, sessions
from fileservice.actors import THE_SERVICE
from fileservice.duties import Duties, Turn, TurnLost
from fileservice.errors import FileserviceError
from fileservice.expiry import Expiry, forget_leases
from fileservice.ledger import Ledger
from fileservice.parcels import Parcels
from fileservice.quotas import give_back_abandoned
from fileservice.storage import Storage
from fileservice.tasks import beside

log = logging.getLogger("fileservice.sweeping")

DUTY = "sweep"
# For who would look into what a killed process left; nothing else needs it.
GRACE = timedelta(hours=24)
PERIOD = timedelta(hours=1)
LOOK_SECONDS = 300
IDS_AT_ONCE = 500  # of one query: the thread that commits uploads waits for it
COMMITS_AT_ONCE = 8  # that become one; uploads have more threads than that for the disk


@dataclass(slots=True)
class Swept:
    """
    What one sweep removed.

    Attributes:
        files: whose time was up.
        uploads: that were not finished in time, parts that nobody joined, and those that failed.
        drafts: bytes that were to become a file, and that no upload goes on with.
        blobs: bytes of a file without its row.
        parcels: whose time was up, with their files.
    """

    files: int = 0
    uploads: int = 0
    drafts: int = 0
    blobs: int = 0
    parcels: int = 0

    def __bool__(self) -> bool:
        return any((self.files, self.uploads, self.drafts, self.blobs, self.parcels))

    def __str__(self) -> str:
        return (
            f"Removed: files {self.files}, uploads {self.uploads}, drafts {self.drafts},"
            f" blobs {self.blobs}, parcels {self.parcels}."
        )


class Sweeper:
    """Sweeps, where no other does."""

    def __init__(self, ledger: Ledger, storage: Storage) -> None:
        self._ledger = ledger
        self._expiry = Expiry(ledger)
        self._parcels = Parcels(ledger, storage)
        self._storage = storage
        self._duties = Duties(ledger)

    async def sweep(
        self, *, grace: timedelta = GRACE, done_before: datetime | None = None
    ) -> Swept:
        """
        Remove what is left over, and return how much it was.

        Args:
            grace: what was written to since is no leftover yet. It may be nothing: whoever
                still needs what has no row has it open.
            done_before: where somebody swept since then, there is nothing to do.

        Raises:
            TurnLost: there is nothing to do, or another sweeps.
        """
        swept = Swept()
        async with self._duties.turn(DUTY, done_before=done_before) as turn:
            now = datetime.now(UTC)
            await self._sweep_parcels(turn, swept, now)
            await self._sweep_files(turn, swept, now)
            await self._sweep_uploads(turn, swept, now)
            await self._sweep_drafts(turn, swept, now - grace)
            await self._sweep_blobs(turn, swept, now - grace)
            await self._reckon(turn)
            await self._sweep_logins(turn, now)
            await self._sweep_deliveries(turn, now)
        return swept

    async def holder(self) -> str:
        """Say who sweeps now, as host and process; empty where nobody does."""
        return await self._duties.holder(DUTY)

    async def _sweep_parcels(self, turn: Turn, swept: Swept, now: datetime) -> None:
        while ids := await self._parcels.expired(now, IDS_AT_ONCE):
            for id in ids:
                await turn.keep()
                await self._parcels.sweep(id, THE_SERVICE)
                swept.parcels += 1

    async def _sweep_files(self, turn: Turn, swept: Swept, now: datetime) -> None:
        """Remove files whose time is up."""
        before = -1
        while before < swept.files:
            before = swept.files
            for ids in batched(await self._expiry.files(now, IDS_AT_ONCE), COMMITS_AT_ONCE):
                await turn.keep()
                async with asyncio.TaskGroup() as tasks:
                    removed = [tasks.create_task(self._remove(id, now)) for id in ids]
                swept.files += sum(each.result() for each in removed)

    async def _remove(self, id: str, now: datetime) -> bool:
        if not await self._expiry.remove(id, now=now):
            return False
        await self._storage.delete(id)
        return True

    async def _sweep_uploads(self, turn: Turn, swept: Swept, now: datetime) -> None:
        """Forget uploads whose time is up; parts last, since what they are joined to needs them."""
        for expired in (self._expiry.uploads, self._expiry.parts):
            before = -1
            while before < swept.uploads:
                before = swept.uploads
                for ids in batched(await expired(now, IDS_AT_ONCE), COMMITS_AT_ONCE):
                    await turn.keep()
                    async with asyncio.TaskGroup() as tasks:
                        forgotten = [tasks.create_task(self._forget(id, now)) for id in ids]
                    swept.uploads += sum(each.result() for each in forgotten)

    async def _forget(self, id: str, now: datetime) -> bool:
        async with self._storage.unheld(id) as unheld:
            if not unheld or not await self._expiry.forget(id, now=now):
                return False
            await self._storage.discard_draft(id)
            return True

    async def _reckon(self, turn: Turn) -> None:
        """Give back what killed workers had reserved, and count anew what is used."""
        await give_back_abandoned(self._ledger)
        for subject in await self._ledger.run(reservations.subjects):
            await turn.keep()
            await self._ledger.commit(reservations.recount, subject)
        for id in await self._ledger.run(reservations.boxes):
            await turn.keep()
            await self._ledger.commit(reservations.recount_drop, id)
        await self._ledger.commit(reservations.forget_unused)

    async def _sweep_logins(self, turn: Turn, now: datetime) -> None:
        """Forget sessions, counts of attempts and leases that hold no longer: nobody's loss."""
        for forget in (sessions.forget_expired, attempts.forget_expired, forget_leases):
            while await self._ledger.run(forget, now, IDS_AT_ONCE):
                await turn.keep()

    async def _sweep_drafts(self, turn: Turn, swept: Swept, before: datetime) -> None:
        for ids in batched(await self._storage.drafts(before), IDS_AT_ONCE):
            for id in set(ids) - await self._expiry.needing_drafts(ids):
                await turn.keep()
                async with self._storage.unheld(id) as unheld:
                    if unheld:
                        await self._storage.discard_draft(id)
                        swept.drafts += 1

    async def _sweep_blobs(self, turn: Turn, swept: Swept, before: datetime) -> None:
        async for folder in self._storage.ids(before):
            for ids in batched(folder, IDS_AT_ONCE):
                for id in set(ids) - await self._ledger.known(ids):
                    await turn.keep()
                    async with self._storage.unheld(id) as unheld:
                        # Whoever had it open may have committed its row since.
                        if unheld and not await self._ledger.known([id]):
                            await self._storage.delete(id)
                            swept.blobs += 1

    async def _sweep_deliveries(self, turn: Turn, now: datetime) -> None:
        """Forget what webhooks were told; who wants to know looks within a week."""
        while await self._ledger.commit(delivering.forget, now - delivering.KEPT, IDS_AT_ONCE):
            await turn.keep()


@contextlib.asynccontextmanager
async def sweeping(sweeper: Sweeper) -> AsyncIterator[None]:
    """Sweep in the background until the end of the block."""
    async with beside(keep_sweeping(sweeper)):
        yield


async def keep_sweeping(sweeper: Sweeper) -> None:
    """Sweep now, and when nobody has for an hour, until cancelled."""
    done_before = None
    while True:
        try:
            with contextlib.suppress(TurnLost):
                if swept := await sweeper.sweep(done_before=done_before):
                    log.info("%s", swept)
        except* (OSError, Error, FileserviceError):
            log.exception("A sweep failed; the next look is in %d seconds.", LOOK_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)
        done_before = datetime.now(UTC) - PERIOD
