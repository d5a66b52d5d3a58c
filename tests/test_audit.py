"""What is recorded of what was done: with the act or not at all, for administrators, for ever."""

import csv
import hashlib
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fileservice.tokens import sha256_of
from tests.client import Answer
from tests.conftest import Server, manage, serving

ADMIN, OTHER = "fs_" + "a" * 43, "fs_" + "b" * 43
MAKE_PEOPLE = f"""
from datetime import UTC, datetime
from django.contrib.auth.models import User
from fileservice.models import Token
for name, token, is_superuser in (("ada", "{ADMIN}", True), ("bob", "{OTHER}", False)):
    user = User.objects.create_user(name, password=name, is_superuser=is_superuser, is_staff=True)
    Token.objects.create(user=user, name=name, sha256={{"{ADMIN}": "{sha256_of(ADMIN)}",
        "{OTHER}": "{sha256_of(OTHER)}"}}[token], hint=token[:7],
        scopes="upload read issue admin", created_at=datetime.now(UTC))
"""
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def service(migrated: Path) -> Iterator[Server]:
    """Give a private service with an administrator and somebody else."""
    with serving(migrated, ACCESS="private") as running:
        made = manage(running.root, "shell", "-c", MAKE_PEOPLE)
        assert made.returncode == 0, made.stderr
        yield running


@contextmanager
def database(service: Server) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(service.root / "fileservice.sqlite3", autocommit=True)) as rows:
        yield rows


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **JSON}


def recorded(service: Server, query: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = service.ask(
        "GET", f"/audit/?{query}", None, bearer(ADMIN)
    ).json["entries"]
    return entries


def put(service: Server, name: str, content: bytes = b"hello", token: str = OTHER) -> Any:
    answer = service.ask("PUT", f"/files/{name}", content, bearer(token))
    assert answer.status == 201
    return answer.json["files"][0]


def request_of(answer: Answer) -> str:
    return answer.headers["x-request-id"]


def test_an_upload_is_recorded_with_who_sent_it_and_what(service: Server) -> None:
    answer = service.ask("PUT", "/files/a.txt", b"hello", bearer(OTHER))
    file = answer.json["files"][0]

    [entry] = recorded(service, f"object={file['id']}")

    assert entry["act"] == "file.upload"
    assert (entry["user_name"], entry["name"]) == ("bob", "a.txt")
    assert entry["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert entry["address"] == "127.0.0.1"
    assert entry["request"] == request_of(answer)
    assert entry["token_id"] is not None


def test_a_deletion_is_recorded_and_the_upload_stays(service: Server) -> None:
    file = put(service, "gone.txt")
    service.ask("DELETE", file["manage_url"].removeprefix(service.url), None, bearer(OTHER))

    acts = [entry["act"] for entry in recorded(service, f"object={file['id']}")]

    assert acts == ["file.delete", "file.upload"]


def test_a_certificate_is_recorded_when_issued_and_when_revoked(service: Server) -> None:
    issued = service.ask(
        "POST",
        "/certificates/",
        b'{"values":{"name":"x"}}',
        {**bearer(OTHER), "Content-Type": "application/json"},
    ).json
    service.ask("DELETE", issued["manage_url"].removeprefix(service.url), None, bearer(OTHER))

    entries = recorded(service, f"object={issued['id']}")

    assert [entry["act"] for entry in entries] == ["certificate.revoke", "certificate.issue"]
    assert {entry["name"] for entry in entries} == {issued["number"]}


def test_what_cannot_be_recorded_is_not_done(service: Server) -> None:
    before = service.stored()
    with database(service) as rows:
        rows.execute(
            "CREATE TRIGGER no_record BEFORE INSERT ON fileservice_auditentry"
            " WHEN NEW.name = 'unrecorded.txt' BEGIN SELECT RAISE(ABORT, 'not now'); END"
        )

    answer = service.ask("PUT", "/files/unrecorded.txt", b"hello", bearer(OTHER))

    assert answer.status >= 500
    assert service.stored() == before
    with database(service) as rows:
        found = rows.execute("SELECT 1 FROM fileservice_file WHERE name = 'unrecorded.txt'")
        assert found.fetchall() == []


@pytest.mark.parametrize(
    "verb", ["UPDATE fileservice_auditentry SET act = ''", "DELETE FROM fileservice_auditentry"]
)
def test_what_is_recorded_is_neither_changed_nor_removed(service: Server, verb: str) -> None:
    put(service, "kept.txt")

    with database(service) as rows, pytest.raises(sqlite3.IntegrityError, match="was done"):
        rows.execute(verb)


@pytest.mark.parametrize("path", ["/audit/", "/audit/audit.csv"])
def test_only_administrators_see_it(service: Server, path: str) -> None:
    assert service.ask("GET", path, None, JSON).status == 401
    assert service.ask("GET", path, None, bearer(OTHER)).status == 403
    assert service.ask("GET", path, None, bearer(ADMIN)).status == 200


def test_it_is_searched_by_person_act_and_day(service: Server) -> None:
    put(service, "by-ada.txt", token=ADMIN)
    put(service, "by-bob.txt")

    names = [entry["name"] for entry in recorded(service, "user=ada&act=file.")]

    assert names == ["by-ada.txt"]
    assert recorded(service, "act=file.upload&until=2020-01-01") == []
    assert recorded(service, "act=file.upload&since=2020-01-01") != []
    assert recorded(service, "act=file") == []


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "before=-1", "before=" + "9" * 30, "colour=red", "until=9999-12-31"],
)
def test_a_search_that_makes_no_sense_is_refused(service: Server, query: str) -> None:
    assert service.ask("GET", f"/audit/?{query}", None, bearer(ADMIN)).status == 400


def test_pages_hold_every_act_once(service: Server) -> None:
    with service.client() as client:
        for number in range(120):
            client.ask("PUT", f"/files/paged-{number}.txt", b"x", bearer(OTHER))

    first = service.ask("GET", "/audit/?act=file.upload", None, bearer(ADMIN)).json
    second = service.ask("GET", first["older"], None, bearer(ADMIN)).json
    names = [entry["name"] for entry in first["entries"] + second["entries"]]

    assert len(first["entries"]) == 100
    assert [name for name in names if name.startswith("paged-")] == [
        f"paged-{number}.txt" for number in reversed(range(120))
    ]


def test_the_file_for_a_spreadsheet_computes_nothing(service: Server) -> None:
    put(service, "=1+1.txt")
    put(service, "@SUM(A1).txt")

    answer = service.ask("GET", "/audit/audit.csv?act=file.upload", None, bearer(ADMIN))
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert {"'=1+1.txt", "'@SUM(A1).txt"} <= {row["name"] for row in rows}
    assert [int(row["id"]) for row in rows] == sorted((int(r["id"]) for r in rows), reverse=True)


def test_the_page_shows_what_was_done(service: Server) -> None:
    put(service, "shown.txt")

    page = service.ask("GET", "/audit/", None, {**bearer(ADMIN), "Accept": "text/html"})

    assert page.status == 200
    assert "shown.txt" in page.text
    assert 'href="/audit/audit.csv"' in page.text


def test_who_brings_the_last_bytes_of_an_upload_is_recorded(service: Server) -> None:
    tus = {**bearer(OTHER), "Tus-Resumable": "1.0.0"}
    begun = service.ask("POST", "/files/", b"", {**tus, "Upload-Length": "5"})
    patch = {
        **tus,
        "Authorization": f"Bearer {ADMIN}",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    answer = service.ask("PATCH", begun.headers["location"], b"hello", patch)

    entry = recorded(service, "act=file.upload")[0]

    assert answer.status == 204
    assert entry["user_name"] == "ada"
    assert entry["request"] == request_of(answer)
