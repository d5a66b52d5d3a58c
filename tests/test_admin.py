"""The administration: actions that are recorded, rows that are looked at, secrets that are not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Answer
from tests.conftest import Server, manage, serving
from tests.test_access import log_in
from tests.test_audit import ADMIN, MAKE_PEOPLE, OTHER, bearer, database, put, recorded

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Desk:
    """The administration, as the one who is logged in sees it."""

    def __init__(self, service: Server, name: str) -> None:
        self.service = service
        self.cookies = log_in(service, name, name)

    def look(self, path: str) -> Answer:
        answer = self.service.ask("GET", f"/admin/{path}", None, {"Cookie": self.cookies})
        for cookie in re.findall(r"(csrftoken=[^;]+)", answer.headers.get("set-cookie", "")):
            self.cookies = f"{self.cookies}; {cookie}"
        return answer

    def act(self, model: str, action: str, id: object, **more: str) -> Answer:
        page = self.look(f"fileservice/{model}/")
        hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert hidden
        fields = {"csrfmiddlewaretoken": hidden[1], "action": action, "_selected_action": id}
        body = "&".join(f"{name}={value}" for name, value in (fields | more).items())
        path = f"/admin/fileservice/{model}/"
        return self.service.ask("POST", path, body.encode(), {**FORM, "Cookie": self.cookies})


@pytest.fixture(scope="module")
def service(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="private") as running:
        made = manage(running.root, "shell", "-c", MAKE_PEOPLE)
        assert made.returncode == 0, made.stderr
        yield running


@pytest.fixture(scope="module")
def desk(service: Server) -> Desk:
    return Desk(service, "ada")


@pytest.mark.long
def test_every_list_and_every_row_can_be_looked_at(service: Server, desk: Desk) -> None:
    put(service, "row.txt")
    index = desk.look("")
    lists = sorted(set(re.findall(r'href="/admin/((?:fileservice|auth)/\w+/)"', index.text)))

    assert len(lists) >= 14
    for path in lists:
        page = desk.look(path)
        assert page.status == 200, path
        for row in re.findall(rf'href="/admin/({path}[^"?]+/change/)', page.text)[:1]:
            assert desk.look(row).status == 200, row


def test_secrets_are_shown_nowhere(service: Server, desk: Desk) -> None:
    file = put(service, "secret.txt")
    key = file["manage_url"].rpartition("/")[2]
    with database(service) as rows:
        sha256s = [sha256 for (sha256,) in rows.execute("SELECT sha256 FROM fileservice_token")]
        rows.execute(
            "INSERT INTO fileservice_webhook"
            " (id, user_id, url, secret, old_secret, events, created_at)"
            " SELECT 1, MIN(id), 'https://a.example/', 'whsec_new', 'whsec_old', '', '2026-11-21'"
            " FROM auth_user"
        )

    pages = [desk.look(f"fileservice/file/{file['id']}/change/").text]
    pages += [desk.look(f"fileservice/token/{id}/change/").text for id in (1, 2)]
    pages += [desk.look("fileservice/webhook/1/change/").text]

    assert "https://a.example/" in pages[-1]
    secrets = [key, "whsec_", *sha256s]
    assert [secret for secret in secrets if any(secret in page for page in pages)] == []


def test_a_withheld_file_is_released_again_and_both_are_recorded(
    service: Server, desk: Desk
) -> None:
    file = put(service, "withheld.txt")

    desk.act("file", "file_withhold", file["id"])
    [(withheld,)] = state_of(service, file["id"])
    desk.act("file", "file_release", file["id"])

    assert withheld == "withheld"
    assert state_of(service, file["id"]) == [("ready",)]
    acts = [
        (entry["act"], entry["user_name"]) for entry in recorded(service, f"object={file['id']}")
    ]
    assert acts == [("file.release", "ada"), ("file.withhold", "ada"), ("file.upload", "bob")]


def state_of(service: Server, id: str) -> list[tuple[str]]:
    with database(service) as rows:
        return rows.execute("SELECT state FROM fileservice_file WHERE id = ?", (id,)).fetchall()


def test_a_token_that_is_revoked_opens_nothing_any_more(service: Server, desk: Desk) -> None:
    other = "fs_" + "c" * 43
    script = (
        "from datetime import UTC, datetime; from django.contrib.auth.models import User;"
        "from fileservice.models import Token; from fileservice.tokens import sha256_of;"
        "row = Token.objects.create(user=User.objects.get(username='bob'), name='short',"
        f"sha256=sha256_of('{other}'), hint='fs_cccc', scopes='upload',"
        "created_at=datetime.now(UTC));"
        "print(row.id)"
    )
    id = manage(service.root, "shell", "-c", script).stdout.split()[-1]
    put(service, "before.txt", token=other)

    desk.act("token", "token_revoke", id)

    assert service.ask("PUT", "/files/after.txt", b"x", bearer(other)).status == 401
    assert recorded(service, "act=token.revoke")[0]["object"] == id


def test_a_certificate_is_revoked_with_a_time_and_then_forgotten(
    service: Server, desk: Desk
) -> None:
    headers = {**bearer(OTHER), "Content-Type": "application/json"}
    issued = service.ask("POST", "/certificates/", b'{"values":{"name":"x"}}', headers).json

    desk.act("certificate", "certificate_revoke", issued["id"])
    revoked = service.ask("GET", f"/verify/{issued['number']}", None, bearer(OTHER)).json
    desk.act("certificate", "delete_selected", issued["id"], post="yes")

    assert revoked["state"] == "revoked"
    assert service.ask("GET", f"/verify/{issued['number']}", None, bearer(OTHER)).status == 404
    acts = [entry["act"] for entry in recorded(service, f"object={issued['id']}")]
    assert acts == ["certificate.forget", "certificate.revoke", "certificate.issue"]


def test_who_is_no_administrator_does_nothing_there(service: Server) -> None:
    file = put(service, "not-bobs-to-withhold.txt", token=ADMIN)
    desk = Desk(service, "bob")

    assert desk.look("fileservice/file/").status == 403
    assert state_of(service, file["id"]) == [("ready",)]


def test_a_change_of_a_person_is_recorded(service: Server, desk: Desk) -> None:
    page = desk.look("auth/user/2/change/")
    hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert hidden
    body = (
        f"csrfmiddlewaretoken={hidden[1]}&username=bob&email=bob@people.example&is_active=on"
        "&is_staff=on&date_joined_0=2026-01-01&date_joined_1=00:00:00"
    )

    answer = service.ask(
        "POST", "/admin/auth/user/2/change/", body.encode(), {**FORM, "Cookie": desk.cookies}
    )

    assert answer.status == 302
    assert recorded(service, "act=user.change")[0]["name"] == "bob"
