"""Other hosts, which run on this machine: what they are asked, and what they answer."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from fileservice.addresses import Network, networks_of
from fileservice.certificates import Templates
from fileservice.compilation import Compiler
from fileservice.fetch.fetching import Fetcher
from fileservice.fetch.session import SharedSession
from fileservice.localtemplates import LocalTemplates
from fileservice.remotetemplates import RemoteTemplates
from fileservice.remoteurls import RemoteUrl, parse_remote_url

LOOPBACK = networks_of("127.0.0.0/8 ::1/128")
SHIPPED = Path(__file__).parent.parent / "pdf_templates"

type Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class OtherHost:
    """
    A host on 127.0.0.1 that answers as it is told.

    Attributes:
        answer: makes each answer; may be changed while the host runs.
        requests: what it was asked, in order.
        connections: from which ports it was asked.
    """

    answer: Answering
    port: int = 0
    requests: list[web.BaseRequest] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    def url(self, path: str = "/") -> RemoteUrl:
        return parse_remote_url(f"http://127.0.0.1:{self.port}{path}")

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername")[1])
        assert isinstance(request, web.Request)
        return await self.answer(request)


@asynccontextmanager
async def other_host(
    answer: Answering, tls: ssl.SSLContext | None = None
) -> AsyncIterator[OtherHost]:
    """Run a host until the end of the block; what it still does then is cut off."""
    host = OtherHost(answer)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", host.respond)
    # 0 would mean for ever.
    runner = web.AppRunner(application, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host.port = runner.addresses[0][1]
    try:
        yield host
    finally:
        await runner.cleanup()


@asynccontextmanager
async def fetching(*allowed: Network) -> AsyncIterator[Fetcher]:
    """Give a fetcher on a session of its own, for which the networks `allowed` are open."""
    session = SharedSession(allowed)
    try:
        yield Fetcher(session)
    finally:
        await session.close()


def templates_in(
    folder: Path,
    fetcher: Fetcher | None = None,
    *,
    urls: Mapping[str, RemoteUrl] | None = None,
    hosts: frozenset[tuple[str, int]] = frozenset(),
) -> Templates:
    """Return the templates of `folder`, and of other hosts where a fetcher is given."""
    compiler = Compiler(folder / ".compiled")
    return Templates(
        LocalTemplates(folder, SHIPPED, compiler),
        RemoteTemplates(
            fetcher or Fetcher(SharedSession(())),
            compiler,
            urls=urls or {},
            hosts=hosts,
            folder=folder / ".remote",
        ),
    )


def listed(*entries: object) -> bytes:
    return json.dumps({"items": entries}).encode()


@dataclass
class Giving:
    """
    Answers with a list.

    Attributes:
        options: of the answer, where it is to be another.
    """

    content: bytes
    options: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, _: web.Request) -> web.Response:
        usual = {"body": self.content, "content_type": "application/json"}
        return web.Response(**usual | self.options)


def give(*entries: object) -> Giving:
    return Giving(listed(*entries))
