"""A batch goes on where it stood, whoever is killed, and each line is issued once."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fileservice.signingkeys import make_signing_key
from tests.conftest import START_SECONDS, Server, manage, serving
from tests.lists import (
    ACTIVE,
    AWARD,
    fetch,
    lease_ends,
    on,
    ordered,
    people,
    put_award,
    rows,
    told,
    waited,
)
from tests.processes import children_of, wait_until_gone
from tests.servers import host_aside
from tests.signatures import VALID, pdfsig
from tests.test_timestamping import stamping

LINES = 5000
MOST_LISTS = 120


def program_of(process: int) -> int:
    """Return the process that works on a batch for a worker."""
    [found] = [pid for pid, line in children_of(process).items() if " batch " in line]
    return found


def lines_of(server: Server) -> list[int]:
    return [line for (line,) in rows(server, "SELECT line FROM fileservice_certificate")]


def assert_each_line_is_issued_once(server: Server, batch: Any) -> None:
    done = waited(server, batch)
    listed = [json.loads(line) for line in fetch(server, batch["jsonl_url"]).text.splitlines()]
    assert (done["state"], done["done"]) == ("done", LINES)
    assert sorted(lines_of(server)) == list(range(2, LINES + 2))
    assert [line["line"] for line in listed] == list(range(2, LINES + 2))


@pytest.fixture
def running(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="open") as server:
        put_award(server.root)
        yield server


@pytest.mark.long
def test_a_program_that_is_killed_is_followed_by_another(running: Server) -> None:
    batch = ordered(running, people(LINES))
    waited(running, batch, least=1)

    os.kill(program_of(running.process.pid), signal.SIGKILL)

    assert_each_line_is_issued_once(running, batch)
    assert "ended with status -9" in running.log.read_text()


@pytest.mark.long
@pytest.mark.parametrize("also_the_program", [False, True])
def test_a_service_that_is_killed_goes_on_when_it_is_started_again(
    running: Server, also_the_program: bool
) -> None:
    batch = ordered(running, people(LINES))
    waited(running, batch, least=1)
    program = program_of(running.process.pid)
    fillers = list(children_of(program))

    running.process.kill()
    running.process.wait(START_SECONDS)
    if also_the_program:
        os.kill(program, signal.SIGKILL)
    wait_until_gone([program, *fillers])
    before = len(lines_of(running))
    if also_the_program:
        lease_ends(running)

    with serving(running.root, ACCESS="open") as restarted:
        assert_each_line_is_issued_once(restarted, on(restarted, batch))
    assert 0 < before < LINES


@pytest.mark.long
def test_a_service_that_is_stopped_leaves_a_batch_to_the_next(running: Server) -> None:
    batch = ordered(running, people(LINES))
    waited(running, batch, least=1)
    program = program_of(running.process.pid)

    running.process.send_signal(signal.SIGTERM)
    running.process.wait(START_SECONDS)

    assert not Path(f"/proc/{program}").exists()
    with serving(running.root, ACCESS="open") as restarted:
        assert_each_line_is_issued_once(restarted, on(restarted, batch))


def owners(server: Server) -> set[str]:
    """Return who worked on the lists."""
    return {owner for (owner,) in rows(server, "SELECT owner FROM fileservice_batch")}


@pytest.mark.long
def test_two_workers_issue_each_line_of_each_list_once(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as server:
        put_award(server.root)
        done: list[Any] = []
        # Who is sent a list begins at once; the other worker looks only every few seconds.
        while len(owners(server)) < 2 and len(done) < MOST_LISTS:
            with ThreadPoolExecutor(6) as threads:
                batches = list(threads.map(lambda _: ordered(server, people(120)), range(6)))
            done += [waited(server, batch) for batch in batches]
        both = owners(server)
        counts = rows(server, "SELECT COUNT(*) FROM fileservice_certificate GROUP BY batch_id")
        fences = rows(server, "SELECT MAX(fence) FROM fileservice_batch")

    assert {each["state"] for each in done} == {"done"}
    assert counts == [(120,)] * len(done)
    assert fences == [(1,)]
    assert len(both) == 2


@pytest.mark.long
def test_a_list_waits_for_an_authority_that_is_down(migrated: Path, tmp_path: Path) -> None:
    make_signing_key(tmp_path / "s", "Office", rsa_bits=None, days=9, now=datetime.now(UTC))
    up = threading.Event()
    stamped = stamping()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await stamped(request) if up.is_set() else web.Response(status=503)

    with (
        host_aside(answer) as host,
        serving(
            migrated,
            ACCESS="open",
            SIGN_KEY_FILE=str(tmp_path / "s" / "key.pem"),
            SIGN_CERTIFICATE_FILE=str(tmp_path / "s" / "certificate.pem"),
            TIMESTAMP_URL=f"http://127.0.0.1:{host.port}/",
        ) as server,
    ):
        put_award(server.root)
        batch = ordered(server, people(20))
        while not (troubled := told(server, batch))["trouble"]:
            assert troubled["state"] in ACTIVE
        up.set()
        done = waited(server, batch)
        line, *_ = fetch(server, batch["jsonl_url"]).text.splitlines()
        content = fetch(server, json.loads(line)["url"]).body

    assert troubled["done"] == 0
    assert "answered 503" in troubled["trouble"]
    assert (done["state"], done["done"], done["trouble"]) == ("done", 20, "")
    assert VALID in pdfsig(content)
    assert b"/ByteRange" in content


@pytest.mark.long
@pytest.mark.parametrize(
    ("template", "trouble"),
    [
        (AWARD.replace(b"has", b"had"), "The template was changed while"),
        (b"no template", "not a PDF"),
        (None, "There is no template 'award'"),
    ],
)
def test_a_template_that_is_another_in_the_middle_stops_the_rest(
    running: Server, template: bytes | None, trouble: str
) -> None:
    batch = ordered(running, people(LINES))
    waited(running, batch, least=1)

    award = running.root / "pdf_templates" / "award.pdf"
    award.unlink()
    if template is not None:
        award.write_bytes(template)
    os.kill(program_of(running.process.pid), signal.SIGKILL)

    stopped = waited(running, batch)
    assert stopped["state"] == "stopped"
    assert trouble in stopped["trouble"]
    assert 0 < stopped["done"] == len(lines_of(running)) < LINES


LEASES = """
import json
from datetime import UTC, datetime, timedelta
from fileservice import backlog
from fileservice.actors import ANYBODY
from fileservice.backlog import LEASE, LeaseLost, Ordered
now = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
batch = Ordered("b", "k", "waiting", "award", "UTC", now, None, "", 1, "")
backlog.add(batch, b"", ANYBODY, now)
first = backlog.take("first", now)
early = backlog.take("second", now + LEASE - timedelta(seconds=1))
second = backlog.take("second", now + LEASE)
def lost(call, *args, **more):
    try:
        call(*args, **more)
    except LeaseLost:
        return True
    return False
print(json.dumps({
    "first": first, "early": early, "second": second,
    "keep": lost(backlog.keep, first, [], now=now),
    "renew": lost(backlog.renew, first, now=now),
    "end": lost(backlog.end, first, "done", now=now),
    "release": backlog.release(first, now),
    "still": backlog.take("third", now + LEASE),
    "held": lost(backlog.renew, second, now=now),
}))
attempts = [backlog.take("again", now + n * LEASE * 20) for n in range(1, 12)]
print(json.dumps([bool(each) for each in attempts]))
print(json.dumps([backlog.find("b").state, backlog.find("b").trouble]))
"""


def test_of_two_who_believe_they_have_the_lease_one_writes(migrated: Path, tmp_path: Path) -> None:
    database = tmp_path / "fileservice.sqlite3"
    database.write_bytes((migrated / "fileservice.sqlite3").read_bytes())

    done = manage(tmp_path, "shell", "-v", "0", "-c", LEASES)

    assert done.returncode == 0, done.stderr
    leases, attempts, end = map(json.loads, done.stdout.splitlines())
    assert leases == {
        "first": ["b", 1],
        "early": None,
        "second": ["b", 2],
        "keep": True,
        "renew": True,
        "end": True,
        "release": None,
        "still": None,
        "held": False,
    }
    assert attempts == [True] * 8 + [False] * 3
    assert end == ["stopped", "It failed again and again."]
