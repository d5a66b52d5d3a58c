"""Copies of what other hosts have: one fetch for many, kept, made new behind who asks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

import pytest

from fileservice.errors import RemoteFailed, ServiceUnavailable
from fileservice.fetch import copies
from fileservice.fetch.copies import Copies, Freshness

ALWAYS = Freshness(fresh=inf, old=inf)
STALE = Freshness(fresh=0, old=inf)
OLD = Freshness(fresh=0, old=0)

type Make = Callable[[str, int | None], Awaitable[int]]


class Counter:
    """
    Makes 1, 2, 3, ... where it is let to.

    Attributes:
        begun: is released with each one.
    """

    def __init__(self) -> None:
        self.made = 0
        self.befores: list[int | None] = []
        self.begun = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def make(self, _key: str, before: int | None) -> int:
        self.made += 1
        self.befores.append(before)
        number = self.made
        self.begun.release()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number


@asynccontextmanager
async def opened(
    make: Make, freshness: Freshness, most: int = 8
) -> AsyncIterator[Copies[str, int]]:
    kept = Copies(make, freshness, most=most)
    yield kept
    await kept.close()


async def until_made(counter: Counter, times: int) -> None:
    for _ in range(times):
        await asyncio.wait_for(counter.begun.acquire(), 10)


async def test_200_who_wait_cause_one_fetch() -> None:
    counter = Counter()
    async with opened(counter.make, ALWAYS) as kept:
        values = await asyncio.gather(*(kept.get("a") for _ in range(200)))

    assert set(values) == {1}
    assert counter.made == 1


async def test_a_fresh_copy_serves_without_another_fetch() -> None:
    counter = Counter()
    async with opened(counter.make, ALWAYS) as kept:
        await kept.get("a")

        assert await kept.get("a") == 1
        assert counter.made == 1


async def test_the_first_who_asked_may_leave_and_the_others_are_served() -> None:
    counter = Counter()
    counter.gate.clear()
    async with opened(counter.make, ALWAYS) as kept:
        first = asyncio.create_task(kept.get("a"))
        others = [asyncio.create_task(kept.get("a")) for _ in range(3)]
        await until_made(counter, 1)
        first.cancel()
        await asyncio.wait([first])
        counter.gate.set()

        assert await asyncio.gather(*others) == [1, 1, 1]
        assert first.cancelled()
        assert counter.made == 1


async def test_a_stale_copy_serves_at_once_and_is_made_new_behind() -> None:
    counter = Counter()
    async with opened(counter.make, STALE) as kept:
        await kept.get("a")
        counter.gate.clear()

        assert await kept.get("a") == 1
        await until_made(counter, 2)
        assert await kept.get("a") == 1
        assert counter.befores == [None, 1]


async def test_an_old_copy_waits_for_the_new_one() -> None:
    counter = Counter()
    async with opened(counter.make, OLD) as kept:
        await kept.get("a")

        assert await kept.get("a") == 2


async def test_an_old_copy_serves_where_the_new_one_is_long_in_coming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "REFRESH_WAIT_SECONDS", 0.01)
    counter = Counter()
    async with opened(counter.make, OLD) as kept:
        await kept.get("a")
        counter.gate.clear()

        assert await kept.get("a") == 1


async def test_a_failure_is_told_to_all_and_not_tried_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = Counter()
    counter.error = RemoteFailed("it is down")
    async with opened(counter.make, ALWAYS) as kept:
        told = await asyncio.gather(*(kept.get("a") for _ in range(9)), return_exceptions=True)
        with pytest.raises(RemoteFailed, match="it is down"):
            await kept.get("a")
        assert counter.made == 1

        counter.error = None
        monkeypatch.setattr(copies, "FAILED_SECONDS", 0)
        assert await kept.get("a") == 2

    assert [type(error) for error in told] == [RemoteFailed] * 9


async def test_only_the_last_asked_for_are_kept() -> None:
    counter = Counter()
    async with opened(counter.make, ALWAYS, most=2) as kept:
        for key in ("a", "b", "a", "c"):
            await kept.get(key)

        assert dict(kept.values()) == {"a": 1, "c": 3}


async def test_no_more_are_made_at_once_than_are_kept() -> None:
    counter = Counter()
    counter.gate.clear()
    async with opened(counter.make, ALWAYS, most=2) as kept:
        waiting = [asyncio.create_task(kept.get(key)) for key in "ab"]
        await until_made(counter, 2)

        with pytest.raises(ServiceUnavailable) as refused:
            await kept.get("c")

        assert refused.value.headers == {"Retry-After": "5"}
        counter.gate.set()
        assert await asyncio.gather(*waiting) == [1, 2]


async def test_a_stale_copy_serves_also_while_too_many_are_made() -> None:
    counter = Counter()
    async with opened(counter.make, STALE, most=1) as kept:
        await kept.get("a")
        counter.gate.clear()
        other = asyncio.create_task(kept.get("b"))
        await until_made(counter, 2)

        assert await kept.get("a") == 1
        assert counter.made == 2
        counter.gate.set()
        await other


async def test_a_fault_of_ours_is_raised_logged_and_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counter = Counter()
    counter.error = ZeroDivisionError()
    async with opened(counter.make, ALWAYS) as kept:
        with pytest.raises(ZeroDivisionError):
            await kept.get("a")
        counter.error = None

        assert await kept.get("a") == 2
    assert "failed" in caplog.text


async def test_what_is_under_way_ends_at_the_close() -> None:
    counter = Counter()
    counter.gate.clear()
    async with opened(counter.make, ALWAYS) as kept:
        waiting = asyncio.create_task(kept.get("a"))
        await until_made(counter, 1)

    with pytest.raises(asyncio.CancelledError):
        await waiting
