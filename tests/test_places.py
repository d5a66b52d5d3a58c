"""How many errands are under way at once."""

import asyncio
from dataclasses import dataclass

import pytest
from aiohttp import web

from fileservice.errors import RemoteTimeout
from fileservice.fetch.fetching import (
    MAX_AT_ONCE,
    MAX_AT_ONCE_PER_HOST,
)
from tests.otherhosts import OtherHost, fetching, other_host
from tests.outside import names_are, said
from tests.rawhosts import (
    PDF,
    SOON,
    WANTED,
    content_of,
    of_operator,
    within_seconds,
)


@dataclass
class Crowd:
    """Counts who is being answered at once."""

    now: int = 0
    most: int = 0
    seconds: float = 0.05

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)  # a slow host, so that all who may come are there
        self.now -= 1
        return await said(PDF, "application/pdf")(request)


async def until_asked(host: OtherHost, times: int) -> None:
    while len(host.requests) < times:  # noqa: ASYNC110 - a host only notes what it was asked
        await asyncio.sleep(0.01)


async def test_one_host_gets_four_errands_at_once() -> None:
    crowd = Crowd()

    async with other_host(crowd.answer) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        contents = await asyncio.gather(*(content_of(fetcher, errand) for _ in range(20)))

    assert contents == [PDF] * 20
    assert crowd.most == 4


async def test_all_hosts_together_get_sixteen_errands_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd()
    names = [f"{n}.test" for n in range(8)]
    names_are(monkeypatch, {name: [["127.0.0.1"]] for name in names})

    async with other_host(crowd.answer) as host, fetching() as fetcher:
        errands = [of_operator(f"http://{name}:{host.port}/") for name in names for _ in range(6)]
        contents = await asyncio.gather(*(content_of(fetcher, each) for each in errands))

    assert contents == [PDF] * 48
    assert crowd.most == 16


async def test_a_slow_host_does_not_take_the_places_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names_are(monkeypatch, {"fast.test": [["127.0.0.1"]]})

    async with (
        other_host(Crowd(seconds=60).answer) as slow,
        other_host(said(PDF, "application/pdf")) as fast,
        fetching() as fetcher,
    ):
        errand = of_operator(str(slow.url()))
        waiting = [asyncio.create_task(content_of(fetcher, errand)) for _ in range(MAX_AT_ONCE)]
        await until_asked(slow, MAX_AT_ONCE_PER_HOST)

        content = await content_of(fetcher, of_operator(f"http://fast.test:{fast.port}/"))

        assert content == PDF
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_waiting_for_a_place_counts_into_the_time() -> None:
    async with other_host(Crowd(seconds=60).answer) as host, fetching() as fetcher:
        errand = of_operator(str(host.url()))
        first = [asyncio.create_task(fetcher.fetch(errand, WANTED)) for _ in range(4)]
        await until_asked(host, MAX_AT_ONCE_PER_HOST)

        with within_seconds(5), pytest.raises(RemoteTimeout):
            await fetcher.fetch(errand, SOON)

        assert len(host.requests) == MAX_AT_ONCE_PER_HOST
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)


async def test_places_are_free_again_after_all_that_can_go_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"{n}.test" for n in range(8)]
    names_are(monkeypatch, {name: [["127.0.0.1"]] for name in names})

    async with other_host(Crowd(seconds=60).answer) as host, fetching() as fetcher:
        errands = [of_operator(f"http://{name}:{host.port}/") for name in names for _ in range(6)]
        left = [asyncio.create_task(fetcher.fetch(each, WANTED)) for each in errands]
        await until_asked(host, MAX_AT_ONCE)
        late = [fetcher.fetch(each, SOON) for each in errands]
        await asyncio.gather(*late, return_exceptions=True)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

        crowd = Crowd()
        host.answer = crowd.answer
        contents = await asyncio.gather(*(content_of(fetcher, each) for each in errands))

    assert contents == [PDF] * 48
    assert crowd.most == 16
