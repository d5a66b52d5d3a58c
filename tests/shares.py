"""What tests of shares have in common: files that are shared, and visitors of their links."""

import base64
import json
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.client import Answer
from tests.conftest import Server

ANYBODY: dict[str, str] = {}
JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}


@dataclass(frozen=True, slots=True)
class Shared:
    """
    A share that was made.

    Attributes:
        path: of its link.
        manage: the path of what changes it.
        keep: the path of its file's link to keep.
        file: the path of its file's link to give away.
    """

    id: str
    path: str
    manage: str
    keep: str
    file: str
    content: bytes


def share(
    server: Server,
    content: bytes = b"some content",
    name: str = "notes.txt",
    as_who: dict[str, str] = ANYBODY,
    **terms: object,
) -> Shared:
    """Upload a file and share it."""
    sent = server.ask("PUT", f"/files/{name}", content, JSON | as_who).json["files"][0]
    keep = path_of(sent["manage_url"])
    made = make(server, keep, **terms)
    assert made.status == 201, made.text
    told = made.json
    manage = path_of(told["manage_url"])
    return Shared(told["id"], path_of(told["url"]), manage, keep, path_of(sent["url"]), content)


def make(server: Server, keep: str, **terms: object) -> Answer:
    """Share a file by its link to keep."""
    headers = {**JSON, "Content-Type": "application/json"}
    return server.ask("POST", f"{keep}/shares", json.dumps(terms).encode(), headers)


def path_of(url: object) -> str:
    return urlsplit(str(url)).path


def state_of(server: Server, shared: Shared) -> tuple[str, int]:
    """Return the state of a share, and how many downloads were begun."""
    told = server.ask("GET", shared.manage, headers=JSON).json
    return told["state"], told["downloads"]


def at(number: int) -> dict[str, str]:
    """Return what makes a request one of another address, as a proxy on this machine says it."""
    return {"X-Forwarded-For": f"198.51.100.{number}"}


def basic(password: str) -> dict[str, str]:
    credentials = base64.b64encode(f":{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


def cookie_of(answer: Answer) -> dict[str, str]:
    """Return what a browser sends after it was given cookies."""
    given = re.findall(r"(?:^|, )(fileservice_\w+=[^;]*)", answer.headers.get("set-cookie", ""))
    return {"Cookie": "; ".join(given)}


def rows(server: Server, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement in the service's database."""
    path = os.fspath(server.root / "fileservice.sqlite3")
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        return database.execute(sql, values).fetchall()
