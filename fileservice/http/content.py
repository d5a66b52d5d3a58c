"""Bytes of a blob as a response: what is small from memory, what is large in pieces."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from django.http.response import HttpResponseBase

from fileservice.http.messages import Receive, Scope, Send, start_message
from fileservice.ranges import Span
from fileservice.storage import Storage

# Up to here a body is held whole: one read on the loop, one write. A file of 200 KB is given out
# 2,500 times a second so, 1,360 times as a stream, which takes three hops to threads.
SMALL_BYTES = 256 << 10

type Piece = bytes | Span


def size_of(pieces: Sequence[Piece]) -> int:
    """Return the Content-Length of a body."""
    return sum(piece.size if isinstance(piece, Span) else len(piece) for piece in pieces)


async def collect(storage: Storage, id: str, pieces: Sequence[Piece]) -> bytes:
    """
    Return a small body whole: on the loop where the page cache has it, else by a thread.

    Raises:
        OSError: the blob is missing or short.
    """
    held = []
    for piece in pieces:
        if isinstance(piece, Span):
            content = storage.peek(id, piece.start, piece.stop)
            if content is None:
                content = await storage.fetch(id, piece.start, piece.stop)
            held.append(content)
        else:
            held.append(piece)
    return held[0] if len(held) == 1 else b"".join(held)


async def read(
    span: Callable[[int, int], AsyncGenerator[bytes]], pieces: Sequence[Piece]
) -> AsyncGenerator[bytes]:
    """Yield a large body; `span` reads from a byte up to, not including, another."""
    for piece in pieces:
        if isinstance(piece, Span):
            async with aclosing(span(piece.start, piece.stop)) as blocks:
                async for block in blocks:
                    yield block
        else:
            yield piece


class ContentResponse(HttpResponseBase):
    """
    A body that is read while it is sent.

    Attributes:
        chunks: the body; closed when the response ends, whichever way.
        path: the file that is the whole body, for a server that sends files by itself.
    """

    streaming = True

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        *,
        status: int,
        headers: dict[str, str],
        path: Path | None = None,
    ) -> None:
        super().__init__(status=status, headers=headers)
        self.chunks = chunks
        self.path = path

    async def transmit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Send head and body.

        Raises:
            OSError: the storage failed midway; the server then cuts the connection, so that no
                client takes a part for the whole.
            Cut: as `OSError`, but nothing is the matter with the service.
        """
        await send(start_message(self))
        if self.path is not None and "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.pathsend", "path": str(self.path)})
            return
        gone = asyncio.ensure_future(wait_until_gone(receive))
        try:
            async with aclosing(self.chunks) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if gone.done():
                        return
            await send({"type": "http.response.body"})
        finally:
            gone.cancel()


async def wait_until_gone(receive: Receive) -> None:
    """Return when the client has hung up, of which uvicorn's `send` tells nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass
