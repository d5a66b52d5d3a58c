"""A world of two networks: in one the service, in the other every address there is."""

import asyncio
import os
import select
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from tests.otherhosts import SHIPPED
from tests.outside import in_network, said

# As public addresses are; nothing leaves these two networks.
OWN_4, NEAR_4 = "51.15.0.2", "51.15.0.1"
OWN_6, NEAR_6 = "2a00:1::2", "2a00:1::1"
NAME_SERVER = "9.9.9.9"
PORTS = (80, 443, 8080)

type Answers = Mapping[str, Sequence[Sequence[str]]]


@dataclass
class World:
    """
    What is outside of the service.

    Attributes:
        service: the name of the network that the service is in.
        caught: to which address and port each connection was made, in the world and at home.
        listeners: all that connections can be made to.
    """

    service: str
    outside: str
    caught: list[tuple[str, int]] = field(default_factory=list)
    listeners: list[socket.socket] = field(default_factory=list)

    async def all_caught(self) -> list[tuple[str, int]]:
        """Return `caught`, once every connection is in it: the kernel takes them first."""
        while select.select(self.listeners, [], [], 0)[0]:  # noqa: ASYNC110 - no socket tells
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)  # for who was handed one and has not noted it
        return self.caught

    async def reached(self) -> set[str]:
        """Return the addresses that a connection was made to."""
        return {address for address, _ in await self.all_caught()}

    def command(self, *command: str) -> list[str]:
        """Return what runs `command` in the network of the service, with its names."""
        return ["ip", "netns", "exec", self.service, *command]


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


@contextmanager
def two_networks(hosts: Mapping[str, str]) -> Iterator[World]:
    """
    Make both networks, joined by a cable; the outer one answers at every address.

    `hosts` are the names of the service's /etc/hosts; the others it asks `NAME_SERVER` for.
    """
    world = World(f"fs-in-{os.getpid()}", f"fs-out-{os.getpid()}")
    files = Path("/etc/netns") / world.service
    try:
        for name in (world.service, world.outside):
            ip(f"netns add {name}")
            ip(f"-n {name} link set lo up")
        _join(world)
        files.mkdir(parents=True)
        lines = [f"{address} {name}\n" for name, address in hosts.items()]
        (files / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + "".join(lines))
        (files / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:2\n")
        (files / "nsswitch.conf").write_text("hosts: files dns\n")
        yield world
    finally:
        shutil.rmtree(files, ignore_errors=True)
        with suppress(OSError):  # somebody else's files are there, or it never was
            files.parent.rmdir()
        for name in (world.service, world.outside):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def _join(world: World) -> None:
    inside, outside = world.service, world.outside
    ip(f"link add cable netns {inside} type veth peer name cable netns {outside}")
    ip(f"-n {inside} address add {OWN_4}/24 dev cable")
    ip(f"-n {inside} address add {OWN_6}/64 dev cable nodad")
    ip(f"-n {outside} address add {NEAR_4}/24 dev cable")
    ip(f"-n {outside} address add {NEAR_6}/64 dev cable nodad")
    for name in (inside, outside):
        ip(f"-n {name} link set cable up")
    ip(f"-n {inside} route add default via {NEAR_4}")
    ip(f"-n {inside} -6 route add default via {NEAR_6}")
    # Every address is local, but for the way back, which has to be in the same table.
    ip(f"-n {outside} route add {OWN_4}/32 dev cable table local")
    ip(f"-n {outside} -6 route add {OWN_6}/128 dev cable table local")
    ip(f"-n {outside} route add local 0.0.0.0/0 dev lo")
    ip(f"-n {outside} -6 route add local ::/0 dev lo")


@asynccontextmanager
async def peopled(world: World, answers: Answers, tls: ssl.SSLContext) -> AsyncIterator[None]:
    """Let honeypots listen everywhere, and hosts answer https at every address outside."""
    application = web.Application()
    application.router.add_get("/{path:.*}", _answer)
    runner = web.AppRunner(application, shutdown_timeout=0.05, access_log=None)
    await runner.setup()
    outside = in_network(world.outside, _listeners)
    inside = in_network(world.service, _listeners)
    names = in_network(world.outside, _name_server)
    world.listeners = outside + inside
    loop = asyncio.get_running_loop()

    async def serve(connection: socket.socket) -> None:
        assert runner.server is not None
        with suppress(OSError):  # who only knocks goes without a word of TLS
            await loop.connect_accepted_socket(runner.server, connection, ssl=tls)

    tasks = [asyncio.create_task(_catch(world, each, serve)) for each in outside]
    tasks += [asyncio.create_task(_catch(world, each, None)) for each in inside]
    transport, _ = await loop.create_datagram_endpoint(lambda: NameServer(answers), sock=names)
    try:
        yield
    finally:
        transport.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in world.listeners:
            listener.close()
        await runner.cleanup()


async def _answer(request: web.Request) -> web.StreamResponse:
    """Answer with the template, or lead to what follows /to/."""
    path = request.raw_path
    if path.startswith("/to/"):
        location = unquote(path.removeprefix("/to/"), errors="surrogateescape")
        return web.Response(status=302, headers={"Location": location})
    content = (SHIPPED / "certificate.pdf").read_bytes()
    return await said(content, "application/pdf")(request)


def _listeners() -> list[socket.socket]:
    made = []
    for port in PORTS:
        for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - in a network of its own
            listener = socket.create_server((anywhere, port), family=family, backlog=512)
            listener.setblocking(False)
            made.append(listener)
    return made


def _name_server() -> socket.socket:
    ip(f"address add {NAME_SERVER}/32 dev lo")
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((NAME_SERVER, 53))
    made.setblocking(False)
    return made


async def _catch(
    world: World,
    listener: socket.socket,
    serve: Callable[[socket.socket], Coroutine[None, None, None]] | None,
) -> None:
    """Note where each connection was made to; those to https get an answer where there is one."""
    loop = asyncio.get_running_loop()
    serving: set[asyncio.Task[None]] = set()
    while True:
        connection, _ = await loop.sock_accept(listener)
        address, port = connection.getsockname()[:2]
        world.caught.append((address, port))
        if serve is None or port != 443:
            connection.close()
            continue
        task = asyncio.create_task(serve(connection))
        serving.add(task)
        task.add_done_callback(serving.discard)


class NameServer(asyncio.DatagramProtocol):
    """Answers with the addresses of a name, the next ones each time it is asked for a type."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._asked: dict[tuple[str, int], int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = data[12 : at + 5]
        (kind,) = struct.unpack(">H", data[at + 1 : at + 3])
        records = self._records(".".join(labels).lower(), kind)
        code = 0x8180 if records is not None else 0x8183
        head = data[:2] + struct.pack(">HHHHH", code, 1, len(records or ()), 0, 0)
        assert self._transport is not None
        self._transport.sendto(head + question + b"".join(records or ()), addr)

    def _records(self, name: str, kind: int) -> list[bytes] | None:
        """Return the records of RFC 1035 3.2.1 with no time to live; None for an unknown name."""
        answers = self._answers.get(name)
        if answers is None:
            return None
        asked = self._asked.get((name, kind), 0)
        self._asked[name, kind] = asked + 1
        found = [ip_address(each) for each in answers[asked % len(answers)]]
        return [
            struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(each.packed)) + each.packed
            for each in found
            if kind == (1 if isinstance(each, IPv4Address) else 28)
        ]
