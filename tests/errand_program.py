"""Runs errands where it is started, which may be a network of its own: JSON in, JSON out."""

import asyncio
import json
import sys
from typing import Any

from fileservice.addresses import networks_of
from fileservice.errors import FileserviceError
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import Fetcher, Wanted
from fileservice.fetch.session import SharedSession
from fileservice.remoteurls import parse_remote_url

PDF = Wanted(
    accept="application/pdf",
    media_types=frozenset({"application/pdf"}),
    beginnings=(b"%PDF-1.", b"%PDF-2."),
    most_bytes=1 << 20,
    seconds=10,
)


async def outcome(fetcher: Fetcher, url: str, hosts: frozenset[tuple[str, int]] | None) -> str:
    """Return "ok" or the code of an error; without `hosts` the URL is the operator's."""
    try:
        if hosts is None:
            errand = Errand.of_operator(parse_remote_url(url))
        else:
            errand = Errand.of_request(url, hosts)
        await fetcher.fetch(errand, PDF)
    except FileserviceError as error:
        return error.code
    return "ok"


async def outcomes(order: dict[str, Any]) -> list[str]:
    """Return the outcome of each URL, all of them on one session."""
    listed = order["hosts"]
    hosts = None if listed is None else frozenset((host, port) for host, port in listed)
    session = SharedSession(networks_of(order["allow"]))
    try:
        fetcher = Fetcher(session)
        return await asyncio.gather(*(outcome(fetcher, url, hosts) for url in order["urls"]))
    finally:
        await session.close()


if __name__ == "__main__":
    json.dump(asyncio.run(outcomes(json.load(sys.stdin))), sys.stdout)
