"""Telling another host something, of whose answer only the status counts."""

import asyncio
from collections.abc import Mapping

import aiohttp

from fileservice.errors import RemoteTimeout
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import failures_of
from fileservice.fetch.guard import reaching
from fileservice.fetch.session import SharedSession


async def told(
    session: SharedSession, errand: Errand, body: bytes, headers: Mapping[str, str], seconds: float
) -> int:
    """
    Send `body` once and return the status of the answer; of the rest nothing is waited for.

    A redirect is not followed: what was meant for one host is told to no other.

    Raises:
        UrlRefused, RemoteFailed, RemoteTimeout: as `Fetcher.fetch`.
    """
    try:
        async with asyncio.timeout(seconds):
            with failures_of(errand.url.authority), reaching(errand.reach):
                async with session.get().post(
                    str(errand.url),
                    data=body,
                    headers=headers,
                    ssl=session.tls(errand.reach),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=seconds),
                ) as response:
                    return response.status
    except TimeoutError as error:
        raise RemoteTimeout(f"{errand.url.authority} did not answer in time.") from error
