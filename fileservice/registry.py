"""The rows of certificates for an asynchronous program."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple, Self

from django.db import connection, transaction

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.commits import Commits
from fileservice.events import Event, EventName, tell
from fileservice.ledger import Ledger, rows_of, select_by
from fileservice.listing import Listing
from fileservice.models import Certificate


@dataclass(frozen=True, slots=True)
class Issued:
    """
    One row of `models.Certificate`, with the same names.

    Attributes:
        id: in the link to give away.
        key: in the link to keep.
        number: in the link to verify.
        template: its name, or its URL without a query.
        title: of its file; may be empty.
        zone: the name of the time zone whose time it shows.
        values: by name, as they are drawn.
        issued_at: aware, UTC, to the second.
        expires_at: the first moment at which it is no longer valid; None for never.
        block: SHA-256 of what its file begins with.
        own: the rest of the file, packed.
        identity: the /ID of the file, in hexadecimal.
        size: bytes of the file.
        sha256: of the file, in hexadecimal.
        revoked_at: None while it is not.
        reason: why it was revoked; may be empty.
        sender: who had it issued, as far as a browser tells; empty for others.
        user_id: whose it is; None where nobody had said who it was.
        batch_id: the batch that it is of; None where it was issued by itself.
        line: where it begins in the batch's list.
    """

    id: str
    key: str
    number: str
    template: str
    title: str
    template_sha256: str
    engine: str
    zone: str
    values: Mapping[str, str]
    issued_at: datetime
    expires_at: datetime | None
    block: str
    own: bytes
    identity: str
    size: int
    sha256: str
    revoked_at: datetime | None
    reason: str
    sender: str
    user_id: int | None = None
    batch_id: str | None = None
    line: int | None = None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite holds: a time is text in UTC, values are JSON."""
        known = dict(zip(COLUMNS, row, strict=True))
        known["values"] = json.loads(known["values"])
        for name in TIMES:
            if known[name] is not None:
                known[name] = datetime.fromisoformat(known[name]).replace(tzinfo=UTC)
        return cls(**known)

    def state(self, now: datetime) -> str:
        """Return whether it is valid, expired or revoked."""
        return state_of(self, now)


def state_of(issued: "Issued | Glance", now: datetime) -> str:
    """Return whether a certificate is valid, expired or revoked."""
    if issued.revoked_at is not None:
        return "revoked"
    if issued.expires_at is not None and issued.expires_at <= now:
        return "expired"
    return "valid"


COLUMNS = [field.name for field in fields(Issued)]
TOLD = ("id", "number", "title", "size", "sha256")
TIMES = ("issued_at", "expires_at", "revoked_at")
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)  # VALUES is a word of SQL
INSERT = (
    f"INSERT INTO {Certificate._meta.db_table} ({NAMES})"  # noqa: S608 - all names are ours
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)
values_of = attrgetter(*COLUMNS)  # dataclasses.astuple copies each value deeply


class Glance(NamedTuple):
    """What is short of a certificate of a batch."""

    line: int
    id: str
    number: str
    values: Mapping[str, str]
    expires_at: datetime | None
    revoked_at: datetime | None
    size: int
    sha256: str

    def state(self, now: datetime) -> str:
        """Return whether it is valid, expired or revoked."""
        return state_of(self, now)


class Registry:
    """
    The certificates that were issued; lookups run on the loop, as those of `Ledger`.

    Attributes:
        listing: all of them, also those of batches, by pages.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.listing = Listing(ledger, Certificate, COLUMNS, Issued.from_row, at="issued_at")
        self._commits = Commits(self._insert)
        self._by = {
            column: select_by(Certificate, COLUMNS, **{column: ""})
            for column in ("id", "key", "number", "identity", "sha256")
        }

    def find(self, id: str) -> Issued | None:
        """Return the certificate of a link to give away."""
        return self._one("id", id)

    def find_by_key(self, key: str) -> Issued | None:
        """Return the certificate of a link to keep."""
        return self._one("key", key)

    def find_by_number(self, number: str) -> Issued | None:
        """Return the certificate of a number."""
        return self._one("number", number)

    def find_by_identity(self, identity: str) -> Issued | None:
        """Return the certificate whose file has this /ID."""
        return self._one("identity", identity)

    def find_by_sha256(self, sha256: str) -> Issued | None:
        """Return the certificate whose file has this SHA-256."""
        return self._one("sha256", sha256)

    def _one(self, column: str, value: str) -> Issued | None:
        row = self._ledger.row(self._by[column], value)
        return Issued.from_row(row) if row else None

    async def add(self, issued: Issued, by: Actor) -> None:
        """
        Commit the row, and who had it issued; durable when this returns.

        Raises:
            ServiceUnavailable: the database was locked for longer than it waits.
        """
        await self._commits.add([(issued, by)])

    async def _insert(self, rows: list[tuple[Issued, Actor]]) -> None:
        await self._ledger.run(insert_each, rows)

    async def revoke(self, issued: Issued, reason: str, *, by: Actor, now: datetime) -> None:
        """
        Revoke a certificate; of several calls the first one counts.

        Raises:
            ServiceUnavailable: the database was locked for longer than it waits.
        """
        await self._ledger.run(revoke, issued, reason, by, now)

    async def own(self, actor: Actor, limit: int) -> list[Issued]:
        """Return the newest certificates that an actor had issued one by one, at most `limit`."""
        return await self._ledger.run(newest, actor, limit)

    async def glance(self, batch_id: str, after: int, limit: int) -> list[Glance]:
        """Return what is short of the certificates of a batch, from behind a line on."""
        return await self._ledger.run(glance, batch_id, after, limit)

    async def of_lines(self, batch_id: str, lines: Sequence[int]) -> list[Issued]:
        """Return the certificates of some lines of a batch, in the order of the list."""
        return await self._ledger.run(of_lines, batch_id, lines)

    async def close(self) -> None:
        """Wait for the commits under way."""
        await self._commits.close()


def insert_each(rows: Sequence[tuple[Issued, Actor]]) -> None:
    """Insert all or none, with who had them issued."""
    with transaction.atomic():
        insert([issued for issued, _ in rows])
        record(*(entry_of(by, "certificate.issue", issued) for issued, by in rows))
        tell(*(event_of("certificate.issue", issued) for issued, _ in rows))


def entry_of(by: Actor, act: str, issued: Issued) -> Entry:
    """Return what is remembered of something done to a certificate."""
    return Entry(by, act, issued.id, issued.number, issued.sha256)


def event_of(name: EventName, issued: Issued) -> Event:
    """Return what is told of a certificate: nothing of what it says but its title."""
    about: dict[str, object] = {name: getattr(issued, name) for name in TOLD}
    expires = issued.expires_at and issued.expires_at.isoformat()
    return Event(
        name,
        issued.user_id,
        about | {"issued_at": issued.issued_at.isoformat(), "expires_at": expires},
    )


def insert(rows: Sequence[Issued]) -> None:
    """Insert all or none."""
    # bulk_create builds the statement anew each time.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(INSERT, [_adapted(row) for row in rows])


def _adapted(row: Issued) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    found: list[Any] = []
    for name, value in zip(COLUMNS, values_of(row), strict=True):
        if name in TIMES:
            value = adapt(value)
        elif name == "values":
            value = json.dumps(value, ensure_ascii=False, sort_keys=True)
        found.append(value)
    return found


def revoke(issued: Issued, reason: str, by: Actor, now: datetime) -> None:
    """Mark one row, unless it is marked."""
    with transaction.atomic():
        valid = Certificate.objects.filter(id=issued.id, revoked_at=None)
        if valid.update(revoked_at=now, reason=reason):
            record(entry_of(by, "certificate.revoke", issued))
            tell(event_of("certificate.revoke", issued))


def newest(actor: Actor, limit: int) -> list[Issued]:
    """Read an actor's certificates."""
    rows = rows_of(Certificate, actor).filter(batch=None).order_by("-issued_at").values(*COLUMNS)
    return [Issued(**{**row, "values": json.loads(row["values"])}) for row in rows[:limit]]


def glance(batch_id: str, after: int, limit: int) -> list[Glance]:
    """Read what is short of the rows of a batch, from behind a line on."""
    rows = Certificate.objects.filter(batch_id=batch_id, line__gt=after).order_by("line")
    read = map(Glance._make, rows.values_list(*Glance._fields)[:limit])
    return [row._replace(values=json.loads(str(row.values))) for row in read]


def of_lines(batch_id: str, lines: Sequence[int]) -> list[Issued]:
    """Read the rows of some lines of a batch."""
    rows = Certificate.objects.filter(batch_id=batch_id, line__in=lines).order_by("line")
    return [Issued(**{**row, "values": json.loads(row["values"])}) for row in rows.values(*COLUMNS)]


def issued_lines(batch_id: str) -> set[int]:
    """Return the lines of a batch that have their certificate."""
    rows = Certificate.objects.filter(batch_id=batch_id, line__isnull=False)
    return {line for line in rows.values_list("line", flat=True) if line is not None}
