"""Which addresses the session connects to: decided where a name is resolved and a socket made."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from fileservice.addresses import Network, Reach, is_within, may_reach

# Lookups wait for a network: not in the default executor, where they would stand in others' way.
DNS_THREADS = 4
DNS_SECONDS = 60
MAX_NAMES = 256

# aiohttp hands neither its resolver nor its socket factory the request they work for, but it
# calls both within its task. Who says nothing reaches the public internet only.
_reach: ContextVar[Reach] = ContextVar("reach", default="public")

type AddrInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class AddressRefused(OSError):
    """An address that must not be connected to; an OSError, so that aiohttp takes it for one."""


@contextmanager
def reaching(reach: Reach) -> Iterator[None]:
    """Let what is fetched within the block lead as far as `reach`."""
    token = _reach.set(reach)
    try:
        yield
    finally:
        _reach.reset(token)


class Guard:
    """
    Makes the sockets of a session, and none to an address that is out of reach.

    This is the one place that literal addresses, redirects, rebound names and odd spellings all
    end at: what is judged is what is connected to.

    Attributes:
        allowed: networks that are open to every URL.
        connections: how many sockets were made.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.allowed = allowed
        self.connections = 0

    def check(self, host: str) -> None:
        """
        Return if a connection to the address `host` may be made now.

        Raises:
            AddressRefused: it must not.
        """
        reach = _reach.get()
        address = ip_address(host)
        if not may_reach(address, reach, self.allowed):
            raise AddressRefused(f"{address} is not to be reached")
        # A public address can be our own, where services listen that trust this machine.
        if reach == "public" and _is_own(host) and not is_within(address, self.allowed):
            raise AddressRefused(f"{address} is this machine")

    def open_socket(self, info: AddrInfo) -> socket.socket:
        """
        Return a socket for aiohttp to connect to the address of `info`.

        Raises:
            AddressRefused: this must not be.
        """
        family, kind, protocol, _, where = info
        self.check(where[0])
        self.connections += 1
        return socket.socket(family, kind, protocol)


def _is_own(host: str) -> bool:
    """Tell whether `host` is an address of this machine; no packet is sent to find out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return False  # no way leads there, as the connection will say
        own: str = probe.getsockname()[0]
    return ip_address(own) == ip_address(host)


class GuardedResolver(AbstractResolver):
    """
    Looks names up in threads of its own, and keeps what it found for a minute.

    A name with any address that is out of reach is refused whole, so that no attempt at the next
    address can find it.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(DNS_THREADS, "dns")
        self._found: dict[tuple[str, int], tuple[float, asyncio.Future[list[str]]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """
        Return the addresses of `host`.

        Raises:
            AddressRefused: one of them is out of reach.
            OSError: there are none, or nobody who knows answers.
        """
        addresses = await self._addresses(host, family)
        for address in addresses:
            self._guard.check(address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def _addresses(self, host: str, family: int) -> list[str]:
        """Return the addresses as known; one lookup is for all who ask meanwhile."""
        until, lookup = self._found.get((host, family), (0.0, None))
        if lookup is None or time.monotonic() >= until or (lookup.done() and lookup.exception()):
            if len(self._found) >= MAX_NAMES:
                self._found.clear()
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(self._threads, _look_up, host, family)
            # Whoever asked may have gone by the time it fails.
            lookup.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._found[host, family] = (time.monotonic() + DNS_SECONDS, lookup)
        return await asyncio.shield(lookup)

    async def close(self) -> None:
        """Let the threads end by themselves: a lookup cannot be interrupted."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, family: int) -> list[str]:
    found = socket.getaddrinfo(
        host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    # An IPv6 address may come with a scope, which no public one has.
    return list(dict.fromkeys(str(where[0]).partition("%")[0] for *_, where in found))
