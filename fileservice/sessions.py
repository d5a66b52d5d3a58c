"""Sessions of browsers: Django's engine over rows of ours, and what is known of a person's."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils.crypto import constant_time_compare

from fileservice.errors import ServiceUnavailable
from fileservice.ledger import Ledger
from fileservice.models import Session

# From the login, whatever is done in it: what a stolen cookie is good for has an end.
LOGIN = timedelta(days=14)
# How exactly the last use is known: a write for each request would cost more than the request.
USE_NOTED = timedelta(minutes=10)
LISTED = 100
LONGEST_AGENT = 200

ADDRESS = "address"
AGENT = "agent"
BEGAN_AT = "began_at"


class SessionStore(SessionBase):
    """
    A session in a row.

    The row has the hash of its key only: whoever reads the database, or a copy of it, cannot log
    in with what is there.
    """

    def load(self) -> dict[str, Any]:
        """Return what the session holds; nothing where it has ended."""
        now = datetime.now(UTC)
        row = Session.objects.filter(id=id_of(self.session_key), expires_at__gt=now).first()
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.data)

    def exists(self, session_key: str) -> bool:
        """Tell whether there is a row."""
        return Session.objects.filter(id=id_of(session_key)).exists()

    def create(self) -> None:
        """Begin a session under a new key."""
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]  # not in the stubs
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """
        Write the row.

        Raises:
            UpdateError: the session has ended since it was loaded.
        """
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]  # nor this
        row = {
            "user_id": data.get(SESSION_KEY),
            "data": self.encode(data),
            "expires_at": self.get_expiry_date(),
            "used_at": datetime.now(UTC),
        }
        if must_create:
            Session.objects.create(id=id_of(self.session_key), **row)
        elif not Session.objects.filter(id=id_of(self.session_key)).update(**row):
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        """End a session, or this one."""
        Session.objects.filter(id=id_of(session_key or self.session_key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove what has ended by itself."""
        forget_expired(datetime.now(UTC), None)


@dataclass(frozen=True, slots=True)
class KnownSession:
    """
    A session in which somebody has logged in, as of its row.

    Attributes:
        id: SHA-256 of its key.
        data: what it holds, signed.
        used_at: when it was last seen, to ten minutes.
    """

    id: str
    data: str
    expires_at: datetime
    used_at: datetime
    user_id: int
    username: str
    is_superuser: bool
    password: str


OF_USER = ("username", "is_superuser", "password")
COLUMNS = [field.name for field in fields(KnownSession)]
BY_ID = (
    f"SELECT {', '.join(f'u.{name}' if name in OF_USER else f's.{name}' for name in COLUMNS)}"  # noqa: S608 - all names are ours
    f" FROM {Session._meta.db_table} s JOIN {User._meta.db_table} u ON u.id = s.user_id"
    " WHERE s.id = ? AND u.is_active"
)


class Sessions:
    """The sessions of a service; a lookup runs on the loop, as those of `Ledger`."""

    def __init__(self, ledger: Ledger, backends: Sequence[str]) -> None:
        self._ledger = ledger
        self._backends = frozenset(backends)

    def find(self, key: str, *, now: datetime) -> KnownSession | None:
        """Return the session with this key, if somebody is logged in there who still may be."""
        row = self._ledger.row(BY_ID, id_of(key))
        if row is None:
            return None
        known = dict(zip(COLUMNS, row, strict=True))
        for name in ("expires_at", "used_at"):
            known[name] = datetime.fromisoformat(known[name]).replace(tzinfo=UTC)
        known["is_superuser"] = bool(known["is_superuser"])
        session = KnownSession(**known)
        data = SessionStore().decode(session.data)
        is_good = (
            session.expires_at > now
            and data.get(BACKEND_SESSION_KEY) in self._backends
            and is_of_password(data, session.password)
        )
        return session if is_good else None

    async def note_use(self, session: KnownSession, *, now: datetime) -> None:
        """Note that a session was seen, now and then; a busy database may miss one."""
        if now - session.used_at >= USE_NOTED:
            with suppress(ServiceUnavailable):
                await self._ledger.commit(note_use, session.id, now)


def is_of_password(data: dict[str, Any], password: str) -> bool:
    """
    Tell whether the password is still the one that somebody logged in with.

    Django's own `get_user` gives the session another key where the secret key has changed, of
    which the browser would not hear here.
    """
    user = User(password=password)
    given = data.get(HASH_SESSION_KEY, "")
    known = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(given, each) for each in known)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """
    One of a person's sessions.

    Attributes:
        agent: how the browser names itself.
        began_at: aware, UTC; None for one of another time of ours.
    """

    id: str
    address: str
    agent: str
    began_at: datetime | None
    used_at: datetime
    expires_at: datetime


def id_of(key: str | None) -> str:
    """Return what a row keeps of a key; it has 165 random bits, so that no salt is needed."""
    return hashlib.sha256((key or "").encode()).hexdigest()


def note_use(id: str, now: datetime) -> None:
    """Note when a session was seen."""
    Session.objects.filter(id=id).update(used_at=now)


def of_user(user: User, now: datetime) -> list[ListedSession]:
    """Return a person's sessions, those used last first."""
    rows = Session.objects.filter(user=user, expires_at__gt=now)[:LISTED]
    decoded = [(row, SessionStore().decode(row.data)) for row in rows]
    return [listed(row, data) for row, data in decoded if is_of_password(data, user.password)]


def listed(row: Session, data: dict[str, Any]) -> ListedSession:
    """Return what a list tells of a session."""
    began_at = data.get(BEGAN_AT)
    return ListedSession(
        id=row.id,
        address=data.get(ADDRESS, ""),
        agent=data.get(AGENT, ""),
        began_at=datetime.fromisoformat(began_at) if began_at else None,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )


def end(user: User, id: str) -> bool:
    """End one of a person's sessions, and tell whether this call did."""
    return Session.objects.filter(user=user, id=id).delete()[0] > 0


def end_others(user: User, key: str | None) -> int:
    """End all of a person's sessions but that with this key, and return how many they were."""
    return Session.objects.filter(user=user).exclude(id=id_of(key)).delete()[0]


def forget_expired(now: datetime, limit: int | None) -> int:
    """Remove sessions that have ended by themselves, and return how many."""
    rows = Session.objects.filter(expires_at__lte=now).order_by()
    ids = list(rows.values_list("id", flat=True)[:limit])
    return Session.objects.filter(id__in=ids).delete()[0]
