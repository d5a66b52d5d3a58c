"""Copies of what other hosts have: fetched once for all who wait, kept, made new behind them."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass

from fileservice.errors import FileserviceError, ServiceUnavailable

log = logging.getLogger("fileservice.fetch")

FAILED_SECONDS = 5
REFRESH_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """
    How long a copy serves, in seconds since it was last made or found unchanged.

    Attributes:
        fresh: until then it serves without a thought; later it still serves, and is made anew
            behind whoever asks.
        old: from then on whoever asks waits for the new one, but not longer than two seconds.
    """

    fresh: float
    old: float


@dataclass(frozen=True, slots=True)
class Copy[T]:
    """A value as of a moment of the monotonic clock."""

    value: T
    made_at: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no value, as of a moment of the monotonic clock."""

    error: FileserviceError
    made_at: float


class Copies[K: Hashable, T]:
    """
    Keeps the value of each key, the `most` that were last asked for; no more are made at once.

    `make` gets a key and the value there was, if any. What it raises is told to all who wait; is it
    a FileserviceError, it is told for five more seconds without another try.
    """

    def __init__(
        self,
        make: Callable[[K, T | None], Awaitable[T]],
        freshness: Freshness,
        *,
        most: int,
    ) -> None:
        self._make = make
        self._freshness = freshness
        self._most = most
        self._kept: OrderedDict[K, Copy[T] | Failure] = OrderedDict()
        self._flights: dict[K, asyncio.Task[T]] = {}

    async def get(self, key: K) -> T:
        """
        Return the value of `key`.

        Raises:
            FileserviceError: there is none, by what `make` says.
            ServiceUnavailable: too many others are being made.
        """
        kept = self._kept.get(key)
        if isinstance(kept, Copy):
            return await self._aged(key, kept)
        if kept is not None and time.monotonic() - kept.made_at < FAILED_SECONDS:
            # Anew each time: a raised exception keeps the frames of whoever it passed.
            raise type(kept.error)(kept.error.detail)
        flight = self._flight(key, None)
        # Not `await flight`: whoever leaves must stop nobody.
        await asyncio.wait([flight])
        return flight.result()

    def values(self) -> Iterable[tuple[K, T]]:
        """Return each key and value there is."""
        return [(key, kept.value) for key, kept in self._kept.items() if isinstance(kept, Copy)]

    async def close(self) -> None:
        """Stop what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _aged(self, key: K, copy: Copy[T]) -> T:
        """Return the value of `copy`, or of the next if this is old and that is soon made."""
        age = time.monotonic() - copy.made_at
        if age < self._freshness.fresh:
            self._kept.move_to_end(key)
            return copy.value
        if key not in self._flights and len(self._flights) >= self._most:
            return copy.value
        flight = self._flight(key, copy.value)
        if age < self._freshness.old:
            return copy.value
        await asyncio.wait([flight], timeout=REFRESH_WAIT_SECONDS)
        return flight.result() if flight.done() else copy.value

    def _flight(self, key: K, before: T | None) -> asyncio.Task[T]:
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= self._most:
                raise ServiceUnavailable(
                    "Too much is being fetched from other hosts.", headers={"Retry-After": "5"}
                )
            flight = self._flights[key] = asyncio.create_task(self._made(key, before))
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    async def _made(self, key: K, before: T | None) -> T:
        try:
            value = await self._make(key, before)
        except FileserviceError as error:
            self._keep(key, Failure(error, time.monotonic()))
            raise
        self._keep(key, Copy(value, time.monotonic()))
        return value

    def _keep(self, key: K, kept: Copy[T] | Failure) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _landed(self, key: K, flight: asyncio.Task[T]) -> None:
        del self._flights[key]
        error = None if flight.cancelled() else flight.exception()
        if error is not None and not isinstance(error, FileserviceError):
            # A fault of ours; everybody who waited may have left.
            log.error("what was to be made of %r failed", key, exc_info=error)
