"""Which addresses the session connects to: literal, looked up, rebound, our own."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiohttp
import pytest

from fileservice.addresses import Reach, networks_of
from fileservice.errors import RemoteFailed, UrlRefused
from fileservice.fetch import guard
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import Fetcher, Wanted
from fileservice.fetch.guard import AddressRefused, Guard, GuardedResolver, reaching
from fileservice.fetch.session import SharedSession
from fileservice.remoteurls import parse_remote_url
from tests import hostile_hosts
from tests.otherhosts import LOOPBACK, OtherHost, fetching, other_host
from tests.outside import in_a_new_network, names_are, need_namespaces, said

ANYTHING = Wanted(
    accept="*/*",
    media_types=frozenset({"text/plain"}),
    beginnings=(),
    most_bytes=1 << 16,
    seconds=10,
)
ONLY_1 = networks_of("127.0.0.1/32")
PUBLIC, OTHER_PUBLIC, PRIVATE = "8.8.8.8", "2606:4700:4700::1111", "10.0.0.1"


def errand(url: str, reach: Reach) -> Errand:
    return Errand(parse_remote_url(url), reach, None)


def literal(address: str) -> str:
    return f"http://[{address}]:9/" if ":" in address else f"http://{address}:9/"


@contextmanager
def honeypot(address: str, port: int = 0) -> Iterator[socket.socket]:
    """Listen at an address of this machine; whoever connected waits to be accepted."""
    with socket.create_server((address, port)) as listener:
        listener.setblocking(False)
        yield listener


def has_caught(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    "address", [*hostile_hosts.OPERATORS, *hostile_hosts.NOBODYS, *hostile_hosts.METADATA]
)
async def test_no_socket_is_made_to_a_special_address_for_a_request(address: str) -> None:
    async with fetching() as fetcher:
        with pytest.raises(UrlRefused):
            await fetcher.fetch(errand(literal(address), "public"), ANYTHING)

        assert fetcher.session.guard.connections == 0


@pytest.mark.parametrize("address", [*hostile_hosts.NOBODYS, *hostile_hosts.METADATA])
async def test_no_socket_is_made_to_what_is_nobodys_for_the_operator(address: str) -> None:
    async with fetching() as fetcher:
        with pytest.raises(UrlRefused):
            await fetcher.fetch(errand(literal(address), "private"), ANYTHING)

        assert fetcher.session.guard.connections == 0


async def test_a_listener_on_loopback_is_not_reached_for_a_request() -> None:
    with honeypot("127.0.0.1") as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with fetching() as fetcher:
            with pytest.raises(UrlRefused):
                await fetcher.fetch(errand(url, "public"), ANYTHING)

        assert not has_caught(listener)


async def test_a_host_on_loopback_is_reached_for_the_operator() -> None:
    async with other_host(said("yes")) as host, fetching() as fetcher:
        fetched = await fetcher.fetch(Errand.of_operator(host.url()), ANYTHING)

        assert fetched is not None
        assert fetched.content == b"yes"
        assert fetcher.session.guard.connections == 1


async def test_a_network_that_is_opened_is_reached_for_a_request() -> None:
    async with other_host(said("yes")) as host, fetching(*ONLY_1) as fetcher:
        fetched = await fetcher.fetch(errand(str(host.url()), "public"), ANYTHING)

        assert fetched is not None


async def test_who_uses_the_session_itself_reaches_the_public_internet_only() -> None:
    async with other_host(said("yes")) as host, fetching() as fetcher:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await fetcher.session.get().get(str(host.url()))

        assert isinstance(caught.value.os_error, AddressRefused)
        assert not host.requests


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, OTHER_PUBLIC, PRIVATE],
        [OTHER_PUBLIC, "169.254.169.254"],
        [PUBLIC, "::ffff:127.0.0.1"],
        [OTHER_PUBLIC, "64:ff9b::7f00:1"],
        ["fe80::1%2"],
        [OTHER_PUBLIC, "::1%1"],
    ],
)
async def test_a_name_with_one_address_out_of_reach_is_refused_whole(
    monkeypatch: pytest.MonkeyPatch, addresses: Sequence[str]
) -> None:
    names_are(monkeypatch, {"a.test": [addresses]})

    async with fetching() as fetcher:
        with pytest.raises(UrlRefused):
            await fetcher.fetch(errand("http://a.test:9/", "public"), ANYTHING)

        assert fetcher.session.guard.connections == 0


@pytest.mark.parametrize("name", ["localhost", "1e100", "0xg.test", "127.0.0.1.test"])
async def test_a_name_is_what_its_addresses_are(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    names_are(monkeypatch, {name: [["127.0.0.1"]]})

    async with other_host(said("yes")) as host, fetching() as fetcher:
        url = f"http://{name}:{host.port}/"
        with pytest.raises(UrlRefused):
            await fetcher.fetch(errand(url, "public"), ANYTHING)
        assert await fetcher.fetch(errand(url, "private"), ANYTHING)

        assert len(host.requests) == 1


async def test_a_name_that_nobody_knows_is_told() -> None:
    async with fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await fetcher.fetch(errand("http://nobody.invalid/", "public"), ANYTHING)


async def test_a_rebound_name_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DNS_SECONDS", 0)
    names_are(monkeypatch, {"a.test": [["127.0.0.1"], ["127.0.0.2"]]})

    async with other_host(said("yes", close=True)) as host, fetching(*ONLY_1) as fetcher:
        with honeypot("127.0.0.2", host.port) as listener:
            wanted = errand(f"http://a.test:{host.port}/", "public")
            assert await fetcher.fetch(wanted, ANYTHING)
            with pytest.raises(UrlRefused):
                await fetcher.fetch(wanted, ANYTHING)

            assert not has_caught(listener)


async def test_a_name_that_rebinds_between_two_lookups_is_looked_up_once_for_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "DNS_SECONDS", 0)
    names = names_are(monkeypatch, {"a.test": [["127.0.0.1"], ["127.0.0.2"]]})

    async with other_host(said("yes")) as host, fetching(*ONLY_1) as fetcher:
        with honeypot("127.0.0.2", host.port) as listener:
            await fetcher.fetch(errand(f"http://a.test:{host.port}/", "public"), ANYTHING)

            assert names.asked == ["a.test"]
            assert not has_caught(listener)


async def test_what_a_name_was_found_to_be_is_judged_for_each_who_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with other_host(said("yes", close=True)) as host, fetching() as fetcher:
        url = f"http://a.test:{host.port}/"
        await fetcher.fetch(errand(url, "private"), ANYTHING)
        with pytest.raises(UrlRefused):
            await fetcher.fetch(errand(url, "public"), ANYTHING)

        assert names.asked == ["a.test"]


async def test_errands_of_both_kinds_at_once_do_not_lend_each_other_their_reach() -> None:
    async with other_host(said("yes")) as host, fetching() as fetcher:
        url = str(host.url())
        ended = await asyncio.gather(
            *(fetcher.fetch(errand(url, "private"), ANYTHING) for _ in range(10)),
            *(fetcher.fetch(errand(url, "public"), ANYTHING) for _ in range(10)),
            return_exceptions=True,
        )

        assert not any(isinstance(end, BaseException) for end in ended[:10])
        assert all(isinstance(end, UrlRefused) for end in ended[10:])
        assert len(host.requests) == 10


def test_the_reach_ends_with_its_block() -> None:
    private = Guard(())

    with reaching("private"):
        private.check(PRIVATE)
        with reaching("public"), pytest.raises(AddressRefused):
            private.check(PRIVATE)
        private.check(PRIVATE)

    with pytest.raises(AddressRefused):
        private.check(PRIVATE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_socket_itself_is_refused(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    info = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 80))
    judge = Guard(())

    with pytest.raises(AddressRefused):
        judge.open_socket(info)

    assert judge.connections == 0


def test_a_socket_is_made_where_it_may_be() -> None:
    judge = Guard(())
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))

    with reaching("private"), judge.open_socket(info) as made:
        assert (made.family, made.type) == (socket.AF_INET, socket.SOCK_STREAM)

    assert judge.connections == 1


# A public address that this machine has, and one beside it; nothing leaves that network.
OWN_NETWORK = [
    "link set lo up",
    "address add 8.8.8.8/24 dev lo",
    "address add 8.8.9.9/32 dev lo",
    "-6 address add 2606:4700::1/64 dev lo nodad",
]


@pytest.mark.parametrize("own", ["8.8.8.8", "8.8.9.9", "2606:4700::1", "::ffff:8.8.8.8"])
def test_an_own_address_is_refused_for_a_request(own: str) -> None:
    need_namespaces()

    def check() -> None:
        with pytest.raises(AddressRefused):
            Guard(()).check(own)

    in_a_new_network(OWN_NETWORK, check)


@pytest.mark.parametrize("own", ["8.8.8.8", "2606:4700::1"])
def test_an_own_address_is_open_to_the_operator_and_where_it_was_opened(own: str) -> None:
    need_namespaces()

    def check() -> None:
        Guard(networks_of(own)).check(own)
        with reaching("private"):
            Guard(()).check(own)

    in_a_new_network(OWN_NETWORK, check)


@pytest.mark.parametrize("near", ["8.8.9.10", "2606:4800::1"])
def test_an_address_to_which_no_way_leads_is_left_to_the_connection(near: str) -> None:
    need_namespaces()

    in_a_new_network(OWN_NETWORK, lambda: Guard(()).check(near))


def test_a_listener_on_an_own_public_address_is_not_reached() -> None:
    need_namespaces()

    def ask() -> bool:
        with honeypot("8.8.8.8") as listener:
            url = f"http://8.8.8.8:{listener.getsockname()[1]}/"
            with pytest.raises(UrlRefused):
                asyncio.run(once(url))
            return has_caught(listener)

    assert not in_a_new_network(OWN_NETWORK, ask)


async def once(url: str) -> None:
    async with fetching() as fetcher:
        await fetcher.fetch(errand(url, "public"), ANYTHING)


async def addresses_of(resolver: GuardedResolver, name: str) -> list[str]:
    with reaching("private"):
        return [found["host"] for found in await resolver.resolve(name, 443)]


@pytest.fixture
def resolver() -> GuardedResolver:
    return GuardedResolver(Guard(()))


async def test_a_name_comes_with_what_aiohttp_connects_by(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    names_are(monkeypatch, {"a.test": [[PRIVATE, "fd00::1%2", PRIVATE]]})

    with reaching("private"):
        found = await resolver.resolve("a.test", 443)

    assert [(each["host"], each["port"], each["family"]) for each in found] == [
        (PRIVATE, 443, socket.AF_INET),
        ("fd00::1", 443, socket.AF_INET6),
    ]
    assert {each["hostname"] for each in found} == {"a.test"}
    await resolver.close()


async def test_names_are_looked_up_in_threads_of_their_own(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    names = names_are(monkeypatch, {f"{n}.test": [[PRIVATE]] for n in range(20)})

    await asyncio.gather(*(addresses_of(resolver, f"{n}.test") for n in range(20)))

    assert {name.partition("_")[0] for name in names.threads} == {"dns"}
    assert len(names.threads) <= guard.DNS_THREADS
    await resolver.close()


async def test_slow_lookups_leave_the_default_executor_free(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait() and [])
    slow = [asyncio.create_task(addresses_of(resolver, f"{n}.test")) for n in range(50)]

    assert await asyncio.wait_for(asyncio.to_thread(int, "7"), 10) == 7

    go_on.set()
    await asyncio.gather(*slow)
    await resolver.close()


async def test_a_name_is_kept_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    names = names_are(monkeypatch, {"a.test": [[PRIVATE], ["10.0.0.2"]]})

    found = [await addresses_of(resolver, "a.test")]
    now += 59.9
    found.append(await addresses_of(resolver, "a.test"))
    now += 0.2
    found.append(await addresses_of(resolver, "a.test"))

    assert found == [[PRIVATE], [PRIVATE], ["10.0.0.2"]]
    assert names.asked == ["a.test"] * 2
    await resolver.close()


async def test_one_lookup_is_for_all_who_ask_meanwhile(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    names = names_are(monkeypatch, {"a.test": [[PRIVATE]]})

    found = await asyncio.gather(*(addresses_of(resolver, "a.test") for _ in range(100)))

    assert found == [[PRIVATE]] * 100
    assert names.asked == ["a.test"]
    await resolver.close()


async def test_who_leaves_stops_the_lookup_for_nobody(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    names = names_are(monkeypatch, {"a.test": [[PRIVATE]]})

    def slow(host: str, *_: object, **__: object) -> object:
        begun.set()
        go_on.wait()
        return names.look_up(host)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    first = asyncio.create_task(addresses_of(resolver, "a.test"))
    second = asyncio.create_task(addresses_of(resolver, "a.test"))
    await asyncio.to_thread(begun.wait)

    first.cancel()
    await asyncio.wait([first])
    go_on.set()

    assert await second == [PRIVATE]
    assert names.asked == ["a.test"]
    await resolver.close()


async def test_a_lookup_that_failed_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    names = names_are(monkeypatch, {"a.test": [[], [PRIVATE]]})

    with pytest.raises(socket.gaierror):
        await addresses_of(resolver, "a.test")
    found = await addresses_of(resolver, "a.test")

    assert found == [PRIVATE]
    assert names.asked == ["a.test"] * 2
    await resolver.close()


async def test_names_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch, resolver: GuardedResolver
) -> None:
    wanted = [f"{n}.test" for n in range(guard.MAX_NAMES + 1)]
    names = names_are(monkeypatch, {name: [[PRIVATE]] for name in wanted})

    for name in wanted:
        await addresses_of(resolver, name)
    await addresses_of(resolver, wanted[0])

    assert names.asked == [*wanted, wanted[0]]
    await resolver.close()


async def answered_by(host: OtherHost, session: SharedSession, reach: Reach) -> bytes:
    fetched = await Fetcher(session).fetch(errand(str(host.url()), reach), ANYTHING)
    assert fetched is not None
    return fetched.content


async def test_a_connection_of_the_operators_is_never_used_for_a_request() -> None:
    async with other_host(said("yes")) as host, fetching() as fetcher:
        await answered_by(host, fetcher.session, "private")
        with pytest.raises(UrlRefused):
            await answered_by(host, fetcher.session, "public")

        assert len(host.requests) == 1


async def test_the_two_kinds_of_errands_have_connections_of_their_own() -> None:
    async with other_host(said("yes")) as host, fetching(*LOOPBACK) as fetcher:
        for _ in range(3):
            await answered_by(host, fetcher.session, "private")
            await answered_by(host, fetcher.session, "public")

        assert len(host.connections) == 2
