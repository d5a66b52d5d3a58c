"""A plain HTTP/1.1 client on a socket, that sends what it is told and hides nothing."""

import http.client
import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One response.

    Attributes:
        headers: by lower-case name; of several equal ones the values joined by ", ".
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, kept alive."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.connection = http.client.HTTPConnection(host, port, timeout=WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request, whose target is sent as it stands, and read its answer."""
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        content = response.read()
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
        return Answer(response.status, found, content)


def raw_exchange(address: tuple[str, int], request: bytes) -> bytes:
    """Send bytes, read until the server closes."""
    with socket.create_connection(address, WAIT_SECONDS) as connection:
        connection.sendall(request)
        received = bytearray()
        while block := connection.recv(1 << 16):
            received += block
        return bytes(received)


@dataclass(frozen=True, slots=True)
class FormPart:
    """A part of a form, its disposition written as it shall be sent."""

    disposition: bytes
    content: bytes
    headers: bytes = b""


def file_part(filename: bytes, content: bytes, name: bytes = b"file") -> FormPart:
    """Return the part of a file, `filename` between quotes as it is."""
    return FormPart(b'form-data; name="%s"; filename="%s"' % (name, filename), content)


def field_part(name: bytes, value: bytes) -> FormPart:
    return FormPart(b'form-data; name="%s"' % name, value)


BOUNDARY = "------------------------d74496d66958873e"
FORM_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form_body(*parts: FormPart, boundary: str = BOUNDARY) -> bytes:
    """Return the body of a form."""
    edge = b"--" + boundary.encode()
    body = b"".join(
        edge
        + b"\r\nContent-Disposition: "
        + part.disposition
        + b"\r\n"
        + part.headers
        + b"\r\n"
        + part.content
        + b"\r\n"
        for part in parts
    )
    return body + edge + b"--\r\n"
