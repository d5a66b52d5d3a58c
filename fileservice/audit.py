"""What was done, by whom: added in the transaction of the act, and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from fileservice.actors import Actor
from fileservice.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One act.

    Attributes:
        act: noun and verb, as `file.delete`.
        object: the id of what it was done to; never the key.
        name: of the object.
        sha256: of a content, in hexadecimal; may be empty.
    """

    by: Actor
    act: str
    object: str = ""
    name: str = ""
    sha256: str = ""


COLUMNS = (
    "at",
    "user_id",
    "user_name",
    "token_id",
    "act",
    "object",
    "name",
    "sha256",
    "address",
    "request",
)
INSERT = (
    f"INSERT INTO {AuditEntry._meta.db_table} ({', '.join(COLUMNS)})"  # noqa: S608 - all names are ours
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)


def record(*entries: Entry) -> None:
    """Add `entries` to the transaction that is open; it has to be that of the acts."""
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [row_of(entry, now) for entry in entries])


def row_of(entry: Entry, now: Any) -> Sequence[Any]:
    """Return the values of a row, in the order of `COLUMNS`."""
    by = entry.by
    return (
        now,
        by.user_id,
        by.name,
        by.token_id,
        entry.act,
        entry.object,
        entry.name,
        entry.sha256,
        by.address,
        by.request,
    )
