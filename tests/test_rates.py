"""How often somebody may ask."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fileservice.actors import Actor
from fileservice.errors import TooManyRequests
from fileservice.rates import MAX_REMEMBERED, Rates
from tests.client import FORM_TYPE, file_part, form_body
from tests.conftest import Server, need_program, serving
from tests.test_quotas import JSON, OFFSET, TUS, until

RATES = {"UPLOAD_RATE": "3/day", "CERTIFICATE_RATE": "2/day"}
TOKEN = "t" * 32


def address(number: int) -> Actor:
    return Actor(address=f"198.51.{number // 250}.{number % 250}")


@pytest.fixture(scope="module")
def limited(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="open", TOKEN=TOKEN, **RATES) as running:
        yield running


def test_uploads_are_limited_at_every_door_and_by_each_client(limited: Server) -> None:
    form = form_body(file_part(b"a", b"hello"))
    asks = [
        ("PUT", "/files/a", b"hello", {}),
        ("POST", "/files/", form, FORM_TYPE),
        ("POST", "/files/", None, {"Upload-Complete": "?0"}),
        ("POST", "/files/", None, TUS | {"Upload-Length": "5"}),
        ("POST", "/files/", b"hello", TUS | OFFSET | {"Upload-Length": "5"}),
    ]
    for number, (method, path, body, fields) in enumerate(asks):
        whose = {"X-Forwarded-For": f"192.0.2.{number}"} | JSON
        answers = [limited.ask(method, path, body, whose | fields) for _ in range(4)]

        refused = 503 if "Tus-Resumable" in fields else 429
        assert [answer.status for answer in answers] == [201, 201, 201, refused]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 2 * 24 * 3600
        assert answers[-1].headers["ratelimit-policy"] == '"uploads";q=3;w=86400'
        assert re.fullmatch(r'"uploads";r=0;t=[0-9]+', answers[-1].headers["ratelimit"])


def test_going_on_with_an_upload_is_never_limited(limited: Server) -> None:
    whose = {"X-Forwarded-For": "192.0.2.77"}
    made = [
        limited.ask("POST", "/files/", None, whose | TUS | {"Upload-Length": "5"}) for _ in range(4)
    ]
    path = made[0].headers["location"]

    sent = [
        limited.ask(
            "PATCH", path, b"hello"[at : at + 1], whose | TUS | OFFSET | {"Upload-Offset": str(at)}
        ).status
        for at in range(5)
    ]

    assert [answer.status for answer in made] == [201, 201, 201, 503]
    assert sent == [204] * 5
    for probe in ("/livez", "/readyz"):
        assert {limited.ask("GET", probe, headers=whose).status for _ in range(5)} == {200}


def test_certificates_are_limited(limited: Server) -> None:
    whose = {"X-Forwarded-For": "192.0.2.88"} | JSON
    asks = [("GET", "/certificate?name=Ada", None), ("POST", "/certificates/", b"name=Ada")] * 2
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    statuses = [limited.ask(*ask, whose | form).status for ask in asks]

    assert statuses == [200, 201, 429, 429]


def test_the_operators_own_token_has_no_limit(limited: Server) -> None:
    own = {"Authorization": f"Bearer {TOKEN}"}

    assert {limited.ask("PUT", "/files/a", b"x", own).status for _ in range(5)} == {201}


async def test_a_crowd_is_remembered_within_bounds() -> None:
    held = Rates("", uploads="1/day", certificates="")
    for number in range(MAX_REMEMBERED + 500):
        await held.check("uploads", address(number))

    assert len(held._memory.storage) <= MAX_REMEMBERED
    with pytest.raises(TooManyRequests):
        await held.check("uploads", address(MAX_REMEMBERED + 499))


async def test_a_redis_that_is_down_stops_nobody_and_each_worker_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    held = Rates(f"async+redis://127.0.0.1:{port}/0", uploads="2/day", certificates="")

    await held.check("uploads", address(1))
    await held.check("uploads", address(1))
    with pytest.raises(TooManyRequests):
        await held.check("uploads", address(1))

    await held.close()
    assert caplog.text.count("Redis cannot be asked") == 1


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis of our own on a socket file, and return its URL."""
    program = need_program("redis-server")
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    path = folder / "s"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(path.exists)
        yield f"async+redis+unix://{path}"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


@pytest.mark.long
def test_workers_count_together_in_redis(migrated: Path) -> None:
    with (
        redis() as url,
        serving(migrated, "--workers", "2", ACCESS="open", LIMITS_URL=url, **RATES) as server,
    ):
        statuses = [server.ask("PUT", "/files/a", b"hello").status for _ in range(12)]

        assert statuses == [201] * 3 + [429] * 9
        assert "Redis cannot be asked" not in server.log.read_text()
