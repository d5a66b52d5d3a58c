"""
How often somebody may ask for what costs something, over a window that slides.

Each worker counts for itself, in memory that is bounded; or all workers together, in Redis.
"""

import logging
import math
import time
from typing import Any, Literal, NamedTuple, cast

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from fileservice.actors import Actor
from fileservice.errors import TooManyRequests
from fileservice.pauses import network_of

log = logging.getLogger("fileservice.rates")

Kind = Literal["uploads", "certificates"]

# Of addresses and users that one worker remembers; who has not asked for longest is forgotten.
MAX_REMEMBERED = 5_000
# What Redis may take; then each worker counts for itself.
REDIS_SECONDS = 0.5
LOG_SECONDS = 60.0


class Rates:
    """The limits of a service, and what one worker knows of who has asked."""

    def __init__(self, url: str, **rates: str) -> None:
        """Take rates as 100/minute, empty for none, and where Redis is, empty for memory."""
        self._items: dict[str, RateLimitItem] = {
            kind: parse(rate) for kind, rate in rates.items() if rate
        }
        self._memory = MemoryStorage()
        self._here = SlidingWindowCounterRateLimiter(self._memory)
        self._redis = redis(url) if url and self._items else None
        self._logged = -LOG_SECONDS

    async def check(self, kind: Kind, by: Actor) -> None:
        """
        Count a request of somebody, and of an address where nobody says who it is.

        The operator's own token has no limit.

        Raises:
            TooManyRequests: there were too many; `headers` says when to come back.
        """
        item = self._items.get(kind)
        if item is None or (by.user_id is None and by.name):
            return
        network = network_of(by.address) or "socket"
        subject = f"address:{network}" if by.user_id is None else f"user:{by.user_id}"
        wait = await self._wait(item, kind, subject)
        if wait is not None:
            raise refusal(kind, item, wait)

    async def _wait(self, item: RateLimitItem, kind: Kind, subject: str) -> int | None:
        """Count a request; return for how many seconds there may be no other, None where it may."""
        if self._redis is not None:
            try:
                return await hit(self._redis.limiter, item, kind, subject)
            except StorageError:
                self._log_outage()
        while len(self._memory.storage) >= MAX_REMEMBERED:
            await self._memory.clear(next(iter(self._memory.storage)))
        return await hit(self._here, item, kind, subject)

    def _log_outage(self) -> None:
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            log.exception("Redis cannot be asked; each worker counts for itself.")

    async def close(self) -> None:
        """Let go of the connections."""
        if self._redis is not None:
            # The client is in no type of the library, and it has no other way to close.
            await cast("Any", self._redis.storage.bridge).storage.aclose()


class Redis(NamedTuple):
    """What all workers share."""

    storage: RedisStorage
    limiter: SlidingWindowCounterRateLimiter


def redis(url: str) -> Redis:
    """
    Return what counts in Redis; nothing is asked of it yet.

    Raises:
        ConfigurationError: the extra `redis` is not installed.
    """
    storage = RedisStorage(
        url,
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="fileservice",
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
    )
    return Redis(storage, SlidingWindowCounterRateLimiter(storage))


async def hit(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, kind: Kind, subject: str
) -> int | None:
    """Count a request; return for how many seconds there may be no other, None where it may."""
    if await limiter.hit(item, kind, subject):
        return None
    stats = await limiter.get_window_stats(item, kind, subject)
    return max(1, math.ceil(stats.reset_time - time.time()))


def refusal(kind: Kind, item: RateLimitItem, wait: int) -> TooManyRequests:
    """Return what tells to wait, also in the fields of draft-ietf-httpapi-ratelimit-headers-10."""
    seconds = item.get_expiry()
    return TooManyRequests(
        f"There may be {item.amount:,} {kind} in {seconds:,} seconds.",
        headers={
            "Retry-After": str(wait),
            "RateLimit-Policy": f'"{kind}";q={item.amount};w={seconds}',
            "RateLimit": f'"{kind}";r=0;t={wait}',
        },
    )
