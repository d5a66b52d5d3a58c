"""Load of our own making: one question after the other, and what each answer took."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from bench.crowd import answer
from bench.servers import Server


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it: the seconds each answer took, and the seconds until the last was there."""

    waits: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.waits) / self.seconds


def ask_on_and_on(
    server: Server, path: Callable[[], str], *, connections: int, seconds: float
) -> Asked:
    """
    Ask on `connections` connections at once, each time for what `path` then says.

    What was asked within `seconds` is waited for.

    Raises:
        Refused: an answer was no success.
    """

    async def ask(until: float) -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        waits = []
        # Not the clock of the loop, which uvloop sets once a round and in milliseconds.
        while (start := time.perf_counter()) < until:
            writer.write(f"GET {path()} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
            await answer(reader)
            waits.append(time.perf_counter() - start)
        writer.close()
        return waits

    async def main() -> Asked:
        start = time.perf_counter()
        asking = [ask(start + seconds) for _ in range(connections)]
        waits = [wait for waits in await asyncio.gather(*asking) for wait in waits]
        return Asked(waits, time.perf_counter() - start)

    return uvloop.run(main())
