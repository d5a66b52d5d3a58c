"""Load of our own by tus 1.0: many small uploads, and many at once over a slow line."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import uvloop

from bench.crowd import answer, peak_during
from bench.load import TUS_TYPE, Refused
from bench.servers import Server


class Connection:
    """One connection, kept alive, on which uploads are created and sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def create(self, endpoint: str, length: int, body: bytes = b"") -> str:
        """Create an upload, with its first bytes if there are any, and return its path."""
        fields = {"Upload-Length": str(length)} | ({"Content-Type": TUS_TYPE} if body else {})
        answered = await self._ask("POST", endpoint, fields, body)
        return urlsplit(answered["location"]).path

    async def append(self, path: str, offset: int, body: bytes) -> None:
        """
        Send the bytes from `offset` on.

        Raises:
            Refused: not all of them were taken.
        """
        fields = {"Content-Type": TUS_TYPE, "Upload-Offset": str(offset)}
        answered = await self._ask("PATCH", path, fields, body)
        if int(answered["upload-offset"]) != offset + len(body):
            raise Refused("took fewer bytes than it was sent")

    async def _ask(
        self, method: str, path: str, fields: dict[str, str], body: bytes
    ) -> dict[str, str]:
        fields = {"Host": "127.0.0.1", "Tus-Resumable": "1.0.0", **fields}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        self.writer.write("\r\n".join((*lines, f"Content-Length: {len(body)}\r\n\r\n")).encode())
        self.writer.write(body)
        await self.writer.drain()
        return await answer(self.reader)


@asynccontextmanager
async def connection_to(port: int) -> AsyncIterator[Connection]:
    """Yield a connection that is closed when the block ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def create(server: Server, endpoint: str, length: int) -> str:
    """Create an upload of `length` bytes and return its path."""

    async def main() -> str:
        async with connection_to(server.port) as connection:
            return await connection.create(endpoint, length)

    return uvloop.run(main())


def small_uploads(
    server: Server, endpoint: str, *, size: int, connections: int, seconds: float, at_once: bool
) -> float:
    """
    Send files of `size` bytes and return the uploads per second.

    Each is created, then sent; or, `at_once`, sent in the request that creates it.
    """
    content = os.urandom(size)

    async def upload_on_and_on(until: float) -> int:
        done = 0
        async with connection_to(server.port) as connection:
            while asyncio.get_running_loop().time() < until:
                path = await connection.create(endpoint, size, content if at_once else b"")
                if not at_once:
                    await connection.append(path, 0, content)
                done += 1
        return done

    async def main() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        uploading = [upload_on_and_on(start + seconds) for _ in range(connections)]
        done = sum(await asyncio.gather(*uploading))
        return done / (loop.time() - start)

    return uvloop.run(main())


def far_crowd(
    server: Server, port: int, endpoint: str, *, crowd: int, pieces: int, piece_bytes: int
) -> tuple[float, int]:
    """
    Let `crowd` uploads run at once through `port`, each in so many requests, one after another.

    Return the seconds until the last was complete, and the most memory of `server` in bytes.
    """
    piece = os.urandom(piece_bytes)

    async def upload() -> None:
        async with connection_to(port) as connection:
            path = await connection.create(endpoint, pieces * piece_bytes)
            for number in range(pieces):
                await connection.append(path, number * piece_bytes, piece)

    async def main() -> None:
        await asyncio.gather(*(upload() for _ in range(crowd)))

    async def timed() -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        peak = await peak_during(server, main)
        return loop.time() - start, peak

    return uvloop.run(timed())
