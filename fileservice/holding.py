"""
Who writes to a resumable upload: one request or task at a time, in whichever worker.

The next one that comes asks it to let go, so that a client never waits for a connection that it
has lost (docs/decisions/0027).
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import Error

from fileservice.errors import FileserviceError, Locked, NotFound
from fileservice.leases import this_process
from fileservice.resumables import LeaseLost, Resumable, Resumables
from fileservice.storage import Storage

log = logging.getLogger("fileservice.resuming")

# A holder in another worker hears of it when that looks, and syncs before it lets go.
LOOK_SECONDS = 0.2
LET_GO_SECONDS = 3.0
# A holder opens its draft right after it has taken the lease: one that did not by now is dead.
DEAD_SECONDS = 0.5
RETRY_SECONDS = 0.1
RENEW_SECONDS = 10.0


@dataclass(slots=True)
class Holding:
    """
    An upload whose lease this worker has, or one that is no longer open and needs none.

    Attributes:
        resumable: as it is noted.
        interrupt: is called when somebody else wants to write.
    """

    resumable: Resumable
    interrupt: Callable[[], None]
    let_go: asyncio.Event = field(default_factory=asyncio.Event)


class Holdings:
    """The uploads whose leases one worker has."""

    def __init__(self, storage: Storage, resumables: Resumables) -> None:
        self._storage = storage
        self._resumables = resumables
        self._owner = this_process(os.urandom(4).hex())
        self._held: dict[str, Holding] = {}

    def is_held(self, id: str) -> bool:
        """Tell whether anybody has the lease of an upload."""
        return id in self._held or self._resumables.is_taken(id, datetime.now(UTC))

    @contextlib.asynccontextmanager
    async def hold(self, id: str, interrupt: Callable[[], None]) -> AsyncIterator[Holding]:
        """
        Hold the lease of an upload to the end of the block.

        Raises:
            NotFound: there is no such upload.
            Locked: who has the lease does not let go in time.
        """
        holding = Holding(await self._taken(id), interrupt)
        if not holding.resumable.is_open:
            yield holding
            return
        self._held[id] = holding
        try:
            yield holding
        finally:
            try:
                if holding.resumable.is_open:
                    await asyncio.shield(self._resumables.release(holding.resumable))
            finally:
                # Somebody who took the lease from us may have let us have it again.
                if self._held.get(id) is holding:
                    del self._held[id]
                holding.let_go.set()

    async def _taken(self, id: str) -> Resumable:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            taken = await self._resumables.take(id, self._owner, now=datetime.now(UTC))
            if taken is not None:
                return taken
            there = self._resumables.find(id)
            if there is None:
                raise NotFound("There is no such upload.")
            if not there.is_open:
                return there
            waited = clock() - began
            if waited > DEAD_SECONDS and (stolen := await self._stolen(there)) is not None:
                return stolen
            if waited > LET_GO_SECONDS:
                raise busy()
            await self._ask(id)

    async def _stolen(self, there: Resumable) -> Resumable | None:
        """Take the lease of a worker that is gone: the kernel closed its drafts."""
        if there.id in self._held or await self._storage.is_written_to(there.id):
            return None
        log.warning("The lease of upload %s is taken from a worker that is gone.", there.id)
        now = datetime.now(UTC)
        return await self._resumables.steal(there.id, self._owner, there.fence, now=now)

    async def _ask(self, id: str) -> None:
        """Ask who writes to let go, and give it some time."""
        holding = self._held.get(id)
        if holding is None:
            await self._resumables.ask(id)
            await asyncio.sleep(RETRY_SECONDS)
            return
        holding.interrupt()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                await holding.let_go.wait()

    def let_go(self) -> None:
        """End what is being written, as if somebody else wanted to; what came is kept."""
        for holding in self._held.values():
            holding.interrupt()

    async def close(self) -> None:
        """Let go of everything, as far as that is done soon; what came is noted."""
        held = list(self._held.values())
        self.let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                for holding in held:
                    await holding.let_go.wait()

    async def keep_looking(self) -> None:
        """Hear what other workers ask of this one, and hold what is held, until cancelled."""
        clock = asyncio.get_running_loop().time
        renewed = clock()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._held:
                continue
            try:
                self._hear()
                if clock() - renewed > RENEW_SECONDS:
                    renewed = clock()
                    ids = list(self._held)
                    await self._resumables.renew(ids, self._owner, now=datetime.now(UTC))
            except (Error, sqlite3.Error, FileserviceError):
                log.exception("Leases of uploads could not be looked after.")

    def _hear(self) -> None:
        for id in self._resumables.asked_of(self._owner):
            if id in self._held:
                self._held[id].interrupt()


def ignored() -> None:
    """Do not let go: what is done is short, or must be done once."""


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


def busy() -> Locked:
    """Return the refusal of a second writer."""
    return Locked("Another request writes to this upload.", headers={"Retry-After": "1"})
