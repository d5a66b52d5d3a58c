"""The files that are here, for who looks after them: listed, and changed in what may change."""

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

from fileservice.actors import Actor
from fileservice.audit import record
from fileservice.ledger import COLUMNS, Ledger, StoredFile, entry_of
from fileservice.listing import Listing, Page, Place
from fileservice.models import File


class Change(TypedDict):
    """
    What is to change of a file, by the names of `StoredFile`.

    Attributes:
        name: by `names.clean_name`.
        expires_at: aware; None for never.
    """

    name: NotRequired[str]
    name_changed: NotRequired[bool]
    expires_at: NotRequired[datetime | None]
    restricted: NotRequired[bool]


class Filing:
    """The files of a service."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._listing = Listing(ledger, File, COLUMNS, StoredFile.from_row, ends=True)

    def page(
        self, of: Actor | None, *, limit: int, after: Place | None, containing: str
    ) -> Page[StoredFile]:
        """Return the next files of an actor, the newest first; see `Listing.page`."""
        return self._listing.page(of, limit=limit, after=after, containing=containing)

    async def change(self, file: StoredFile, change: Change, by: Actor) -> StoredFile | None:
        """
        Change a file and return it as it is then; None where it was deleted meanwhile.

        Raises:
            ServiceUnavailable: the database was locked for longer than it waits.
        """
        if change:
            await self._ledger.commit(apply, file, change, by)
        return self._ledger.find(file.id)


def apply(file: StoredFile, change: Mapping[str, object], by: Actor) -> None:
    """Change one row."""
    if File.objects.filter(id=file.id).update(**change):
        record(entry_of(by, "file.change", file))
