"""
Where the service connects to, seen from outside: a world in which every address would answer.

The service is in a network of its own, with honeypots at home and everywhere else.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from fileservice.errors import BadUrl
from fileservice.remoteurls import parse_remote_url
from tests import hostile_hosts
from tests.authority import Authority
from tests.client import Client
from tests.conftest import CHECKOUT, START_SECONDS, environment
from tests.outside import in_network, need_namespaces
from tests.world import OWN_4, OWN_6, PORTS, World, peopled, two_networks

PUBLIC_4, PUBLIC_6 = "1.1.1.1", "2606:4700:4700::1111"
OWN = (OWN_4, OWN_6, f"::ffff:{OWN_4}")
FORBIDDEN = (
    *hostile_hosts.OPERATORS,
    *hostile_hosts.NOBODYS,
    *hostile_hosts.METADATA,
    *OWN,
)
NAMED = {f"h{n}.w.example": address for n, address in enumerate(FORBIDDEN)}
# Names that have one address too many, and names that are something else each time.
MIXED = {
    f"m{n}-{order}.w.example": [[PUBLIC_4, PUBLIC_6, address][::order]]
    for n, address in enumerate(FORBIDDEN)
    for order in (1, -1)
}
REBOUND = {
    f"r{n}-{first}.w.example": [[PUBLIC_4], [address]][::first]
    for n, address in enumerate(("10.0.0.1", "127.0.0.1", "169.254.169.254", OWN_4))
    for first in (1, -1)
}
KNOWN = {"good.w.example": [[PUBLIC_4]], "six.w.example": [[PUBLIC_6]]} | MIXED | REBOUND
PORT = 8123  # nobody else is in that network
GOOD = ("https://good.w.example/x", "https://six.w.example/x", "https://1.1.1.1/x")


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


LITERAL = [f"https://{bracketed(address)}/x" for address in FORBIDDEN]
PORTED = [
    f"https://{bracketed(address)}:{port}/x"
    for address in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", OWN_4)
    for port in PORTS
]
BY_NAME = [f"https://{name}/x" for name in (*NAMED, *MIXED, "localhost")]
ODD = list(hostile_hosts.BAD_URLS.values())
LED = [
    f"https://good.w.example/to/{quote(url, safe='')}"
    for url in (
        *LITERAL,
        *PORTED,
        *BY_NAME,
        *(f"http://{bracketed(each)}:{port}/x" for each in FORBIDDEN for port in PORTS),
    )
]
LED_ODDLY = [
    f"https://good.w.example/to/{quote(url, safe='')}"
    for url in ODD
    if "://" in url and len(url) < 500  # a URL has an end, too
]
HOSTILE = [*LITERAL, *PORTED, *BY_NAME, *ODD, *LED]
REBINDING = [f"https://{name}/x" for name in REBOUND]


def hosts_of(urls: Sequence[str]) -> list[tuple[str, int]]:
    """Return what would have to be listed for all of them."""
    found = set()
    for url in urls:
        try:
            read = parse_remote_url(url)
        except BadUrl:
            continue
        found.add((read.host, read.port))
    return sorted(found)


LISTED = hosts_of([*GOOD, *HOSTILE, *REBINDING])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    need_namespaces()
    authority = Authority(tmp_path)
    tls = authority.server_tls("*.w.example", "localhost", PUBLIC_4, "10.0.0.1", "169.254.169.254")
    with two_networks(NAMED) as made:
        async with peopled(made, KNOWN, tls):
            yield made


@dataclass(frozen=True, slots=True)
class Program:
    """Errands that are run in the network of the service."""

    world: World
    authority: Path

    async def run(
        self, urls: Sequence[str], *, hosts: Sequence[tuple[str, int]] | None, allow: str = ""
    ) -> dict[str, str]:
        order = {"urls": list(urls), "hosts": hosts, "allow": allow}
        process = await asyncio.create_subprocess_exec(
            *self.world.command(sys.executable, "-m", "tests.errand_program"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env={**os.environ, "SSL_CERT_FILE": str(self.authority)},
        )
        answer, _ = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), 60)
        assert process.returncode == 0
        return dict(zip(urls, json.loads(answer), strict=True))


@pytest.fixture
def program(world: World, tmp_path: Path) -> Program:
    return Program(world, tmp_path / "authority.pem")


def besides[T](ended: Mapping[str, T], urls: Sequence[str], right: set[T]) -> dict[str, T]:
    """Return those of `urls` that came to another end than the right ones."""
    return {url: ended[url] for url in urls if ended[url] not in right}


def connect(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


async def test_the_world_would_answer_at_the_addresses_that_matter(world: World) -> None:
    def knock() -> list[str]:
        with ThreadPoolExecutor(32) as pool:
            open_ = pool.map(lambda address: connect(address, 443), FORBIDDEN)
            return [address for address, was in zip(FORBIDDEN, open_, strict=True) if was]

    answered = await asyncio.to_thread(in_network, world.service, knock)

    assert {*hostile_hosts.OPERATORS, *hostile_hosts.METADATA, *OWN} - {*answered} == set()
    assert {"192.0.2.1", "198.18.0.1", "2002:7f00:1::", "fec0::1", "5f00::1"} <= {*answered}
    assert len(await world.all_caught()) == len(answered)


@pytest.mark.long
async def test_requests_reach_nothing_but_public_addresses(world: World, program: Program) -> None:
    ended = await program.run([*GOOD, *HOSTILE, *LED_ODDLY, *REBINDING], hosts=LISTED)

    assert {ended[url] for url in GOOD} == {"ok"}
    assert not besides(ended, HOSTILE, {"url_refused", "bad_url"})
    assert not besides(ended, LED_ODDLY, {"url_refused", "remote_failed"})
    assert not besides(ended, REBINDING, {"ok", "url_refused"})
    assert await world.reached() == {PUBLIC_4, PUBLIC_6}


@pytest.mark.long
async def test_the_operators_urls_reach_nothing_that_is_nobodys(
    world: World, program: Program
) -> None:
    nobodys = [*hostile_hosts.NOBODYS, *hostile_hosts.METADATA]
    urls = [f"http://{bracketed(address)}/x" for address in nobodys]

    ended = await program.run([*urls, *LED, *LED_ODDLY], hosts=None)

    assert not besides(ended, [*urls, *LED], {"url_refused"})
    assert not besides(ended, LED_ODDLY, {"url_refused", "remote_failed"})
    assert await world.reached() == {PUBLIC_4}


@pytest.mark.long
@pytest.mark.parametrize(
    ("network", "url", "opened"),
    [
        ("10.0.0.0/8", "https://10.0.0.1/x", {"10.0.0.0", "10.0.0.1", "10.255.255.255"}),
        (
            "169.254.169.254/32",
            "https://169.254.169.254/x",
            {"169.254.169.254", "64:ff9b::a9fe:a9fe"},  # by NAT64 it is the same
        ),
    ],
)
async def test_what_is_opened_is_reached_and_nothing_beside_it(
    world: World, program: Program, network: str, url: str, opened: set[str]
) -> None:
    ended = await program.run([*GOOD, *LITERAL, url], hosts=LISTED, allow=network)

    assert ended[url] == "ok"
    assert await world.reached() == {PUBLIC_4, PUBLIC_6} | opened


@contextmanager
def serving_in(world: World, root: Path, authority: Path, **options: str) -> Iterator[None]:
    """Serve in the network of the service until the end of the block."""
    with (root / "server.log").open("wb") as output:
        process = subprocess.Popen(
            world.command(
                *[sys.executable, str(CHECKOUT / "manage.py"), "serve", "--port", str(PORT)]
            ),
            env=environment(root, **options) | {"SSL_CERT_FILE": str(authority)},
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def is_up() -> bool:
    try:
        with Client("127.0.0.1", PORT) as client:
            return client.ask("GET", "/livez").status == 200
    except OSError:
        return False


def ask_for(urls: Sequence[str]) -> dict[str, int]:
    """Return the status of the certificate from each URL, when the service is up."""
    deadline = time.monotonic() + START_SECONDS
    while not is_up():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # it tells nobody but its socket that it is up
    with Client("127.0.0.1", PORT) as client:
        return {
            url: client.ask("GET", f"/certificate?name=A&template={quote(url, safe='')}").status
            for url in urls
        }


@pytest.mark.long
async def test_a_running_service_reaches_nothing_but_public_addresses(
    world: World, tmp_path: Path, migrated: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(migrated, root)
    listed = " ".join(f"{bracketed(host)}:{port}" for host, port in LISTED)

    with serving_in(world, root, tmp_path / "authority.pem", TEMPLATE_HOSTS=listed):
        status = await asyncio.to_thread(
            in_network, world.service, lambda: ask_for([*GOOD, *HOSTILE, *LED_ODDLY, *REBINDING])
        )

    assert {status[url] for url in GOOD} == {200}
    assert not besides(status, HOSTILE, {400, 403, 404})
    assert not besides(status, LED_ODDLY, {403, 502})
    assert not besides(status, REBINDING, {200, 403})
    assert await world.reached() == {PUBLIC_4, PUBLIC_6}


@pytest.mark.long
async def test_a_running_service_reaches_what_is_opened(
    world: World, tmp_path: Path, migrated: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(migrated, root)
    url = "https://10.0.0.1/x"

    with serving_in(
        world,
        root,
        tmp_path / "authority.pem",
        TEMPLATE_HOSTS="10.0.0.1",
        FETCH_ALLOW_NETWORKS="10.0.0.0/8",
    ):
        status = await asyncio.to_thread(in_network, world.service, lambda: ask_for([url]))

    assert status == {url: 200}
    assert await world.reached() == {"10.0.0.1"}
