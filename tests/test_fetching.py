"""The guarded fetch: what is asked, what may come back, what ends early."""

import asyncio
import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from fileservice import __version__
from fileservice.errors import RemoteFailed, RemoteTimeout, UrlRefused
from fileservice.fetch.fetching import (
    Fetched,
    Validators,
)
from tests.otherhosts import fetching, other_host
from tests.outside import names_are, said
from tests.rawhosts import (
    FEW_BYTES,
    HEAD,
    PDF,
    SOON,
    WANTED,
    RawHost,
    content_of,
    of_operator,
    raw_host,
    saying,
    send_endlessly,
    within_seconds,
)


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


async def test_cookies_are_never_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})  # no jar keeps cookies of an address
    cookies = {"Set-Cookie": "a=b; Path=/"}

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = cookies | ({} if request.path == "/there" else {"Location": "/there"})
        status = 200 if request.path == "/there" else 302
        return await said(PDF, "application/pdf", status=status, headers=headers)(request)

    async with other_host(answer) as host, fetching() as fetcher:
        for _ in range(2):
            await content_of(fetcher, of_operator(f"http://a.test:{host.port}/"))

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


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def test_the_end_of_each_errand_is_counted() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        await fetcher.fetch(errand, WANTED)
        await fetcher.fetch(errand, WANTED)
        for wrong in (replace(errand, reach="public"), of_operator("http://nobody.invalid/")):
            with pytest.raises((UrlRefused, RemoteFailed)):
                await fetcher.fetch(wrong, WANTED)
        host.answer = never
        with pytest.raises(RemoteTimeout):
            await fetcher.fetch(errand, SOON)

        assert fetcher.outcomes == {
            "ok": 2,
            "url_refused": 1,
            "remote_failed": 1,
            "remote_timeout": 1,
        }
