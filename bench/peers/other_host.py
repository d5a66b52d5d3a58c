"""
Another host: it answers at once from memory, and counts who connects.

`python -m bench.peers.other_host PORT TLS_PORT CERTIFICATE KEY` listens on 127.0.0.1 until it is
ended.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter
from typing import cast

import uvloop

from bench.contenders import TEMPLATE

PANEL_SECONDS = 0.3
FAR_SECONDS = 0.02
GREETING = b"Hello from another host.\n"
PANEL = json.dumps(
    {
        "items": [
            {"title": f"News {number}", "url": f"https://news.example/{number}", "text": "Today."}
            for number in range(10)
        ]
    }
).encode()

connections: Counter[str] = Counter()


class Answers(asyncio.Protocol):
    """
    One connection, on which a request without a body is sent when the last one was answered.

    Over TLS it is only made when the handshake is done, so that who is counted has shaken hands.
    """

    def __init__(self, scheme: str, template: bytes) -> None:
        self.scheme = scheme
        self.template = template
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of no class of asyncio
        connections[self.scheme] += 1

    def data_received(self, data: bytes) -> None:
        """Answer when a head is complete."""
        self.received += data
        if not self.received.endswith(b"\r\n\r\n"):
            return
        path = self.received.split(b" ", 2)[1].decode()
        self.received = b""
        if path == "/dead":
            return
        seconds = {"/panel": PANEL_SECONDS, "/far": FAR_SECONDS}.get(path)
        if seconds is None:
            self.answer(path)
        else:
            asyncio.get_running_loop().call_later(seconds, self.answer, path)

    def answer(self, path: str) -> None:
        """Send what is at `path`, if there still is somebody to send it to."""
        if self.transport.is_closing():
            return
        media_type, content = self.content(path)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(content)}"
        self.transport.write(head.encode() + b"\r\n\r\n" + content)

    def content(self, path: str) -> tuple[str, bytes]:
        """Return what is at `path`, and its media type."""
        if path == "/connections":
            return "application/json", json.dumps(connections).encode()
        if path == "/panel":
            return "application/json", PANEL
        if path.startswith("/another/"):
            # The same pages, and yet a file that nobody has seen before.
            return "application/pdf", self.template + f"% {path}\n".encode()
        if path.endswith(".pdf"):
            return "application/pdf", self.template
        return "text/plain", GREETING


async def main(port: int, tls_port: int, certificate: str, key: str) -> None:
    """Listen until this process is ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    template = TEMPLATE.read_bytes()
    loop = asyncio.get_running_loop()
    await loop.create_server(
        lambda: Answers("https", template), "127.0.0.1", tls_port, ssl=context, backlog=1024
    )
    # Last: who waits for this port finds both.
    await loop.create_server(lambda: Answers("http", template), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
