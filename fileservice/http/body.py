"""A request's body as a stream, with every wait bounded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fileservice.errors import Locked, SlowBody, TooLarge, Truncated
from fileservice.http.messages import Receive


class ClientGone(Exception):
    """The client hung up before its body was complete; nobody is there to be answered."""


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How slow a body may be.

    Attributes:
        wait_seconds: the longest silence, and the window over which the rate is taken.
        bytes_per_second: the lowest rate.
    """

    wait_seconds: int
    bytes_per_second: int


class Body:
    """
    One body, read once.

    Attributes:
        declared: bytes that Content-Length announces; None where it does not (chunked).
        complete: nothing of it is left to be received.
    """

    def __init__(self, receive: Receive, *, declared: int | None, chunked: bool) -> None:
        self._receive = receive
        self.declared = declared
        self.complete = not chunked and not declared
        self._waiting: asyncio.Timeout | None = None
        self._interrupted = False
        self._ended = False

    def interrupt(self) -> None:
        """End `chunks` with `Locked`, after what is here already: another request is to go on."""
        self._interrupted = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def chunks(self, pace: Pace) -> AsyncIterator[bytes]:
        """
        Yield what arrives, as it arrives.

        Only time spent waiting for the client counts against `pace`, never our own disk's.

        Raises:
            ClientGone: the connection ended first.
            Truncated: the body ended before the announced length.
            SlowBody: the client fell below `pace`.
            Locked: `interrupt` was called.
        """
        clock = asyncio.get_running_loop().time
        window_bytes, window_waited, size = 0, 0.0, 0
        while not self.complete:
            began = clock()
            chunk = await self._next(pace)
            window_waited += clock() - began
            window_bytes += len(chunk)
            size += len(chunk)
            if window_waited >= pace.wait_seconds:
                if window_bytes < window_waited * pace.bytes_per_second:
                    raise slow(pace)
                window_bytes, window_waited = 0, 0.0
            if chunk:
                yield chunk
        if self.declared is not None and size != self.declared:
            raise Truncated(f"The body has {size} bytes, its Content-Length says {self.declared}.")

    async def at_most(self, limit: int, pace: Pace, refusal: TooLarge) -> AsyncIterator[bytes]:
        """
        Yield what arrives, `limit` bytes at the most.

        Raises:
            TooLarge: more are announced, or come; it is `refusal`.
            ClientGone, Truncated, SlowBody: as `chunks`.
        """
        if (self.declared or 0) > limit:
            raise refusal
        async for chunk in self.chunks(pace):
            limit -= len(chunk)
            if limit < 0:
                raise refusal
            yield chunk

    async def _next(self, pace: Pace) -> bytes:
        if self._ended:
            raise interrupted()
        # One look more, without waiting: what is here already would have to be sent again.
        self._ended = self._interrupted
        seconds = 0 if self._ended else pace.wait_seconds
        try:
            async with asyncio.timeout(seconds) as self._waiting:
                message = await self._receive()
        except TimeoutError:
            raise (interrupted() if self._interrupted else slow(pace)) from None
        finally:
            self._waiting = None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


def interrupted() -> Locked:
    """Return the refusal of what another request writes in its place."""
    return Locked(
        "This request was ended for another one, or because the service stops; what came is kept.",
        headers={"Retry-After": "1"},
    )


def slow(pace: Pace) -> SlowBody:
    """Return the refusal of a body below `pace`."""
    return SlowBody(
        f"The body came more slowly than {pace.bytes_per_second} bytes a second"
        f" over {pace.wait_seconds} seconds; nothing was stored."
    )
