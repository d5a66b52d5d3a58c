"""Several workers under several servers: in each one session, for all its requests, to its end."""

import asyncio
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from fileservice.fetch.session import CONNECTIONS_PER_HOST
from fileservice.management.commands.serve import GRACEFUL_SECONDS
from tests.conftest import START_SECONDS, Server, need_program, serving
from tests.otherhosts import OtherHost
from tests.servers import (
    SERVERS,
    Command,
    host_aside,
    samples,
    serving_under,
    sessions_made,
    uvicorn,
    walk,
)

WORKERS = 4
REQUESTS = 200
AT_ONCE = 50
ROUNDS = 50
CLOSED = "at the end the session is closed"
CALLING = "tests.calling:application"
SESSIONS = "fileservice_http_sessions_made_total"
CONNECTIONS = "fileservice_http_connections_made_total"
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Pair:
    """A service of several workers, and the other host that it asks."""

    server: Server
    host: OtherHost


# Ours is uvicorn; that the others do the same is proved where there is more time.
OTHERS = [pytest.param(each, marks=pytest.mark.long) for each in SERVERS if each is not uvicorn]


@pytest.fixture(scope="module", params=[uvicorn, *OTHERS], ids=lambda command: command.__name__)
def command(request: pytest.FixtureRequest) -> Command:
    chosen: Command = request.param
    return chosen


@pytest.fixture(scope="module")
def pair(
    command: Command, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.01)  # so that requests of one worker overlap
        return web.json_response({"items": [request.path]})

    root = tmp_path_factory.mktemp("workers")
    shutil.copytree(migrated, root, dirs_exist_ok=True)
    with (
        host_aside(answer) as host,
        serving_under(
            command,
            root,
            root / "server.log",
            workers=WORKERS,
            program=CALLING,
            calling=str(host.url("/called")),
            FETCH_ALLOW_NETWORKS=LOOPBACK,
            HOME_PANELS=f"news={host.url('/news')}",
        ) as server,
    ):
        yield Pair(server, host)


def flood(url: str) -> str:
    """Return what ab says of many requests for pages, each on a connection of its own."""
    # -l: pages may differ in length.
    options = ["-q", "-l", "-c", str(AT_ONCE), "-n", str(REQUESTS), "-H", "Accept: text/html"]
    done = subprocess.run(
        [need_program("ab"), *options, url],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_all_answered(report: str) -> None:
    assert re.search(rf"Complete requests: +{REQUESTS}\n", report)
    assert re.search(r"Failed requests: +0\n", report)
    assert "Non-2xx responses" not in report


def counts(server: Server, name: str, workers: int = WORKERS) -> dict[str, float]:
    """Return a count of each worker, asked for until all of them have answered."""
    found: dict[str, float] = {}
    with ThreadPoolExecutor(8) as threads:
        for _ in range(ROUNDS):
            for answer in threads.map(lambda _: server.ask("GET", "/metrics"), range(8)):
                made = (sample for sample in samples(answer) if sample.name == name)
                found |= {sample.labels["worker"]: sample.value for sample in made}
            if len(found) >= workers:
                break
    return found


def asked(host: OtherHost, path: str) -> int:
    return sum(request.path == path for request in host.requests)


@pytest.mark.long
def test_one_session_of_each_worker_serves_all_requests(pair: Pair) -> None:
    reports = [flood(f"{pair.server.url}/calling") for _ in range(2)]

    for report in reports:
        assert_all_answered(report)
    assert asked(pair.host, "/called") == len(reports) * REQUESTS
    assert sessions_made(pair.server) == WORKERS
    made = counts(pair.server, SESSIONS)
    assert list(made.values()) == [1] * WORKERS


@pytest.mark.long
def test_requests_share_few_connections(pair: Pair) -> None:
    flood(f"{pair.server.url}/calling")
    first = set(pair.host.connections)
    flood(f"{pair.server.url}/calling")

    begun = counts(pair.server, CONNECTIONS)
    assert len(pair.host.connections - first) < AT_ONCE
    assert len(pair.host.connections) <= sum(begun.values()) <= WORKERS * CONNECTIONS_PER_HOST


@pytest.mark.long
def test_visitors_of_the_home_page_cause_one_fetch_of_a_worker(pair: Pair) -> None:
    before = set(pair.host.connections)

    report = flood(f"{pair.server.url}/")

    assert_all_answered(report)
    assert 1 <= asked(pair.host, "/news") <= WORKERS
    assert len(pair.host.connections - before) <= WORKERS
    page = pair.server.ask("GET", "/", headers={"Accept": "text/html"})
    assert "/news" in page.text


@pytest.mark.long
def test_the_main_road_is_the_same(pair: Pair) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: walk(pair.server), range(8)))

    assert pair.server.stored() == []


@pytest.mark.long
def test_a_stop_waits_for_a_call_and_closes_the_sessions(
    command: Command, migrated: Path, tmp_path: Path
) -> None:
    asked_for, released = threading.Event(), threading.Event()

    async def answer_late(_: web.Request) -> web.Response:
        asked_for.set()
        await asyncio.to_thread(released.wait, START_SECONDS)
        return web.Response(text="late")

    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    log = tmp_path / "server.log"
    with (
        host_aside(answer_late) as host,
        ThreadPoolExecutor(1) as threads,
        serving_under(
            command,
            tmp_path,
            log,
            workers=2,
            program=CALLING,
            calling=str(host.url()),
            FETCH_ALLOW_NETWORKS=LOOPBACK,
        ) as server,
    ):
        hear_of_both(server)
        call = threads.submit(server.ask, "GET", "/calling")
        assert asked_for.wait(START_SECONDS)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        released.set()

        assert call.result().text == "late"
        assert server.process.wait(START_SECONDS) in (0, -signal.SIGTERM)
    assert log.read_text().count(CLOSED) == 2
    assert_nothing_was_left(log.read_text())


def hear_of_both(server: Server) -> None:
    """
    Return when two workers have answered.

    One of granian's that says it is started, and is told to stop before its loop runs, never does.
    """
    heard: set[str] = set()
    for _ in range(1000):
        heard.add(server.ask("GET", "/livez").headers["x-request-id"].partition("-")[0])
        if len(heard) > 1:
            return
    raise AssertionError(heard)


def assert_nothing_was_left(log: str) -> None:
    # Not every ResourceWarning: uvicorn's supervisor leaves its listening socket to the exit.
    traces = ("Unclosed", "unclosed transport", "was destroyed", "never retrieved", "Traceback")
    assert [trace for trace in traces if trace in log] == []


@pytest.mark.long
def test_a_host_that_never_answers_does_not_hold_a_stop(migrated: Path) -> None:
    asked_for = threading.Event()

    async def hang(_: web.Request) -> web.Response:
        asked_for.set()
        await asyncio.sleep(START_SECONDS)
        return web.Response()

    with (
        host_aside(hang) as host,
        ThreadPoolExecutor(1) as threads,
        serving(migrated, ACCESS="open", HOME_PANELS=f"news={host.url()}") as server,
    ):
        visit = threads.submit(server.ask, "GET", "/", None, {"Accept": "text/html"})
        assert asked_for.wait(START_SECONDS)
        server.process.send_signal(signal.SIGTERM)

        # Long before uvicorn would cut it off.
        server.process.wait(GRACEFUL_SECONDS - 15)
        assert visit.result().status == 200
        assert_nothing_was_left(server.log.read_text())


@pytest.mark.long
def test_a_session_that_a_view_closed_is_made_anew(migrated: Path, tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    log = tmp_path / "server.log"
    with (
        host_aside(answer) as host,
        serving_under(
            uvicorn,
            tmp_path,
            log,
            workers=1,
            program=CALLING,
            calling=str(host.url()),
            FETCH_ALLOW_NETWORKS=LOOPBACK,
        ) as server,
    ):
        server.ask("GET", "/closing")
        answers = [server.ask("GET", "/calling").text for _ in range(3)]

        assert answers == ["here"] * 3
        assert list(counts(server, SESSIONS, workers=1).values()) == [2]
    assert "HTTP session 2 of this worker is made" in log.read_text()
    assert CLOSED in log.read_text()
    assert_nothing_was_left(log.read_text())
