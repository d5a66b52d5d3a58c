"""A request's body as a stream."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fileservice.errors import Locked, SlowBody, Truncated
from fileservice.http.body import Body, ClientGone, Pace

PATIENT = Pace(30, 1)


def body_of(*messages: Mapping[str, Any], declared: int | None = None, pause: float = 0) -> Body:
    """Return the body that these ASGI messages make, each after a pause; then silence."""
    coming = list(messages)

    async def receive() -> Mapping[str, Any]:
        await asyncio.sleep(pause if coming else 3600)  # the client's own time, which is tested
        return coming.pop(0)

    return Body(receive, declared=declared, chunked=declared is None)


def chunk(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def read(body: Body, pace: Pace = PATIENT) -> bytes:
    return b"".join([part async for part in body.chunks(pace)])


async def test_a_body_is_what_arrives_in_its_order() -> None:
    body = body_of(chunk(b"some"), chunk(b""), chunk(b" more", more=False))

    assert not body.complete
    assert await read(body) == b"some more"
    assert body.complete


async def test_a_request_without_a_body_is_complete_from_the_start() -> None:
    assert body_of(declared=0).complete
    assert await read(body_of(declared=0)) == b""


@pytest.mark.parametrize("content", [b"", b"som", b"some more"])
async def test_a_body_of_another_length_than_announced_is_cut_short(content: bytes) -> None:
    with pytest.raises(Truncated):
        await read(body_of(chunk(content, more=False), declared=4))


async def test_a_client_that_hangs_up_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read(body_of(chunk(b"some"), {"type": "http.disconnect"}, declared=9))


async def test_silence_is_slow() -> None:
    with pytest.raises(SlowBody):
        await read(body_of(chunk(b"some"), declared=9), Pace(1, 1))


async def test_a_drip_is_slow_and_what_keeps_pace_is_not() -> None:
    drip = [chunk(b"x" * 20, more=number < 14) for number in range(15)]

    assert len(await read(body_of(*drip, pause=0.1), Pace(1, 10))) == 300
    with pytest.raises(SlowBody):
        await read(body_of(*drip, pause=0.1), Pace(1, 1000))


async def test_a_body_that_several_requests_end_at_once_ends_once() -> None:
    body = body_of(declared=9)
    reading = asyncio.create_task(read(body))
    for _ in range(5):
        await asyncio.sleep(0)  # one step of the loop: what ends a wait takes several
        body.interrupt()

    with pytest.raises(Locked):
        await reading


async def test_a_body_that_is_ended_gives_what_is_here_already_and_no_more() -> None:
    held = [chunk(b"some"), chunk(b" more"), chunk(b" and more")]
    given = bytearray()

    async def receive() -> Mapping[str, Any]:
        if not held:
            await asyncio.sleep(3600)
        return held.pop(0)

    async def keep(body: Body) -> None:
        async for part in body.chunks(PATIENT):
            given.extend(part)

    body = Body(receive, declared=99, chunked=False)
    body.interrupt()

    with pytest.raises(Locked):
        await keep(body)
    assert given == b"some"
