"""Whose a file is, for whom it is, and until when."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fileservice.options import DATABASE
from tests.client import Answer
from tests.conftest import Server, manage, serving
from tests.people import bearer, make_people

PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
OPERATORS = "correct-horse-battery-staple-0123456789"
TUS = {"Tus-Resumable": "1.0.0"}
APPENDED = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="private", TOKEN=OPERATORS) as running:
        yield running


@pytest.fixture(scope="module")
def people(private: Server) -> dict[str, Any]:
    """Return ada, who runs the service, bob, whose the files are, and eve."""
    every = ["upload read issue", "upload", "read"]
    return make_people(
        private, ("ada", True, ["admin", "read"]), ("bob", False, every), ("eve", False, every)
    )


def sql(server: Server, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(server.root / DATABASE, timeout=30)) as database:
        rows = database.execute(statement, values).fetchall()
        database.commit()
        return rows


def stored_time(moment: datetime) -> str:
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def send(server: Server, shows: dict[str, str], name: str = "a.txt") -> dict[str, Any]:
    answer = server.ask("PUT", f"/files/{name}", b"hello", {**shows, **JSON})
    [file] = answer.json["files"]
    return dict(file)


def restrict(server: Server, id: str, table: str = "file") -> None:
    sql(server, f"UPDATE fileservice_{table} SET restricted = 1 WHERE id = ?", id)  # noqa: S608 - our own


def end(server: Server, id: str, at: datetime) -> None:
    sql(server, "UPDATE fileservice_file SET expires_at = ? WHERE id = ?", stored_time(at), id)


def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells but when it was given and under which number."""
    fields = {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")}
    return answer.status, answer.body, fields


def begin(server: Server, shows: dict[str, str], length: int) -> str:
    """Begin a resumable upload and return its link to keep."""
    headers = {**shows, **TUS, "Upload-Length": str(length)}
    return server.ask("POST", "/files/", b"", headers).headers["location"]


def append(server: Server, shows: dict[str, str], link: str, content: bytes) -> int:
    return server.ask("PATCH", link, content, {**shows, **APPENDED}).status


def test_what_is_restricted_is_for_its_owner_and_administrators(
    private: Server, people: dict[str, Any]
) -> None:
    bob = bearer(people["bob"]["tokens"][0]["token"])
    file = send(private, bob)
    restrict(private, file["id"])
    cookies = {name: {"Cookie": person["cookie"]} for name, person in people.items()}
    tokens = {
        (name, number): bearer(made["token"])
        for name, person in people.items()
        for number, made in enumerate(person["tokens"])
    }
    let_in = [cookies["bob"], cookies["ada"]]
    let_in += [tokens["bob", 0], tokens["bob", 2], tokens["ada", 0]]
    kept_out: list[dict[str, str]] = [{}, cookies["eve"], bearer(OPERATORS)]
    kept_out += [tokens["eve", 0], tokens["eve", 2], tokens["bob", 1], tokens["ada", 1]]
    way = f"/files/{file['id']}"

    for shows in let_in:
        assert private.ask("GET", way, headers=shows).body == b"hello"
        assert private.ask("HEAD", f"{way}/a.txt", headers=shows).status == 200
    for shows in kept_out:
        for accept in (PAGE, JSON, {}):
            absent = private.ask("GET", f"/files/{'a' * 26}", headers={**shows, **accept})
            refused = private.ask("GET", way, headers={**shows, **accept})
            assert told(refused) == told(absent)
            assert refused.status == 404
        ranged = private.ask("GET", f"{way}/a.txt", headers={**shows, "Range": "bytes=0-1"})
        known = {**shows, "If-None-Match": f'"{file["sha256"]}"'}
        assert ranged.status == private.ask("HEAD", way, headers=known).status == 404


def test_what_is_still_uploaded_and_restricted_is_for_its_owner_too(
    private: Server, people: dict[str, Any]
) -> None:
    bob, eve = (bearer(people[name]["tokens"][0]["token"]) for name in ("bob", "eve"))
    link = begin(private, bob, 10)
    [(id,)] = sql(
        private, "SELECT id FROM fileservice_resumableupload WHERE key = ?", link.split("/")[-1]
    )
    restrict(private, id, "resumableupload")
    append(private, bob, link, b"hello")

    def ask(shows: dict[str, str]) -> int:
        return private.ask("HEAD", f"/files/{id}", headers=shows).status

    before = [ask(shows) for shows in (bob, eve, {})]
    append(private, {**bob, "Upload-Offset": "5"}, link, b"")
    more = {**bob, **APPENDED, "Upload-Offset": "5"}
    assert private.ask("PATCH", link, b"world", more).status == 204
    after = [ask(shows) for shows in (bob, eve, {})]

    assert before == after == [200, 404, 404]


def test_what_a_browser_sent_and_is_restricted_is_for_that_browser(server: Server) -> None:
    cookies = [
        {"Cookie": server.ask("GET", "/", headers=PAGE).headers["set-cookie"].split(";")[0]}
        for _ in range(2)
    ]
    file = send(server, cookies[0])
    restrict(server, file["id"])

    answers = [
        server.ask("GET", f"/files/{file['id']}", headers=one)
        for one in (*cookies, dict[str, str]())
    ]

    assert [answer.status for answer in answers] == [200, 404, 404]


def test_lists_show_ones_own_by_login_and_by_token_alike(
    private: Server, people: dict[str, Any]
) -> None:
    shown = {}
    for name in ("bob", "eve"):
        file = send(private, bearer(people[name]["tokens"][1]["token"]), f"of-{name}.txt")
        ways = [{"Cookie": people[name]["cookie"]}, bearer(people[name]["tokens"][2]["token"])]
        lists = [private.ask("GET", "/", headers={**way, **JSON}).json["files"] for way in ways]
        page = private.ask("GET", "/", headers={**ways[0], **PAGE}).text

        assert lists[0] == lists[1]
        assert file["url"] in {listed["url"] for listed in lists[0]}
        shown[name] = str(lists) + page
    assert "of-eve" not in shown["bob"]
    assert "of-bob" not in shown["eve"]
    assert private.ask("GET", "/", headers=JSON).status == 401


def test_a_file_whose_time_is_up_is_as_if_it_never_was(
    private: Server, people: dict[str, Any]
) -> None:
    bob = bearer(people["bob"]["tokens"][0]["token"])
    plain = send(private, bob, "over.txt")
    link = begin(private, bob, 5)
    append(private, bob, link, b"hello")
    [(resumed,)] = sql(
        private, "SELECT id FROM fileservice_resumableupload WHERE key = ?", link.split("/")[-1]
    )
    keys = [plain["manage_url"].removeprefix(private.url), link]
    ways = [f"/files/{plain['id']}", f"/files/{resumed}", *keys]
    assert [private.ask("GET", way, headers=bob).status for way in ways] == [200] * 4

    for id in (plain["id"], resumed):
        end(private, id, datetime.now(UTC))

    for way in ways:
        for method in ("GET", "HEAD"):
            assert private.ask(method, way, headers=bob).status == 404
    for key in keys:
        assert private.ask("DELETE", key).status == 404
        assert private.ask("POST", f"{key}/delete").status == 404
        assert append(private, bob, key, b"x") == 404
        assert private.ask("PUT", key, b"x", bob).status == 404
    assert "over.txt" not in private.ask("GET", "/", headers={**bob, **JSON}).text


def test_a_file_whose_time_is_up_is_removed_and_recorded(
    private: Server, people: dict[str, Any]
) -> None:
    bob = bearer(people["bob"]["tokens"][0]["token"])
    over, later, never = (send(private, bob) for _ in range(3))
    end(private, over["id"], datetime.now(UTC) - timedelta(seconds=1))
    end(private, later["id"], datetime.now(UTC) + timedelta(hours=1))

    swept = manage(private.root, "sweep", "--grace", "86400")

    assert re.match(r"Removed: files [1-9]", swept.stdout), swept.stderr
    ids = {path.name for path in private.stored()}
    assert over["id"] not in ids
    assert {later["id"], never["id"]} <= ids
    recorded = sql(
        private,
        "SELECT user_id, user_name, name, sha256 FROM fileservice_auditentry"
        " WHERE act = 'file.delete' AND object = ?",
        over["id"],
    )
    assert recorded == [(None, "the service", "a.txt", over["sha256"])]
