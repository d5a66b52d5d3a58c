"""An offset that was told is never ahead of the bytes: workers killed, stopped and gone on."""

import contextlib
import hashlib
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fileservice.options import DATABASE
from tests.client import WAIT_SECONDS
from tests.conftest import (
    CHECKOUT,
    START_SECONDS,
    Server,
    environment,
    free_port,
    manage,
    serving,
    wait_until_up,
)
from tests.echo import wait_until
from tests.test_crash import injecting
from tests.test_tus import BYTES, TUS, append, create

pytestmark = pytest.mark.long

CONTENT = os.urandom(300_000)
FIRST = 100_000
GONE = (OSError, http.client.HTTPException)
STEPS = [
    *(f"fdatasync:signal=KILL:when={step}" for step in range(1, 9)),
    *(f"fsync:signal=KILL:when={step}" for step in range(1, 5)),
    *(f"pwrite64:signal=KILL:when={step}" for step in (1, 2, 4, 7, 11, 16)),
    *(f"flock:signal=KILL:when={step}" for step in (1, 2)),
    "link,linkat:signal=KILL:when=1",
    "unlink,unlinkat:signal=KILL:when=1",
    "mkdir,mkdirat:signal=KILL:when=1",
]
SMALL = 10_000
CREATING = [
    "fdatasync:signal=KILL:when=1",
    *(f"fsync:signal=KILL:when={step}" for step in range(1, 4)),
    *(f"pwrite64:signal=KILL:when={step}" for step in (1, 2, 4, 7, 11)),
    "flock:signal=KILL:when=1",
    "mkdir,mkdirat:signal=KILL:when=1",
]
JOINING = ["copy_file_range:signal=KILL:when=1", "copy_file_range:signal=KILL:when=2"]


def offset_of(server: Server, path: str) -> int:
    answer = server.ask("HEAD", path, None, TUS)
    assert answer.status == 200, answer
    return int(answer.headers["upload-offset"])


def digest_of(server: Server, path: str) -> str:
    """Return the SHA-256 of what is read of an upload, which the server says too."""
    known = server.ask("GET", path, headers={"Accept": "application/json"}).json
    body = server.ask("GET", known["url"].removeprefix(server.url)).body
    assert hashlib.sha256(body).hexdigest() == known["sha256"]
    sha256: str = known["sha256"]
    return sha256


@contextlib.contextmanager
def killed_and_started(server: Server) -> Iterator[Server]:
    """Kill a service, and serve what it left; in a copy, two names of a file would be two files."""
    server.process.kill()
    server.process.wait(START_SECONDS)
    port = free_port()
    with server.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            env=environment(server.root, ACCESS="open"),
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
        )
    started = replace(server, port=port, process=process)
    try:
        wait_until_up(started)
        yield started
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextlib.contextmanager
def rested(migrated: Path) -> Iterator[Server]:
    """Serve, and let the sweep of the start end: killed in it, nobody sweeps for a minute."""
    with serving(migrated, ACCESS="open") as running:
        wait_until(lambda: bool(selected(running, "SELECT 1 FROM fileservice_duty WHERE done_at")))
        yield running


def selected(server: Server, sql: str, *values: str) -> list[tuple[int, ...]]:
    with contextlib.closing(sqlite3.connect(server.root / DATABASE)) as rows:
        return rows.execute(sql, values).fetchall()


def swept(server: Server) -> int:
    """Return how many files are left when all that is of no use was removed."""
    # One that starts sweeps by itself, and nobody sweeps beside it.
    wait_until(lambda: manage(server.root, "sweep", "--grace", "0").returncode == 0)
    return len(server.stored())


@pytest.mark.parametrize("fault", STEPS)
def test_a_kill_at_any_step_of_an_append_leaves_what_was_told(migrated: Path, fault: str) -> None:
    with rested(migrated) as running:
        path = create(running, Upload_Length=str(len(CONTENT))).headers["location"]
        told = 0
        with injecting(running, fault), contextlib.suppress(*GONE):
            first = append(running, path, 0, CONTENT[:FIRST])
            told = int(first.headers["upload-offset"])
            told = int(append(running, path, told, CONTENT[told:]).headers["upload-offset"])
        with killed_and_started(running) as restarted:
            kept = offset_of(restarted, path)
            assert told <= kept <= len(CONTENT)
            if kept < len(CONTENT):
                # What was placed before its row is whole, and the answer says so.
                again = append(restarted, path, kept, CONTENT[kept:])
                assert again.status in (204, 409), again
            assert offset_of(restarted, path) == len(CONTENT)
            assert digest_of(restarted, path) == hashlib.sha256(CONTENT).hexdigest()
            assert swept(restarted) == 1


@pytest.mark.parametrize("fault", CREATING)
@pytest.mark.parametrize("named", ["", "filename YS5iaW4="])
def test_a_kill_at_any_step_of_a_creation_with_all_bytes_leaves_the_file_or_nothing(
    migrated: Path, fault: str, named: str
) -> None:
    content = CONTENT[:SMALL]
    fields = TUS | BYTES | {"Upload-Length": str(SMALL), "Upload-Metadata": named}
    with rested(migrated) as running:
        path = ""
        with injecting(running, fault), contextlib.suppress(*GONE):
            path = running.ask("POST", "/files/", content, fields).headers["location"]
        with killed_and_started(running) as restarted:
            if path:
                assert offset_of(restarted, path) == SMALL
                assert digest_of(restarted, path) == hashlib.sha256(content).hexdigest()
            stored, uploads = counted(restarted)
            assert (stored, uploads) in ((0, 0), (1, 1 if named else 0))
            assert swept(restarted) == stored


def counted(server: Server) -> tuple[int, int]:
    """Return how many files there are, and how many uploads."""
    [[stored]] = selected(server, "SELECT count(*) FROM fileservice_file")
    [[uploads]] = selected(server, "SELECT count(*) FROM fileservice_resumableupload")
    return stored, uploads


@pytest.mark.parametrize("fault", [*JOINING, *STEPS[8:12], *STEPS[-3:]])
def test_a_kill_at_any_step_of_a_join_leaves_one_whole_file(migrated: Path, fault: str) -> None:
    with rested(migrated) as running:
        parts = [part(running, CONTENT[:FIRST]), part(running, CONTENT[FIRST:])]
        concat = f"final;{' '.join(parts)}"
        with injecting(running, fault), contextlib.suppress(*GONE):
            create(running, Upload_Concat=concat)
        with killed_and_started(running) as restarted:
            path = create(restarted, Upload_Concat=concat).headers["location"]
            wait_until(lambda: restarted.ask("HEAD", path, None, TUS).status == 200)
            assert create(restarted, Upload_Concat=concat).headers["location"] == path
            assert offset_of(restarted, path) == len(CONTENT)
            assert digest_of(restarted, path) == hashlib.sha256(CONTENT).hexdigest()
            assert swept(restarted) == 1 + len(parts)


@pytest.mark.parametrize("fault", [STEPS[0], STEPS[1], STEPS[12], STEPS[8], STEPS[-2]])
@pytest.mark.parametrize("size", [FIRST, len(CONTENT)])
def test_a_kill_at_any_step_of_a_removal_leaves_all_or_nothing(
    migrated: Path, fault: str, size: int
) -> None:
    with rested(migrated) as running:
        path = create(running, Upload_Length=str(len(CONTENT))).headers["location"]
        append(running, path, 0, CONTENT[:size])
        status = 0
        with injecting(running, fault), contextlib.suppress(*GONE):
            status = running.ask("DELETE", path, None, TUS).status
        with killed_and_started(running) as restarted:
            there = restarted.ask("HEAD", path, None, TUS)
            assert there.status in ((404, 410) if status == 204 else (200, 404, 410))
            assert swept(restarted) == (1 if there.status == 200 else 0)
            if there.status == 200:
                assert there.headers["upload-offset"] == str(size)


def part(server: Server, content: bytes) -> str:
    made = create(server, Upload_Length=str(len(content)), Upload_Concat="partial").headers
    assert append(server, made["location"], 0, content).status == 204
    return made["location"]


@contextlib.contextmanager
def sending(server: Server, path: str, content: bytes) -> Iterator[socket.socket]:
    """Send some of a body that is never sent whole, until it lies in the draft."""
    head = f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in (TUS | BYTES).items())
    length = f"Content-Length: {len(CONTENT)}\r\n\r\n"
    with socket.create_connection(server.address, WAIT_SECONDS) as client:
        client.sendall((head + fields + length).encode() + content)
        yield client


def holder_of(server: Server, path: str) -> int:
    """Return the process that has the draft of an upload open, once one has."""
    found: list[int] = []

    def look() -> bool:
        incoming = str(server.root / "uploads" / "incoming")
        for entry in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if str(entry.readlink()).startswith(incoming):
                    found.append(int(entry.parts[2]))
        return bool(found)

    wait_until(look)
    return found[0]


def test_a_worker_that_is_killed_is_soon_followed_by_another(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        path = create(running, Upload_Length=str(len(CONTENT))).headers["location"]
        with sending(running, path, CONTENT[:FIRST]):
            os.kill(holder_of(running, path), signal.SIGKILL)
            kept = offset_of(running, path)
            answer = append(running, path, kept, CONTENT[kept:])

        assert answer.status == 204, answer
        assert digest_of(running, path) == hashlib.sha256(CONTENT).hexdigest()


def test_a_worker_that_is_stopped_harms_nothing_when_it_goes_on(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        path = create(running, Upload_Length=str(len(CONTENT))).headers["location"]
        with sending(running, path, CONTENT[:FIRST]) as stopped:
            holder = holder_of(running, path)
            os.kill(holder, signal.SIGSTOP)
            try:
                refused = until_answered(running, path)
            finally:
                os.kill(holder, signal.SIGCONT)
            assert refused == 423
            wait_until(lambda: running.ask("HEAD", path, None, TUS).status == 200)
            answered = stopped.recv(1 << 16)
            # Nothing where its supervisor took it for dead meanwhile.
            assert not answered or b" 423 " in answered.split(b"\r\n", 1)[0]
        kept = offset_of(running, path)
        answer = append(running, path, kept, CONTENT[kept:])

        assert answer.status == 204, answer
        assert digest_of(running, path) == hashlib.sha256(CONTENT).hexdigest()


def until_answered(server: Server, path: str) -> int:
    """Return the status of HEAD by a worker that is not stopped: the stopped one takes some."""
    for _ in range(20):
        connection = http.client.HTTPConnection(*server.address, timeout=8)
        with contextlib.closing(connection), contextlib.suppress(TimeoutError):
            connection.request("HEAD", path, None, TUS)
            with connection.getresponse() as answer:
                return answer.status
    raise AssertionError("no worker answers")


def noted(server: Server, path: str) -> int:
    """Return the offset that is in the row, and ask nobody who writes."""
    key = path.rpartition("/")[2]
    sql = "SELECT offset FROM fileservice_resumableupload WHERE key = ?"
    [[offset]] = selected(server, sql, key)
    return offset


def test_a_killed_service_costs_what_came_last_only(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        path = create(running, Upload_Length=str(len(CONTENT))).headers["location"]
        with sending(running, path, CONTENT[:FIRST]) as client:
            sent = FIRST
            while noted(running, path) < FIRST:
                client.sendall(CONTENT[sent : sent + 1])
                sent += 1
                time.sleep(0.1)

            with killed_and_started(running) as restarted:
                kept = offset_of(restarted, path)
                assert FIRST <= kept <= sent
                assert append(restarted, path, kept, CONTENT[kept:]).status == 204
                assert digest_of(restarted, path) == hashlib.sha256(CONTENT).hexdigest()
