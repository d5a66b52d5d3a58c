"""
What counts as a download by a share: who begins one has a lease, within which all else is free.

A lease is taken by one conditional UPDATE of its share, in the transaction that adds its row: of
those who come at once as many get one as the share lets. See docs/decisions/0033.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from django.db.models import F, Q

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.events import Event, tell
from fileservice.ledger import Ledger, select_by, stored
from fileservice.models import Lease, Share
from fileservice.shares import KnownShare, Subject

# A laptop that was shut in the evening goes on in the morning.
WINDOW = timedelta(hours=24)
# The last piece of a file may come before the others, where a program asks for several at once.
GRACE = timedelta(minutes=10)
RENEWED = timedelta(minutes=1)
LONGEST = timedelta(days=7)


class Visitor(NamedTuple):
    """
    Who asks for a download.

    Attributes:
        id: what a row keeps of its cookie, or of the one that it is given now.
        address: that its lease is to have; None where its cookie tells it from others.
        is_known_by_address: whether a lease of that address is its own.
    """

    id: str
    address: str | None
    is_known_by_address: bool


class HeldLease(NamedTuple):
    """One row of `models.Lease`, with the same names."""

    id: str
    share_id: str
    began_at: datetime
    until: datetime

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite or Django holds: a time may be text in UTC."""
        id, share_id, *times = row
        began_at, until = (datetime.fromisoformat(str(time)).replace(tzinfo=UTC) for time in times)
        return cls(id, share_id, began_at, until)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is known to have been sent by it yet."""
        return self.until == self.began_at + WINDOW


COLUMNS = HeldLease._fields
BY_ADDRESS = (
    f"SELECT {', '.join(COLUMNS)} FROM {Lease._meta.db_table}"  # noqa: S608 - all names are ours
    " WHERE share_id = ? AND address = ? AND until > ? ORDER BY until DESC LIMIT 1"
)


class Leases:
    """The leases of a service; a lookup runs on the loop, as those of `Ledger`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id = select_by(Lease, COLUMNS, id="")

    def find(self, share: KnownShare, visitor: Visitor, *, now: datetime) -> HeldLease | None:
        """Return the lease that a visitor has now."""
        row = self._ledger.row(self._by_id, visitor.id)
        lease = HeldLease.from_row(row) if row else None
        if lease is not None and lease.share_id == share.id and lease.until > now:
            return lease
        if visitor.address is None or not visitor.is_known_by_address:
            return None
        row = self._ledger.row(BY_ADDRESS, share.id, visitor.address, stored(now))
        return HeldLease.from_row(row) if row else None

    async def take(
        self, share: KnownShare, visitor: Visitor, subject: Subject, by: Actor, *, now: datetime
    ) -> HeldLease | None:
        """
        Begin a download; durable when this returns.

        Where the visitor has begun one, that is returned; None where no more may be begun.
        """
        return await self._ledger.commit(take, share.id, visitor, subject, by, now)

    async def give_back(self, lease: HeldLease, subject: Subject, by: Actor) -> None:
        """Uncount a download of which nothing was sent, unless more was asked for by it since."""
        await self._ledger.commit(give_back, lease, subject, by)

    async def renew(self, lease: HeldLease, *, now: datetime) -> HeldLease | None:
        """Let what is cut be gone on with from now on; None where the lease is gone."""
        return await self._ledger.commit(renewed, lease, now)

    async def end(self, lease: HeldLease, *, now: datetime) -> None:
        """End a lease soon, since the last byte of it was sent."""
        await self._ledger.commit(shorten, lease, now + GRACE)


def id_of(share: KnownShare, token: str) -> str:
    """Return what a row keeps of a visitor's cookie; at each share it is another."""
    return hashlib.sha256(f"{share.id}{token}".encode()).hexdigest()


def take(
    share_id: str, visitor: Visitor, subject: Subject, by: Actor, now: datetime
) -> HeldLease | None:
    """Return the lease of a visitor, a new one if it has none; None where the share has ended."""
    known = Q(id=visitor.id)
    if visitor.address is not None and visitor.is_known_by_address:
        known |= Q(address=visitor.address)
    live = Lease.objects.filter(known, share_id=share_id, until__gt=now).order_by("-until")
    if row := live.values_list(*COLUMNS).first():
        lease = HeldLease.from_row(row)
        # From now on who took it has no longer the say over whether anything was sent by it.
        return renewed(lease, now) if lease.is_fresh else lease
    if not Share.objects.filter(may_begin(now), id=share_id).update(downloads=F("downloads") + 1):
        return None
    # Of a visitor who comes back after one has ended, the row is used again.
    terms = {"address": visitor.address, "began_at": now, "until": now + WINDOW}
    Lease.objects.update_or_create(id=visitor.id, defaults={"share_id": share_id, **terms})
    Lease.objects.filter(share_id=share_id, until__lte=now).delete()
    record(Entry(by, "share.download", share_id, subject.name, subject.sha256))
    user_id = Share.objects.values_list("user_id", flat=True).get(id=share_id)
    tell(Event("share.download", user_id, {"share_id": share_id, **subject._asdict()}))
    return HeldLease(visitor.id, share_id, now, now + WINDOW)


def may_begin(now: datetime) -> Q:
    """Return what finds shares by which a download may be begun."""
    has_left = Q(max_downloads=None) | Q(downloads__lt=F("max_downloads"))
    return has_left & Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))


def give_back(lease: HeldLease, subject: Subject, by: Actor) -> None:
    """Remove a lease that is as it was taken, and its count."""
    if lease.is_fresh and Lease.objects.filter(id=lease.id, until=lease.until).delete()[0]:
        Share.objects.filter(id=lease.share_id).update(downloads=F("downloads") - 1)
        record(Entry(by, "share.no_download", lease.share_id, subject.name, subject.sha256))


def renewed(lease: HeldLease, now: datetime) -> HeldLease | None:
    """Let a lease end a while from now on, if it is there."""
    # Never the moment at which a fresh one ends.
    until = min(now + WINDOW + timedelta.resolution, lease.began_at + LONGEST)
    rows = Lease.objects.filter(id=lease.id, began_at=lease.began_at)
    return lease._replace(until=until) if rows.update(until=until) else None


def shorten(lease: HeldLease, until: datetime) -> None:
    """Let a lease end at `until`, if it would later."""
    Lease.objects.filter(id=lease.id, until__gt=until).update(until=until)
