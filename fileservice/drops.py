"""Boxes that people without an account put files into; the files become their owner's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple, Self, cast

from django.db.models import Q

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.errors import BadRequest, DropClosed, Unprocessable
from fileservice.ledger import Ledger, select_by
from fileservice.mediatypes import BY_EXTENSION, wrong_type
from fileservice.models import Drop, File, ResumableUpload
from fileservice.signedlinks import read_signed, signed
from fileservice.uploads import unguessable

DropState = Literal["open", "revoked", "expired", "full"]

MAX_DROPS = 100  # of one user, that have neither expired nor been revoked
MAX_MEDIA_TYPES = 32
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/(?:\*|[a-z0-9][a-z0-9.+-]{0,126})")
MAX_TITLE_CHARACTERS = 255
MAX_NOTE_CHARACTERS = 2000
LISTED = 100


@dataclass(frozen=True, slots=True)
class DropTerms:
    """
    What may be put into a box.

    Attributes:
        title: that guests see.
        note: for guests; may be empty.
        password: as `passwords.hashed` returns it; empty for none.
        max_file_bytes: None where only the service has a limit, as of the others.
        max_bytes: of all files.
        max_files: how many.
        media_types: as `media_types_of` returns them; empty for all.
        expires_at: the first moment at which it takes no more; None for never.
    """

    title: str
    note: str = ""
    password: str = ""
    max_file_bytes: int | None = None
    max_bytes: int | None = None
    max_files: int | None = None
    media_types: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownDrop:
    """
    One row of `models.Drop`, and whether its user still counts.

    Attributes:
        used_bytes: with what is on its way, as `used_files`.
    """

    prefix: ClassVar[str] = "/d/"

    id: str
    user_id: int
    title: str
    note: str
    password: str
    max_file_bytes: int | None
    max_bytes: int | None
    max_files: int | None
    media_types: tuple[str, ...]
    used_bytes: int
    used_files: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    user__is_active: bool

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite or Django holds: a time may be text in UTC, a boolean a number."""
        known = dict(zip(COLUMNS, row, strict=True))
        known["media_types"] = tuple(known["media_types"].split())
        known["user__is_active"] = bool(known["user__is_active"])
        for name in ("created_at", "expires_at", "revoked_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(str(known[name])).replace(tzinfo=UTC)
        return cls(**known)

    def state(self, now: datetime) -> DropState:
        """Return whether it takes files, and else why it does not."""
        if self.revoked_at is not None or not self.user__is_active:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        is_full = self.max_files is not None and self.used_files >= self.max_files
        is_full = is_full or (self.max_bytes is not None and self.used_bytes >= self.max_bytes)
        return "full" if is_full else "open"

    def check_name(self, name: str) -> None:
        """
        Refuse early what its name says is of another kind than all that may come.

        Raises:
            UnsupportedRequest: it is.
        """
        told, encoding = BY_EXTENSION.guess_type(name)
        kinds = {media_type.partition("/")[0] for media_type in self.media_types}
        if kinds and told and not encoding and told.partition("/")[0] not in kinds:
            raise wrong_type(told, self.media_types)

    def check_going_on(self) -> None:
        """
        Refuse more of an upload that was begun in time, where the box was taken back.

        Raises:
            DropClosed: it was.
        """
        if self.revoked_at is not None or not self.user__is_active:
            raise DropClosed("Whose box this is has taken it back.")

    def check_open(self, now: datetime) -> None:
        """
        Refuse what would be begun too late; whether it is full, who reserves room finds out.

        Raises:
            DropClosed: it was taken back, or its time is up.
        """
        self.check_going_on()
        if self.state(now) == "expired":
            raise DropClosed("This box took files until a certain time, which has passed.")


COLUMNS = [field.name for field in fields(KnownDrop)]


class Brought(NamedTuple):
    """
    What a browser brought into a box.

    Attributes:
        size: bytes; of what is on its way, that are here.
        length: bytes that it is to have; None where nobody has said.
        state: arrived, on its way, or failed.
    """

    name: str
    key: str
    size: int
    length: int | None
    state: Literal["arrived", "on its way", "failed"]
    created_at: datetime


class Drops:
    """The boxes of a service; a lookup runs on the loop, as those of `Ledger`."""

    def __init__(self, ledger: Ledger, secret_keys: Sequence[str]) -> None:
        self._ledger = ledger
        self._secret_keys = secret_keys
        self._by_id = select_by(Drop, COLUMNS, id="")

    def code(self, drop: KnownDrop) -> str:
        """Return what its link has behind `/d/`."""
        return signed("drop", drop.id, self._secret_keys)

    def find_by_code(self, code: str) -> KnownDrop | None:
        """Return the box of a link; for a code that is made up nothing is looked up."""
        id = read_signed("drop", code, self._secret_keys)
        return self.find(id) if id is not None else None

    def find(self, id: str) -> KnownDrop | None:
        """Return the box with this id."""
        row = self._ledger.row(self._by_id, id)
        return KnownDrop.from_row(row) if row else None

    async def of(self, user_id: int) -> list[KnownDrop]:
        """Return a user's boxes, the newest first; of those that were taken back, some."""
        return await self._ledger.run(of_user, user_id)

    async def make(self, by: Actor, terms: DropTerms, *, user_id: int, now: datetime) -> KnownDrop:
        """
        Make a box; durable when this returns.

        Raises:
            Unprocessable: the user has as many as he may.
        """
        id = unguessable()
        await self._ledger.commit(add, by, id, terms, user_id, now)
        return cast("KnownDrop", self.find(id))

    async def revoke(self, by: Actor, drop: KnownDrop, *, now: datetime) -> bool:
        """Take a box back, and return whether this call did; what is in it stays."""
        return await self._ledger.commit(revoke, by, drop.id, now)

    async def brought(self, drop: KnownDrop, sender: str) -> list[Brought]:
        """Return what a browser brought into a box, the newest first."""
        return await self._ledger.run(brought, drop.id, sender) if sender else []


def of_user(user_id: int) -> list[KnownDrop]:
    """Read a user's boxes."""
    rows = Drop.objects.filter(user_id=user_id).values_list(*COLUMNS)
    return [KnownDrop.from_row(row) for row in rows[: 2 * MAX_DROPS]]


def add(by: Actor, id: str, terms: DropTerms, user_id: int, now: datetime) -> None:
    """Insert a row, unless there are too many."""
    there = Drop.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    if there.filter(user_id=user_id).count() >= MAX_DROPS:
        raise Unprocessable(f"You have {MAX_DROPS} boxes already; take some of them back.")
    Drop.objects.create(
        id=id,
        user_id=user_id,
        title=terms.title,
        note=terms.note,
        password=terms.password,
        max_file_bytes=terms.max_file_bytes,
        max_bytes=terms.max_bytes,
        max_files=terms.max_files,
        media_types=" ".join(terms.media_types),
        created_at=now,
        expires_at=terms.expires_at,
    )
    record(Entry(by, "drop.make", id, terms.title))


def revoke(by: Actor, id: str, now: datetime) -> bool:
    """Mark a row, unless it is marked."""
    there = Drop.objects.filter(id=id, revoked_at=None)
    title = there.values_list("title", flat=True).first()
    if title is None or not there.update(revoked_at=now):
        return False
    record(Entry(by, "drop.revoke", id, title))
    return True


def brought(drop_id: str, sender: str) -> list[Brought]:
    """Read what one browser brought."""
    found = [
        Brought(name, key, size, size, "arrived", at)
        for name, key, size, at in File.objects.filter(drop_id=drop_id, sender=sender).values_list(
            "name", "key", "size", "created_at"
        )[:LISTED]
    ]
    coming = ResumableUpload.objects.filter(
        drop_id=drop_id, sender=sender, state__in=("open", "failed")
    ).exclude(kind="part")
    for name, key, offset, length, state, at in coming.values_list(
        "name", "key", "offset", "length", "state", "created_at"
    )[:LISTED]:
        told: Literal["on its way", "failed"] = "on its way" if state == "open" else "failed"
        found.append(Brought(name, key, offset, length, told, at))
    return sorted(found, key=lambda one: one.created_at, reverse=True)


def media_types_of(text: str) -> tuple[str, ...]:
    """
    Return the media types that a text lists, as `image/*` or `application/pdf`.

    Raises:
        BadRequest: one is none, or there are too many.
    """
    found = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    if len(found) > MAX_MEDIA_TYPES or not all(map(MEDIA_TYPE.fullmatch, found)):
        raise BadRequest(
            f"Write up to {MAX_MEDIA_TYPES} media types, as `image/* application/pdf`."
        )
    return found


def title_of(text: str) -> str:
    """
    Return the title of a box, without the blanks around it.

    Raises:
        BadRequest: there is none, or it is no line of text.
    """
    text = text.strip()
    if not 0 < len(text) <= MAX_TITLE_CHARACTERS or not text.isprintable():
        raise BadRequest(
            f"A box needs a title: a line of at most {MAX_TITLE_CHARACTERS} characters."
        )
    return text


def note_of(text: str) -> str:
    """
    Return what guests are told, without the blanks around it.

    Raises:
        BadRequest: it is too long, or holds what is no text.
    """
    lines = text.strip().splitlines()
    if len(text) > MAX_NOTE_CHARACTERS or not all(line.isprintable() for line in lines):
        raise BadRequest(f"A note has at most {MAX_NOTE_CHARACTERS} characters.")
    return "\n".join(lines)


def bytes_of(text: str, what: str) -> int | None:
    """
    Return a number of bytes; None for no `text`, which is without a limit.

    Raises:
        BadRequest: it is none.
    """
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15) or int(text) < 1:
        raise BadRequest(f"{what} has to be a number of bytes, 1 or more.")
    return int(text)
