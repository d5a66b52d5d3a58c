"""
The uploads that come in several requests, and who writes to them.

An upload is written to by who has its lease. It is taken by compare-and-set: each taking raises
the fence, and whatever is written of an upload is written only where the fence is still the same.
Who finds the lease taken asks its holder to let go.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from django.db import connection

from fileservice import entries
from fileservice.actors import Actor
from fileservice.errors import BadRequest
from fileservice.leases import FREE
from fileservice.ledger import Ledger, StoredFile, select_by, stored
from fileservice.models import ResumableUpload
from fileservice.reservations import release

Kind = Literal["whole", "told", "part", "final"]
State = Literal["open", "finished", "failed"]

# A worker that lives renews its leases long before; the leases of one that was killed are taken
# as soon as the kernel says that nobody has the draft open.
LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Somebody else writes to the upload, or it is gone; nothing was noted."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """
    One row of `models.ResumableUpload`, with the same names.

    Attributes:
        id: of the file, once it is one.
        key: in the link to keep.
        kind: whole, by its last byte; told, which becomes whole when its sender says that it is;
            part of a concatenation, which becomes no file; final, made of parts.
        state: open; finished; failed, when nothing can be made of it any more.
        length: bytes when it is whole; None while nobody said.
        offset: bytes that are durable.
        sha256: that it must have, in hexadecimal; empty where nobody said.
        metadata: Upload-Metadata as it was sent.
        concat: Upload-Concat as it was sent.
        parts: ids of what a final one is made of, in order.
        created_at: aware, UTC.
        expires_at: aware, UTC; counts while it is not finished, and for parts.
        file_expires_at: of the file; aware, UTC; None for never.
        sender, user_id, restricted, parcel_id, path, drop_id, address: as of the file.
        fence: how often the lease was taken.
    """

    id: str
    key: str
    name: str
    name_changed: bool
    kind: Kind
    state: State
    length: int | None
    offset: int
    sha256: str
    metadata: str
    concat: str
    parts: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    sender: str
    user_id: int | None = None
    restricted: bool = False
    file_expires_at: datetime | None = None
    parcel_id: str | None = None
    path: str = ""
    drop_id: str | None = None
    address: str = ""
    fence: int = 0

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite or Django holds: booleans may be numbers, times text in UTC."""
        known = dict(zip(COLUMNS, row, strict=True))
        for name in ("name_changed", "restricted"):
            known[name] = bool(known[name])
        known["parts"] = tuple(json.loads(known["parts"] or "[]"))
        for name in ("created_at", "expires_at", "file_expires_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(str(known[name])).replace(tzinfo=UTC)
        return cls(**known)

    @property
    def is_open(self) -> bool:
        """Whether there is still something to come."""
        return self.state == "open"

    @property
    def is_complete(self) -> bool:
        """Whether nothing is to come any more, if it is not yet the file."""
        return self.offset == self.length and (self.kind != "told" or not self.is_open)


COLUMNS = [field.name for field in fields(Resumable)]
TABLE = ResumableUpload._meta.db_table
# `asked` and what is complete are few at any time, whatever the number of uploads.
ASKED = f"SELECT id FROM {TABLE} WHERE asked AND owner = ?"  # noqa: S608 - all names are ours
# Written out: the ORM takes longer to build them than the database to do them, and a small upload
# in two requests needs three.
QUOTED = ", ".join(f'"{name}"' for name in COLUMNS)
HELD = "id = %s AND fence = %s AND state = 'open'"
TAKE = (
    f"UPDATE {TABLE} SET fence = fence + 1, owner = %s, until = %s, asked = FALSE"  # noqa: S608 - all names are ours
    f" WHERE id = %s AND state = 'open' AND until <= %s RETURNING {QUOTED}"
)
STEAL = TAKE.replace("until <= %s", "fence = %s")
SAME = ("parts", "metadata", "sender", "user_id", "drop_id", "kind")
INSERT = (
    f"INSERT INTO {TABLE} ({QUOTED}, owner, until, asked)"  # noqa: S608 - all names are ours
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))}, '', %s, FALSE)"
)
UNTIL = f"SELECT until FROM {TABLE} WHERE id = ?"  # noqa: S608 - all names are ours
LEFT = (
    f"SELECT id FROM {TABLE} WHERE state = 'open' AND until <= ?"  # noqa: S608 - all names are ours
    " AND (kind = 'final' OR (kind <> 'told' AND length = \"offset\")) LIMIT 100"
)


class Resumables:
    """The resumable uploads of a service; lookups run on the loop, as those of `Ledger`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id = select_by(ResumableUpload, COLUMNS, id="")
        self._by_key = select_by(ResumableUpload, COLUMNS, key="")

    def find(self, id: str) -> Resumable | None:
        """Return the upload with this id."""
        row = self._ledger.row(self._by_id, id)
        return Resumable.from_row(row) if row else None

    def find_by_key(self, key: str) -> Resumable | None:
        """Return the upload with this key."""
        row = self._ledger.row(self._by_key, key)
        return Resumable.from_row(row) if row else None

    def asked_of(self, owner: str) -> list[str]:
        """Return the ids of those that `owner` was asked to let go of."""
        return [id for (id,) in self._ledger.rows(ASKED, owner)]

    def left(self, now: datetime) -> list[str]:
        """Return ids of some that have all bytes and nobody who makes files of them."""
        return [id for (id,) in self._ledger.rows(LEFT, stored(now))]

    def is_taken(self, id: str, now: datetime) -> bool:
        """Tell whether somebody has the lease of an upload."""
        row = self._ledger.row(UNTIL, id)
        return row is not None and row[0] > stored(now)

    async def add(self, resumable: Resumable, *more: Callable[[], None]) -> Resumable:
        """
        Commit an upload; return it, or for a final one that was begun before, that one.

        What is new is committed with `more`.

        Raises:
            BadRequest: a part of a final one is not finished.
            TooManyEntries: see `entries.check_room`.
        """
        return await self._ledger.commit(add, resumable, *more)

    async def add_finished(
        self, resumable: Resumable, file: StoredFile, by: Actor, *more: Callable[[], None]
    ) -> None:
        """Commit an upload that is finished as it begins, its file, and `more`."""
        await self._ledger.commit(add_finished, resumable, file, by, *more)

    async def take(self, id: str, owner: str, *, now: datetime) -> Resumable | None:
        """Take the lease of an open upload and return it as it is; None where it is taken."""
        return await self._ledger.commit(take, id, owner, now, None)

    async def steal(self, id: str, owner: str, fence: int, *, now: datetime) -> Resumable | None:
        """Take a lease from who cannot use it any more; None where it is no longer that one."""
        return await self._ledger.commit(take, id, owner, now, fence)

    async def ask(self, id: str) -> None:
        """Ask who has the lease to let go."""
        await self._ledger.commit(ask, id)

    async def renew(self, ids: Sequence[str], owner: str, *, now: datetime) -> None:
        """Hold leases for longer."""
        await self._ledger.commit(renew, ids, owner, now)

    def check(self, held: Resumable) -> None:
        """
        Require that the lease of an upload is still ours.

        Raises:
            LeaseLost: it is not.
        """
        there = self.find(held.id)
        if there is None or not there.is_open or there.fence != held.fence:
            raise LeaseLost(f"the lease {held.fence} of upload {held.id}")

    async def note(self, held: Resumable, **changes: object) -> None:
        """
        Write of an upload whose lease is held.

        Raises:
            LeaseLost: it is no longer ours.
        """
        await self._ledger.commit(note, held, changes)

    async def fail(self, held: Resumable) -> None:
        """
        Note that nothing can be made of an upload any more.

        Raises:
            LeaseLost: it is no longer ours.
        """
        await self._ledger.commit(fail, held)

    async def finish(
        self,
        held: Resumable,
        file: StoredFile | None,
        by: Actor,
        *more: Callable[[], None],
        parts_expire: datetime,
    ) -> None:
        """
        Note that an upload is finished; of what is no part, its file is added with it, and `more`.

        Raises:
            LeaseLost: it is no longer ours; nothing was added.
        """
        await self._ledger.commit(finish, held, file, by, parts_expire, *more)

    async def release(self, held: Resumable) -> None:
        """Let others have the lease, if it is still ours."""
        await self._ledger.commit(let_go, held)

    async def remove(self, held: Resumable) -> None:
        """
        Remove the row of an upload whose lease is held, or of one that is not open.

        Raises:
            LeaseLost: it is no longer ours.
        """
        await self._ledger.commit(remove, held)


def add(resumable: Resumable, *more: Callable[[], None]) -> Resumable:
    """Insert a row, unless it is a final one that is there already."""
    if resumable.parcel_id is not None:
        entries.check_room(resumable.parcel_id, 1)
    row = {name: getattr(resumable, name) for name in COLUMNS}
    row["parts"] = json.dumps(resumable.parts) if resumable.parts else ""
    if resumable.kind == "final":
        if (same := same_final(row)) is not None:
            return same
        hold_parts(resumable)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [adapted(value) for value in (*row.values(), FREE)])
    for each in more:
        each()
    return resumable


def add_finished(
    resumable: Resumable, file: StoredFile, by: Actor, *more: Callable[[], None]
) -> None:
    """Insert a row, and that of its file."""
    add(resumable, *more)
    entries.insert([(file, by)])


def hold_parts(final: Resumable) -> None:
    """
    Keep the parts of a final upload for as long as itself.

    Raises:
        BadRequest: one of them is not finished, or not there any more.
    """
    parts = set(final.parts)
    finished = ResumableUpload.objects.filter(id__in=parts, kind="part", state="finished")
    if finished.update(expires_at=final.expires_at) != len(parts):
        raise BadRequest("Every part of a final upload must be a partial one that is finished.")


def same_final(row: dict[str, Any]) -> Resumable | None:
    """
    Return the final upload of the same parts, for the same name.

    Who does not hear that its parts were joined asks again, and must not get a second file.
    """
    what = {name: row[name] for name in SAME}
    same = ResumableUpload.objects.filter(**what).exclude(state="failed").values_list(*COLUMNS)
    found = same.first()
    return Resumable.from_row(found) if found else None


def take(id: str, owner: str, now: datetime, fence: int | None) -> Resumable | None:
    """Take a lease that is free, or that of `fence`."""
    sql, free = (TAKE, adapted(now)) if fence is None else (STEAL, fence)
    with connection.cursor() as cursor:
        row = cursor.execute(sql, (owner, adapted(now + LEASE), id, free)).fetchone()
    return Resumable.from_row(row) if row else None


def ask(id: str) -> None:
    """Ask who has the lease to let go."""
    ResumableUpload.objects.filter(id=id, state="open", asked=False).update(asked=True)


def renew(ids: Sequence[str], owner: str, now: datetime) -> None:
    """Hold leases for longer."""
    held = ResumableUpload.objects.filter(id__in=ids, owner=owner, state="open")
    held.update(until=now + LEASE)


def note(held: Resumable, changes: dict[str, object]) -> None:
    """Write of an upload."""
    names = ", ".join(f'"{name}" = %s' for name in changes)
    sql = f"UPDATE {TABLE} SET {names} WHERE {HELD}"  # noqa: S608 - all names are ours
    with connection.cursor() as cursor:
        cursor.execute(sql, (*map(adapted, changes.values()), held.id, held.fence))
        if not cursor.rowcount:
            raise LeaseLost(f"the lease {held.fence} of upload {held.id}")


def adapted(value: Any) -> Any:
    """Return a value as the database takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def fail(held: Resumable) -> None:
    """Note that nothing can be made of an upload any more; its bytes count no more."""
    note(held, {"state": "failed", "until": FREE, "asked": False})
    release(held.id)


def finish(
    held: Resumable,
    file: StoredFile | None,
    by: Actor,
    parts_expire: datetime,
    *more: Callable[[], None],
) -> None:
    """Note that an upload is finished, add its file, and let its parts go."""
    done = {"state": "finished", "length": held.length, "offset": held.offset}
    note(held, {**done, "until": FREE, "asked": False})
    if file is not None:
        entries.insert([(file, by)])
    if held.parts:
        ResumableUpload.objects.filter(id__in=held.parts).update(expires_at=parts_expire)
        release(*held.parts)
    for each in more:
        each()


def let_go(held: Resumable) -> None:
    """Let others have the lease."""
    with suppress(LeaseLost):
        note(held, {"until": FREE, "asked": False})


def remove(held: Resumable) -> None:
    """Remove a row."""
    if not ResumableUpload.objects.filter(id=held.id, fence=held.fence).delete()[0]:
        raise LeaseLost(f"the lease {held.fence} of upload {held.id}")
    release(held.id)
