"""The request of the native lane."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, NoReturn

from django.core.handlers.asgi import ASGIRequest

from fileservice.actors import Actor
from fileservice.http.body import Body
from fileservice.http.messages import INTERIM, Receive, Scope, Send


class NativeRequest(ASGIRequest):
    """
    A request whose body is a stream.

    `POST`, `FILES` and `body` raise: whoever reads them would hold a whole upload in memory.

    Attributes:
        stream: the body.
        name: X-Request-ID of the answer.
        actor: who asks, once that was looked up.
        held: a small body that was read whole, for who looks for it as `body`.
        auth: who asks, where an operation of the API was admitted.
    """

    name = ""
    actor: Actor | None = None
    held: bytes | None = None
    auth: Actor

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._host: str | None = None
        self._send = send
        super().__init__(scope, BytesIO())
        length = self.META.get("CONTENT_LENGTH", "")
        declared = int(length) if length.isascii() and length.isdigit() else None
        chunked = declared is None and "HTTP_TRANSFER_ENCODING" in self.META
        self.stream = Body(receive, declared=declared, chunked=chunked)

    def get_host(self) -> str:
        """Return the Host, which is looked at once: each request has to be for one of ours."""
        if self._host is None:
            self._host = super().get_host()
        return self._host

    @property
    def can_inform(self) -> bool:
        """Whether the server, and the client's HTTP, know interim answers of any status."""
        return INTERIM in self.scope.get("extensions", ())

    async def inform(self, status: int, reason: str, fields: Mapping[str, str]) -> None:
        """Send an interim answer (RFC 9110 15.2), where `can_inform`."""
        headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()]
        message = {"type": INTERIM, "status": status, "reason": reason.encode("ascii")}
        await self._send({**message, "headers": headers})

    @property
    def content_types(self) -> list[bytes]:
        """Every Content-Type field as it was sent; META has them joined."""
        return [value for name, value in self.scope["headers"] if name == b"content-type"]

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """Leave Content-Type to who takes bodies: few requests have one, and parsing is slow."""

    @property
    def body(self) -> bytes:
        """Not in this lane, but what is `held`."""
        if self.held is None:
            raise RuntimeError("the native lane streams: read request.stream")
        return self.held

    def _load_post_and_files(self) -> NoReturn:
        raise RuntimeError("the native lane streams: read request.stream")
