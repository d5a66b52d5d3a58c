"""A client on a socket that sends what it is told, shows every response, never waits for long."""

import http.client
import io
import json
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

from tests.client import Answer

WAIT_SECONDS = 15
RESTART_SECONDS = 0.5
MAX_BODY_BYTES = 64 << 20
DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 9110, section 15.2; 101 would hand the connection over.
INTERIM = {100, *range(102, 200)}
BODILESS = {204, 304}

type Headers = Mapping[str, str]


class Connection:
    """
    One connection to the host of a URL.

    Attributes:
        interim: the 1xx responses that came before the last answer.
    """

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.interim: list[Answer] = []
        self.socket = _connected(self.parts)
        self.stream = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def reset(self) -> None:
        """Close by RST, which takes with it what the other end has not read."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def end(self) -> None:
        """Send no more, and return when the server has closed too: it knows then."""
        self.socket.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            self.stream.read(MAX_BODY_BYTES)

    def start(self, method: str, url: str, headers: Headers) -> None:
        """Send the head of a request."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.parts.netloc.rpartition('@')[2]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("utf-8"))

    def send(self, content: bytes) -> None:
        """Send bytes; a server that answers early may have stopped to take them."""
        with suppress(ConnectionError, ssl.SSLEOFError):
            self.socket.sendall(content)

    def send_chunk(self, content: bytes) -> None:
        """Send one chunk of a chunked body; the empty one ends it."""
        self.send(b"%x\r\n%b\r\n" % (len(content), content))

    def answer(self, method: str) -> Answer:
        """Return the next final response."""
        self.interim = []
        while (response := self.response(method)).status in INTERIM:
            self.interim.append(response)
        return response

    def response(self, method: str) -> Answer:
        """
        Return the next response, be it interim or final.

        Raises:
            ConnectionError: the server closed without one.
            TimeoutError: none came in WAIT_SECONDS.
        """
        line = self.stream.readline(1 << 16).decode("latin-1")
        if not line.startswith("HTTP/1."):
            raise ConnectionError(f"no response, but {line!r}")
        status = int(line.split()[1])
        headers: dict[str, str] = {}
        for name, value in http.client.parse_headers(self.stream).items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        if method == "HEAD" or status in INTERIM | BODILESS:
            return Answer(status, headers, b"")
        return Answer(status, headers, self._body(headers))

    def _body(self, headers: Headers) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self.stream.read(MAX_BODY_BYTES)

    def _chunks(self) -> bytes:
        found = io.BytesIO()
        while size := int(self.stream.readline(1 << 10).split(b";")[0], 16):
            found.write(self._exactly(size))
            self.stream.readline(1 << 10)
        http.client.parse_headers(self.stream)
        return found.getvalue()

    def _exactly(self, size: int) -> bytes:
        if size > MAX_BODY_BYTES:
            raise ConnectionError(f"a body of {size} bytes")
        content = self.stream.read(size)
        if len(content) < size:
            raise ConnectionError(f"{len(content)} bytes of {size}")
        return content


def _connected(parts: SplitResult) -> socket.socket:
    host, port = parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]
    assert host is not None
    connection = _accepted((host, port))
    if parts.scheme == "https":
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    return connection


def _accepted(address: tuple[str, int]) -> socket.socket:
    # A server that fell over in one test and is started again fails that one only.
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return socket.create_connection(address, WAIT_SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RESTART_SECONDS)


def ask(method: str, url: str, body: bytes | None, headers: Headers) -> Answer:
    """Send a request on a connection of its own and return its final answer."""
    framing = {} if body is None else {"Content-Length": str(len(body))}
    with Connection(url) as connection:
        connection.start(method, url, {**headers, **framing, "Connection": "close"})
        connection.send(body or b"")
        return connection.answer(method)


def problem_type(answer: Answer) -> str:
    """Return the type of an RFC 9457 problem; "" if the answer is none."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    return str(json.loads(answer.body).get("type", ""))
