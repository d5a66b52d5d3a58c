"""Load of our own making: many uploads at once over raw connections on uvloop."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from bench.contenders import Form
from bench.load import Refused
from bench.servers import Server

BOUNDARY = "-----------------------------bench"
BLOCK_BYTES = 256 * 1024
WATCH_SECONDS = 0.05


def small_posts(
    server: Server, form: Form, *, size: int, connections: int, seconds: float
) -> float:
    """Post files of `size` bytes, each with a name of its own; return the uploads per second."""
    numbers = itertools.count()
    content = os.urandom(size)

    async def post_on_and_on(until: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        done = 0
        while asyncio.get_running_loop().time() < until:
            before, after = form_ends(form, f"small-{next(numbers):08}.bin")
            length = len(before) + size + len(after)
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            writer.write(_head("POST", form.path, server, f"Content-Type: {kind}", length))
            writer.writelines((before, content, after))
            await answer(reader)
            done += 1
        writer.close()
        return done

    async def main() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        posting = [post_on_and_on(start + seconds) for _ in range(connections)]
        done = sum(await asyncio.gather(*posting))
        return done / (loop.time() - start)

    return uvloop.run(main())


def chunked_put(server: Server, path: str, size: int) -> int:
    """Put `size` bytes out of nothing, chunked; return by how many bytes memory grew at most."""

    async def main() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_head("PUT", path, server, "Transfer-Encoding: chunked", None))
        block = os.urandom(BLOCK_BYTES)
        for _ in range(size // BLOCK_BYTES):
            writer.writelines((b"%x\r\n" % BLOCK_BYTES, block, b"\r\n"))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await answer(reader)
        writer.close()

    before = server.resident_bytes()
    return uvloop.run(peak_during(server, main)) - before


def slow_crowd(server: Server, form: Form, *, crowd: int, pieces: int, piece_bytes: int) -> int:
    """
    Let `crowd` uploads trickle in at once, a piece a second each; return the most memory in bytes.

    That is all memory of the service, not only what the crowd adds.
    """
    piece = os.urandom(piece_bytes)

    async def trickle(number: int) -> None:
        await asyncio.sleep(number / crowd)  # spread over the second, as people are
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        before, after = form_ends(form, f"slow-{number:08}.bin")
        length = len(before) + pieces * piece_bytes + len(after)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        writer.write(_head("POST", form.path, server, f"Content-Type: {kind}", length) + before)
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(1)
        writer.write(after)
        await answer(reader)
        writer.close()

    async def main() -> None:
        await asyncio.gather(*(trickle(number) for number in range(crowd)))

    return uvloop.run(peak_during(server, main))


def put_on_and_on(port: int, path: str, *, size: int, connections: int) -> None:
    """Keep `connections` uploads of `size` bytes running until this process is ended."""

    async def put(number: int) -> None:
        block = os.urandom(BLOCK_BYTES)
        for again in itertools.count():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"PUT {path}big-{number}-{again}.bin HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Content-Length: {size}\r\n\r\n".encode()
            )
            for _ in range(size // BLOCK_BYTES):
                writer.write(block)
                await writer.drain()
            await answer(reader)
            writer.close()

    async def main() -> None:
        await asyncio.gather(*(put(number) for number in range(connections)))

    uvloop.run(main())


def form_ends(form: Form, name: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the bytes of the file in a form's body."""
    before = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in form.before
    )
    part = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="{form.field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return (before + part).encode(), f"\r\n--{BOUNDARY}--\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> dict[str, str]:
    """
    Read one answer to its end and return its fields, their names in lower case.

    Raises:
        Refused: it is no success.
        EOFError: the server hung up before it was complete.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    status = first.split(" ", 2)[1]
    if "transfer-encoding" in fields:
        async for _ in _chunks(reader):
            pass
    else:
        await reader.readexactly(int(fields.get("content-length", 0)))
    if not status.startswith("2"):
        raise Refused(f"answered {status}")
    return fields


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        yield await reader.readexactly(size + 2)
    await reader.readuntil(b"\r\n")


def _head(method: str, path: str, server: Server, header: str, length: int | None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept: application/json",
        header,
    ]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def peak_during(server: Server, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Return the most memory in bytes that the server was seen with during `work`."""
    working = asyncio.create_task(work())
    peak = server.resident_bytes()
    while not working.done():
        await asyncio.wait({working}, timeout=WATCH_SECONDS)
        peak = max(peak, server.resident_bytes())
    await working
    return peak
