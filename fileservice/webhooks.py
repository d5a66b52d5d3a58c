"""
Who is told of what happens, and how: addresses of other hosts, kept by who owns what it is about.

A delivery is signed as Standard Webhooks 1.0 has it (`webhook-id`, `webhook-timestamp`,
`webhook-signature`), so that libraries for it verify ours.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.contrib.auth.models import User
from django.db.models import QuerySet

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.errors import BadValue, Forbidden, NotFound
from fileservice.events import EVENTS, add, content_of
from fileservice.ledger import Ledger
from fileservice.models import Delivery, Webhook
from fileservice.remoteurls import parse_remote_url
from fileservice.sharing import may

PREFIX = "whsec_"
SECRET_BYTES = 32
# Of one user.
MAX_HOOKS = 10
# How long the secret before a rotation signs too.
OVERLAP = timedelta(hours=24)
LISTED = 100
TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Hook:
    """
    One row of `models.Webhook`, with the same names.

    Attributes:
        user_id: of whose files and certificates it is told.
        secret: of the signatures; it is shown when it is made, and never again.
        old_secret: the one before; may be empty.
        events: in their order.
        paused_at: None where it is told.
    """

    id: int
    user_id: int
    url: str
    secret: str
    old_secret: str
    rotated_at: datetime | None
    events: tuple[str, ...]
    created_at: datetime
    paused_at: datetime | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Take what Django holds."""
        known = dict(zip(COLUMNS, row, strict=True))
        return cls(**known | {"events": tuple(known["events"].split())})

    @property
    def sender(self) -> str:
        """Whose hook it is, a browser does not tell."""
        return ""

    def secrets_at(self, now: datetime) -> list[str]:
        """Return the secrets that sign, the newest first."""
        is_old_good = self.rotated_at is not None and now < self.rotated_at + OVERLAP
        return [self.secret, self.old_secret] if self.old_secret and is_old_good else [self.secret]


COLUMNS = [field.name for field in fields(Hook)]


@dataclass(frozen=True, slots=True)
class Sent:
    """
    One row of `models.Delivery`, as its owner sees it.

    Attributes:
        status: of the last answer; None where there was none.
        trouble: why it failed last; empty where it did not.
        next_at: when it is sent, if it has not ended.
        ended_at: when it was taken or given up.
    """

    id: int
    event: str
    content: str
    created_at: datetime
    next_at: datetime
    attempts: int
    status: int | None
    trouble: str
    ended_at: datetime | None

    @property
    def state(self) -> str:
        """Return whether it is waiting, delivered or given up."""
        if self.ended_at is None:
            return "waiting"
        return "given up" if self.trouble else "delivered"


SENT = [field.name for field in fields(Sent)]


class Webhooks:
    """
    The hooks of a service.

    Who may read what a person has may have it told, and manages that person's hooks; to anybody
    else they are not there.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def make(
        self, by: Actor, url: str, events: Iterable[str], *, user_id: int | None = None
    ) -> Hook:
        """
        Return a new hook with its secret; it is told of what is the user's, by default `by`'s own.

        Raises:
            BadUrl: it is not a plain URL.
            BadValue: no event is named or one that is not, or there are too many hooks.
            Forbidden: it would tell what `by` may not read, or nobody's.
        """
        owner = by.user_id if user_id is None else user_id
        wanted = known_events(events)
        plain = str(parse_remote_url(url))
        return await self._ledger.commit(make, by, owner, plain, wanted, datetime.now(UTC))

    async def of(self, user_id: int) -> list[Hook]:
        """Return a user's hooks, the newest first."""
        return await self._ledger.run(of_user, user_id)

    async def find(self, by: Actor, id: int) -> Hook:
        """
        Return a hook.

        Raises:
            NotFound: there is none, or none for `by`.
        """
        return await self._ledger.run(find, by, id)

    async def pause(self, by: Actor, id: int) -> Hook:
        """Tell a hook nothing from now on; what waits for it goes on waiting."""
        changes = {"paused_at": datetime.now(UTC)}
        return await self._ledger.commit(change, by, id, "webhook.pause", changes)

    async def resume(self, by: Actor, id: int) -> Hook:
        """Tell a hook again; what happened meanwhile it is not told."""
        return await self._ledger.commit(change, by, id, "webhook.resume", {"paused_at": None})

    async def rotate(self, by: Actor, id: int) -> Hook:
        """Return a hook with a new secret; for a day the old one signs too."""
        return await self._ledger.commit(rotate, by, id, datetime.now(UTC))

    async def remove(self, by: Actor, id: int) -> None:
        """Remove a hook, and what waits for it."""
        await self._ledger.commit(remove, by, id)

    async def test(self, by: Actor, id: int) -> None:
        """Have a hook told of nothing, to see that it hears; a paused one hears it later."""
        await self._ledger.commit(test, by, id, datetime.now(UTC))

    async def sent(self, by: Actor, id: int, limit: int = LISTED) -> list[Sent]:
        """Return the newest deliveries to a hook, at most `limit`."""
        return await self._ledger.run(sent, by, id, limit)


def known_events(events: Iterable[str]) -> tuple[str, ...]:
    """
    Return events in their order.

    Raises:
        BadValue: there are none, or one is not known.
    """
    asked = set(events)
    if not asked or not asked <= set(EVENTS):
        raise BadValue(f"A webhook is told of one or more of {', '.join(EVENTS)}.")
    return tuple(event for event in EVENTS if event in asked)


def new_secret() -> str:
    """Return a secret as Standard Webhooks spells it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature_of(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a delivery (Standard Webhooks 1.0, "v1")."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b"%s.%d.%s" % (id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def signed_fields(hook: Hook, id: int, body: bytes, now: datetime) -> dict[str, str]:
    """Return the fields that say which delivery it is, when it is sent, and by whom."""
    name, timestamp = f"msg_{id}", int(now.timestamp())
    signatures = [signature_of(each, name, timestamp, body) for each in hook.secrets_at(now)]
    return {
        "Webhook-Id": name,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": " ".join(signatures),
    }


def make(by: Actor, owner: int | None, url: str, events: tuple[str, ...], now: datetime) -> Hook:
    """Insert a row and return it; see `Webhooks.make`."""
    hook = Hook(0, owner or 0, url, new_secret(), "", None, events, now, None)
    if owner is None or not may(by, "read", hook):
        raise Forbidden("A webhook is told of what is the own of who makes it.")
    if not User.objects.filter(id=owner, is_active=True).exists():
        raise BadValue("There is no such user, or it is not active.")
    if Webhook.objects.filter(user_id=owner).count() >= MAX_HOOKS:
        raise BadValue(f"A user has at most {MAX_HOOKS} webhooks.")
    row = Webhook.objects.create(
        user_id=owner, url=url, secret=hook.secret, events=" ".join(events), created_at=now
    )
    record(Entry(by, "webhook.make", str(row.pk), host_of(url)))
    return find(by, row.pk)


def of_user(user_id: int) -> list[Hook]:
    """Read a user's hooks."""
    rows = Webhook.objects.filter(user_id=user_id).values_list(*COLUMNS)
    return [Hook.from_row(row) for row in rows]


def find(by: Actor, id: int) -> Hook:
    """Read a hook; see `Webhooks.find`."""
    row = one(id).values_list(*COLUMNS).first()
    hook = Hook.from_row(row) if row else None
    if hook is None or not may(by, "read", hook):
        raise NotFound("There is no such webhook.")
    return hook


def one(id: int) -> QuerySet[Webhook]:
    """Return the rows of an id."""
    return Webhook.objects.filter(id=id)


def change(by: Actor, id: int, act: str, changes: dict[str, object]) -> Hook:
    """Write of a hook."""
    hook = find(by, id)
    one(id).update(**changes)
    record(Entry(by, act, str(id), host_of(hook.url)))
    return find(by, id)


def rotate(by: Actor, id: int, now: datetime) -> Hook:
    """Give a hook another secret."""
    old = find(by, id).secret
    changes = {"secret": new_secret(), "old_secret": old, "rotated_at": now}
    return change(by, id, "webhook.rotate", changes)


def remove(by: Actor, id: int) -> None:
    """Delete a hook and its deliveries."""
    hook = find(by, id)
    one(id).delete()
    record(Entry(by, "webhook.remove", str(id), host_of(hook.url)))


def test(by: Actor, id: int, now: datetime) -> None:
    """Add a delivery that says nothing."""
    add([(find(by, id).id, TEST, content_of(TEST, {}, now))])


def sent(by: Actor, id: int, limit: int) -> list[Sent]:
    """Read the newest deliveries to a hook."""
    rows = Delivery.objects.filter(webhook_id=find(by, id).id).values_list(*SENT)
    return [Sent(*row) for row in rows[:limit]]


def host_of(url: str) -> str:
    """Return what of a URL may be on record: its path may be a secret of who is told."""
    return parse_remote_url(url).authority[:255]
