"""The one aiohttp session of a worker."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fileservice.addresses import networks_of
from fileservice.fetch.session import SharedSession

LOOPBACK = networks_of("127.0.0.0/8")


@pytest.fixture
async def other_host() -> AsyncIterator[TestServer]:
    """Give a host that tells what it was sent, and sets a cookie."""

    async def tell(request: web.Request) -> web.Response:
        response = web.json_response(dict(request.headers))
        response.set_cookie("theirs", "1")
        return response

    application = web.Application()
    application.router.add_get("/", tell)
    running = TestServer(application)
    await running.start_server()
    yield running
    await running.close()


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
    shared: SharedSession, other_host: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    answers = [await shared.get().get(other_host.make_url("/")) for _ in range(2)]

    for answer in answers:
        seen = await answer.json()
        assert seen["Accept-Encoding"] == "identity"
        assert "Cookie" not in seen
