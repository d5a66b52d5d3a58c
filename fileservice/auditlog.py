"""What was done, for who may know: found by who did it, what it was, and when."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fileservice.ledger import Ledger
from fileservice.models import AuditEntry

# One query of an export: the thread that commits uploads waits for it.
AT_ONCE = 1000


class Recorded(NamedTuple):
    """One row of `models.AuditEntry`, with the same names."""

    id: int
    at: datetime
    user_id: int | None
    user_name: str
    token_id: int | None
    act: str
    object: str
    name: str
    sha256: str
    address: str
    request: str


@dataclass(frozen=True, slots=True)
class Search:
    """
    Which acts are asked for; what is empty or None is not looked at.

    Attributes:
        user: a user's name.
        act: `file.delete`, or a noun with a dot for all that was done to such things: `file.`.
        object: an id.
        address: of a client.
        since: the first moment that counts.
        until: the first moment that does not count any more.
    """

    user: str = ""
    act: str = ""
    object: str = ""
    address: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """The acts of a service, the newest first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def page(self, search: Search, *, before: int | None, limit: int) -> list[Recorded]:
        """Return at most `limit` acts; `before` is the id of the last one of the page before."""
        return await self._ledger.run(read, search, before, limit)

    async def all(self, search: Search) -> AsyncIterator[list[Recorded]]:
        """Yield all acts there are now, some at a time."""
        before = None
        while rows := await self.page(search, before=before, limit=AT_ONCE):
            yield rows
            before = rows[-1].id


def read(search: Search, before: int | None, limit: int) -> list[Recorded]:
    """Read rows."""
    exact = {"user_name": search.user, "object": search.object, "address": search.address}
    wanted: dict[str, object] = {name: value for name, value in exact.items() if value}
    if search.act:
        wanted["act__startswith" if search.act.endswith(".") else "act"] = search.act
    moments = {"at__gte": search.since, "at__lt": search.until, "id__lt": before}
    wanted |= {name: value for name, value in moments.items() if value is not None}
    rows = AuditEntry.objects.filter(**wanted).order_by("-id").values_list(*Recorded._fields)
    return [Recorded._make(row) for row in rows[:limit]]
