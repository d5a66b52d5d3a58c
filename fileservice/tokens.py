"""The tokens that scripts show in a person's place."""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet

from fileservice.actors import SCOPES, Actor, Scope
from fileservice.audit import Entry, record
from fileservice.errors import BadValue, Forbidden, ServiceUnavailable
from fileservice.ledger import Ledger
from fileservice.models import Token
from fileservice.sharing import grantable, may_have_tokens_of, may_revoke

PREFIX = "fs_"
TOKEN_BYTES = 32
HINT = slice(0, len(PREFIX) + 4)
# How exactly the last use is known: a write for each request would cost more than the request.
USE_NOTED = timedelta(minutes=1)
MAX_NAME_CHARACTERS = 100
# Of one user, that are good: they are all listed.
MAX_TOKENS = 100
LISTED = 200
MAX_LIFE = timedelta(days=36525)


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
        self._noting: set[int] = set()

    def find(self, token: str, *, now: datetime) -> KnownToken | None:
        """Return the row of a token that is good now; None for every other, whatever the reason."""
        if not token.startswith(PREFIX):
            return None
        row = self._ledger.row(BY_SHA256, sha256_of(token))
        known = KnownToken.from_row(row) if row else None
        return known if known is not None and known.is_good(now) else None

    async def note_use(self, known: KnownToken, *, now: datetime) -> None:
        """Note that a token was seen, at most once a minute; a busy database may miss one."""
        is_noted = known.used_at is not None and now - known.used_at < USE_NOTED
        if is_noted or known.id in self._noting:
            return
        self._noting.add(known.id)
        try:
            with suppress(ServiceUnavailable):
                await self._ledger.commit(note_use, known.id, now)
        finally:
            self._noting.discard(known.id)

    async def make(
        self,
        by: Actor,
        name: str,
        scopes: Iterable[str],
        *,
        user_id: int,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> tuple[str, KnownToken]:
        """
        Return a new token, which nobody can tell again, and its row, once that is durable.

        Raises:
            BadValue: name, scopes or expiry are none, or the user has too many tokens.
            Forbidden: `by` may not make one that may so much, for so long, or for this user.
        """
        name = clean_token_name(name)
        asked = known_scopes(scopes)
        check_life(expires_at, now)
        if not may_have_tokens_of(by, user_id):
            raise Forbidden("A token is made by who it speaks for.")
        if too_much := asked - grantable(by):
            raise Forbidden(f"Who asks has no right to {listed(too_much)}, and can give none.")
        token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        row = await self._ledger.commit(add, by, token, name, asked, user_id, now, expires_at)
        return token, row

    async def revoke(self, by: Actor, id: int, *, now: datetime) -> bool:
        """
        End a token, and return whether this call did.

        It is False where there is none, where it was revoked before, and where it is somebody
        else's, or may more than the token that asks: the same to who asks.
        """
        return await self._ledger.commit(revoke, by, id, now)

    async def of(self, user_id: int) -> list[KnownToken]:
        """Return a user's newest tokens, the newest first; all that are good are among them."""
        return await self._ledger.run(of_user, user_id)


def clean_token_name(text: str) -> str:
    """
    Return what a token is for, on one line.

    Raises:
        BadValue: it is empty, too long, or not text.
    """
    name = " ".join(text.split())
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise BadValue(f"A token has a name of 1 to {MAX_NAME_CHARACTERS} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name):
        raise BadValue("The name has a character that is not text.")
    return name


def known_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """
    Return scopes.

    Raises:
        BadValue: there are none, or one is not known.
    """
    asked = frozenset(scopes)
    if not asked or not asked <= set(SCOPES):
        raise BadValue(f"A token is for one or more of {', '.join(SCOPES)}.")
    return cast("frozenset[Scope]", asked)


def check_life(expires_at: datetime | None, now: datetime) -> None:
    """
    Require that a token ends some time after now, if it ends.

    Raises:
        BadValue: it does not.
    """
    if expires_at is not None and not now < expires_at <= now + MAX_LIFE:
        raise BadValue("A token expires at a time to come, within a hundred years.")


def listed(scopes: Iterable[Scope]) -> str:
    """Return scopes as a row has them, in their order."""
    asked = set(scopes)
    return " ".join(scope for scope in SCOPES if scope in asked)


def sha256_of(token: str) -> str:
    """Return what a row keeps of a token; it has 256 random bits, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def add(
    by: Actor,
    token: str,
    name: str,
    scopes: frozenset[Scope],
    user_id: int,
    now: datetime,
    expires_at: datetime | None,
) -> KnownToken:
    """
    Insert a row and return it.

    Raises:
        BadValue, Forbidden: see `Tokens.make`.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise BadValue("There is no such user, or it is not active.")
    if "admin" in scopes and not user.is_superuser:
        raise Forbidden("A token with `admin` is for administrators.")
    if by.token_id is not None:
        check_maker(by.token_id, expires_at)
    good = Token.objects.filter(is_open(now), user_id=user_id)
    if good.count() >= MAX_TOKENS:
        raise BadValue(f"There are {MAX_TOKENS} tokens; revoke one first.")
    row = Token.objects.create(
        user_id=user_id,
        name=name,
        sha256=sha256_of(token),
        hint=token[HINT],
        scopes=listed(scopes),
        created_at=now,
        expires_at=expires_at,
    )
    record(Entry(by, "token.make", str(row.id), name))
    return of_rows(Token.objects.filter(id=row.id))[0]


def check_maker(id: int, expires_at: datetime | None) -> None:
    """
    Require that a token which makes another outlives it: its end is to be an end.

    Raises:
        Forbidden: it does not, or was revoked since it was looked at.
    """
    maker = Token.objects.filter(id=id, revoked_at=None).first()
    if maker is None:
        raise Forbidden("The token that was shown is revoked.")
    last = maker.expires_at
    if last is not None and (expires_at is None or expires_at > last):
        raise Forbidden(f"A token that a token makes ends with it, at {last.isoformat()}.")


def is_open(now: datetime) -> Q:
    """Return what finds tokens that are neither revoked nor expired."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))


def note_use(id: int, now: datetime) -> None:
    """Note when a token was seen, unless another worker has."""
    is_noted = Q(used_at__gt=now - USE_NOTED)
    Token.objects.filter(id=id).exclude(is_noted).update(used_at=now)


def revoke(by: Actor, id: int, now: datetime) -> bool:
    """End a token."""
    there = Token.objects.filter(id=id, revoked_at=None)
    row = there.first()
    if row is None or not may_revoke(by, row.user_id, row.scopes.split()):
        return False
    there.update(revoked_at=now)
    record(Entry(by, "token.revoke", str(id), row.name))
    return True


def of_user(user_id: int) -> list[KnownToken]:
    """Read a user's tokens."""
    rows = Token.objects.filter(user_id=user_id)
    # Those that are not revoked first, or a hundred that are would push them out.
    newest = rows.order_by(F("revoked_at").asc(nulls_first=True), "-id")[:LISTED]
    return sorted(of_rows(newest), key=lambda known: known.id, reverse=True)


def of_rows(rows: QuerySet[Token]) -> list[KnownToken]:
    """Read tokens."""
    names = [f"user__{name}" if name in OF_USER else name for name in COLUMNS]
    return [KnownToken.from_row(row) for row in rows.values_list(*names)]
