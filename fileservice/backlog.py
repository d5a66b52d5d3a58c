"""
The batches that were ordered, and who works on them.

A batch is worked on by who has its lease. It is taken by compare-and-set: each taking raises the
fence, and whatever is written for a batch is written only where the fence is still the same. So
of two who believe they have the lease one writes, and what was issued once is not issued again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from django.db import transaction
from django.db.models import F

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.errors import ServiceUnavailable
from fileservice.events import Event, tell
from fileservice.ledger import Ledger, rows_of, select_by
from fileservice.listing import Listing
from fileservice.models import Batch, BatchRoster
from fileservice.registry import Issued, insert
from fileservice.rosters import Complaint

# Longer than the longest piece of work between two renewals: a chunk that is time-stamped by an
# authority that takes all of its ten seconds each time, or a template that is fetched and compiled.
LEASE = timedelta(seconds=60)
MAX_WAITING = 16
# With the delays between them a quarter of an hour.
MAX_ATTEMPTS = 10
LONGEST_DELAY_SECONDS = 300
ACTIVE = ("waiting", "checking", "issuing")


class LeaseLost(Exception):
    """Somebody else works on the batch, or it was stopped; nothing was written."""


class Lease(NamedTuple):
    """The right to work on a batch, for as long as nobody else took it."""

    batch_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """
    One row of `models.Batch`, with the same names.

    Attributes:
        key: in the link to keep.
        state: waiting, checking, issuing, done, refused or stopped.
        template: its name or its URL.
        template_sha256: of what its lines were checked with; empty before they were.
        issued_at: aware, UTC, to the second.
        origin: under which the client reached the service.
        total: lines.
        checked: lines that were tried.
        done: certificates that were issued.
        complaints: what is wrong with lines.
        trouble: why it waits or was stopped; may be empty.
    """

    id: str
    key: str
    state: str
    template: str
    zone: str
    issued_at: datetime
    expires_at: datetime | None
    origin: str
    total: int
    sender: str
    user_id: int | None = None
    template_sha256: str = ""
    checked: int = 0
    done: int = 0
    complaints: tuple[Complaint, ...] = ()
    trouble: str = ""

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite holds: a time is text in UTC, complaints are JSON."""
        known = dict(zip(COLUMNS, row, strict=True))
        known["complaints"] = tuple(Complaint(*each) for each in json.loads(known["complaints"]))
        for name in ("issued_at", "expires_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(str(known[name])).replace(tzinfo=UTC)
        return cls(**known)

    @property
    def is_active(self) -> bool:
        """Whether there is still something to do."""
        return self.state in ACTIVE


COLUMNS = [field.name for field in fields(Ordered)]
READY = (
    f"SELECT id FROM {Batch._meta.db_table}"  # noqa: S608 - all names are ours
    f" WHERE state IN {ACTIVE} AND until <= ? LIMIT 1"
)


class Backlog:
    """
    The batches of a service; lookups run on the loop, as those of `Ledger`.

    Attributes:
        listing: all of them, by pages.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.listing = Listing(ledger, Batch, COLUMNS, Ordered.from_row, at="issued_at")
        self._by_id = select_by(Batch, COLUMNS, id="")
        self._by_key = select_by(Batch, COLUMNS, key="")

    def find(self, id: str) -> Ordered | None:
        """Return the batch with this id."""
        row = self._ledger.row(self._by_id, id)
        return Ordered.from_row(row) if row else None

    def find_by_key(self, key: str) -> Ordered | None:
        """Return the batch of a link to keep."""
        row = self._ledger.row(self._by_key, key)
        return Ordered.from_row(row) if row else None

    def has_ready(self, now: datetime) -> bool:
        """Tell whether a batch waits for somebody to work on it."""
        return self._ledger.row(READY, str(now.astimezone(UTC).replace(tzinfo=None))) is not None

    async def add(self, ordered: Ordered, roster: bytes, *, by: Actor, until: datetime) -> None:
        """
        Commit a batch and its list, packed; durable when this returns.

        Up to `until` it is for who has its first lease, of fence 0.

        Raises:
            ServiceUnavailable: so many wait already, or the database is locked.
        """
        if not await self._ledger.run(add, ordered, roster, by, until):
            raise ServiceUnavailable(
                f"{MAX_WAITING} lists wait already; send this one when they are done.",
                headers={"Retry-After": "60"},
            )

    async def take(self, owner: str, *, now: datetime) -> Lease | None:
        """Take the lease of the batch that has waited longest, if one waits."""
        return await self._ledger.run(take, owner, now)

    async def release(self, lease: Lease, *, now: datetime) -> None:
        """Let others take the batch, after a while that grows each time nothing came of it."""
        await self._ledger.run(release, lease, now)

    async def stop(self, ordered: Ordered, by: Actor) -> None:
        """End a batch where it stands; one that has ended stays as it is."""
        await self._ledger.run(stop, ordered, by)

    async def own(self, actor: Actor, limit: int) -> list[Ordered]:
        """Return the newest batches of an actor, at most `limit`."""
        return await self._ledger.run(newest, actor, limit)


def add(ordered: Ordered, roster: bytes, by: Actor, until: datetime) -> bool:
    """Insert a batch, unless too many wait."""
    row = {name: getattr(ordered, name) for name in COLUMNS}
    with transaction.atomic():
        if Batch.objects.filter(state__in=ACTIVE).count() >= MAX_WAITING:
            return False
        batch = Batch.objects.create(**{**row, "complaints": "[]", "until": until})
        BatchRoster.objects.create(batch=batch, content=roster)
        record(Entry(by, "batch.order", ordered.id, ordered.template[:255]))
    return True


def take(owner: str, now: datetime) -> Lease | None:
    """Take the lease of the batch that has waited longest."""
    with transaction.atomic():
        ready = Batch.objects.filter(state__in=ACTIVE, until__lte=now)
        batch = ready.order_by("issued_at", "id").first()
        if batch is None:
            return None
        lease = Lease(batch.id, batch.fence + 1)
        batch.fence, batch.owner, batch.until = lease.fence, owner, now + LEASE
        batch.attempts += 1
        batch.save(update_fields=["fence", "owner", "until", "attempts"])
        if batch.attempts > MAX_ATTEMPTS:
            end(lease, "stopped", now=now, trouble=batch.trouble or "It failed again and again.")
            return None
    return lease


def find(id: str) -> Ordered:
    """Return a batch that is there."""
    return Ordered.from_row(Batch.objects.filter(id=id).values_list(*COLUMNS).get())


def read(lease: Lease) -> tuple[Ordered, bytes]:
    """Return a batch and its list, packed."""
    content = BatchRoster.objects.get(batch_id=lease.batch_id).content
    return find(lease.batch_id), bytes(content)


def renew(lease: Lease, *, now: datetime, **changes: object) -> None:
    """
    Write of a batch, and hold its lease for longer.

    Raises:
        LeaseLost: it is no longer ours.
    """
    held = Batch.objects.filter(id=lease.batch_id, fence=lease.fence, state__in=ACTIVE)
    if not held.update(**{"until": now + LEASE, **changes}):
        raise LeaseLost(f"the lease {lease.fence} of batch {lease.batch_id}")


def keep(lease: Lease, rows: Sequence[Issued], *, now: datetime) -> None:
    """
    Commit certificates of a batch, all or none.

    Raises:
        LeaseLost: it is no longer ours.
    """
    with transaction.atomic():
        renew(lease, now=now, done=F("done") + len(rows), attempts=0, trouble="")
        insert(rows)


def end(
    lease: Lease,
    state: str,
    *,
    now: datetime,
    complaints: Sequence[Complaint] = (),
    trouble: str = "",
) -> None:
    """
    End a batch; its list is no longer needed.

    Raises:
        LeaseLost: it is no longer ours.
    """
    said = json.dumps([[each.line, each.detail] for each in complaints], ensure_ascii=False)
    with transaction.atomic():
        renew(lease, now=now, state=state, complaints=said, trouble=trouble)
        BatchRoster.objects.filter(batch_id=lease.batch_id).delete()
        tell(ending_of(lease.batch_id))


def ending_of(id: str) -> Event:
    """Return what is told of a batch that has ended, however it did."""
    ordered = find(id)
    about = {name: getattr(ordered, name) for name in ("id", "state", "total", "done", "trouble")}
    return Event("batch.done", ordered.user_id, about)


def release(lease: Lease, now: datetime, trouble: str = "") -> None:
    """Let others take a batch, if it is still ours; they wait longer each time."""
    held = Batch.objects.filter(id=lease.batch_id, fence=lease.fence, state__in=ACTIVE)
    attempts = held.values_list("attempts", flat=True).first()
    if attempts is None:
        return
    delay = min(2**attempts, LONGEST_DELAY_SECONDS) if attempts > 1 or trouble else 0
    changes = {"trouble": trouble} if trouble else {}
    held.update(until=now + timedelta(seconds=delay), **changes)


def stop(ordered: Ordered, by: Actor) -> None:
    """End a batch, whoever works on it."""
    with transaction.atomic():
        active = Batch.objects.filter(id=ordered.id, state__in=ACTIVE)
        if active.update(state="stopped", fence=F("fence") + 1, trouble="It was stopped."):
            BatchRoster.objects.filter(batch_id=ordered.id).delete()
            record(Entry(by, "batch.stop", ordered.id, ordered.template[:255]))
            tell(ending_of(ordered.id))


def newest(actor: Actor, limit: int) -> list[Ordered]:
    """Read an actor's batches."""
    rows = rows_of(Batch, actor).order_by("-issued_at", "-id").values_list(*COLUMNS)
    return [Ordered.from_row(row) for row in rows[:limit]]
