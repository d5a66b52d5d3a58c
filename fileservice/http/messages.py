"""The shapes of ASGI."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.http.response import HttpResponseBase

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Of an interim answer (RFC 9110 15.2): ASGI knows none but 103. Our own server says that it does.
INTERIM = "fileservice.response.interim"


class Cut(Exception):
    """An answer that has begun cannot be completed; why, the message says, for the log."""


# What every answer of the native lane says unless it chose otherwise: nothing of it is a page
# of ours, to be framed, sniffed, run or told about.
SAFE_HEADERS = [
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Content-Security-Policy", b"default-src 'none'; sandbox; frame-ancestors 'none'"),
]


def start_message(response: HttpResponseBase) -> Message:
    """Return the message that opens `response`; `SAFE_HEADERS` stand in for what it lacks."""
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    chosen = {name for name, _ in headers}
    headers += [header for header in SAFE_HEADERS if header[0] not in chosen]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}
