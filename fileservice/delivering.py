"""
What sends events to webhooks: again until they are taken or given up, by any worker.

A delivery is sent by who has its lease. It is taken by compare-and-set, which raises the fence and
puts off when it is due; of a worker that was killed it is due again when the lease has run out. So
it is sent at least once, and who gets it twice tells so by its id (docs/decisions/0040).
"""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import Error, connection
from django.db.models import F

from fileservice.errors import FileserviceError
from fileservice.fetch.errands import Errand
from fileservice.fetch.session import SharedSession
from fileservice.fetch.telling import told
from fileservice.leases import this_process
from fileservice.ledger import Ledger
from fileservice.models import Delivery, Webhook
from fileservice.remoteurls import parse_remote_url
from fileservice.tasks import beside
from fileservice.webhooks import COLUMNS, Hook, signed_fields

log = logging.getLogger("fileservice.webhooks")

LOOK_SECONDS = 1.0
SECONDS = 10.0
# Longer than an attempt and the commit after it take.
LEASE = timedelta(seconds=60)
AT_ONCE = 16
AT_ONCE_BY_HOOK = 4
HOOKS_AT_ONCE = 100
# Before the second attempt, the third...: a day in all.
DELAYS_SECONDS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
# Longest part of a delay that is added to it, so that what failed together is not sent together.
SPREAD = 0.2
KEPT = timedelta(days=7)
# Each hook with the moment since when something is due: a hook for which much waits costs one step.
DUE = (
    "SELECT * FROM (SELECT w.id, (SELECT MIN(d.next_at)"  # noqa: S608 - all names are ours
    f" FROM {Delivery._meta.db_table} d WHERE d.webhook_id = w.id"
    " AND d.ended_at IS NULL AND d.next_at <= {0}) AS since"
    f" FROM {Webhook._meta.db_table} w JOIN {User._meta.db_table} u ON u.id = w.user_id"
    " WHERE w.paused_at IS NULL AND u.is_active) due"
    f" WHERE since IS NOT NULL ORDER BY since LIMIT {HOOKS_AT_ONCE}"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose lease is held, and where it goes."""

    id: int
    hook: Hook
    content: str
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of an attempt.

    Attributes:
        status: of the answer; None where there was none.
        trouble: empty where it was taken.
    """

    status: int | None
    trouble: str


class Delivering:
    """
    Sends what is due, for one worker.

    Attributes:
        outcomes: how many attempts ended how: delivered, failed, given up.
    """

    def __init__(self, ledger: Ledger, session: SharedSession) -> None:
        self.outcomes: Counter[str] = Counter()
        self._ledger = ledger
        self._session = session
        self._owner = this_process()
        self._sending: dict[asyncio.Task[None], int] = {}

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Send in the background until the end of the block; what is not taken then is left."""
        try:
            async with beside(self._keep_looking()):
                yield
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            try:
                if len(self._sending) < AT_ONCE and self._is_due():
                    await self._send_some()
            except (sqlite3.Error, Error, FileserviceError):
                log.exception("What webhooks are to be told could not be looked for.")
            await self._pause()

    async def _pause(self) -> None:
        """Wait for a place, or for something new; who is slow keeps nobody else waiting."""
        if self._sending:
            await asyncio.wait(
                self._sending, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await asyncio.sleep(LOOK_SECONDS)

    def _is_due(self) -> bool:
        now = str(datetime.now(UTC).replace(tzinfo=None))
        return bool(self._ledger.rows(DUE.format("?"), now))

    async def _send_some(self) -> None:
        """Begin to send what is due and has a place."""
        busy = Counter(self._sending.values())
        places = AT_ONCE - len(self._sending)
        for due in await self._ledger.commit(take, self._owner, busy, places, datetime.now(UTC)):
            task = asyncio.create_task(self._send(due))
            self._sending[task] = due.hook.id
            task.add_done_callback(self._sending.pop)

    async def _send(self, due: Due) -> None:
        outcome = await self._attempt(due)
        try:
            ended = await self._ledger.commit(note, due, outcome, datetime.now(UTC))
        except FileserviceError:
            log.exception("What came of delivery %d could not be kept; it is sent again.", due.id)
            return
        self.outcomes[ended] += 1
        if ended == "given up":
            log.warning("Webhook %d is paused: %s", due.hook.id, outcome.trouble)

    async def _attempt(self, due: Due) -> Outcome:
        body = due.content.encode()
        headers = {"Content-Type": "application/json"}
        headers |= signed_fields(due.hook, due.id, body, datetime.now(UTC))
        try:
            errand = Errand(parse_remote_url(due.hook.url), "public", None)
            status = await told(self._session, errand, body, headers, SECONDS)
        except FileserviceError as error:
            return Outcome(None, error.detail)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Outcome(status, "")
        return Outcome(status, f"{errand.url.authority} answered {status}.")


def take(owner: str, busy: Mapping[int, int], places: int, now: datetime) -> list[Due]:
    """Take leases of what is due: of each hook a few, so that none is in the way of others."""
    with connection.cursor() as cursor:
        cursor.execute(DUE.format("%s"), [connection.ops.adapt_datetimefield_value(now)])
        ids = [id for id, _ in cursor.fetchall()]
    hooks = {row[0]: Hook.from_row(row) for row in rows_of(ids)}
    taken: list[Due] = []
    for id in ids:
        most = min(AT_ONCE_BY_HOOK - busy.get(id, 0), places - len(taken))
        taken += take_of(hooks[id], max(0, most), owner, now)
    return taken


def rows_of(ids: list[int]) -> list[tuple[Any, ...]]:
    """Read hooks."""
    return list(Webhook.objects.filter(id__in=ids).values_list(*COLUMNS))


def take_of(hook: Hook, most: int, owner: str, now: datetime) -> list[Due]:
    """Take leases of what is due for one hook, the oldest first."""
    open_ = Delivery.objects.filter(webhook_id=hook.id, ended_at=None, next_at__lte=now)
    until = now + LEASE
    changes = {"owner": owner, "until": until, "next_at": until}
    taken = []
    for row in open_.order_by("next_at", "id")[:most]:
        ours = Delivery.objects.filter(id=row.pk, fence=row.fence, ended_at=None)
        if ours.update(fence=F("fence") + 1, attempts=F("attempts") + 1, **changes):
            taken.append(Due(row.pk, hook, row.content, row.fence + 1, row.attempts + 1))
    return taken


def note(due: Due, outcome: Outcome, now: datetime) -> str:
    """Write down what came of an attempt, if the lease is still ours; return how it ended."""
    held = Delivery.objects.filter(id=due.id, fence=due.fence, ended_at=None)
    changes = {"status": outcome.status, "trouble": outcome.trouble, "until": now}
    if not outcome.trouble:
        held.update(**changes, ended_at=now)
        return "delivered"
    if outcome.status != HTTPStatus.GONE and due.attempts <= len(DELAYS_SECONDS):
        held.update(**changes, next_at=now + delay_after(due.attempts))
        return "failed"
    # Who did not take it for a day, or says that nobody listens any more, is told nothing else.
    if held.update(**changes, ended_at=now):
        Webhook.objects.filter(id=due.hook.id, paused_at=None).update(paused_at=now)
    return "given up"


def delay_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts."""
    return timedelta(seconds=DELAYS_SECONDS[attempts - 1] * (1 + SPREAD * random.random()))  # noqa: S311 - no secret


def forget(before: datetime, limit: int) -> int:
    """Delete deliveries that ended `before`, or wait since then for a hook that is paused."""
    ended = Delivery.objects.filter(ended_at__lt=before).values_list("id", flat=True)[:limit]
    paused = Webhook.objects.filter(paused_at__isnull=False).values_list("id", flat=True)
    waiting = Delivery.objects.filter(webhook_id__in=paused, ended_at=None, next_at__lt=before)
    ids = {*ended, *waiting.values_list("id", flat=True)[:limit]}
    return Delivery.objects.filter(id__in=ids).delete()[0]
