"""Lists of rows, the newest first, by pages: one far down takes no longer than the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Field, Model

from fileservice.actors import Actor
from fileservice.ledger import Ledger, stored

MAX_ROWS = 200  # of a page: the loop waits for them
# Of which one looks for a text; a page may end there, and the next goes on behind.
MAX_LOOKED_THROUGH = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a page ended; the next begins behind it, whatever was added or deleted meanwhile.

    Attributes:
        at: when the last row was made, aware, UTC.
        id: of the last row.
    """

    at: datetime
    id: str | int


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """
    Some rows of a list.

    Attributes:
        end: where it goes on; None at the end of the list.
    """

    rows: list[Row]
    end: Place | None


class Listing[Row]:
    """
    The rows of one model, read on the loop as those of `Ledger`.

    Each page is a range of an index (user, at, id), or of (at, id) for those of everybody: where
    it begins is found by the last row of the page before, and not by counting.
    """

    def __init__(
        self,
        ledger: Ledger,
        model: type[Model],
        columns: Sequence[str],
        row: Callable[[Sequence[Any]], Row],
        *,
        at: str = "created_at",
        ends: bool = False,
    ) -> None:
        """Where `ends`, rows whose time is up, as `expires_at` has it, are not shown."""
        self._ledger = ledger
        self._table = model._meta.db_table
        self._columns = ", ".join(f'"{column}"' for column in columns)
        self._row = row
        self._at = at
        self._ends = ends
        self._places = columns.index(at), columns.index("id")
        self._has_sender = any(
            isinstance(field, Field) and field.name == "sender"
            for field in model._meta.get_fields()
        )

    def page(
        self, of: Actor | None, *, limit: int, after: Place | None = None, containing: str = ""
    ) -> Page[Row]:
        """
        Return the next rows of an actor; of everybody for None.

        Where `containing` is given, only those are returned whose name has it, the letters of
        ASCII alike in both cases.

        Raises:
            ServiceUnavailable: the database is locked.
        """
        where, values = self._where(of, after)
        found = f"SELECT {self._columns} FROM {self._table} WHERE {where}{self._order}"  # noqa: S608 - all names are ours
        if containing:
            found = (
                f"SELECT * FROM ({found} LIMIT {MAX_LOOKED_THROUGH})"  # noqa: S608 - all names are ours
                " WHERE instr(lower(name), lower(?))"
            )
        needle = [containing] if containing else []
        rows = self._ledger.rows(f"{found} LIMIT ?", *values, *needle, limit + 1)
        if len(rows) > limit:
            last = rows[limit - 1]
            end: Place | None = place([last[at] for at in self._places])
        else:
            end = self._looked_through(where, values) if containing else None
        return Page([self._row(row) for row in rows[:limit]], end)

    @property
    def _order(self) -> str:
        return f' ORDER BY "{self._at}" DESC, "id" DESC'

    def _where(self, of: Actor | None, after: Place | None) -> tuple[str, list[str | int]]:
        """Return what holds of the rows, as `ledger.rows_of`."""
        conditions, values = ["1"], list[str | int]()
        if of is not None and of.user_id is not None:
            conditions, values = ["user_id = ?"], [of.user_id]
        elif of is not None and of.sender and self._has_sender:
            conditions, values = ["sender = ?", "user_id IS NULL"], [of.sender]
        elif of is not None:
            conditions = ["0"]
        if self._ends:
            conditions.append('("expires_at" IS NULL OR "expires_at" > ?)')
            values.append(stored(datetime.now(UTC)))
        if after is not None:
            conditions.append(f'("{self._at}", "id") < (?, ?)')
            values += [stored(after.at), after.id]
        return " AND ".join(conditions), values

    def _looked_through(self, where: str, values: Sequence[str | int]) -> Place | None:
        """Return the last place that was looked at, where there are others behind it."""
        row = self._ledger.row(
            f'SELECT "{self._at}", "id" FROM {self._table} WHERE {where}{self._order}'  # noqa: S608 - all names are ours
            f" LIMIT 1 OFFSET {MAX_LOOKED_THROUGH - 1}",
            *values,
        )
        return place(row) if row else None


def place(ends: Sequence[Any]) -> Place:
    """Return where a row stands, by its time and id as SQLite holds them."""
    at, id = ends
    return Place(datetime.fromisoformat(at).replace(tzinfo=UTC), id)
