"""Other hosts that send bytes as they like, and what a template may be there."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import (
    Fetcher,
    Wanted,
)
from fileservice.remoteurls import parse_remote_url
from tests.otherhosts import OtherHost

PDF = b"%PDF-1.7\n" + b"x" * 1000
WANTED = Wanted(
    accept="application/pdf",
    media_types=frozenset({"application/pdf"}),
    beginnings=(b"%PDF-1.", b"%PDF-2."),
    most_bytes=1 << 16,
    seconds=10,
)
SOON = replace(WANTED, seconds=0.4)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n"
# Far below what an endless host would send in the time it has, far above any buffers.
FEW_BYTES = 32 << 20


type Talk = Callable[["RawHost", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawHost:
    """
    A host that sends bytes as it likes.

    Attributes:
        connections: how many were made to it.
        sent: how many bytes it could send in all where it counts them.
    """

    port: int = 0
    connections: int = 0
    sent: int = 0

    def errand(self, path: str = "/") -> Errand:
        return of_operator(f"http://127.0.0.1:{self.port}{path}")


@asynccontextmanager
async def raw_host(talk: Talk) -> AsyncIterator[RawHost]:
    """Run a host that talks to each connection as soon as it was asked, and then closes it."""
    host = RawHost()
    talking: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.connections += 1
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(host, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has gone, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


async def send_endlessly(host: RawHost, writer: asyncio.StreamWriter, block: bytes) -> None:
    while True:
        writer.write(block)
        await writer.drain()
        host.sent += len(block)


def saying(*pieces: bytes) -> Talk:
    """Return a talk of pieces that arrive one by one."""

    async def talk(_: RawHost, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)  # so that they are packets of their own

    return talk


def of_operator(url: str) -> Errand:
    return Errand.of_operator(parse_remote_url(url))


def of_listed(host: OtherHost, path: str = "/") -> Errand:
    """Return the errand of a request that names `host`, over http for once."""
    return Errand(host.url(path), "public", frozenset({("127.0.0.1", host.port)}))


async def content_of(fetcher: Fetcher, errand: Errand, wanted: Wanted = WANTED) -> bytes:
    fetched = await fetcher.fetch(errand, wanted)
    assert fetched is not None
    return fetched.content


@contextmanager
def within_seconds(seconds: float) -> Iterator[None]:
    """A bound in time that is broken only by who waits for the host."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds
