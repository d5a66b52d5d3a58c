"""
What happens, for those who asked to be told: added in the transaction of the act.

So what was undone is told to nobody, and what was done is told even if the process is killed right
after. Who adds it does not know who listens; `delivering` sends it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from django.contrib.auth.models import User
from django.db import connection

from fileservice.models import Delivery, Webhook

EventName = Literal[
    "file.upload",
    "file.delete",
    "file.infected",
    "share.download",
    "drop.upload",
    "certificate.issue",
    "certificate.revoke",
    "batch.done",
]
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happened.

    Attributes:
        user_id: to whose files or certificates; who has no user is told nothing.
        about: what JSON can hold; never a key, nor what only its owner may read in a file.
    """

    name: EventName
    user_id: int | None
    about: Mapping[str, object]


COLUMNS = ("webhook_id", "event", "content", "created_at", "next_at", "until")
INSERT = (
    f"INSERT INTO {Delivery._meta.db_table}"  # noqa: S608 - all names are ours
    f" ({', '.join(COLUMNS)}, attempts, trouble, owner, fence)"
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))}, 0, '', '', 0)"
)
LISTENING = (
    f"SELECT w.id, w.user_id, w.events FROM {Webhook._meta.db_table} w"  # noqa: S608 - all names are ours
    f" JOIN {User._meta.db_table} u ON u.id = w.user_id"
    " WHERE w.paused_at IS NULL AND u.is_active AND w.user_id IN ({})"
)


def tell(*events: Event) -> None:
    """
    Add deliveries to the transaction that is open; it has to be that of the acts.

    It is one statement where nobody listens, 17 microseconds, and none where nothing has an owner.
    """
    owners = {event.user_id for event in events if event.user_id is not None}
    if owners and (hooks := listening(owners)):
        add(rows_of(events, hooks))


def listening(owners: Iterable[int]) -> list[tuple[int, int, str]]:
    """Return id, user and events of each hook that is told of what is somebody's."""
    asked = list(owners)
    with connection.cursor() as cursor:
        cursor.execute(LISTENING.format(", ".join(["%s"] * len(asked))), asked)
        found: list[tuple[int, int, str]] = cursor.fetchall()
    return found


def rows_of(
    events: Iterable[Event], hooks: Sequence[tuple[int, int, str]]
) -> list[tuple[int, str, str]]:
    """Return hook, event and content of each delivery."""
    now = datetime.now(UTC)
    return [
        (id, event.name, content_of(event.name, event.about, now))
        for event in events
        for id, user_id, wanted in hooks
        if event.user_id == user_id and event.name in wanted.split()
    ]


def add(deliveries: Iterable[tuple[int, str, str]]) -> None:
    """Insert deliveries, of hook, event and content, that are to be sent at once."""
    now: Any = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [(*each, now, now, now) for each in deliveries])


def content_of(name: str, about: Mapping[str, object], now: datetime) -> str:
    """Return the JSON of an event."""
    content = {"type": name, "timestamp": now.isoformat(), "data": about}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
