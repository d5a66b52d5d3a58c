"""Boxes that people without an account put files into."""

import base64
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body, raw_exchange
from tests.conftest import Server, manage, need_program, serving
from tests.test_quotas import DATA, JSON, OFFSET, SIZE, TUS

ADA = {"Authorization": "Bearer fs_ada"}
BOB = {"Authorization": "Bearer fs_bob"}
PAGE = {"Accept": "text/html"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAKE_USERS = (
    "from datetime import UTC, datetime;"
    "from django.contrib.auth.models import User;"
    "from fileservice.tokens import add;"
    "from fileservice.actors import THE_SERVICE as by;"
    "[add(by, f'fs_{name}', '', ['upload', 'read'],"
    " User.objects.create_user(name).pk, datetime.now(UTC), None) for name in ('ada', 'bob')]"
)


@pytest.fixture(scope="module")
def private(migrated: Any) -> Iterator[Server]:
    with serving(migrated, "--workers", "2", ACCESS="private", QUOTA_FILES="500") as running:
        made = manage(running.root, "shell", "-c", MAKE_USERS)
        assert made.returncode == 0, made.stderr
        yield running


def box(server: Server, **terms: object) -> dict[str, Any]:
    """Make a box of Ada's, and return what she knows of it, and the path of its link."""
    body = urlencode({"title": "Photos", **terms}).encode()
    answer = server.ask("POST", "/drops/", body, ADA | JSON | FORM)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made | {"path": made["url"].removeprefix(server.url) + "/"}


def rows(server: Server, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as database, database:
        return database.execute(sql, values).fetchall()


def files_in(server: Server, box: dict[str, Any]) -> list[Any]:
    found = "SELECT u.username, f.restricted, f.size FROM fileservice_file f"
    return rows(
        server, f"{found} JOIN auth_user u ON u.id = f.user_id WHERE drop_id = ?", box["id"]
    )


def by_put(server: Server, path: str, content: bytes = DATA, **fields: str) -> Answer:
    return server.ask("PUT", f"{path}a.png", content, JSON | fields)


def by_form(server: Server, path: str, content: bytes = DATA, **fields: str) -> Answer:
    body = form_body(file_part(b"a.png", content))
    return server.ask("POST", path, body, JSON | FORM_TYPE | fields)


def by_tus(server: Server, path: str, content: bytes = DATA, **fields: str) -> Answer:
    """Create, and bring the bytes in two requests of their own."""
    length = {"Upload-Length": str(len(content)), "Upload-Metadata": "filename YS5wbmc="}
    made = server.ask("POST", path, None, TUS | length | fields)
    if made.status != 201:
        return made
    half = len(content) // 2
    for start, stop in ((0, half), (half, len(content))):
        offset = {"Upload-Offset": str(start)}
        url = made.headers["location"]
        done = server.ask("PATCH", url, content[start:stop], TUS | OFFSET | offset | fields)
        if done.status != 204:
            return done
    return made


def by_tus_at_once(server: Server, path: str, content: bytes = DATA, **fields: str) -> Answer:
    length = {"Upload-Length": str(len(content)), "Upload-Metadata": "filename YS5wbmc="}
    return server.ask("POST", path, content, TUS | OFFSET | length | fields)


def by_ietf(server: Server, path: str, content: bytes = DATA, **fields: str) -> Answer:
    made = server.ask("POST", path, None, JSON | {"Upload-Complete": "?0"} | fields)
    if made.status != 201:
        return made
    parted = {"Content-Type": "application/partial-upload", "Upload-Offset": "0"}
    last = {"Upload-Complete": "?1"} | parted
    return server.ask("PATCH", made.headers["location"], content, JSON | last | fields)


DOORS: list[Callable[..., Answer]] = [by_put, by_form, by_tus, by_tus_at_once, by_ietf]


@pytest.mark.parametrize("door", DOORS)
def test_what_a_guest_brings_becomes_the_owners_alone(
    private: Server, door: Callable[..., Answer]
) -> None:
    made = box(private)

    answer = door(private, made["path"])

    assert answer.status == 201
    assert files_in(private, made) == [("ada", 1, SIZE)]
    [(id, key)] = rows(
        private, "SELECT id, key FROM fileservice_file WHERE drop_id = ?", made["id"]
    )
    assert answer.headers["location"].endswith(f"/uploads/{key}")
    assert private.ask("GET", f"/files/{id}").status == 404
    assert private.ask("GET", f"/files/{id}", headers=BOB).status == 404
    assert private.ask("GET", f"/files/{id}", headers=ADA).body == DATA
    assert private.ask("POST", f"/uploads/{key}/shares", b"", FORM).status == 404
    told = private.ask("GET", f"/drops/{made['id']}", headers=ADA | JSON).json
    assert (told["used_bytes"], told["used_files"]) == (SIZE, 1)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("terms", "content", "status", "code"),
    [
        ({"max_file_bytes": SIZE - 1}, DATA, 413, "too_large"),
        ({"max_bytes": SIZE - 1}, DATA, 413, "drop_full"),
        ({"max_files": 1}, DATA, 413, "drop_full"),
        ({"media_types": "image/*"}, DATA, 415, "unsupported_type"),
        ({"media_types": "application/pdf"}, PNG, 415, "unsupported_type"),
    ],
)
def test_what_the_terms_exclude_is_refused_and_not_kept(
    private: Server,
    door: Callable[..., Answer],
    terms: dict[str, object],
    content: bytes,
    status: int,
    code: str,
) -> None:
    made = box(private, **terms)
    if "max_files" in terms:
        assert by_put(private, made["path"], b"first").status == 201
    before = files_in(private, made)

    answer = door(private, made["path"], content, Accept="application/json")

    assert (answer.status, answer.json["code"]) == (status, code)
    assert files_in(private, made) == before
    used = rows(private, "SELECT used_files FROM fileservice_drop WHERE id = ?", made["id"])
    assert used[0][0] <= len(before) + (door in (by_tus, by_ietf))


def test_the_guests_link_publishes_nothing(private: Server) -> None:
    made = box(private)
    url = by_put(private, made["path"]).headers["location"]
    path = url.removeprefix(private.url)
    parcel = urlencode({"name": "Mine", "file": url}).encode()
    asks = [
        ("POST", f"{path}/terms", b"restricted=0", FORM),
        ("POST", f"{path}/shares", b"", FORM),
        ("POST", "/parcels/", parcel, FORM),
    ]

    by_others = [private.ask(*ask[:3], ask[3] | BOB | JSON).status for ask in asks]
    by_nobody = [private.ask(*ask[:3], ask[3] | JSON).status for ask in asks]

    assert by_others == [404, 404, 404]
    assert by_nobody == [404, 404, 401]
    assert files_in(private, made) == [("ada", 1, SIZE)]
    assert [private.ask(*ask[:3], ask[3] | ADA | JSON).status for ask in asks] == [200, 201, 201]
    assert files_in(private, made) != [("ada", 1, SIZE)]


def test_what_is_put_into_a_box_names_no_parcel(private: Server) -> None:
    parcel = form_body(field_part(b"name", b"Mine"), file_part(b"b", b"b"))
    bobs = private.ask("POST", "/parcels/", parcel, FORM_TYPE | BOB | JSON).json
    key = base64.b64encode(bobs["manage_url"].rpartition("/")[2].encode()).decode()
    made = box(private)
    fields = {"Upload-Length": "5", "Upload-Metadata": f"filename YQ==,parcel {key}"}

    sent = private.ask("POST", made["path"], b"hello", TUS | OFFSET | fields)

    assert sent.status == 201
    found = "SELECT parcel_id, restricted FROM fileservice_file WHERE drop_id = ?"
    assert rows(private, found, made["id"]) == [(None, 1)]


def test_of_fifty_guests_at_once_as_many_get_in_as_fit(private: Server) -> None:
    made = box(private, max_files=10, max_bytes=10 * SIZE)

    with ThreadPoolExecutor(50) as guests:
        answers = list(guests.map(lambda _: by_put(private, made["path"]), range(50)))

    assert sorted(answer.status for answer in answers) == [201] * 10 + [413] * 40
    assert len(files_in(private, made)) == 10
    assert private.ask("GET", f"/drops/{made['id']}", headers=ADA | JSON).json["state"] == "full"


def test_a_box_with_a_password_takes_nothing_without(private: Server) -> None:
    made = box(private, password="sesame")
    basic = "Basic " + base64.b64encode(b":sesame").decode()

    assert [door(private, made["path"]).status for door in DOORS] == [401] * len(DOORS)
    assert [door(private, made["path"], Authorization=basic).status for door in DOORS] == [201] * 5
    page = private.ask("GET", made["path"], headers=PAGE)
    assert 'name="password"' in page.text
    assert "Photos" not in page.text
    shown = private.ask("POST", made["path"].rstrip("/"), b"password=sesame", FORM | PAGE)
    cookie = {"Cookie": shown.headers["set-cookie"].split(";")[0]}
    assert "Photos" in private.ask("GET", made["path"], headers=PAGE | cookie).text


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_closed_box_takes_nothing(private: Server, how: str) -> None:
    made = box(private, expires="1h")
    begun = private.ask("POST", made["path"], None, TUS | {"Upload-Length": "5"})
    if how == "revoked":
        assert private.ask("POST", f"/drops/{made['id']}/revoke", b"", ADA).status == 303
    else:
        rows(
            private, "UPDATE fileservice_drop SET expires_at = created_at WHERE id = ?", made["id"]
        )

    answers = [door(private, made["path"], Accept="application/json") for door in DOORS]

    assert {(answer.status, answer.json["code"]) for answer in answers} == {(410, "drop_closed")}
    on = {"Upload-Offset": "0"} | TUS | OFFSET
    goes_on = private.ask("PATCH", begun.headers["location"], b"hello", on)
    assert goes_on.status == (410 if how == "revoked" else 204)
    page = private.ask("GET", made["path"], headers=PAGE)
    assert "The box is closed" in page.text


def test_guests_delete_for_an_hour_and_the_owner_ever(private: Server) -> None:
    made = box(private)
    paths = [
        by_put(private, made["path"]).headers["location"].removeprefix(private.url)
        for _ in range(3)
    ]
    begun = private.ask("POST", made["path"], None, TUS | {"Upload-Length": "5"})
    first = private.ask("DELETE", paths[0])
    late = "UPDATE fileservice_{} SET created_at = '2026-01-01 00:00:00' WHERE drop_id = ?"
    for table in ("file", "resumableupload"):
        rows(private, late.format(table), made["id"])

    answers = [
        private.ask("DELETE", paths[1]),
        private.ask("DELETE", paths[1], headers=BOB),
        private.ask("POST", f"{paths[1]}/delete", b""),
        private.ask("DELETE", paths[1], headers=ADA),
        private.ask("DELETE", begun.headers["location"], headers=TUS),
    ]

    assert first.status == 204
    assert [answer.status for answer in answers] == [403, 403, 403, 204, 204]
    assert len(files_in(private, made)) == 1
    used = "SELECT used_bytes, used_files FROM fileservice_drop WHERE id = ?"
    assert rows(private, used, made["id"]) == [(SIZE, 1)]


def test_a_browser_sees_what_it_brought_and_nobody_elses(private: Server) -> None:
    made = box(private, note="Of the summer", media_types="image/* text/plain", max_files=9)
    page = private.ask("GET", made["path"], headers=PAGE)
    cookie = {"Cookie": page.headers["set-cookie"].split(";")[0]}
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)', page.text)
    assert token
    by_put(private, made["path"], PNG)

    forged = form_body(file_part(b"a.png", PNG))
    refused = private.ask("POST", made["path"], forged, FORM_TYPE | PAGE | cookie)
    body = form_body(field_part(b"csrf_token", token[1].encode()), file_part(b"mine.png", PNG))
    sent = private.ask("POST", made["path"], body, FORM_TYPE | PAGE | cookie)
    private.ask("POST", made["path"], None, TUS | cookie | {"Upload-Length": "5"})

    assert refused.status == 403
    assert (sent.status, sent.headers["location"]) == (303, made["path"].rstrip("/"))
    mine = private.ask("GET", made["path"], headers=PAGE | cookie).text
    assert "mine.png" in mine
    assert "On its way" in mine
    assert "a.png" not in mine
    assert "Of the summer" in mine
    other = private.ask("GET", made["path"], headers=PAGE)
    assert "mine.png" not in other.text
    assert private.ask("GET", "/", headers=PAGE | cookie).text.count("mine.png") == 0


def test_a_full_box_is_told_before_the_body_is_sent(private: Server) -> None:
    made = box(private, max_bytes=5)
    head = (
        f"PUT {made['path']}a HTTP/1.1\r\nHost: 127.0.0.1:{private.port}\r\n"
        "Content-Length: 6\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )

    assert raw_exchange(private.address, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_code_that_was_made_up_finds_nothing(private: Server) -> None:
    made = box(private)
    code = made["path"].split("/")[2]
    for wrong in (code[:-1], code[:-1] + ("a" if code[-1] != "a" else "b"), made["id"], "x"):
        assert private.ask("GET", f"/d/{wrong}").status == 404
        assert by_put(private, f"/d/{wrong}/").status == 404


def test_boxes_are_made_and_seen_by_their_owner_only(private: Server) -> None:
    made = box(private, title="Only mine")
    path = f"/drops/{made['id']}"

    assert private.ask("GET", "/drops/").status == 401
    assert private.ask("GET", path, headers=BOB).status == 404
    assert private.ask("DELETE", path, headers=BOB).status == 404
    assert "Only mine" not in private.ask("GET", "/drops/", headers=BOB | PAGE).text
    assert "Only mine" in private.ask("GET", "/drops/", headers=ADA | PAGE).text
    assert private.ask("DELETE", path, headers=ADA).status == 204
    acts = "SELECT act, user_name FROM fileservice_auditentry WHERE object = ? ORDER BY id"
    assert rows(private, acts, made["id"]) == [("drop.make", "ada"), ("drop.revoke", "ada")]


@pytest.mark.parametrize(
    "terms",
    [
        {"title": ""},
        {"title": "a" * 256},
        {"title": "a\nb"},
        {"max_bytes": "0"},
        {"max_file_bytes": "many"},
        {"max_files": "-1"},
        {"media_types": "image"},
        {"media_types": "a/b " * 32 + "c/d " + " ".join(f"x/{n}" for n in range(32))},
        {"expires": "yesterday"},
        {"colour": "red"},
        {"note": "a" * 2001},
    ],
)
def test_terms_that_cannot_be_are_refused(private: Server, terms: dict[str, str]) -> None:
    body = urlencode({"title": "Photos", **terms}).encode()

    assert private.ask("POST", "/drops/", body, ADA | JSON | FORM).status == 400


def test_curl_puts_a_file_into_a_box(private: Server, tmp_path: Any) -> None:

    made = box(private, password="sesame")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 hello")
    command = [need_program("curl"), "-fsS", "-u", ":sesame", "-T", "report.pdf"]

    done = subprocess.run(
        [*command, f"{private.url}{made['path']}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{private.url}/uploads/")
    names = rows(private, "SELECT name FROM fileservice_file WHERE drop_id = ?", made["id"])
    assert names == [("report.pdf",)]
