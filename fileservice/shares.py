"""The rows of shares: links of their own to what is here, with terms of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypedDict, cast

from django.db.models import Model, Q, QuerySet

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.errors import NotFound, Unprocessable
from fileservice.ledger import Ledger, select_by
from fileservice.listing import Listing
from fileservice.models import File, Parcel, Share
from fileservice.signedlinks import read_signed, signed
from fileservice.uploads import unguessable

ShareState = Literal["open", "revoked", "expired", "used up"]

MODELS: dict[str, type[Model]] = {"file": File, "parcel": Parcel}
MAX_SHARES = 100  # of one thing, that have neither expired nor been revoked


class Subject(NamedTuple):
    """
    What is shared.

    Attributes:
        kind: which of the columns of a share has the id.
        sha256: of its content, in hexadecimal; empty for several.
    """

    kind: Literal["file", "parcel"]
    id: str
    name: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    How something is shared.

    Attributes:
        password: as `passwords.hashed` returns it; empty for none.
        max_downloads: None for any number.
        expires_at: the first moment at which it has ended; None for never.
        note: for who shares.
    """

    password: str = ""
    max_downloads: int | None = None
    expires_at: datetime | None = None
    note: str = ""


class Changes(TypedDict, total=False):
    """Those of `Terms` that somebody speaks of."""

    password: str
    max_downloads: int | None
    expires_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class KnownShare:
    """
    One row of `models.Share`.

    Attributes:
        user_id: who shares; None where nobody had said who it was.
        password: its hash; empty for none.
        downloads: that were begun.
    """

    prefix: ClassVar[str] = "/s/"

    id: str
    file_id: str | None
    parcel_id: str | None
    user_id: int | None
    note: str
    password: str
    max_downloads: int | None
    downloads: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite or Django holds: a time may be text in UTC."""
        known = list(row)
        for at in TIMES:
            if known[at] is not None:
                known[at] = datetime.fromisoformat(str(known[at])).replace(tzinfo=UTC)
        return cls(*known)

    @property
    def downloads_left(self) -> int | None:
        """How many more may be begun; None for any number."""
        return None if self.max_downloads is None else max(0, self.max_downloads - self.downloads)

    def state(self, now: datetime) -> ShareState:
        """Return whether downloads may be begun, and else why they may not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "used up" if self.downloads_left == 0 else "open"


COLUMNS = [field.name for field in fields(KnownShare)]
TIMES = [COLUMNS.index(name) for name in ("created_at", "expires_at", "revoked_at")]


class Shares:
    """
    The shares of a service; a lookup runs on the loop, as those of `Ledger`.

    Attributes:
        listing: all of them, by pages.
    """

    def __init__(self, ledger: Ledger, secret_keys: Sequence[str]) -> None:
        self._ledger = ledger
        self.listing = Listing(ledger, Share, COLUMNS, KnownShare.from_row)
        self._secret_keys = secret_keys
        self._by_id = select_by(Share, COLUMNS, id="")

    def code(self, share: KnownShare) -> str:
        """Return what its link has behind `/s/`."""
        return signed("share", share.id, self._secret_keys)

    def find_by_code(self, code: str) -> KnownShare | None:
        """Return the share of a link; for a code that is made up nothing is looked up."""
        id = read_signed("share", code, self._secret_keys)
        return self.find(id) if id is not None else None

    def find(self, id: str) -> KnownShare | None:
        """Return the share with this id."""
        row = self._ledger.row(self._by_id, id)
        return KnownShare.from_row(row) if row else None

    async def of(self, subject: Subject) -> list[KnownShare]:
        """Return the shares of something, the newest first; of those that ended, some."""
        return await self._ledger.run(of_subject, subject)

    async def make(self, by: Actor, subject: Subject, terms: Terms, *, now: datetime) -> KnownShare:
        """
        Share something; durable when this returns.

        Raises:
            NotFound: it is gone.
            Unprocessable: it has as many shares as it may.
        """
        id = unguessable()
        await self._ledger.commit(add, by, id, subject, terms, now)
        return cast("KnownShare", self.find(id))

    async def change(
        self, by: Actor, share: KnownShare, subject: Subject, changes: Changes
    ) -> KnownShare | None:
        """Give a share other terms; None where it is gone."""
        await self._ledger.commit(change, by, share.id, subject, changes)
        return self.find(share.id)

    async def revoke(
        self, by: Actor, share: KnownShare, subject: Subject, *, now: datetime
    ) -> bool:
        """End a share, and return whether this call was the one that did."""
        return await self._ledger.commit(revoke, by, share.id, subject, now)


def rows_of_subject(subject: Subject) -> QuerySet[Share]:
    """Return the rows of the shares of something."""
    return Share.objects.filter(**{f"{subject.kind}_id": subject.id})


def of_subject(subject: Subject) -> list[KnownShare]:
    """Read the shares of something."""
    rows = rows_of_subject(subject).order_by("-created_at", "-id").values_list(*COLUMNS)
    return [KnownShare.from_row(row) for row in rows[: 2 * MAX_SHARES]]


def add(by: Actor, id: str, subject: Subject, terms: Terms, now: datetime) -> None:
    """Insert a row, unless what is shared has gone or there are too many."""
    # A key that leads nowhere would undo, at its end, the commit that others share.
    if not MODELS[subject.kind]._default_manager.filter(id=subject.id).exists():
        raise NotFound("What was to be shared is gone.")
    is_there = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    if rows_of_subject(subject).filter(is_there).count() >= MAX_SHARES:
        raise Unprocessable(f"It has {MAX_SHARES} shares already; revoke some of them.")
    Share.objects.create(
        id=id,
        user_id=by.user_id,
        created_at=now,
        password=terms.password,
        max_downloads=terms.max_downloads,
        expires_at=terms.expires_at,
        note=terms.note,
        **{f"{subject.kind}_id": subject.id},
    )
    record(Entry(by, "share.make", id, subject.name, subject.sha256))


def change(by: Actor, id: str, subject: Subject, changes: Changes) -> None:
    """Change a row, where it is still there."""
    if changes and Share.objects.filter(id=id).update(**changes):
        record(Entry(by, "share.change", id, subject.name, subject.sha256))


def revoke(by: Actor, id: str, subject: Subject, now: datetime) -> bool:
    """Mark a row, unless it is marked."""
    if not Share.objects.filter(id=id, revoked_at=None).update(revoked_at=now):
        return False
    record(Entry(by, "share.revoke", id, subject.name, subject.sha256))
    return True
