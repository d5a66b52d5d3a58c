"""
Parcels: several files that are given away together.

A parcel that is deleted, or whose time is up, ends at once for everybody, and its files go with it:
by who deleted it, or by the sweep, which also goes on where that was killed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from django.db import transaction

from fileservice import entries, ledger
from fileservice.actors import Actor
from fileservice.audit import Entry as Act
from fileservice.audit import record
from fileservice.entries import check_room
from fileservice.errors import BadRequest, NotFound
from fileservice.leases import FREE
from fileservice.ledger import FileState, Ledger, StoredFile, rows_of, select_by
from fileservice.listing import Listing
from fileservice.models import File, Parcel, ResumableUpload
from fileservice.reservations import release
from fileservice.sharing import may_manage
from fileservice.storage import Storage

PORTION = 100  # files that are removed in one commit


@dataclass(frozen=True, slots=True)
class StoredParcel:
    """
    One row of `models.Parcel`, with the same names.

    Attributes:
        id: in the link to give away.
        key: in the link to keep.
        name: of the archive, without its ending.
        created_at: aware, UTC.
        expires_at: aware, UTC; None for never.
        restricted: not for all who have its link, but for its owner and by shares.
        sender: who made it, as far as a browser tells; empty for others.
        user_id: whose it is; None where nobody had said who it was.
    """

    id: str
    key: str
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    restricted: bool = False
    sender: str = ""
    user_id: int | None = None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite or Django holds."""
        known = dict(zip(COLUMNS, row, strict=True))
        known["restricted"] = bool(known["restricted"])
        for name in ("created_at", "expires_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(str(known[name])).replace(tzinfo=UTC)
        return cls(**known)

    def is_over(self, now: datetime) -> bool:
        """Tell whether its time is up, or it was deleted."""
        return self.expires_at is not None and self.expires_at <= now


COLUMNS = [field.name for field in fields(StoredParcel)]


class Entry(NamedTuple):
    """What a parcel has to know of one of its files; see `ledger.StoredFile`."""

    id: str
    key: str
    path: str
    size: int
    sha256: str
    crc32: int | None
    media_type: str
    created_at: datetime
    state: FileState
    restricted: bool
    expires_at: datetime | None
    sender: str
    user_id: int | None


class Parcels:
    """
    The parcels of a service; lookups run on the loop, as those of `Ledger`.

    Attributes:
        listing: those whose time is not up, by pages.
    """

    def __init__(self, ledger: Ledger, storage: Storage) -> None:
        self._ledger = ledger
        self.listing = Listing(ledger, Parcel, COLUMNS, StoredParcel.from_row, ends=True)
        self._storage = storage
        self._by_id = select_by(Parcel, COLUMNS, id="")
        self._by_key = select_by(Parcel, COLUMNS, key="")

    def find(self, id: str, now: datetime) -> StoredParcel | None:
        """Return the parcel with this id; None where there is none, or none any more."""
        return self._found(self._by_id, id, now)

    def find_by_key(self, key: str, now: datetime) -> StoredParcel | None:
        """Return the parcel with this key; see `find`."""
        return self._found(self._by_key, key, now)

    def _found(self, sql: str, value: str, now: datetime) -> StoredParcel | None:
        row = self._ledger.row(sql, value)
        parcel = StoredParcel.from_row(row) if row else None
        return None if parcel is None or parcel.is_over(now) else parcel

    async def make(
        self,
        parcel: StoredParcel,
        keys: Sequence[str],
        files: Sequence[StoredFile],
        by: Actor,
        *more: Callable[[], None],
    ) -> None:
        """
        Make a parcel of files that are here, by their keys, and of some that just came.

        `more` is committed with them.

        Raises:
            NotFound, BadRequest, TooManyEntries: as `add`; nothing was made.
        """
        await self._ledger.commit(make, parcel, keys, files, by, *more)

    async def add(
        self,
        parcel: StoredParcel,
        keys: Sequence[str],
        files: Sequence[StoredFile],
        by: Actor,
        *more: Callable[[], None],
    ) -> None:
        """
        Put files into a parcel that are here, by their keys, and some that just came.

        `more` is committed with them.

        Raises:
            NotFound: the parcel or a file is not there.
            BadRequest: a file is part of another parcel.
            TooManyEntries: they would be too many.
        """
        await self._ledger.commit(add, parcel.id, keys, files, by, *more)

    async def entries(self, parcel: StoredParcel) -> list[Entry]:
        """Return all files of a parcel, by their paths."""
        return await self._ledger.run(read_entries, parcel.id)

    async def entry(self, parcel: StoredParcel, path: str) -> StoredFile | None:
        """Return the file with this path."""
        return await self._ledger.run(read_entry, parcel.id, path)

    async def own(self, actor: Actor, limit: int) -> list[StoredParcel]:
        """Return the newest parcels of an actor, at most `limit`."""
        return await self._ledger.run(newest, actor, limit)

    async def note_crc32(self, id: str, crc32: int) -> None:
        """Keep the CRC-32 of a file that came without."""
        await self._ledger.commit(note_crc32, id, crc32)

    async def delete(self, parcel: StoredParcel, by: Actor) -> bool:
        """
        Delete a parcel with its files, and return whether this call was the one that did.

        It is over for everybody at once; a sweep goes on where this is killed.
        """
        if not await self._ledger.commit(end, parcel.id, by):
            return False
        await self._clear(parcel.id, by)
        return True

    async def expired(self, now: datetime, limit: int) -> list[str]:
        """Return the ids of some that are over."""
        return await self._ledger.run(expired, now, limit)

    async def sweep(self, id: str, by: Actor) -> None:
        """Delete what is over."""
        await self._ledger.commit(end, id, by)
        await self._clear(id, by)

    async def _clear(self, id: str, by: Actor) -> None:
        while gone := await self._ledger.commit(remove_some, id, by):
            async with asyncio.TaskGroup() as tasks:
                for file_id in gone:
                    tasks.create_task(self._storage.delete(file_id))


def make(
    parcel: StoredParcel,
    keys: Sequence[str],
    files: Sequence[StoredFile],
    by: Actor,
    *more: Callable[[], None],
) -> None:
    """Insert a parcel, and its files."""
    Parcel.objects.create(**{name: getattr(parcel, name) for name in COLUMNS})
    record(Act(by, "parcel.make", parcel.id, parcel.name))
    add(parcel.id, keys, files, by, *more)


def add(
    parcel_id: str,
    keys: Sequence[str],
    files: Sequence[StoredFile],
    by: Actor,
    *more: Callable[[], None],
) -> None:
    """Insert files, and move files, into a parcel."""
    entries.insert([(file, by) for file in files])
    check_room(parcel_id, len(keys))
    for key in keys:
        move(parcel_id, key, by)
    for each in more:
        each()


def move(parcel_id: str, key: str, by: Actor) -> None:
    """Make a file that is here part of a parcel."""
    living = ledger.is_living(datetime.now(UTC))
    row = File.objects.filter(living, key=key).values_list(*ledger.COLUMNS).first()
    if row is None:
        raise NotFound("There is no such file; name it by its link to keep.")
    file = StoredFile.from_row(row)
    if not may_manage(by, file):
        raise NotFound("There is no such file; name it by its link to keep.")
    if file.parcel_id == parcel_id:
        return
    if file.parcel_id is not None:
        raise BadRequest("The file is part of another parcel.")
    seated = entries.seat(replace(file, path=""), parcel_id)
    changed = ("parcel_id", "path", "name", "restricted", "expires_at")
    File.objects.filter(id=file.id).update(**{name: getattr(seated, name) for name in changed})
    record(ledger.entry_of(by, "parcel.add", seated))


def read_entries(parcel_id: str) -> list[Entry]:
    """Read the files of a parcel."""
    rows = File.objects.filter(parcel_id=parcel_id).order_by("path")
    return [Entry(*row) for row in rows.values_list(*Entry._fields)]


def read_entry(parcel_id: str, path: str) -> StoredFile | None:
    """Read one file of a parcel."""
    rows = File.objects.filter(parcel_id=parcel_id, path=path)
    row = rows.values_list(*ledger.COLUMNS).first()
    return StoredFile.from_row(row) if row else None


def newest(actor: Actor, limit: int) -> list[StoredParcel]:
    """Read an actor's parcels."""
    living = ledger.is_living(datetime.now(UTC))
    rows = rows_of(Parcel, actor).filter(living).order_by("-created_at", "-id")
    return [StoredParcel.from_row(row) for row in rows.values_list(*COLUMNS)[:limit]]


def note_crc32(id: str, crc32: int) -> None:
    """Write the CRC-32 of a file."""
    File.objects.filter(id=id).update(crc32=crc32)


def expired(now: datetime, limit: int) -> list[str]:
    """Read which parcels are over."""
    rows = Parcel.objects.filter(expires_at__lte=now).order_by()
    return list(rows.values_list("id", flat=True)[:limit])


def end(id: str, by: Actor) -> bool:
    """Note that a parcel is over, unless that is noted; nothing comes into it any more."""
    name = Parcel.objects.filter(id=id).values_list("name", flat=True).first()
    ended = Parcel.objects.filter(id=id).exclude(expires_at=FREE).update(expires_at=FREE)
    if not ended or name is None:
        return False
    record(Act(by, "parcel.delete", id, name))
    coming = ResumableUpload.objects.filter(parcel_id=id, state="open")
    release(*coming.values_list("id", flat=True))
    coming.update(state="failed", parcel=None, expires_at=datetime.now(UTC))
    return True


def remove_some(id: str, by: Actor) -> list[str]:
    """Remove the rows of some files of a parcel and return their ids; without any, its own."""
    rows = File.objects.filter(parcel_id=id).values_list(*ledger.COLUMNS)[:PORTION]
    files = [StoredFile.from_row(row) for row in rows]
    for file in files:
        ledger.remove(file, by)
    if not files:
        with transaction.atomic():
            Parcel.objects.filter(id=id, expires_at=FREE).delete()
    return [file.id for file in files]
