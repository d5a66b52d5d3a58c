"""
What one worker does for all of them, on all hosts: who does it has the lease of the duty.

A lease is taken by compare-and-set, as that of a batch, and renewed while the work goes on. Of a
worker that was killed it runs out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from fileservice.leases import FREE, this_process
from fileservice.ledger import Ledger
from fileservice.models import Duty

LEASE = timedelta(minutes=1)
RENEW_SECONDS = 15.0


class TurnLost(Exception):
    """Another has the duty now: this one stood still for longer than its lease."""


class Turn:
    """The lease of a duty, held."""

    def __init__(self, ledger: Ledger, name: str, fence: int) -> None:
        self._ledger = ledger
        self._name = name
        self._fence = fence
        self._clock = asyncio.get_running_loop().time
        self._renewed = self._clock()

    async def keep(self) -> None:
        """
        Hold the lease for longer where it is time to; call it before each step of the work.

        Raises:
            TurnLost: it is no longer ours.
        """
        if self._clock() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = self._clock()
        until = datetime.now(UTC) + LEASE
        if not await self._ledger.run(write, self._name, self._fence, {"until": until}):
            raise TurnLost(f"the lease {self._fence} of the duty {self._name}")

    async def end(self, *, done: bool) -> None:
        """Let others have the duty, if it is still ours; note whether it was done."""
        changes = {"until": FREE} | ({"done_at": datetime.now(UTC)} if done else {})
        await self._ledger.run(write, self._name, self._fence, changes)


class Duties:
    """The duties, for one process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owner = this_process()

    @contextlib.asynccontextmanager
    async def turn(self, name: str, *, done_before: datetime | None = None) -> AsyncIterator[Turn]:
        """
        Have the duty until the end of the block.

        Args:
            name: which.
            done_before: where it was done since then, it is not to be done now.

        Raises:
            TurnLost: another has it, or it was done.
        """
        fence = await self._ledger.run(take, name, self._owner, datetime.now(UTC), done_before)
        if fence is None:
            raise TurnLost(f"the duty {name} is not to be taken")
        turn = Turn(self._ledger, name, fence)
        done = False
        try:
            yield turn
            done = True
        finally:
            await asyncio.shield(turn.end(done=done))

    async def holder(self, name: str) -> str:
        """Say who has a duty, as host and process; empty where nobody has."""
        return await self._ledger.run(holder, name, datetime.now(UTC))


def take(name: str, owner: str, now: datetime, done_before: datetime | None) -> int | None:
    """Take the lease of a duty and return its fence; None where it is not to be taken."""
    Duty.objects.get_or_create(name=name, defaults={"until": FREE})
    free = Duty.objects.filter(name=name, until__lte=now)
    if done_before is not None:
        free = free.filter(Q(done_at=None) | Q(done_at__lte=done_before))
    with transaction.atomic():
        if not free.update(owner=owner, fence=F("fence") + 1, until=now + LEASE):
            return None
        return Duty.objects.get(name=name).fence


def write(name: str, fence: int, changes: dict[str, datetime]) -> bool:
    """Write of a duty where the lease is still that of `fence`; tell whether it is."""
    return Duty.objects.filter(name=name, fence=fence).update(**changes) > 0


def holder(name: str, now: datetime) -> str:
    """Say who has the lease of a duty."""
    held = Duty.objects.filter(name=name, until__gt=now).values_list("owner", flat=True)
    return held.first() or ""
