"""Webhooks of a running service: each act is told, also after a kill."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fileservice.options import DATABASE
from tests.conftest import START_SECONDS, Server, manage, serving
from tests.echo import wait_until
from tests.otherhosts import OtherHost
from tests.people import bearer, make_people
from tests.processes import children_of
from tests.scanners import MARKER, Scanner, scanner
from tests.servers import host_aside

AS_JSON = {"Content-Type": "application/json"}
JSON = {"Accept": "application/json"}


@dataclass
class Ears:
    """
    Hears what it is told, from a thread of its own.

    Attributes:
        told: each content, under its id.
        times: how often each id came.
        is_open: while it is not, nobody is answered.
    """

    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    is_open: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, request: web.Request) -> web.Response:
        id = request.headers["webhook-id"]
        self.told[id] = await request.json()
        self.times[id] += 1
        await asyncio.to_thread(self.is_open.wait, START_SECONDS)
        return web.Response(status=204)

    def types(self) -> Counter[str]:
        return Counter(each["type"] for each in self.told.values())


@dataclass
class Stage:
    """A private service of two workers with a scanner, Ada in it, and who listens for her."""

    server: Server
    host: OtherHost
    ears: Ears
    fields: dict[str, str]

    def ask(self, method: str, path: str, body: bytes | None = None, **fields: str) -> Any:
        answer = self.server.ask(method, path, body, self.fields | JSON | fields)
        assert answer.status < 300, answer.text
        return answer.json if answer.body else None


@pytest.fixture(scope="module")
def clamd() -> Iterator[Scanner]:
    with scanner() as given:
        given.start()
        yield given


@pytest.fixture(scope="module")
def stage(migrated: Path, clamd: Scanner) -> Iterator[Stage]:
    ears = Ears()
    options = {"ACCESS": "private", "CLAMD": str(clamd.socket)}
    networks = {"FETCH_ALLOW_NETWORKS": "127.0.0.0/8"}
    with (
        host_aside(ears) as host,
        serving(migrated, "--workers", "2", **options, **networks) as server,
    ):
        people = make_people(server, ("ada", False, ["upload read issue"]))
        made = manage(server.root, "webhook", "make", "ada", str(host.url("/hook")))
        assert made.stdout.startswith("whsec_"), made.stderr
        yield Stage(server, host, ears, bearer(people["ada"]["tokens"][0]["token"]))


@pytest.mark.long
def test_each_act_is_told(stage: Stage) -> None:
    stage.ears.is_open.set()
    [good] = stage.ask("PUT", "/files/a.txt", b"good")["files"]
    [bad] = stage.ask("PUT", "/files/b.txt", MARKER)["files"]
    stage.ask("DELETE", good["manage_url"].removeprefix(stage.server.url))
    issued = stage.ask("POST", "/certificates/", b'{"values": {"name": "Ada"}}', **AS_JSON)
    managed = issued["manage_url"].removeprefix(stage.server.url)
    stage.ask("DELETE", managed)
    stage.ask("POST", "/batches/", b"name\nAda\nBob\n", **{"Content-Type": "text/csv"})
    wait_until(lambda: len(stage.ears.told) == 6)

    by_type = {each["type"]: each["data"] for each in stage.ears.told.values()}
    assert set(by_type) == {
        *("file.upload", "file.infected", "file.delete"),
        *("certificate.issue", "certificate.revoke", "batch.done"),
    }
    assert by_type["file.upload"]["id"] == by_type["file.delete"]["id"] == good["id"]
    assert (by_type["file.infected"]["id"], by_type["file.infected"]["state"]) == (
        bad["id"],
        "infected",
    )
    assert by_type["certificate.issue"]["number"] == issued["number"]
    assert (by_type["batch.done"]["state"], by_type["batch.done"]["done"]) == ("done", 2)
    assert set(stage.ears.times.values()) == {1}
    assert good["manage_url"].rpartition("/")[2] not in json.dumps(by_type)


@pytest.mark.long
def test_what_was_being_told_when_all_workers_were_killed_is_told_again(stage: Stage) -> None:
    stage.ears.is_open.clear()
    stage.ears.told.clear()
    stage.ears.times.clear()
    stage.ask("PUT", "/files/a.txt", b"good")
    wait_until(lambda: len(stage.ears.told) == 1)
    for worker in children_of(stage.server.process.pid):
        os.kill(worker, signal.SIGKILL)
    stage.ears.is_open.set()
    with closing(sqlite3.connect(stage.server.root / DATABASE, timeout=30)) as rows, rows:
        # As if the leases of the killed had run out.
        rows.execute("UPDATE fileservice_delivery SET next_at = '2026-01-01 00:00:00'")
    [id] = stage.ears.told
    deadline = time.monotonic() + 2 * START_SECONDS  # the workers start again first
    while stage.ears.times[id] < 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # another process counts

    assert stage.ears.times[id] == 2
    with closing(sqlite3.connect(stage.server.root / DATABASE)) as rows:
        query = "SELECT status FROM fileservice_delivery WHERE id = ?"
        wait_until(lambda: rows.execute(query, (id.removeprefix("msg_"),)).fetchone() == (204,))


@pytest.mark.long
def test_the_command_manages_hooks_and_shows_no_secret_again(stage: Stage) -> None:
    root, url = stage.server.root, "https://a.example/hook"
    secret = manage(root, "webhook", "make", "ada", url, "--events", "batch.done").stdout.strip()
    listed = manage(root, "webhook", "list", "ada").stdout
    id = next(line for line in listed.splitlines() if url in line).split("\t")[0]
    rotated = manage(root, "webhook", "rotate", id).stdout.strip()
    removed = manage(root, "webhook", "remove", id)
    gone = manage(root, "webhook", "sent", id)

    assert f"{id}\ttold\t{url}\tbatch.done" in listed
    assert secret.startswith("whsec_")
    assert secret not in listed
    assert rotated not in ("", secret)
    assert removed.returncode == 0
    assert gone.returncode == 1
    assert "no such webhook" in gone.stderr
