"""The guarded fetch, against hosts that are slow, endless, broken or lie."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import ClientTimeout, web

from fileservice import __version__
from fileservice.errors import BadUrl, RemoteFailed, RemoteTimeout, UrlRefused
from fileservice.fetch import session as sessions
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import (
    MAX_AT_ONCE,
    MAX_AT_ONCE_PER_HOST,
    Fetched,
    Fetcher,
    Validators,
    Wanted,
)
from fileservice.remoteurls import parse_remote_url
from tests.authority import Authority
from tests.otherhosts import LOOPBACK, OtherHost, fetching, other_host
from tests.outside import names_are, said

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


async def test_a_content_comes_back_with_what_asks_later_whether_it_holds() -> None:
    headers = {"ETag": '"a"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}

    async with (
        other_host(said(PDF, "application/pdf", headers=headers)) as host,
        fetching() as fetcher,
    ):
        fetched = await fetcher.fetch(of_operator(str(host.url())), WANTED)

    assert fetched == Fetched(PDF, Validators('"a"', "Thu, 01 Jan 2026 00:00:00 GMT"))


async def test_nothing_is_told_but_what_is_wanted() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        await content_of(fetcher, of_operator(str(host.url("/x?y=z"))))

    (request,) = host.requests
    assert (request.method, request.raw_path) == ("GET", "/x?y=z")
    assert dict(request.headers) == {
        "Host": f"127.0.0.1:{host.port}",
        "Accept": "application/pdf",
        "Accept-Encoding": "identity",
        "User-Agent": f"fileservice/{__version__}",
    }


async def test_cookies_are_never_sent_back() -> None:
    cookies = {"Set-Cookie": "a=b; Path=/"}

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = cookies | ({} if request.path == "/there" else {"Location": "/there"})
        status = 200 if request.path == "/there" else 302
        return await said(PDF, "application/pdf", status=status, headers=headers)(request)

    async with other_host(answer) as host, fetching() as fetcher:
        for _ in range(2):
            await content_of(fetcher, of_operator(str(host.url())))

    assert len(host.requests) == 4
    assert not any("Cookie" in request.headers for request in host.requests)


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async with (
        raw_host(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as proxy,
        other_host(said(PDF, "application/pdf")) as host,
    ):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        async with fetching() as fetcher:
            await content_of(fetcher, of_operator(str(host.url())))

    assert proxy.connections == 0
    assert "Authorization" not in host.requests[0].headers


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
async def test_a_location_that_is_no_url_is_refused(location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"

    async with raw_host(saying(head)) as host, fetching() as fetcher:
        with pytest.raises(BadUrl):
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


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)  # a drop now and then


async def silent_head(_: RawHost, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def dripping_head(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"X: ")
    await drip(writer, b"x")


async def dripping_heads(_: RawHost, writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"HTTP/1.1 100 Continue\r\n\r\n")


async def dripping_early_hints(_: RawHost, writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


async def silent_body(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n%PDF-1.7")
    await asyncio.sleep(60)


async def dripping_body(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n%PDF-1.7")
    await drip(writer, b"x")


async def dripping_chunks(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n%PDF-1.7\r\n")
    await drip(writer, b"1\r\nx\r\n")


async def dripping_chunk_head(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8")
    await drip(writer, b";")


async def dripping_trailers(_: RawHost, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n%PDF-1.7\r\n0\r\n")
    await drip(writer, b"X: y\r\n")


@pytest.mark.parametrize(
    "talk",
    [
        silent_head,
        dripping_head,
        dripping_heads,
        dripping_early_hints,
        silent_body,
        dripping_body,
        dripping_chunks,
        dripping_chunk_head,
        dripping_trailers,
    ],
)
async def test_a_slow_host_is_left_in_time(talk: Talk) -> None:
    async with raw_host(talk) as host, fetching() as fetcher:
        with within_seconds(5), pytest.raises(RemoteTimeout):
            await content_of(fetcher, host.errand(), SOON)

        assert host.connections == 1


async def test_a_silent_host_is_left_before_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "TIMEOUT", ClientTimeout(total=60, sock_read=0.2))

    async with raw_host(silent_body) as host, fetching() as fetcher:
        with within_seconds(5), pytest.raises(RemoteTimeout):
            await content_of(fetcher, host.errand())


async def test_a_host_that_takes_no_connection_is_told() -> None:
    async with raw_host(silent_head) as host:
        pass

    async with fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


async def test_a_declared_size_is_refused_before_it_is_sent() -> None:
    async def declare(_: RawHost, writer: asyncio.StreamWriter) -> None:
        size = WANTED.most_bytes + 1
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n%%PDF-1.7" % size)
        await asyncio.sleep(60)

    async with raw_host(declare) as host, fetching() as fetcher:
        with within_seconds(5), pytest.raises(RemoteFailed, match="more than 65,536 bytes"):
            await content_of(fetcher, host.errand())


@pytest.mark.parametrize(
    ("field", "block"),
    [(b"Transfer-Encoding: chunked", b"1000\r\n%s\r\n" % (b"x" * 4096)), (b"X: y", b"x" * 4096)],
    ids=["chunked", "until it closes"],
)
async def test_an_endless_content_is_left_at_the_limit(field: bytes, block: bytes) -> None:
    begin = b"8\r\n%PDF-1.7\r\n" if b"chunked" in field else b"%PDF-1.7"

    async def send(host: RawHost, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + field + b"\r\n\r\n" + begin)
        await send_endlessly(host, writer, block)

    async with raw_host(send) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed, match="more than 65,536 bytes"):
            await content_of(fetcher, host.errand())

        assert host.sent < FEW_BYTES


@pytest.mark.parametrize("declared", [True, False])
async def test_the_limit_itself_is_taken(declared: bool) -> None:
    content = b"%PDF-1.7".ljust(WANTED.most_bytes, b"x")
    length = b"Content-Length: %d\r\n" % len(content) if declared else b""

    async with raw_host(saying(HEAD + length + b"\r\n" + content)) as host, fetching() as fetcher:
        assert await content_of(fetcher, host.errand()) == content


@pytest.mark.parametrize(
    "coding", [b"gzip", b"deflate", b"br", b"zstd", b"GZIP", b"x", b"gzip, gzip"]
)
async def test_an_encoded_content_is_refused_unread(coding: bytes) -> None:
    bomb = gzip.compress(PDF + bytes(1 << 20))

    async def send(host: RawHost, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Encoding: " + coding + b"\r\n\r\n")
        await send_endlessly(host, writer, bomb)

    async with raw_host(send) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed, match="encoded"):
            await content_of(fetcher, host.errand())

        assert host.sent < FEW_BYTES


async def test_a_bomb_behind_a_false_coding_is_not_unpacked() -> None:
    bomb = gzip.compress(PDF + bytes(1 << 20))
    codings = b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"
    anything = replace(WANTED, beginnings=())

    async with raw_host(saying(HEAD + codings + b"\r\n" + bomb)) as host, fetching() as fetcher:
        assert await content_of(fetcher, host.errand(), anything) == bomb


async def test_a_content_that_says_it_is_not_encoded_is_taken() -> None:
    head = HEAD + b"Content-Encoding: Identity\r\n\r\n"

    async with raw_host(saying(head + PDF)) as host, fetching() as fetcher:
        assert await content_of(fetcher, host.errand()) == PDF


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "application/octet-stream",
        "application/pdfx",
        "x/application/pdf",
        "pdf",
        "+pdf",
    ],
)
async def test_another_type_is_refused(media_type: str) -> None:
    async with other_host(said(PDF, media_type)) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url())))


async def test_a_content_without_a_type_is_refused() -> None:
    async with raw_host(saying(b"HTTP/1.1 200 OK\r\n\r\n" + PDF)) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


@pytest.mark.parametrize("media_type", ["application/pdf; version=1", "Application/PDF"])
async def test_a_type_may_be_written_otherwise(media_type: str) -> None:
    async with other_host(said(PDF, media_type)) as host, fetching() as fetcher:
        assert await content_of(fetcher, of_operator(str(host.url()))) == PDF


@pytest.mark.parametrize("media_type", ["application/json", "application/problem+json"])
async def test_a_suffix_stands_for_all_types_of_a_syntax(media_type: str) -> None:
    json = replace(WANTED, media_types=frozenset({"application/json", "+json"}), beginnings=())

    async with other_host(said("{}", media_type)) as host, fetching() as fetcher:
        assert await content_of(fetcher, of_operator(str(host.url())), json) == b"{}"


@pytest.mark.parametrize("content", [PDF, PDF.replace(b"1.7", b"2.0")])
async def test_the_first_bytes_may_come_one_by_one(content: bytes) -> None:
    pieces = [content[at : at + 1] for at in range(8)]

    async with (
        raw_host(saying(HEAD + b"\r\n", *pieces, content[8:])) as host,
        fetching() as fetcher,
    ):
        assert await content_of(fetcher, host.errand()) == content


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1", b"%PDF-3.0", b" %PDF-1.7", b"<html>", b"%pdf-1.7", b"\xef\xbb\xbf%PDF-1.7"],
)
async def test_other_first_bytes_are_refused(content: bytes) -> None:
    async with other_host(said(content, "application/pdf")) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, of_operator(str(host.url())))


async def test_other_first_bytes_are_refused_before_the_rest_is_sent() -> None:
    async def begin(_: RawHost, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n<html><body>")
        await asyncio.sleep(60)

    async with raw_host(begin) as host, fetching() as fetcher:
        with within_seconds(5), pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


@pytest.mark.parametrize("status", [201, 202, 203, 206, 226, 400, 401, 404, 407, 429, 500, 503])
async def test_only_200_is_what_was_asked_for(status: int) -> None:
    async with (
        other_host(said(PDF, "application/pdf", status=status)) as host,
        fetching() as fetcher,
    ):
        with pytest.raises(RemoteFailed, match=f"answered {status}"):
            await content_of(fetcher, of_operator(str(host.url())))


@pytest.mark.parametrize("status", [101, 204, 304])
async def test_an_answer_without_content_is_not_what_was_asked_for(status: int) -> None:
    head = b"HTTP/1.1 %d X\r\n\r\n" % status

    async with raw_host(saying(head)) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


BROKEN = {
    "nothing": b"",
    "empty line": b"\r\n",
    "only content": b"%PDF-1.7",
    "mail": b"220 mail.example ESMTP\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "Redis": b"-ERR unknown command\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "protocol alone": b"HTTP/1.1",
    "no reason, no end": b"HTTP/1.1 200",
    "no end of the head": b"HTTP/1.1 200 OK\r\n",
    "field without end": b"HTTP/1.1 200 OK\r\nContent-Type: application/p",
    "status in words": b"HTTP/1.1 twohundred OK\r\n\r\n",
    "status of five digits": b"HTTP/1.1 99999 X\r\n\r\n",
    "negative status": b"HTTP/1.1 -200 X\r\n\r\n",
    "HTTP 9.9": b"HTTP/9.9 200 OK\r\n\r\n",
    "HTTP 2": b"HTTP/2 200\r\n\r\n",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "long reason": b"HTTP/1.1 200 " + b"x" * 10_000 + b"\r\n\r\n",
    "no colon": HEAD + b"no colon\r\n\r\n" + PDF,
    "no name": HEAD + b": no name\r\n\r\n" + PDF,
    "NUL in a name": HEAD + b"X\0: y\r\n\r\n" + PDF,
    "NUL in a value": HEAD + b"X: \0y\r\n\r\n" + PDF,
    "long field": HEAD + b"X: " + b"x" * 10_000 + b"\r\n\r\n" + PDF,
    "thousand fields": HEAD + b"X: y\r\n" * 1000 + b"\r\n" + PDF,
    "length in words": HEAD + b"Content-Length: many\r\n\r\n" + PDF,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n" + PDF,
    "length with a sign": HEAD + b"Content-Length: +5\r\n\r\n" + PDF,
    "two lengths": HEAD + b"Content-Length: 9\r\nContent-Length: 5\r\n\r\n" + PDF,
    "length of 30 digits": HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + PDF,
    "length and chunks": HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "cut short": HEAD + b"Content-Length: 2000\r\n\r\n" + PDF,
    "no chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + PDF,
    "chunk size in letters": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n%PDF-1.7\n\r\nzz\r\n",
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-9\r\n%PDF-1.7\n\r\n0\r\n\r\n",
    "chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n%PDF-1.7\nxx0\r\n\r\n",
    "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n%PDF-1.7",
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n%PDF-1.7\n\r\n",
    "cut chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n90\r\n%PDF-1.7\n",
    "unknown transfer coding": HEAD
    + b"Transfer-Encoding: nonsense\r\nContent-Encoding: gzip\r\n\r\n"
    + PDF,
    "only 100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "nonsense after 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"nonsense",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_broken_http_is_told_as_such(answer: bytes) -> None:
    async with raw_host(saying(answer)) as host, fetching() as fetcher:
        with within_seconds(5), pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


async def test_an_endless_head_is_left() -> None:
    async def send(host: RawHost, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await send_endlessly(host, writer, b"X: y\r\n" * 1000)

    async with raw_host(send) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())

        assert host.sent < FEW_BYTES


async def test_a_host_that_resets_the_connection_is_told() -> None:
    async def reset(_: RawHost, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n%PDF-1.7")
        await writer.drain()
        writer.transport.abort()

    async with raw_host(reset) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await content_of(fetcher, host.errand())


async def test_what_follows_an_answer_is_not_the_next_answer() -> None:
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(PDF) + PDF
    forged = HEAD + b"Content-Length: 9\r\n\r\n%PDF-1.66"

    async with raw_host(saying(whole + forged)) as host, fetching() as fetcher:
        first = await content_of(fetcher, host.errand())
        second = await content_of(fetcher, host.errand())

    assert (first, second) == (PDF, PDF)


@dataclass
class Crowd:
    """Counts who is being answered at once."""

    now: int = 0
    most: int = 0
    seconds: float = 0.05

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)  # a slow host, so that all who may come are there
        self.now -= 1
        return await said(PDF, "application/pdf")(request)


async def until_asked(host: OtherHost, times: int) -> None:
    while len(host.requests) < times:  # noqa: ASYNC110 - a host only notes what it was asked
        await asyncio.sleep(0.01)


async def test_one_host_gets_four_errands_at_once() -> None:
    crowd = Crowd()

    async with other_host(crowd.answer) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        contents = await asyncio.gather(*(content_of(fetcher, errand) for _ in range(20)))

    assert contents == [PDF] * 20
    assert crowd.most == MAX_AT_ONCE_PER_HOST


async def test_all_hosts_together_get_sixteen_errands_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd()
    names = [f"{n}.test" for n in range(8)]
    names_are(monkeypatch, {name: [["127.0.0.1"]] for name in names})

    async with other_host(crowd.answer) as host, fetching() as fetcher:
        errands = [of_operator(f"http://{name}:{host.port}/") for name in names for _ in range(6)]
        contents = await asyncio.gather(*(content_of(fetcher, each) for each in errands))

    assert contents == [PDF] * 48
    assert crowd.most == MAX_AT_ONCE


async def test_a_slow_host_does_not_take_the_places_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names_are(monkeypatch, {"fast.test": [["127.0.0.1"]]})

    async with (
        other_host(Crowd(seconds=60).answer) as slow,
        other_host(said(PDF, "application/pdf")) as fast,
        fetching() as fetcher,
    ):
        errand = of_operator(str(slow.url()))
        waiting = [asyncio.create_task(content_of(fetcher, errand)) for _ in range(MAX_AT_ONCE)]
        await until_asked(slow, MAX_AT_ONCE_PER_HOST)

        content = await content_of(fetcher, of_operator(f"http://fast.test:{fast.port}/"))

        assert content == PDF
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_waiting_for_a_place_counts_into_the_time() -> None:
    async with other_host(Crowd(seconds=60).answer) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        ended = await asyncio.gather(
            *(fetcher.fetch(errand, SOON) for _ in range(10)), return_exceptions=True
        )

        assert {type(end) for end in ended} == {RemoteTimeout}
        assert len(host.requests) == MAX_AT_ONCE_PER_HOST


async def test_places_are_free_again_after_all_that_can_go_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"{n}.test" for n in range(8)]
    names_are(monkeypatch, {name: [["127.0.0.1"]] for name in names})

    async with other_host(Crowd(seconds=60).answer) as host, fetching() as fetcher:
        errands = [of_operator(f"http://{name}:{host.port}/") for name in names for _ in range(6)]
        late = [asyncio.create_task(fetcher.fetch(each, SOON)) for each in errands]
        left = [asyncio.create_task(fetcher.fetch(each, WANTED)) for each in errands]
        await until_asked(host, MAX_AT_ONCE)
        for task in left:
            task.cancel()
        await asyncio.gather(*late, *left, return_exceptions=True)

        crowd = Crowd()
        host.answer = crowd.answer
        contents = await asyncio.gather(*(content_of(fetcher, each) for each in errands))

    assert contents == [PDF] * 48
    assert crowd.most == MAX_AT_ONCE


async def conditional(request: web.Request) -> web.StreamResponse:
    unchanged = (
        request.headers.get("If-None-Match") == '"a"'
        or request.headers.get("If-Modified-Since") == "Thu, 01 Jan 2026 00:00:00 GMT"
    )
    return await said(PDF, "application/pdf", status=304 if unchanged else 200)(request)


@pytest.mark.parametrize(
    ("validators", "sent"),
    [
        (Validators(etag='"a"'), {"If-None-Match": '"a"'}),
        (
            Validators(last_modified="Thu, 01 Jan 2026 00:00:00 GMT"),
            {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        ),
        (
            Validators('"a"', "Thu, 01 Jan 2026 00:00:00 GMT"),
            {"If-None-Match": '"a"', "If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        ),
    ],
)
async def test_what_still_holds_is_not_sent_again(
    validators: Validators, sent: dict[str, str]
) -> None:
    async with other_host(conditional) as host, fetching() as fetcher:
        fetched = await fetcher.fetch(of_operator(str(host.url())), WANTED, validators)

        assert fetched is None
        assert sent.items() <= dict(host.requests[0].headers).items()
        assert fetcher.outcomes == {"unchanged": 1}


async def test_what_does_not_hold_is_sent_anew() -> None:
    async with other_host(conditional) as host, fetching() as fetcher:
        fetched = await fetcher.fetch(of_operator(str(host.url())), WANTED, Validators('"b"'))

        assert fetched == Fetched(PDF, Validators())


async def test_a_connection_serves_many_errands() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        for _ in range(50):
            await content_of(fetcher, of_operator(str(host.url())))

        assert len(host.requests) == 50
        assert len(host.connections) == 1
        assert fetcher.session.guard.connections == 1


async def test_the_session_is_made_anew_after_somebody_closed_it() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        url = f"http://localhost:{host.port}/"
        await content_of(fetcher, of_operator(url))
        await fetcher.session.get().close()
        await content_of(fetcher, of_operator(url))

        assert fetcher.session.made == 2
        assert len(host.requests) == 2


async def test_the_end_of_each_errand_is_counted() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        await fetcher.fetch(errand, WANTED)
        await fetcher.fetch(errand, WANTED)
        for wrong in (replace(errand, reach="public"), of_operator("http://nobody.invalid/")):
            with pytest.raises((UrlRefused, RemoteFailed)):
                await fetcher.fetch(wrong, WANTED)
        host.answer = Crowd(seconds=60).answer
        with pytest.raises(RemoteTimeout):
            await fetcher.fetch(errand, SOON)

        assert fetcher.outcomes == {
            "ok": 2,
            "url_refused": 1,
            "remote_failed": 1,
            "remote_timeout": 1,
        }


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def tls_host(authority: Authority, *names: str) -> AsyncIterator[OtherHost]:
    """Run a host with TLS; it says the PDF to whoever trusts it."""
    host = OtherHost(said(PDF, "application/pdf"))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", host.respond)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_tls(*names))
    await site.start()
    host.port = runner.addresses[0][1]
    try:
        yield host
    finally:
        await runner.cleanup()


async def test_the_operators_https_connection_is_never_used_for_a_request(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, "a.test") as host, fetching() as fetcher:
        url = f"https://a.test:{host.port}/"
        assert await content_of(fetcher, of_operator(url)) == PDF
        with pytest.raises(UrlRefused):
            await fetcher.fetch(Errand.of_request(url, frozenset({("a.test", host.port)})), WANTED)
        assert await content_of(fetcher, of_operator(url)) == PDF

        assert len(host.requests) == 2
        assert len(host.connections) == 1


async def test_https_connections_of_both_kinds_are_two(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))

    async with tls_host(authority, "127.0.0.1") as host, fetching(*LOOPBACK) as fetcher:
        url = f"https://127.0.0.1:{host.port}/"
        of_request = Errand.of_request(url, frozenset({("127.0.0.1", host.port)}))
        for _ in range(3):
            await content_of(fetcher, of_operator(url))
            await content_of(fetcher, of_request)

        assert len(host.requests) == 6
        assert len(host.connections) == 2


@pytest.mark.parametrize("names", [["b.test"], ["*.a.test"], ["127.0.0.1"], ["a.test.b.test"]])
async def test_a_certificate_of_another_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, names: list[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, *names) as host, fetching(*LOOPBACK) as fetcher:
        url = f"https://a.test:{host.port}/"
        for errand in (
            of_operator(url),
            Errand.of_request(url, frozenset({("a.test", host.port)})),
        ):
            with pytest.raises(RemoteFailed):
                await fetcher.fetch(errand, WANTED)

        assert not host.requests


async def test_a_certificate_of_an_unknown_authority_is_refused(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, "a.test") as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await fetcher.fetch(of_operator(f"https://a.test:{host.port}/"), WANTED)

        assert not host.requests


async def test_https_to_a_host_that_speaks_plain_http_fails() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await fetcher.fetch(of_operator(f"https://127.0.0.1:{host.port}/"), WANTED)

        assert not host.requests
