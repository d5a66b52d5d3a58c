"""What is over: files at their hour; uploads not finished in time, failed, or parts of others."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from django.db.models import Q

from fileservice.actors import THE_SERVICE
from fileservice.ledger import COLUMNS, Ledger, StoredFile, remove
from fileservice.models import File, Lease, ResumableUpload
from fileservice.reservations import release


class Expiry:
    """Finds and forgets it; an upload that has become a file stays for as long as that."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def files(self, now: datetime, limit: int) -> list[str]:
        """Return the ids of some files."""
        return await self._ledger.run(files, now, limit)

    async def remove(self, id: str, *, now: datetime) -> bool:
        """
        Remove the row of a file, and tell whether this call did.

        It does not where somebody has given the file more time since.
        """
        return await self._ledger.commit(remove_file, id, now)

    async def uploads(self, now: datetime, limit: int) -> list[str]:
        """Return the ids of some that are open or failed."""
        return await self._ledger.run(uploads, now, limit)

    async def parts(self, now: datetime, limit: int) -> list[str]:
        """Return the ids of some finished parts that nobody joins."""
        return await self._ledger.run(parts, now, limit)

    async def forget(self, id: str, *, now: datetime) -> bool:
        """
        Remove the row of an upload, and tell whether this call did.

        It does not where somebody has the lease, or gave the upload more time since.
        """
        return await self._ledger.commit(forget, id, now)

    async def needing_drafts(self, ids: Sequence[str]) -> set[str]:
        """Return those of `ids` whose drafts are of use: to be gone on with, or to be joined."""
        return await self._ledger.run(needing_drafts, ids)


def is_over(now: datetime) -> Q:
    """Return what finds uploads whose time is up, and whose lease nobody has."""
    return Q(expires_at__lte=now, until__lte=now)


def files(now: datetime, limit: int) -> list[str]:
    """Read some files."""
    rows = File.objects.filter(expires_at__lte=now).order_by()
    return list(rows.values_list("id", flat=True)[:limit])


def remove_file(id: str, now: datetime) -> bool:
    """Remove the row of a file that is still over."""
    row = File.objects.filter(id=id, expires_at__lte=now).values_list(*COLUMNS).first()
    return row is not None and remove(StoredFile.from_row(row), THE_SERVICE)


def uploads(now: datetime, limit: int) -> list[str]:
    """Read some that are open or failed."""
    rows = ResumableUpload.objects.filter(is_over(now), state__in=("open", "failed"))
    return list(rows.order_by().values_list("id", flat=True)[:limit])


def parts(now: datetime, limit: int) -> list[str]:
    """Read some parts; those of a final upload that is begun now are given more time by that."""
    joining = ResumableUpload.objects.filter(kind="final", state="open")
    used = {id for ids in joining.values_list("parts", flat=True) for id in json.loads(ids or "[]")}
    rows = ResumableUpload.objects.filter(is_over(now), kind="part").order_by()
    left = (id for id in rows.values_list("id", flat=True).iterator() if id not in used)
    return list(islice(left, limit))


def forget(id: str, now: datetime) -> bool:
    """Remove a row."""
    no_file = Q(state__in=("open", "failed")) | Q(kind="part")
    if not ResumableUpload.objects.filter(is_over(now), no_file, id=id).delete()[0]:
        return False
    release(id)
    return True


def needing_drafts(ids: Sequence[str]) -> set[str]:
    """Return those of `ids` that are open, or finished parts."""
    useful = Q(state="open") | Q(state="finished", kind="part")
    return set(ResumableUpload.objects.filter(useful, id__in=ids).values_list("id", flat=True))


def forget_leases(now: datetime, limit: int) -> int:
    """Delete some leases of downloads that have ended, with the addresses in them."""
    ended = Lease.objects.filter(until__lte=now).order_by().values_list("id", flat=True)[:limit]
    return Lease.objects.filter(id__in=list(ended), until__lte=now).delete()[0]
