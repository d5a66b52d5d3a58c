"""The one aiohttp session of a worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from fileservice.fetch.session import CONNECTIONS, CONNECTIONS_PER_HOST, SharedSession
from tests.otherhosts import LOOPBACK, other_host


class Crowd:
    """
    Counts who is answered at the same time.

    Attributes:
        most: how many there were at once.
    """

    def __init__(self) -> None:
        self.most = 0
        self._now = 0

    async def answer(self, _: web.Request) -> web.Response:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.05)  # so that all who may be here are
        self._now -= 1
        return web.Response()


@pytest.fixture
async def shared() -> AsyncIterator[SharedSession]:
    session = SharedSession(LOOPBACK)
    yield session
    await session.close()


async def test_one_session_is_made_for_all_who_ask(shared: SharedSession) -> None:
    assert shared.get() is shared.get()
    assert shared.made == 1


async def test_a_session_that_somebody_closed_is_made_anew(shared: SharedSession) -> None:
    await shared.get().close()

    assert not shared.get().closed
    assert shared.made == 2


async def test_a_closed_service_has_no_open_session(shared: SharedSession) -> None:
    session = shared.get()

    await shared.close()

    assert session.closed


async def test_a_service_that_never_asked_has_nothing_to_close() -> None:
    shared = SharedSession(LOOPBACK)

    await shared.close()

    assert shared.made == 0


async def test_another_host_is_asked_for_plain_bytes_and_leaves_no_cookie(
    shared: SharedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(request: web.Request) -> web.Response:
        response = web.json_response(dict(request.headers))
        response.set_cookie("theirs", "1")
        return response

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with other_host(tell) as host:
        answers = [await (await shared.get().get(str(host.url()))).json() for _ in range(2)]

    for seen in answers:
        assert seen["Accept-Encoding"] == "identity"
        assert "Cookie" not in seen


async def ask(shared: SharedSession, url: str) -> int:
    async with shared.get().get(url) as answer:
        return answer.status


async def test_callers_of_one_host_share_a_bounded_number_of_connections(
    shared: SharedSession,
) -> None:
    crowd = Crowd()
    async with other_host(crowd.answer) as host:
        urls = [str(host.url())] * CONNECTIONS_PER_HOST * 3

        statuses = await asyncio.gather(*(ask(shared, url) for url in urls))

    assert set(statuses) == {200}
    assert crowd.most == CONNECTIONS_PER_HOST
    assert len(host.connections) == shared.guard.connections == CONNECTIONS_PER_HOST


async def test_callers_of_many_hosts_share_a_bounded_number_too(shared: SharedSession) -> None:
    crowd = Crowd()
    async with AsyncExitStack() as stack:
        count = CONNECTIONS // CONNECTIONS_PER_HOST + 2
        hosts = [await stack.enter_async_context(other_host(crowd.answer)) for _ in range(count)]
        urls = [str(host.url()) for host in hosts] * CONNECTIONS_PER_HOST

        statuses = await asyncio.gather(*(ask(shared, url) for url in urls))

    assert set(statuses) == {200}
    assert crowd.most == CONNECTIONS
