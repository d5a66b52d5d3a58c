"""Batches for the tests: sent, waited for, fetched."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.client import Answer
from tests.conftest import START_SECONDS, Server
from tests.pdfs import page_of

JSON = {"Accept": "application/json"}
CSV = {"Content-Type": "text/csv"}
JSON_LINES = {"Content-Type": "application/jsonl"}
AWARD = page_of(b"BT /F1 14 Tf 60 700 Td (%name% has %points|none% of %id%) Tj ET")
ACTIVE = ("waiting", "checking", "issuing")
LOOK_SECONDS = 0.02


def put_award(root: Path) -> None:
    """Give a service the template `award`."""
    folder = root / "pdf_templates"
    folder.mkdir(exist_ok=True)
    (folder / "award.pdf").write_bytes(AWARD)


def people(count: int) -> bytes:
    """Return a list, the last line of which is line `count` + 1."""
    return ("name,points\n" + "".join(f"Name {n},{n}\n" for n in range(count))).encode()


def order(server: Server, content: bytes, headers: dict[str, str] = CSV, **members: str) -> Answer:
    query = urlencode({"template": "award", **members})
    return server.ask("POST", f"/batches/?{query}", content, {**JSON, **headers})


def ordered(server: Server, content: bytes, **members: str) -> Any:
    answer = order(server, content, CSV, **members)
    assert answer.status == 201, answer
    return answer.json


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def on(server: Server, batch: Any) -> Any:
    """Return what was told of a batch, with the links that a service has which took over."""
    links = {name: server.url + path_of(batch[name]) for name in batch if name.endswith("url")}
    return {**batch, **links}


def fetch(server: Server, url: str, headers: dict[str, str] | None = None) -> Answer:
    return server.ask("GET", path_of(url), headers=headers)


def told(server: Server, batch: Any) -> Any:
    """Return what is told of a batch now."""
    return fetch(server, batch["url"], JSON).json


def waited(server: Server, batch: Any, *, least: int | None = None) -> Any:
    """Return what is told of a batch when it has ended, or when so many are issued."""
    now = told(server, batch)
    for _ in range(int(2 * START_SECONDS / LOOK_SECONDS)):
        if now["state"] not in ACTIVE or (least is not None and now["done"] >= least):
            return now
        time.sleep(LOOK_SECONDS)  # it tells nobody but who asks
        now = told(server, batch)
    raise AssertionError(now)


def wait_for(holds: Callable[[], bool]) -> None:
    """Return when something holds that tells nobody but who asks."""
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        if holds():
            return
        time.sleep(LOOK_SECONDS)
    raise AssertionError("it does not hold")


def issued(server: Server, content: bytes, **members: str) -> Any:
    """Return what is told of a batch that is done."""
    done = waited(server, ordered(server, content, **members))
    assert done["state"] == "done", done
    return done


def rows(server: Server, sql: str) -> list[Any]:
    """Return what the database has."""
    with sqlite3.connect(server.root / "fileservice.sqlite3") as database:
        found = database.execute(sql).fetchall()
    database.close()
    return found


def lease_ends(server: Server) -> None:
    """Let the time of every lease pass."""
    with sqlite3.connect(server.root / "fileservice.sqlite3") as database:
        database.execute("UPDATE fileservice_batch SET until = '2026-01-01 00:00:00'")
    database.close()
