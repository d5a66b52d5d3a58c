"""An ASGI application that says what it saw, behind a real uvicorn in a thread of the tests."""

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import uvicorn

from fileservice.http.protocol import GuardedProtocol

BLOCK = b"x" * (1 << 16)
WAIT_SECONDS = 20


def start(*fields: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": fields}


def content(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


# What is sent without a look at the request, by path; most of it no application may.
SCRIPTS = {
    "/own-framing": [
        start((b"transfer-encoding", b"chunked"), (b"connection", b"keep-alive")),
        content(b"a"),
    ],
    "/twice": [start(), content(b"a", more=True), start()],
    "/headless": [content(b"a")],
    "/on-and-on": [start((b"content-length", b"1")), content(b"a"), content(b"b")],
    "/too-long": [start((b"content-length", b"1")), content(b"ab")],
    "/too-short": [start((b"content-length", b"3")), content(b"ab")],
    "/line-break": [start((b"a", b"b\r\nc: d")), content(b"a")],
    "/carriage-return": [start((b"a", b"b\rc: d")), content(b"a")],
    "/line-feed": [start((b"a", b"b\nc: d")), content(b"a")],
    "/nul": [start((b"a", b"b\0c")), content(b"a")],
}


@dataclass(slots=True)
class Echo:
    """
    The application.

    Attributes:
        seen: what became of the requests that were begun, in words.
    """

    seen: "queue.Queue[str]" = field(default_factory=queue.Queue)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if scope["path"] in SCRIPTS:
            for message in SCRIPTS[scope["path"]]:
                await send(message)
        else:
            await self.react(scope, receive, send)

    async def react(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        match scope["path"]:
            case "/refuse":
                await answer(send, 413, b"Too large\n")
            case "/begin":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
                _, end = await read(receive)
                self.seen.put(end)
                await send({"type": "http.response.body", "body": end.encode()})
            case "/start":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                _, end = await read(receive)
                self.seen.put(end)
                await send({"type": "http.response.body", "body": end.encode()})
            case "/raise":
                await answer(send, 413, b"Too large\n")
                raise RuntimeError("after the answer")
            case "/late":
                # Long enough for more than one piece of the body to come in.
                await asyncio.sleep(0.1)
                body, end = await read(receive)
                self.seen.put(end)
                await answer(send, 200, report(scope, body))
            case "/kept":
                # Long enough for the client to be gone.
                await asyncio.sleep(0.1)
                body, end = await read(receive)
                self.seen.put(f"{end} after {len(body)} bytes")
            case "/pour":
                await pour(send, receive)
                self.seen.put("gone")
            case _:
                body, end = await read(receive)
                self.seen.put(end)
                await answer(send, 200, report(scope, body))


def report(scope: dict[str, Any], body: bytes) -> bytes:
    return json.dumps(
        {
            "method": scope["method"],
            "version": scope["http_version"],
            "path": scope["path"],
            "raw_path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
            "body": body[:1000].decode("latin-1"),
            "size": len(body),
        }
    ).encode()


async def read(receive: Any) -> tuple[bytes, str]:
    """Return the body, and "complete" or "gone"."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body), "gone"
        body += message["body"]
        if not message["more_body"]:
            return bytes(body), "complete"


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def pour(send: Any, receive: Any) -> None:
    """Send until nobody is there."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await receive()
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        # Once the connection is broken, nothing in uvicorn's send gives way to the news of it.
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class EchoServer:
    """A running one; `seen` is the application's."""

    address: tuple[str, int]
    seen: "queue.Queue[str]"
    uvicorn: uvicorn.Server

    @property
    def connections(self) -> set[GuardedProtocol]:
        return cast("set[GuardedProtocol]", self.uvicorn.server_state.connections)

    def next_seen(self) -> str:
        return self.seen.get(timeout=WAIT_SECONDS)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what the server tells nobody."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_listening(path: Path) -> bool:
    """Tell whether somebody takes connections: the file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextmanager
def serving_echo(
    protocol: type[GuardedProtocol] = GuardedProtocol,
    loop: Literal["uvloop", "asyncio"] = "uvloop",
    limit_concurrency: int | None = None,
    certificate: Path | None = None,
) -> Iterator[EchoServer]:
    """Serve until the end of the block; connections are taken from its first line on."""
    echo = Echo()
    config = uvicorn.Config(
        echo,
        http=protocol,
        loop=loop,
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=1,
        timeout_graceful_shutdown=1,
        limit_concurrency=limit_concurrency,
        ssl_certfile=certificate,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield EchoServer(listener.getsockname(), echo.seen, server)
        finally:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
