"""Answers to downloads by a share: while one is sent, its lease is kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.actors import Actor
from fileservice.errors import ServiceUnavailable
from fileservice.http.content import ContentResponse, wait_until_gone
from fileservice.http.messages import Message, Receive, Scope, Send
from fileservice.lending import GRACE, RENEWED, HeldLease, Leases
from fileservice.shares import Subject
from fileservice.tasks import beside, to_its_end


@dataclass(slots=True)
class Lending:
    """
    A lease in use.

    Attributes:
        lease: as it was known last.
        by: for whom it was taken.
    """

    leases: Leases
    lease: HeldLease
    subject: Subject
    by: Actor

    async def keep(self) -> None:
        """Renew the lease from time to time, until cancelled."""
        while True:
            await asyncio.sleep(RENEWED.total_seconds())
            with suppress(ServiceUnavailable):
                await self.renew()

    async def renew(self) -> None:
        """Let what is cut from now on be gone on with."""
        renewed = await self.leases.renew(self.lease, now=datetime.now(UTC))
        self.lease = renewed or self.lease

    async def settle(self, *, began: bool, ended: bool, complete: bool) -> None:
        """
        Note how far an answer came; a busy database may miss it, and the lease ends later.

        Args:
            began: bytes were sent.
            ended: nobody knows of more to be sent.
            complete: among them the last byte of what is shared.
        """
        now = datetime.now(UTC)
        with suppress(ServiceUnavailable):
            if not began:
                await self.leases.give_back(self.lease, self.subject, self.by)
            elif not ended:
                await self.renew()
            elif complete and self.lease.until > now + GRACE:
                await self.leases.end(self.lease, now=now)


class LeasedResponse(ContentResponse):
    """A download by a share, under a lease."""

    def __init__(self, response: HttpResponseBase, lending: Lending) -> None:
        if isinstance(response, ContentResponse):
            chunks, path = response.chunks, response.path
        else:
            chunks, path = whole(cast("HttpResponse", response).content), None
        super().__init__(
            chunks, status=response.status_code, headers=dict(response.items()), path=path
        )
        self.lending = lending
        self.began = False
        self.ended = False
        self.is_handed_over = False

    async def transmit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and body; see `ContentResponse.transmit`."""

        async def noted(message: Message) -> None:
            await send(message)
            if message["type"] != "http.response.start":
                self.began = True
                self.ended = not message.get("more_body", False)
                self.is_handed_over = message["type"] == "http.response.pathsend"

        content = self.chunks
        try:
            # Read ahead, so that a client which leaves meanwhile has cost no download.
            first = await anext(content, b"")
            if await is_gone(receive):
                return
            self.chunks = behind(first, content)
            async with beside(self.lending.keep()):
                await super().transmit(scope, receive, noted)
        finally:
            await content.aclose()  # where the server sends the file itself, nobody else does
            await to_its_end(self._settle())

    async def _settle(self) -> None:
        # Of a file that the server sends by itself, nobody is told how far it came.
        complete = not self.is_handed_over and reaches_end(self)
        await self.lending.settle(began=self.began, ended=self.ended, complete=complete)


async def behind(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what was read ahead, and the rest."""
    if first:
        yield first
    async for chunk in rest:
        yield chunk


async def whole(content: bytes) -> AsyncGenerator[bytes]:
    """Yield what is small at once."""
    if content:
        yield content


async def is_gone(receive: Receive) -> bool:
    """Tell whether the client has hung up, as far as the server knows by now."""
    gone = asyncio.ensure_future(wait_until_gone(receive))
    await asyncio.sleep(0)
    if gone.done():
        return True
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    return False


def reaches_end(response: HttpResponseBase) -> bool:
    """Tell whether the last byte of what is shared is in an answer; not known of several parts."""
    if response.status_code == HTTPStatus.OK:
        return True
    span, _, size = response.get("Content-Range", "/").partition("/")
    return span.endswith(f"-{int(size) - 1}") if size else False
