"""Who is told of what happens: the right ones, signed, at least once, and nobody held up."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from django.contrib.auth.models import User
from django.db import transaction
from pytest_django import DjangoDbBlocker

from fileservice import delivering
from fileservice.actors import ANYBODY, EVERYTHING, Actor
from fileservice.addresses import networks_of
from fileservice.delivering import Delivering, Outcome, delay_after, forget, note, take
from fileservice.errors import BadUrl, BadValue, FileserviceError, Forbidden, NotFound
from fileservice.events import EVENTS, Event, tell
from fileservice.fetch.session import SharedSession
from fileservice.ledger import Ledger, StoredFile, insert
from fileservice.lending import Visitor
from fileservice.lending import take as lend
from fileservice.models import AuditEntry, Delivery, Share, Webhook
from fileservice.shares import Subject
from fileservice.uploads import unguessable
from fileservice.webhooks import (
    MAX_HOOKS,
    Hook,
    Webhooks,
    new_secret,
    signature_of,
    signed_fields,
)
from tests.client import WAIT_SECONDS
from tests.conftest import need_program
from tests.otherhosts import LOOPBACK, OtherHost, other_host
from tests.outside import said
from tests.resumables import Service, service_in
from tests.test_docs import API


def file_named(name: str) -> StoredFile:
    id, key = unguessable(), unguessable()
    return StoredFile(id, key, name, False, 0, "0" * 64, "text/plain", NOW, "")


NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@dataclass
class Heard:
    """
    A host that hears what it is told.

    Attributes:
        statuses: of its next answers; 204 when there are none any more.
        bodies: what it was told, with the fields that came along.
    """

    statuses: list[int] = field(default_factory=list)
    bodies: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.bodies.append((await request.read(), headers))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers in self.bodies]


@dataclass
class Hooked:
    """A service without HTTP, two people in it, and what sends for them."""

    service: Service
    ledger: Ledger
    webhooks: Webhooks
    ada: Actor
    bob: Actor

    async def hook(self, host: OtherHost, path: str = "/", events: Any = EVENTS) -> Hook:
        return await self.webhooks.make(self.ada, str(host.url(path)), events)

    async def happen(self, name: Any = "file.delete", by: Actor | None = None, n: int = 1) -> None:
        """Have something happen to what is Ada's, or somebody else's."""
        user_id = (by or self.ada).user_id
        for number in range(n):
            await self.ledger.commit(tell, Event(name, user_id, {"number": number}))

    async def rows(self, **where: Any) -> list[Delivery]:
        return await self.ledger.run(lambda: list(Delivery.objects.filter(**where).order_by("id")))

    async def now_due(self) -> None:
        """Let the time of what waits have come."""
        await self.ledger.run(lambda: Delivery.objects.update(next_at=NOW, until=NOW))

    async def paused(self, hook: Hook) -> bool:
        return (await self.webhooks.find(self.ada, hook.id)).paused_at is not None


@pytest.fixture
async def hooked(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> AsyncIterator[Hooked]:
    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as worker:

            def person(name: str) -> Actor:
                user = User(username=name)
                user.set_unusable_password()
                user.save()
                return Actor(user_id=user.pk, name=name)

            ada, bob = await worker.ledger.run(lambda: [person("ada"), person("bob")])
            yield Hooked(service, worker.ledger, Webhooks(worker.ledger), ada, bob)


@asynccontextmanager
async def sending(ledger: Ledger, *allowed: Any) -> AsyncIterator[Delivering]:
    """Send what is due until the end of the block, as a worker does."""
    session = SharedSession(allowed or LOOPBACK)
    try:
        sender = Delivering(ledger, session)
        async with sender.watching():
            yield sender
    finally:
        await session.close()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody is told."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await true():  # noqa: ASYNC110 - a row changes without an event
            await asyncio.sleep(0.02)


async def ended(hooked: Hooked, n: int = 1) -> list[Delivery]:
    await until(lambda: _has(hooked, n))
    return await hooked.rows(ended_at__isnull=False)


async def _has(hooked: Hooked, n: int) -> bool:
    return len(await hooked.rows(ended_at__isnull=False)) >= n


async def failed(hooked: Hooked, attempts: int = 1) -> Delivery:
    """Return the one delivery when so many attempts of it have failed."""

    async def has() -> bool:
        [row] = await hooked.rows()
        return row.attempts == attempts and row.until <= datetime.now(UTC) and bool(row.trouble)

    await until(has)
    return (await hooked.rows())[0]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and do not wait long for who does not answer."""
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(delivering, "SECONDS", 1.0)


def verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """Verify as the documentation says."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


async def test_an_event_is_told_once_signed_by_the_secret(hooked: Hooked) -> None:
    async with other_host(heard := Heard()) as host, sending(hooked.ledger) as sender:
        hook = await hooked.hook(host, "/hook?key=1")
        file = replace(file_named("a.txt"), user_id=hooked.ada.user_id)
        await hooked.ledger.add([file], hooked.ada)
        [row] = await ended(hooked)
        [(body, headers)] = heard.bodies

    assert (row.status, row.trouble, row.attempts) == (204, "", 1)
    assert headers["webhook-id"] == f"msg_{row.pk}"
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert verified(hook.secret, body, headers)
    assert not verified(hook.secret, body + b" ", headers)
    assert host.requests[0].path_qs == "/hook?key=1"
    told = json.loads(body)
    assert told["type"] == "file.upload"
    assert (told["data"]["id"], told["data"]["name"]) == (file.id, "a.txt")
    assert file.key not in body.decode()
    assert sender.outcomes == {"delivered": 1}


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example that its libraries are tested with.
    secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = signature_of(secret, id, 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [500, 404, 302, 307])
async def test_who_does_not_take_it_is_told_again_under_the_same_id(
    hooked: Hooked, status: int
) -> None:
    heard = Heard([status, status])
    async with other_host(heard) as host, sending(hooked.ledger):
        await hooked.hook(host)
        await hooked.happen()
        before = datetime.now(UTC)
        row = await failed(hooked)
        due = row.next_at
        await hooked.now_due()
        await failed(hooked, 2)
        await hooked.now_due()
        [row] = await ended(hooked)

    assert before + timedelta(seconds=4) < due < before + timedelta(seconds=40)
    assert len(set(heard.ids)) == 1
    assert len(heard.bodies) == 3
    assert (row.status, row.attempts, row.trouble) == (204, 3, "")


async def test_a_redirect_is_not_followed(hooked: Hooked) -> None:
    async with other_host(Heard()) as other:
        leading = said(b"", status=307, headers={"Location": str(other.url())})
        async with other_host(leading) as host, sending(hooked.ledger):
            await hooked.hook(host)
            await hooked.happen()
            row = await failed(hooked)

    assert row.status == 307
    assert not other.requests


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def broken_off(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(("answer", "trouble"), [(silent, "in time"), (broken_off, "broke off")])
async def test_who_is_silent_or_breaks_off_is_told_again(
    hooked: Hooked, answer: Any, trouble: str
) -> None:
    async with other_host(answer) as host, sending(hooked.ledger):
        await hooked.hook(host)
        await hooked.happen()
        row = await failed(hooked)

    assert row.status is None
    assert trouble in row.trouble
    assert row.ended_at is None


async def test_an_answer_without_end_is_not_waited_for(hooked: Hooked) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    async with other_host(endless) as host, sending(hooked.ledger):
        await hooked.hook(host)
        await hooked.happen()
        [row] = await ended(hooked)

    assert row.status == 200


async def test_a_private_address_is_told_nothing(hooked: Hooked) -> None:
    elsewhere = networks_of("10.0.0.0/8")
    async with other_host(Heard()) as host, sending(hooked.ledger, *elsewhere):
        await hooked.hook(host)
        await hooked.happen()
        row = await failed(hooked)

    assert not host.requests
    assert "nothing is fetched from" in row.trouble


async def test_two_workers_tell_each_event_once(hooked: Hooked) -> None:
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(other_host(heard := Heard()))
        second = await stack.enter_async_context(hooked.service.worker())
        await hooked.hook(host)
        await hooked.happen(n=60)
        for ledger in (hooked.ledger, second.ledger):
            await stack.enter_async_context(sending(ledger))
        rows = await ended(hooked, 60)

    assert Counter(heard.ids) == {f"msg_{row.pk}": 1 for row in rows}
    assert {row.attempts for row in rows} == {1}


async def test_what_a_killed_worker_had_taken_is_sent_by_another_when_its_lease_ran_out(
    hooked: Hooked,
) -> None:
    async with other_host(heard := Heard()) as host:
        await hooked.hook(host)
        await hooked.happen()
        [taken] = await hooked.ledger.commit(take, "gone", Counter(), 16, datetime.now(UTC))
        again = await hooked.ledger.commit(take, "here", Counter(), 16, datetime.now(UTC))
        [held] = await hooked.rows()
        await hooked.now_due()
        async with sending(hooked.ledger):
            await ended(hooked)
        # It was not dead, but stood still.
        late = Outcome(500, "too late")
        await hooked.ledger.commit(note, taken, late, datetime.now(UTC))
        [row] = await hooked.rows()

    assert again == []
    assert held.next_at > datetime.now(UTC)
    assert (row.owner != "gone", row.fence, row.status, row.trouble) == (True, 2, 204, "")
    assert heard.ids == [f"msg_{row.pk}"]


async def test_a_slow_hook_with_much_to_hear_holds_no_other(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "SECONDS", float(WAIT_SECONDS))
    async with other_host(silent) as slow, other_host(heard := Heard()) as host:
        await hooked.hook(slow, events=["file.delete"])
        await hooked.hook(host, events=["file.upload"])
        await hooked.happen("file.delete", n=40)
        async with sending(hooked.ledger):
            await until(lambda: _asked(slow, 4))
            await hooked.happen("file.upload", n=3)
            await ended(hooked, 3)

    assert len(heard.bodies) == 3
    assert len(slow.requests) == delivering.AT_ONCE_BY_HOOK


async def _asked(host: OtherHost, n: int) -> bool:
    return len(host.requests) >= n


async def test_who_takes_nothing_for_a_day_is_paused_and_the_rest_waits(hooked: Hooked) -> None:
    async with other_host(Heard([500] * 50)) as host:
        hook = await hooked.hook(host)
        await hooked.happen(n=2)
        first, second = await hooked.rows()
        await hooked.ledger.run(
            lambda: Delivery.objects.filter(id=first.pk).update(
                attempts=len(delivering.DELAYS_SECONDS)
            )
        )
        async with sending(hooked.ledger) as sender:
            [row] = await ended(hooked)
            await hooked.now_due()
            await hooked.happen()
        rows = await hooked.rows()

    assert (row.pk, row.status) == (first.pk, 500)
    assert await hooked.paused(hook)
    assert sender.outcomes["given up"] == 1
    assert [each.pk for each in rows] == [first.pk, second.pk]
    assert rows[1].ended_at is None
    [newest, oldest] = await hooked.webhooks.sent(hooked.ada, hook.id)
    assert (newest.state, oldest.state) == ("waiting", "given up")
    day = sum(map(delay_after, range(1, len(delivering.DELAYS_SECONDS) + 1)), timedelta())
    assert timedelta(hours=24) < day < timedelta(hours=30)


async def test_who_says_that_it_is_gone_is_told_nothing_more(hooked: Hooked) -> None:
    async with other_host(Heard([410])) as host, sending(hooked.ledger):
        hook = await hooked.hook(host)
        await hooked.happen()
        [row] = await ended(hooked)

    assert row.status == 410
    assert await hooked.paused(hook)


async def test_only_who_owns_it_and_asked_for_it_is_told(hooked: Hooked) -> None:
    async with other_host(Heard()) as host:
        hook = await hooked.hook(host, events=["file.upload"])
        await hooked.happen("file.delete")
        await hooked.happen("file.upload", hooked.bob)
        await hooked.happen("file.upload", ANYBODY)
        nothing = await hooked.rows()
        await hooked.happen("file.upload")
        await hooked.webhooks.pause(hooked.ada, hook.id)
        await hooked.happen("file.upload")
        await hooked.webhooks.resume(hooked.ada, hook.id)
        one = await hooked.rows()
        await hooked.ledger.run(lambda: User.objects.update(is_active=False))
        await hooked.happen("file.upload")

    assert nothing == []
    assert len(one) == len(await hooked.rows()) == 1
    due = await hooked.ledger.commit(take, "here", Counter(), 16, datetime.now(UTC))
    assert due == []


async def test_who_shares_is_told_of_each_download_that_begins(hooked: Hooked) -> None:
    subject = Subject("file", "f" * 26, "a.txt", "0" * 64)

    def begin() -> None:
        file = replace(file_named("a.txt"), id=subject.id)
        insert([(file, ANYBODY)])
        terms = {"user_id": hooked.ada.user_id, "file_id": file.id, "created_at": NOW}
        share = Share.objects.create(id="s" * 26, **terms)
        for visitor in ("one", "one", "other"):
            lend(share.id, Visitor(visitor, None, False), subject, ANYBODY, datetime.now(UTC))

    async with other_host(Heard()) as host:
        await hooked.hook(host)
        await hooked.ledger.commit(begin)
    rows = await hooked.rows()

    assert [row.event for row in rows] == ["share.download"] * 2
    assert json.loads(rows[0].content)["data"] == {
        "share_id": "s" * 26,
        "kind": "file",
        "id": "f" * 26,
        "name": "a.txt",
        "sha256": "0" * 64,
    }


async def test_what_is_undone_is_told_to_nobody(hooked: Hooked) -> None:
    def undone() -> None:
        with transaction.atomic():
            insert([(replace(file_named("a"), user_id=hooked.ada.user_id), hooked.ada)])
            raise BadValue("no")

    async with other_host(Heard()) as host:
        await hooked.hook(host)
        with pytest.raises(BadValue):
            await hooked.ledger.commit(undone)

    assert await hooked.rows() == []


async def test_for_a_day_both_secrets_sign(hooked: Hooked) -> None:
    async with other_host(heard := Heard()) as host, sending(hooked.ledger):
        old = await hooked.hook(host)
        new = await hooked.webhooks.rotate(hooked.ada, old.id)
        await hooked.webhooks.test(hooked.ada, old.id)
        [row] = await ended(hooked)
        [(body, headers)] = heard.bodies

    assert (row.event, json.loads(body)["type"]) == ("webhook.test", "webhook.test")
    assert old.secret != new.secret
    assert verified(old.secret, body, headers)
    assert verified(new.secret, body, headers)
    assert new.secrets_at(datetime.now(UTC) + timedelta(hours=25)) == [new.secret]


async def test_a_hook_is_there_for_its_owner_and_administrators_only(hooked: Hooked) -> None:
    hooks, admin = hooked.webhooks, Actor(name="root", is_superuser=True, scopes=EVERYTHING)
    sender = replace(hooked.ada, token_id=1, scopes=frozenset({"upload"}))
    async with other_host(Heard()) as host:
        hook = await hooked.hook(host)
    acts = (hooks.find, hooks.pause, hooks.resume, hooks.rotate, hooks.test, hooks.sent)

    for act in (*acts, hooks.remove):
        for stranger in (hooked.bob, sender, ANYBODY):
            with pytest.raises(NotFound):
                await act(stranger, hook.id)
        with pytest.raises(NotFound):
            await act(hooked.ada, hook.id + 1)
        await act(admin, hook.id)
    assert await hooks.of(hooked.ada.user_id or 0) == []
    acts_on_record = await hooked.ledger.run(
        lambda: list(AuditEntry.objects.order_by("id").values_list("act", flat=True))
    )
    assert [act.removeprefix("webhook.") for act in acts_on_record] == [
        *("make", "pause", "resume", "rotate", "remove")
    ]


@pytest.mark.parametrize(
    ("url", "events", "error"),
    [
        ("ftp://a.example/", ["file.upload"], BadUrl),
        ("https://user@a.example/", ["file.upload"], BadUrl),
        ("https://a.example/" + "x" * 2048, ["file.upload"], BadUrl),
        ("https://a.example/", [], BadValue),
        ("https://a.example/", ["file.upload", "file.read"], BadValue),
    ],
)
async def test_a_bad_hook_is_refused(
    hooked: Hooked, url: str, events: list[str], error: type[FileserviceError]
) -> None:
    with pytest.raises(error):
        await hooked.webhooks.make(hooked.ada, url, events)

    assert await hooked.ledger.run(Webhook.objects.count) == 0


async def test_hooks_are_made_by_who_may_read_and_not_without_end(hooked: Hooked) -> None:
    make, url = hooked.webhooks.make, "https://a.example/"
    sender = replace(hooked.ada, token_id=1, scopes=frozenset({"upload"}))
    for stranger in (ANYBODY, sender):
        with pytest.raises(Forbidden):
            await make(stranger, url, EVENTS)
    with pytest.raises(Forbidden):
        await make(hooked.bob, url, EVENTS, user_id=hooked.ada.user_id)
    for _ in range(MAX_HOOKS):
        await make(hooked.ada, url, EVENTS)

    with pytest.raises(BadValue):
        await make(hooked.ada, url, EVENTS)
    await make(hooked.bob, url, EVENTS)


async def test_what_ended_a_week_ago_is_forgotten_and_what_waits_is_not(hooked: Hooked) -> None:
    async with other_host(Heard()) as host:
        hook = await hooked.hook(host)
    await hooked.happen(n=3)
    old, waiting, new = [row.pk for row in await hooked.rows()]
    long_ago = datetime.now(UTC) - timedelta(days=8)

    def age() -> None:
        Delivery.objects.filter(id=old).update(ended_at=long_ago)
        Delivery.objects.filter(id=waiting).update(next_at=long_ago)
        Delivery.objects.filter(id=new).update(ended_at=datetime.now(UTC))

    await hooked.ledger.run(age)
    week_ago = datetime.now(UTC) - delivering.KEPT
    assert await hooked.ledger.commit(forget, week_ago, 500) == 1
    assert [row.pk for row in await hooked.rows()] == [waiting, new]
    await hooked.webhooks.pause(hooked.ada, hook.id)
    assert await hooked.ledger.commit(forget, week_ago, 500) == 1
    assert [row.pk for row in await hooked.rows()] == [new]


def recipe(language: str) -> str:
    """Return how the documentation verifies a signature."""
    section = API.read_text().split("\n## Webhooks\n")[1].split("\n## ")[0]
    [found] = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    code: str = found
    return code


def by_python(secret: str, fields: dict[str, str], body: bytes, _: Path) -> bool:
    names: dict[str, Any] = {}
    exec(recipe("python"), names)  # noqa: S102 - our own page
    genuine: bool = names["is_genuine"](secret, *fields.values(), body)
    return genuine


def by_shell(secret: str, fields: dict[str, str], body: bytes, folder: Path) -> bool:
    (folder / "body").write_bytes(body)
    id, timestamp, signatures = fields.values()
    told = {"secret": secret, "id": id, "timestamp": timestamp, "signatures": signatures}
    command = [need_program("bash"), "-euc", recipe("bash")]
    need_program("openssl")
    done = subprocess.run(
        command, env=os.environ | told, cwd=folder, capture_output=True, check=False
    )
    assert done.stdout in (b"genuine\n", b"forged\n"), done.stderr
    return done.stdout == b"genuine\n"


@pytest.mark.parametrize("verify", [by_python, by_shell])
def test_the_recipes_verify_what_is_told(tmp_path: Path, verify: Callable[..., bool]) -> None:
    old, new = new_secret(), new_secret()
    body = b'{"name":"\xc3\xa4 100%.pdf"}\n'
    hook = Hook(1, 1, "https://a.example/", new, old, NOW, (), NOW, None)
    fields = signed_fields(hook, 7, body, NOW)

    assert verify(new, fields, body, tmp_path)
    assert verify(old, fields, body, tmp_path)
    assert not verify(new_secret(), fields, body, tmp_path)
    assert not verify(new, fields, body + b" ", tmp_path)
    assert not verify(new, fields | {"Webhook-Timestamp": "1"}, body, tmp_path)
