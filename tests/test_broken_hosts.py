"""Hosts that are slow, break off, or send what is no HTTP."""

import asyncio

import pytest
from aiohttp import ClientTimeout

from fileservice.errors import RemoteFailed, RemoteTimeout
from fileservice.fetch import session as sessions
from tests.otherhosts import fetching
from tests.rawhosts import (
    FEW_BYTES,
    HEAD,
    PDF,
    SOON,
    RawHost,
    Talk,
    content_of,
    raw_host,
    saying,
    send_endlessly,
    within_seconds,
)


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
