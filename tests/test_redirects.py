"""Redirects: how many, to where, and what else they bring."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from fileservice.errors import RemoteFailed, RemoteTimeout, UrlRefused
from fileservice.fetch.fetching import (
    Validators,
)
from tests.otherhosts import LOOPBACK, fetching, other_host
from tests.outside import said
from tests.rawhosts import (
    FEW_BYTES,
    HEAD,
    PDF,
    WANTED,
    RawHost,
    content_of,
    of_listed,
    of_operator,
    raw_host,
    saying,
    send_endlessly,
)


@dataclass
class Leading:
    """Leads on, /3 to /2 and so on, to the content at /0."""

    status: int = 302

    async def answer(self, request: web.Request) -> web.StreamResponse:
        left = int(request.path[1:])
        if left == 0:
            return await said(PDF, "application/pdf")(request)
        return web.Response(status=self.status, headers={"Location": f"/{left - 1}"})


@pytest.mark.parametrize("redirects", [0, 1, 2, 3])
async def test_three_redirects_are_followed(redirects: int) -> None:
    async with other_host(Leading().answer) as host, fetching() as fetcher:
        content = await content_of(fetcher, of_operator(str(host.url(f"/{redirects}"))))

        assert content == PDF
        assert len(host.requests) == redirects + 1


@pytest.mark.parametrize("redirects", [4, 5, 50])
async def test_a_fourth_redirect_is_not_followed(redirects: int) -> None:
    async with other_host(Leading().answer) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url(f"/{redirects}"))))

        assert len(host.requests) == 4


async def test_a_circle_of_redirects_ends() -> None:
    async with (
        other_host(said("", status=302, headers={"Location": "/"})) as host,
        fetching() as fetcher,
    ):
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url())))

    assert len(host.requests) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_redirect_is_followed_with_the_conditions(status: int) -> None:
    async with other_host(Leading(status).answer) as host, fetching() as fetcher:
        errand = of_operator(str(host.url("/1")))
        assert await fetcher.fetch(errand, WANTED, Validators(etag='"a"'))

        assert [request.headers["If-None-Match"] for request in host.requests] == ['"a"', '"a"']


@pytest.mark.parametrize("status", [300, 305, 306, 399])
async def test_other_answers_of_the_300s_lead_nowhere(status: int) -> None:
    async with (
        other_host(said("", status=status, headers={"Location": "/there"})) as host,
        fetching() as fetcher,
    ):
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url())))

    assert len(host.requests) == 1


async def test_a_redirect_without_location_leads_nowhere() -> None:
    async with other_host(said("", status=302)) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url())))


@pytest.mark.parametrize(
    "location",
    [
        b"http://[",
        b"//[::1",
        b"https://user@a.example/",
        b"http:///127.0.0.1/",
        b"file:///etc/passwd",
        b"gopher://127.0.0.1:6379/_FLUSHALL",
        b"ws://127.0.0.1/",
        b"data:application/pdf,%25PDF-1.4",
        b"http://2130706433/",
        b"http://\xe2\x93\x9bocalhost/",
        b"\xff\xfe",
        b"/a b",
        b"\\\\127.0.0.1\\",
        b"/" + b"a" * 4000,
    ],
)
async def test_a_location_that_is_no_url_is_the_failure_of_its_host(location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"

    async with raw_host(saying(head)) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed, match="cannot be fetched"):
            await content_of(fetcher, host.errand())

        assert host.connections == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://localhost/",
        "http://10.0.0.1/",
        "http://localhost:6379/",
    ],
)
async def test_the_operators_host_leads_to_no_private_address_but_its_own(location: str) -> None:
    async with (
        other_host(said("", status=302, headers={"Location": location})) as host,
        fetching() as fetcher,
    ):
        with pytest.raises(UrlRefused):
            await content_of(fetcher, of_operator(str(host.url())))

        assert fetcher.session.guard.connections == 1


async def test_a_listed_host_leads_to_no_host_that_is_not_listed() -> None:
    async with (
        other_host(said(PDF, "application/pdf")) as unlisted,
        other_host(said("", status=302, headers={"Location": str(unlisted.url())})) as host,
        fetching(*LOOPBACK) as fetcher,
    ):
        with pytest.raises(UrlRefused):
            await content_of(fetcher, of_listed(host))

        assert len(host.requests) == 1
        assert not unlisted.requests


async def test_what_a_redirect_says_besides_is_not_read() -> None:
    async def lead(host: RawHost, writer: asyncio.StreamWriter) -> None:
        if host.connections == 1:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n")
            await send_endlessly(host, writer, b"x" * (1 << 16))
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(PDF) + PDF)

    async with raw_host(lead) as host, fetching() as fetcher:
        assert await content_of(fetcher, host.errand()) == PDF

        assert host.sent < FEW_BYTES


async def test_the_time_is_for_all_redirects_together() -> None:
    async def lead_slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)  # shorter than the bound, twice is longer
        return await Leading().answer(request)

    async with other_host(lead_slowly) as host, fetching() as fetcher:
        with pytest.raises(RemoteTimeout):
            await content_of(
                fetcher, of_operator(str(host.url("/3"))), replace(WANTED, seconds=0.5)
            )

        assert len(host.requests) == 2
