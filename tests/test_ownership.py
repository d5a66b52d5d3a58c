"""Whose a file is, for whom it is, and until when."""

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fileservice.options import DATABASE
from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body
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


def kept(server: Server, id: str) -> tuple[bool, float | None]:
    """Return whether a file is restricted, and in how many seconds it expires."""
    statement = "SELECT restricted, expires_at FROM fileservice_file WHERE id = ?"
    [(restricted, until)] = sql(server, statement, id)
    if until is None:
        return bool(restricted), None
    left = datetime.fromisoformat(until).replace(tzinfo=UTC) - datetime.now(UTC)
    return bool(restricted), left.total_seconds()


def by_form(server: Server, *fields: tuple[bytes, bytes], query: str = "") -> Answer:
    parts = [field_part(name, value) for name, value in fields]
    body = form_body(file_part(b"a", b"hello"), *parts, file_part(b"b", b"hello"))
    return server.ask("POST", f"/files/{query}", body, {**FORM_TYPE, **JSON})


def by_tus(server: Server, length: int, metadata: str, body: bytes = b"", **more: str) -> Answer:
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata, **more}
    return server.ask("POST", "/files/", body, headers)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_each_door_is_told_how_a_file_is_kept(server: Server) -> None:
    query = "?restricted=1&expires=1h"
    put = server.ask("PUT", f"/files/a.txt{query}", b"hello", JSON)
    draft = {**JSON, "Upload-Complete": "?0"}
    begun = server.ask("POST", f"/files/{query}", b"hel", draft).headers["location"]
    append = {
        **JSON,
        "Upload-Offset": "3",
        "Upload-Complete": "?1",
        "Content-Type": "application/partial-upload",
    }
    resumed = server.ask("PATCH", begun, b"lo", append)
    form = by_form(server, (b"restricted", b"1"), (b"expires", b"1h"))
    forms_query = by_form(server, query=query)
    said = f"restricted {encoded('1')},expires {encoded('1h')}"
    small = by_tus(server, 5, said, b"hello", **{"Content-Type": APPENDED["Content-Type"]})
    large = by_tus(server, 5, said).headers["location"]
    assert append_by_tus(server, large) == 204
    links = [small.headers["location"], large]
    by_key = [server.ask("GET", link, headers=JSON).json for link in links]

    answers = [put, resumed, form, forms_query]
    files = [file for answer in answers for file in answer.json["files"]] + by_key
    assert len(files) == 8
    for file in files:
        restricted, seconds = kept(server, file["id"])
        assert restricted
        assert seconds is not None
        assert 3000 < seconds <= 3600
        assert server.ask("GET", f"/files/{file['id']}").status == 404
    for file in files[:-2]:
        assert file["restricted"] is True
        assert file["expires_at"].endswith("+00:00")


def append_by_tus(server: Server, link: str) -> int:
    return append(server, {}, link, b"hello")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("restricted", ""),
        ("restricted", "yes"),
        ("restricted", "2"),
        ("expires", "soon"),
        ("expires", "2001-01-01"),
        ("expires", "0d"),
        ("expires", "999999w"),
        ("expires", "9999-12-31T23:59:59-23:59"),
        ("expires", "1\u0661h"),
    ],
)
def test_what_cannot_be_is_told_at_each_door(server: Server, name: str, value: str) -> None:
    before, query = server.stored(), f"?{name}={quote(value)}"
    key = send(server, {})["manage_url"].removeprefix(server.url)
    pairs = {"Content-Type": "application/x-www-form-urlencoded"}

    answers = [
        server.ask("PUT", f"/files/a{query}", b"hello"),
        server.ask("POST", f"/files/{query}", b"", {"Upload-Complete": "?0"}),
        by_form(server, (name.encode(), value.encode())),
        by_tus(server, 5, f"{name} {encoded(value)}"),
        server.ask("POST", f"{key}/terms", f"{name}={quote(value)}".encode(), pairs),
    ]

    assert [answer.status for answer in answers] == [400] * 5
    assert len(server.stored()) == len(before) + 1


def test_who_holds_the_key_says_anew_how_a_file_is_kept(server: Server) -> None:
    file = send(server, {})
    link, way = file["manage_url"].removeprefix(server.url), f"/files/{file['id']}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", **JSON}

    def say(fields: str, **more: str) -> Answer:
        return server.ask("POST", f"{link}/terms", fields.encode(), {**headers, **more})

    restricted = say("restricted=1")
    assert restricted.json["restricted"] is True
    assert server.ask("GET", way).status == 404
    both = say("restricted=0&expires=2h").json
    assert (both["restricted"], kept(server, file["id"])[0]) == (False, False)
    assert server.ask("GET", way).status == 200
    assert say("expires=").json["expires_at"] is None
    for wrong in ("", "name=x", "restricted=1&state=ready"):
        assert say(wrong).status == 400
    assert say("restricted=1", Origin="http://evil.example").status == 403
    assert say("restricted=1", Accept="text/html").status == 303
    assert "its owner" in server.ask("GET", link, headers=PAGE).text
    acts = "SELECT act FROM fileservice_auditentry WHERE object = ? ORDER BY id"
    assert sql(server, acts, file["id"]) == [("file.upload",), *[("file.change",)] * 4]


def test_of_an_upload_that_is_no_file_yet_nothing_is_said_anew(server: Server) -> None:
    link = begin(server, {}, 10)

    assert server.ask("POST", f"{link}/terms", b"restricted=1").status == 409
