"""The one aiohttp session of a worker."""

import aiohttp

# aiohttp's own total is 300 s; nobody waits that long for a certificate.
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=3, sock_connect=3, sock_read=5)
CONNECTIONS = 64
CONNECTIONS_PER_HOST = 8
DNS_SECONDS = 60


class SharedSession:
    """
    One `aiohttp.ClientSession`, bound to the loop that first asks for it.

    Attributes:
        made: how many sessions were made; more than one means that somebody closed it.
    """

    def __init__(self) -> None:
        self.made = 0
        self._session: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        """Return the session, made anew where it is found closed; call it from a coroutine."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS,
                    limit_per_host=CONNECTIONS_PER_HOST,
                    ttl_dns_cache=DNS_SECONDS,
                ),
                # Another host's cookies, compression bombs and our environment's proxies stay out.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
                timeout=TIMEOUT,
            )
            self.made += 1
        return self._session

    async def close(self) -> None:
        """Close what was made."""
        if self._session is not None:
            await self._session.close()
