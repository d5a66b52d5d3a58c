"""What a server is told to send, as far as a client cannot see it."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fileservice.http.content import ContentResponse, collect, read, size_of
from fileservice.ranges import Span
from fileservice.storage.local import LocalStorage

ID = "a" * 26
CONTENT = os.urandom(3_000_000)
WHOLE = Span(0, len(CONTENT))
PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


class Line:
    """The server's end of ASGI for one request, and a client that may hang up early."""

    def __init__(self, *, messages_until_gone: int | None = None) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.gone = asyncio.Event()
        self.messages_until_gone = messages_until_gone

    async def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)
        if len(self.sent) == self.messages_until_gone:
            self.gone.set()

    async def receive(self) -> Mapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    with ThreadPoolExecutor(2) as executor:
        local = LocalStorage(tmp_path, executor, executor)
        local.prepare()
        async with local.create(ID) as incoming:
            await incoming.write(CONTENT)
            await incoming.finish()
        yield local


def response(storage: LocalStorage, *pieces: bytes | Span, path: Path | None) -> ContentResponse:
    headers = {"Content-Type": "image/png", "Content-Length": str(size_of(pieces))}
    return ContentResponse(
        read(partial(storage.read, ID), pieces), status=200, headers=headers, path=path
    )


async def test_a_body_is_sent_in_blocks(storage: LocalStorage) -> None:
    line = Line()

    await response(storage, WHOLE, path=storage.path(ID)).transmit({}, line.receive, line.send)

    start, *blocks, end = line.sent
    assert start["status"] == 200
    assert dict(start["headers"])[b"Content-Length"] == b"3000000"
    assert len(blocks) > 1
    assert all(block["more_body"] for block in blocks)
    assert not end.get("more_body", False)
    assert line.body == CONTENT


async def test_a_server_that_sends_files_is_given_the_path(storage: LocalStorage) -> None:
    line = Line()
    path = storage.path(ID)

    await response(storage, WHOLE, path=path).transmit(PATHSEND, line.receive, line.send)

    assert line.sent[0]["status"] == 200
    assert line.sent[1:] == [{"type": "http.response.pathsend", "path": str(path)}]
    assert path.is_absolute()


async def test_what_is_not_the_whole_file_is_sent_by_us(storage: LocalStorage) -> None:
    line = Line()
    pieces = (b"<", Span(5, 2_000_000), b"><", Span(7, 9), b">")

    await response(storage, *pieces, path=None).transmit(PATHSEND, line.receive, line.send)

    assert line.body == b"<" + CONTENT[5:2_000_000] + b"><" + CONTENT[7:9] + b">"
    assert len(line.body) == size_of(pieces)


async def test_a_client_that_hung_up_is_read_for_no_longer(storage: LocalStorage) -> None:
    line = Line(messages_until_gone=2)

    await response(storage, WHOLE, path=None).transmit({}, line.receive, line.send)

    assert len(line.body) < len(CONTENT)
    assert line.sent[-1]["more_body"]


async def test_a_blob_that_turns_out_short_never_ends_its_response(storage: LocalStorage) -> None:
    line = Line()
    os.truncate(storage.path(ID), len(CONTENT) - 1)

    with pytest.raises(OSError, match="ends before"):
        await response(storage, WHOLE, path=None).transmit({}, line.receive, line.send)

    assert line.sent[-1]["more_body"]


async def test_small_pieces_are_put_together_in_order(storage: LocalStorage) -> None:
    assert await collect(storage, ID, [Span(3, 9)]) == CONTENT[3:9]
    assert await collect(storage, ID, [b"<", Span(3, 9), b">"]) == b"<" + CONTENT[3:9] + b">"
