"""The tokens that scripts show in a person's place."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

from django.contrib.auth.models import User

from fileservice.actors import SCOPES, Actor, Scope
from fileservice.audit import Entry, record
from fileservice.errors import ServiceUnavailable
from fileservice.ledger import Ledger
from fileservice.models import Token

PREFIX = "fs_"
TOKEN_BYTES = 32
HINT = slice(0, len(PREFIX) + 4)
# How exactly the last use is known: a write for each request would cost more than the request.
USE_NOTED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KnownToken:
    """
    One row of `models.Token`, and what has to be known of its owner.

    Attributes:
        hint: how the token begins.
        scopes: in their order.
        expires_at: the first moment at which it is no longer good; None for never.
        used_at: when it was last seen, to the minute.
        user_id: whose it is.
    """

    id: int
    name: str
    hint: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    user_id: int
    username: str
    is_superuser: bool
    is_active: bool

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what SQLite holds: a time is text in UTC, a boolean a number."""
        known = dict(zip(COLUMNS, row, strict=True))
        known["scopes"] = tuple(known["scopes"].split())
        for name in TIMES:
            if known[name] is not None:
                known[name] = datetime.fromisoformat(str(known[name])).replace(tzinfo=UTC)
        for name in ("is_superuser", "is_active"):
            known[name] = bool(known[name])
        return cls(**known)

    def is_good(self, now: datetime) -> bool:
        """Tell whether who shows it is let in for its owner."""
        is_expired = self.expires_at is not None and self.expires_at <= now
        return self.is_active and self.revoked_at is None and not is_expired


COLUMNS = [field.name for field in fields(KnownToken)]
TIMES = ("created_at", "expires_at", "revoked_at", "used_at")
OF_USER = {"username", "is_superuser", "is_active"}
BY_SHA256 = (
    f"SELECT {', '.join(f'u.{name}' if name in OF_USER else f't.{name}' for name in COLUMNS)}"  # noqa: S608 - all names are ours
    f" FROM {Token._meta.db_table} t JOIN {User._meta.db_table} u ON u.id = t.user_id"
    " WHERE t.sha256 = ?"
)


class Tokens:
    """The tokens of a service; a lookup runs on the loop, as those of `Ledger`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def find(self, token: str, *, now: datetime) -> KnownToken | None:
        """Return the row of a token that is good now; None for every other, whatever the reason."""
        if not token.startswith(PREFIX):
            return None
        row = self._ledger.row(BY_SHA256, sha256_of(token))
        known = KnownToken.from_row(row) if row else None
        return known if known is not None and known.is_good(now) else None

    async def note_use(self, known: KnownToken, *, now: datetime) -> None:
        """Note that a token was seen, at most once a minute; a busy database may miss one."""
        if known.used_at is None or now - known.used_at >= USE_NOTED:
            with suppress(ServiceUnavailable):
                await self._ledger.commit(note_use, known.id, now)

    async def make(
        self,
        by: Actor,
        name: str,
        scopes: Iterable[Scope],
        *,
        user_id: int,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> tuple[str, KnownToken]:
        """Return a new token, which nobody can tell again, and its row, once that is durable."""
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        await self._ledger.commit(add, by, token, name, scopes, user_id, now, expires_at)
        return token, cast("KnownToken", self.find(token, now=now))

    async def revoke(self, by: Actor, id: int, *, user_id: int | None, now: datetime) -> bool:
        """
        End a token, of this user where one is named.

        Returns:
            Whether this call was the one that did.
        """
        return await self._ledger.commit(revoke, by, id, user_id, now)

    async def of(self, user_id: int) -> list[KnownToken]:
        """Return a user's tokens, the newest first."""
        return await self._ledger.run(of_user, user_id)


def sha256_of(token: str) -> str:
    """Return what a row keeps of a token; it has 256 random bits, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def add(
    by: Actor,
    token: str,
    name: str,
    scopes: Iterable[Scope],
    user_id: int,
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Insert a row."""
    asked = set(scopes)
    row = Token.objects.create(
        user_id=user_id,
        name=name,
        sha256=sha256_of(token),
        hint=token[HINT],
        scopes=" ".join(scope for scope in SCOPES if scope in asked),
        created_at=now,
        expires_at=expires_at,
    )
    record(Entry(by, "token.make", str(row.id), name))


def note_use(id: int, now: datetime) -> None:
    """Note when a token was seen."""
    Token.objects.filter(id=id).update(used_at=now)


def revoke(by: Actor, id: int, user_id: int | None, now: datetime) -> bool:
    """End a token."""
    there = Token.objects.filter(id=id, revoked_at=None)
    if user_id is not None:
        there = there.filter(user_id=user_id)
    name = there.values_list("name", flat=True).first()
    if name is None or not there.update(revoked_at=now):
        return False
    record(Entry(by, "token.revoke", str(id), name))
    return True


def of_user(user_id: int) -> list[KnownToken]:
    """Read a user's tokens."""
    names = [f"user__{name}" if name in OF_USER else name for name in COLUMNS]
    rows = Token.objects.filter(user_id=user_id).values_list(*names)
    return [KnownToken.from_row(row) for row in rows]
