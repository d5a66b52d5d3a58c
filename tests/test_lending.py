"""Leases by the clock, and what an answer does to its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from pytest_django import DjangoDbBlocker

from fileservice.actors import ANYBODY
from fileservice.expiry import forget_leases
from fileservice.http import leasing
from fileservice.http.content import ContentResponse
from fileservice.http.leasing import LeasedResponse, Lending, reaches_end
from fileservice.lending import GRACE, LONGEST, WINDOW, HeldLease, Leases, Visitor
from fileservice.models import AuditEntry, File, Lease, Share
from fileservice.shares import KnownShare, Shares, Subject, Terms
from tests.resumables import Service, Worker, service_in

NOW = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ADA = Visitor("a" * 64, None, is_known_by_address=False)
BOB = Visitor("b" * 64, None, is_known_by_address=False)
CURL = Visitor("c" * 64, "192.0.2.1", is_known_by_address=True)


@pytest.fixture
def service(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Service]:
    with service_in(tmp_path, migrated, django_db_blocker) as made:
        yield made


@pytest.fixture
async def worker(service: Service) -> AsyncIterator[Worker]:
    async with service.worker() as opened:
        yield opened


class World:
    """A share of one file, and those who want it."""

    def __init__(self, worker: Worker) -> None:
        self.ledger = worker.ledger
        self.shares = Shares(worker.ledger, ["k" * 48])
        self.leases = Leases(worker.ledger)
        self.subject = Subject("file", "f" * 26, "a.txt", "0" * 64)
        self.left: HeldLease | None = None

    async def shared(self, max_downloads: int | None) -> KnownShare:
        await self.ledger.run(add_file)
        terms = Terms(max_downloads=max_downloads)
        self.share = await self.shares.make(ANYBODY, self.subject, terms, now=NOW)
        return self.share

    async def take(self, visitor: Visitor, now: datetime = NOW) -> HeldLease | None:
        return await self.leases.take(self.share, visitor, self.subject, ANYBODY, now=now)

    def find(self, visitor: Visitor, now: datetime = NOW) -> HeldLease | None:
        return self.leases.find(self.share, visitor, now=now)

    @property
    def downloads(self) -> int:
        known = self.shares.find(self.share.id)
        assert known is not None
        return known.downloads

    def lent(self, lease: HeldLease) -> Lending:
        return Lending(self.leases, lease, self.subject, ANYBODY)


def add_file() -> None:
    fields: dict[str, Any] = {"id": "f" * 26, "key": "k" * 26, "name": "a.txt", "size": 10}
    fields |= {"name_changed": False, "sha256": "0" * 64, "media_type": "text/plain"}
    File.objects.create(**fields, created_at=NOW)


@pytest.fixture
async def world(worker: Worker) -> World:
    made = World(worker)
    await made.shared(2)
    return made


async def test_each_visitor_has_a_lease_of_its_own_until_there_are_none(world: World) -> None:
    ada, again, bob = await world.take(ADA), await world.take(ADA), await world.take(BOB)

    assert ada is not None
    assert bob is not None
    assert again is not None
    assert again.began_at == ada.began_at
    assert not again.is_fresh
    assert await world.take(CURL) is None
    assert world.downloads == 2


async def test_a_hundred_at_once_get_as_many_as_there_are(world: World) -> None:
    visitors = [Visitor(f"{n:064}", None, is_known_by_address=False) for n in range(100)]

    taken = await asyncio.gather(*(world.take(visitor) for visitor in visitors))

    assert sum(lease is not None for lease in taken) == 2
    assert world.downloads == 2


async def test_an_address_finds_the_lease_of_a_program_and_of_no_browser(world: World) -> None:
    await world.take(CURL)
    await world.take(BOB)
    at_home = Visitor("d" * 64, "192.0.2.1", is_known_by_address=True)
    browser = at_home._replace(is_known_by_address=False)

    assert world.find(at_home) == world.find(CURL)
    assert world.find(browser) is None
    assert world.find(at_home._replace(address="192.0.2.2")) is None
    assert world.find(at_home._replace(address=None)) is None
    assert world.find(at_home, NOW + WINDOW) is None


async def test_a_lease_ends_a_day_after_it_was_cut(world: World) -> None:
    lease = await world.take(ADA)
    assert lease is not None
    renewed = await world.leases.renew(lease, now=NOW + timedelta(hours=5))

    assert renewed is not None
    assert world.find(ADA, NOW + timedelta(hours=29)) == renewed
    assert world.find(ADA, NOW + timedelta(hours=29) + MINUTE) is None


async def test_no_lease_lasts_for_ever(world: World) -> None:
    lease = await world.take(ADA)
    assert lease is not None
    renewed = await world.leases.renew(lease, now=NOW + LONGEST - MINUTE)

    assert renewed is not None
    assert renewed.until == NOW + LONGEST


async def test_a_lease_whose_last_byte_was_sent_ends_soon_and_no_later(world: World) -> None:
    lease = await world.take(ADA)
    assert lease is not None

    await world.leases.end(lease, now=NOW)
    await world.leases.end(lease, now=NOW + 5 * MINUTE)

    assert world.find(ADA, NOW + GRACE - MINUTE) is not None
    assert world.find(ADA, NOW + GRACE) is None


async def test_who_comes_back_after_the_end_counts_again(world: World) -> None:
    lease = await world.take(ADA)
    later = NOW + WINDOW

    again = await world.take(ADA, later)

    assert lease is not None
    assert again is not None
    assert (again.began_at, world.downloads) == (later, 2)
    assert await world.take(ADA, later + WINDOW) is None


async def test_leases_that_ended_leave_nothing_behind(world: World) -> None:
    await world.take(CURL)
    await world.take(BOB, NOW + WINDOW)

    left = await world.ledger.run(lambda: list(Lease.objects.values_list("id", flat=True)))

    assert left == [BOB.id]


async def test_a_sweep_forgets_addresses_of_leases_that_have_ended(world: World) -> None:
    await world.take(CURL)
    await world.take(BOB, NOW + MINUTE)

    swept = [await world.ledger.run(forget_leases, NOW + WINDOW, 100) for _ in range(2)]

    assert swept == [1, 0]
    assert world.find(BOB, NOW + WINDOW) is not None
    assert world.downloads == 2


async def test_a_lease_that_nobody_used_is_given_back(world: World) -> None:
    lease = await world.take(ADA)
    assert lease is not None

    await world.leases.give_back(lease, world.subject, ANYBODY)
    await world.leases.give_back(lease, world.subject, ANYBODY)

    assert (world.downloads, world.find(ADA)) == (0, None)


async def test_a_lease_that_somebody_has_joined_is_not_given_back(world: World) -> None:
    lease = await world.take(ADA)
    assert lease is not None
    joined = await world.take(ADA)
    assert joined is not None

    for held in (lease, joined):
        await world.leases.give_back(held, world.subject, ANYBODY)

    assert (world.downloads, world.find(ADA) is None) == (1, False)


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
async def test_no_lease_is_taken_of_what_has_ended_since_it_was_looked_up(
    world: World, change: str
) -> None:
    await world.ledger.run(end_share, world.share.id, change)

    assert await world.take(ADA) is None
    assert world.downloads == 0


def end_share(id: str, column: str) -> None:
    Share.objects.filter(id=id).update(**{column: NOW})


class Line:
    """
    The connection of a client, who reads so many pieces and then hangs up.

    Attributes:
        patience: None for one who reads to the end.
        sent: what came of the body.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.sent: list[bytes] = []
        self.gone = asyncio.Event()
        if patience == 0:
            self.gone.set()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.sent.append(message.get("body", b""))
            if len(self.sent) == self.patience:
                self.gone.set()
                await asyncio.sleep(0)  # who waits for it has to see it


async def pieces(*contents: bytes, error: Exception | None = None) -> AsyncGenerator[bytes]:
    for content in contents:
        yield content
    if error is not None:
        raise error


async def outcome(world: World, response: HttpResponseBase, line: Line) -> HeldLease | None:
    """Return what became of the lease that an answer was sent under."""
    lease = await world.take(ADA, datetime.now(UTC))
    assert lease is not None
    leased = LeasedResponse(response, world.lent(lease))
    try:
        await leased.transmit({}, line.receive, line.send)
    finally:
        world.left = world.find(ADA, datetime.now(UTC))
    return world.left


def large(
    *contents: bytes, status: int = 200, span: str = "", error: Exception | None = None
) -> ContentResponse:
    headers = {"Content-Range": f"bytes {span}/10"} if span else {}
    return ContentResponse(pieces(*contents, error=error), status=status, headers=headers)


def left_of(lease: HeldLease | None) -> timedelta:
    assert lease is not None
    return lease.until - datetime.now(UTC)


@pytest.mark.parametrize(
    "response",
    [
        lambda: large(b"12345", b"67890"),
        lambda: large(b"67890", status=206, span="5-9"),
        lambda: HttpResponse(b"1234567890"),
        lambda: HttpResponse(b""),
    ],
    ids=["large", "its end", "small", "empty"],
)
async def test_after_the_last_byte_a_lease_ends_soon(world: World, response: Any) -> None:
    line = Line(patience=None)

    lease = await outcome(world, response(), line)

    assert GRACE - MINUTE < left_of(lease) <= GRACE
    assert world.downloads == 1


@pytest.mark.parametrize(
    "response",
    [
        lambda: large(b"12345", status=206, span="0-4"),
        lambda: large(b"12345", b"67890", status=206),
    ],
    ids=["its beginning", "several parts"],
)
async def test_after_another_byte_it_does_not(world: World, response: Any) -> None:
    lease = await outcome(world, response(), Line(patience=None))

    assert left_of(lease) > WINDOW - MINUTE


async def test_what_is_cut_can_be_gone_on_with(world: World) -> None:
    lease = await outcome(world, large(b"12345", b"67890"), Line(patience=1))

    assert left_of(lease) > WINDOW - MINUTE
    assert lease is not None
    assert not lease.is_fresh
    assert world.downloads == 1


@pytest.mark.parametrize(
    "response",
    [lambda: large(b"12345"), lambda: HttpResponse(b"12345")],
    ids=["large", "small"],
)
async def test_who_leaves_before_the_first_byte_has_not_downloaded(
    world: World, response: Any
) -> None:
    line = Line(patience=0)

    lease = await outcome(world, response(), line)
    acts = await world.ledger.run(
        lambda: list(AuditEntry.objects.order_by("id").values_list("act", flat=True))
    )

    assert (lease, line.sent, world.downloads) == (None, [], 0)
    assert acts == ["share.make", "share.download", "share.no_download"]


async def test_a_disk_that_fails_before_the_first_byte_costs_no_download(world: World) -> None:
    with pytest.raises(OSError, match="broken"):
        await outcome(world, large(error=OSError("broken")), Line(patience=None))

    assert (world.left, world.downloads) == (None, 0)


async def test_a_disk_that_fails_later_leaves_the_lease_to_go_on(world: World) -> None:
    with pytest.raises(OSError, match="broken"):
        await outcome(world, large(b"12345", error=OSError("broken")), Line(patience=None))

    assert left_of(world.left) > WINDOW - MINUTE
    assert world.downloads == 1


async def test_while_bytes_flow_a_lease_is_renewed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "RENEWED", timedelta(milliseconds=1))
    lease = await world.take(ADA, datetime.now(UTC) - timedelta(hours=1))
    assert lease is not None
    renewed = asyncio.Event()

    async def slow() -> AsyncGenerator[bytes]:
        yield b"12345"
        async with asyncio.timeout(30):
            while left_of(world.find(ADA, datetime.now(UTC))) < WINDOW - MINUTE:  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.001)
        renewed.set()
        yield b"67890"

    line = Line(patience=None)
    response = ContentResponse(slow(), status=206, headers={"Content-Range": "bytes 0-9/11"})
    await LeasedResponse(response, world.lent(lease)).transmit({}, line.receive, line.send)

    assert renewed.is_set()
    assert b"".join(line.sent) == b"1234567890"


async def test_what_the_server_sends_by_itself_may_be_gone_on_with(
    world: World, tmp_path: Path
) -> None:
    lease = await world.take(ADA, datetime.now(UTC))
    assert lease is not None
    content = pieces(b"12345", b"67890")
    response = ContentResponse(content, status=200, headers={}, path=tmp_path)
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}
    await LeasedResponse(response, world.lent(lease)).transmit(scope, Line(None).receive, send)

    assert sent == ["http.response.start", "http.response.pathsend"]
    assert await anext(content, b"closed") == b"closed"
    assert left_of(world.find(ADA, datetime.now(UTC))) > WINDOW - MINUTE
    assert world.downloads == 1


@pytest.mark.parametrize(
    ("status", "fields", "whole"),
    [
        (200, {}, True),
        (206, {"Content-Range": "bytes 0-9/10"}, True),
        (206, {"Content-Range": "bytes 9-9/10"}, True),
        (206, {"Content-Range": "bytes 0-8/10"}, False),
        (206, {"Content-Range": "bytes 0-19/100"}, False),
        (206, {"Content-Type": "multipart/byteranges; boundary=x"}, False),
    ],
)
def test_the_last_byte_is_told_by_the_fields(
    status: int, fields: dict[str, str], whole: bool
) -> None:
    assert reaches_end(HttpResponse(status=status, headers=fields)) is whole
