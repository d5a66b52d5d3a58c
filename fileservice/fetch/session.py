"""The one aiohttp session of a worker."""

import logging
import ssl
from collections.abc import Sequence

import aiohttp

from fileservice import __version__
from fileservice.addresses import Network, Reach
from fileservice.fetch.guard import Guard, GuardedResolver

log = logging.getLogger("fileservice.fetch")

# aiohttp's own total is 300 s; nobody waits that long for a certificate.
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=3, sock_connect=3, sock_read=5)
CONNECTIONS = 128
# With 8, 50 callers queue for a host that takes 20 ms: half the speed of a session for each
# request; with 32 they are 2.5 times as fast. What the fetcher asks is bounded more tightly.
CONNECTIONS_PER_HOST = 32
KEEP_ALIVE_SECONDS = 30


class SharedSession:
    """
    One `aiohttp.ClientSession`, bound to the loop that first asks for it.

    Attributes:
        guard: decides which addresses it connects to.
        made: how many sessions were made; more than one means that somebody closed it.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.guard = Guard(allowed)
        self.made = 0
        self._session: aiohttp.ClientSession | None = None
        self._resolver = GuardedResolver(self.guard)
        self._tls: dict[Reach, ssl.SSLContext] = {
            "public": ssl.create_default_context(),
            "private": ssl.create_default_context(),
        }

    def get(self) -> aiohttp.ClientSession:
        """Return the session, made anew where it is found closed; call it from a coroutine."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS,
                    limit_per_host=CONNECTIONS_PER_HOST,
                    keepalive_timeout=KEEP_ALIVE_SECONDS,
                    resolver=self._resolver,
                    # The resolver has a cache of its own, which asks the guard each time.
                    use_dns_cache=False,
                    socket_factory=self.guard.open_socket,
                ),
                # Another host's cookies, compression bombs and our environment's proxies stay out.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "Accept-Encoding": "identity",
                    "User-Agent": f"fileservice/{__version__}",
                },
                auto_decompress=False,
                trust_env=False,
                timeout=TIMEOUT,
            )
            self.made += 1
            log.info("HTTP session %d of this worker is made", self.made)
        return self._session

    def tls(self, reach: Reach) -> ssl.SSLContext:
        """
        Return what `ssl=` of a request has to be.

        aiohttp keeps connections apart by it: one that was made for the operator's URL, perhaps to
        a private address, is never handed to a URL that came with a request.
        """
        return self._tls[reach]

    async def close(self) -> None:
        """Close what was made."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()
