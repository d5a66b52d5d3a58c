"""Tokens: what they open, for how long, what may be made of them, and where they are never seen."""

import hashlib
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoDbBlocker

from fileservice.actors import EVERYTHING, SCOPES, Actor
from fileservice.errors import BadValue, FileserviceError, Forbidden
from fileservice.models import AuditEntry, Token
from fileservice.options import DATABASE
from fileservice.tokens import MAX_LIFE, MAX_NAME_CHARACTERS, MAX_TOKENS, KnownToken, Tokens
from tests.client import FORM_TYPE, file_part, form_body
from tests.conftest import Server, manage, need_program, serving
from tests.people import basic, bearer, make_people
from tests.resumables import service_in

PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OPERATORS = "correct-horse-battery-staple-0123456789"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)


class Desk:
    """Tokens of a database without a server, and people who ask for them."""

    def __init__(self, tokens: Tokens, run: Any) -> None:
        self.tokens = tokens
        self.run = run

    async def person(self, name: str, **more: Any) -> Actor:
        """Add a user, and return who has logged in as it."""
        row = await self.run(add_user, name, more)
        return Actor(user_id=row.pk, name=name, is_superuser=row.is_superuser, scopes=EVERYTHING)

    async def make(self, by: Actor, *scopes: str, **more: Any) -> tuple[str, KnownToken]:
        wanted = {"user_id": by.user_id, "now": NOW} | more
        name = wanted.pop("name", "backup")
        return await self.tokens.make(by, name, scopes or ["read"], **wanted)


def add_user(name: str, more: dict[str, Any]) -> User:
    return User.objects.create(username=name, **more)


def rows_of_tokens() -> list[dict[str, Any]]:
    return [dict(row) for row in Token.objects.order_by("id").values()]


def acts() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("act", "object", "user_name"))


def shown(by: Actor, made: KnownToken) -> Actor:
    """Return who shows a token."""
    return replace(by, token_id=made.id, scopes=frozenset(made.scopes))


@pytest.fixture
async def desk(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> AsyncIterator[Desk]:
    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as worker:
            yield Desk(Tokens(worker.ledger), worker.ledger.run)


async def test_a_token_has_256_bits_and_only_its_digest_is_kept(desk: Desk) -> None:
    bob = await desk.person("bob")

    made = [(await desk.make(bob))[0] for _ in range(2)]

    assert made[0] != made[1]
    for token, row in zip(made, await desk.run(rows_of_tokens), strict=True):
        assert re.fullmatch(r"fs_[\w-]{43}", token)
        assert row["sha256"] == hashlib.sha256(token.encode()).hexdigest()
        assert row["hint"] == token[:7]
        assert not [value for value in row.values() if token in str(value)]


async def test_a_token_is_good_until_it_expires_or_is_revoked(desk: Desk) -> None:
    bob = await desk.person("bob")
    token, known = await desk.make(bob, "upload", "read", expires_at=NOW + DAY)

    assert desk.tokens.find(token, now=NOW + DAY - timedelta(seconds=1)) == known
    assert desk.tokens.find(token, now=NOW + DAY) is None
    assert known.scopes == ("upload", "read")
    assert await desk.tokens.revoke(bob, known.id, now=NOW)
    assert not await desk.tokens.revoke(bob, known.id, now=NOW)
    assert desk.tokens.find(token, now=NOW) is None
    id = str(known.id)
    assert await desk.run(acts) == [("token.make", id, "bob"), ("token.revoke", id, "bob")]


@pytest.mark.parametrize("token", ["", "fs_", "fs_é", "fs_" + "x" * 43, "xs_" + "x" * 43, "fs_\0"])
async def test_what_is_no_token_is_not_found(desk: Desk, token: str) -> None:
    await desk.make(await desk.person("bob"))

    assert desk.tokens.find(token, now=NOW) is None


async def test_nobody_gives_away_what_is_not_theirs(desk: Desk) -> None:
    ada = await desk.person("ada", is_superuser=True)
    bob = await desk.person("bob")
    _, narrow = await desk.make(bob, "upload", "read", expires_at=NOW + DAY)
    _, admin = await desk.make(ada, *SCOPES)
    _, tame = await desk.make(ada, "upload", "read", "issue")
    by_narrow, by_tame = shown(bob, narrow), shown(ada, tame)
    refused: list[tuple[Actor, list[str], dict[str, Any]]] = [
        (bob, ["admin"], {}),
        (bob, ["read"], {"user_id": ada.user_id}),
        (by_narrow, ["issue"], {"expires_at": NOW + DAY}),
        (by_narrow, ["admin"], {"expires_at": NOW + DAY}),
        (by_narrow, ["read"], {}),
        (by_narrow, ["read"], {"expires_at": NOW + DAY + timedelta(seconds=1)}),
        (by_tame, ["admin"], {}),
        (by_tame, ["read"], {"user_id": bob.user_id}),
        (ada, ["admin"], {"user_id": bob.user_id}),
        (replace(bob, user_id=None), ["read"], {"user_id": bob.user_id}),
        (replace(ada, is_superuser=False), ["admin"], {}),
    ]

    for by, scopes, more in refused:
        with pytest.raises(Forbidden):
            await desk.make(by, *scopes, **more)
    before = len(await desk.run(rows_of_tokens))
    await desk.make(by_narrow, "read", expires_at=NOW + DAY)
    await desk.make(shown(ada, admin), "admin")
    await desk.make(ada, "read", user_id=bob.user_id)
    assert len(await desk.run(rows_of_tokens)) == before + 3


async def test_a_token_that_was_revoked_meanwhile_makes_none(desk: Desk) -> None:
    bob = await desk.person("bob")
    _, known = await desk.make(bob)
    await desk.tokens.revoke(bob, known.id, now=NOW)

    with pytest.raises(Forbidden):
        await desk.make(shown(bob, known))


async def test_nobody_revokes_what_is_somebody_elses(desk: Desk) -> None:
    ada = await desk.person("ada", is_superuser=True)
    bob = await desk.person("bob")
    eve = await desk.person("eve")
    token, known = await desk.make(bob)

    assert not await desk.tokens.revoke(eve, known.id, now=NOW)
    assert not await desk.tokens.revoke(bob, known.id + 1, now=NOW)
    assert desk.tokens.find(token, now=NOW)
    assert await desk.tokens.revoke(ada, known.id, now=NOW)


async def test_a_token_ends_none_that_may_more(desk: Desk) -> None:
    ada = await desk.person("ada", is_superuser=True)
    bob = await desk.person("bob")
    _, both = await desk.make(bob, "upload", "read")
    _, read = await desk.make(bob, "read")
    _, admin = await desk.make(ada, "admin")

    assert not await desk.tokens.revoke(shown(bob, read), both.id, now=NOW)
    assert await desk.tokens.revoke(shown(bob, both), read.id, now=NOW)
    assert await desk.tokens.revoke(shown(bob, both), both.id, now=NOW)
    _, again = await desk.make(bob, "upload")
    assert await desk.tokens.revoke(shown(ada, admin), again.id, now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " \t"},
        {"name": "x" * (MAX_NAME_CHARACTERS + 1)},
        {"name": "a\0b"},
        {"name": "a\u202eb"},
        {"scopes": []},
        {"scopes": ["read", "delete"]},
        {"scopes": [""]},
        {"expires_at": NOW},
        {"expires_at": NOW + MAX_LIFE + timedelta(seconds=1)},
        {"user_id": 999},
    ],
)
async def test_a_token_that_cannot_be_is_told(desk: Desk, wrong: dict[str, Any]) -> None:
    ada = await desk.person("ada", is_superuser=True)
    wanted = {"name": "n", "scopes": ["read"], "user_id": ada.user_id} | wrong

    with pytest.raises(BadValue):
        await desk.tokens.make(ada, wanted.pop("name"), wanted.pop("scopes"), **wanted, now=NOW)


async def test_tokens_of_one_user_are_bounded_and_those_that_are_good_all_listed(
    desk: Desk,
) -> None:
    bob = await desk.person("bob")
    assert bob.user_id is not None
    made = [(await desk.make(bob, name=f"n {number}"))[1] for number in range(MAX_TOKENS)]

    with pytest.raises(BadValue):
        await desk.make(bob)
    await desk.run(end_all_but_the_first)
    later = [(await desk.make(bob, name=f"m {number}"))[1] for number in range(MAX_TOKENS - 1)]
    await desk.run(end_all_but_the_first)
    known = await desk.tokens.of(bob.user_id)

    assert [one.id for one in known] == sorted((one.id for one in known), reverse=True)
    assert known[-1].id == made[0].id
    assert later[-1].id in {one.id for one in known}


def end_all_but_the_first() -> None:
    first = Token.objects.order_by("id").first()
    assert first is not None
    Token.objects.exclude(id=first.id).update(revoked_at=NOW)


async def test_a_user_who_is_not_active_has_no_token_that_is_good(desk: Desk) -> None:
    bob = await desk.person("bob")
    token, _ = await desk.make(bob)

    await desk.run(deactivate)

    assert desk.tokens.find(token, now=NOW) is None
    with pytest.raises(FileserviceError):
        await desk.make(bob)


def deactivate() -> None:
    User.objects.update(is_active=False)


async def test_the_last_use_is_noted_once_a_minute(desk: Desk) -> None:
    token, _ = await desk.make(await desk.person("bob"))
    seen = []

    for seconds in (0, 59, 60, 119, 121):
        now = NOW + timedelta(seconds=seconds)
        known = desk.tokens.find(token, now=now)
        assert known is not None
        await desk.tokens.note_use(known, now=now)
        [row] = await desk.run(rows_of_tokens)
        seen.append((row["used_at"] - NOW).total_seconds())

    assert seen == [0, 0, 60, 60, 121]


async def test_of_two_workers_one_notes_the_use(desk: Desk) -> None:
    _, known = await desk.make(await desk.person("bob"))
    await desk.tokens.note_use(known, now=NOW)

    await desk.tokens.note_use(known, now=NOW + timedelta(seconds=30))

    [row] = await desk.run(rows_of_tokens)
    assert row["used_at"] == NOW


# The service.


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="private", TOKEN=OPERATORS) as running:
        yield running


@pytest.fixture(scope="module")
def people(private: Server) -> dict[str, Any]:
    """Return ada, who runs the service, and bob, who does not."""
    return make_people(
        private,
        ("ada", True, [" ".join(SCOPES)]),
        ("bob", False, ["upload read", "upload"]),
    )


def sql(server: Server, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(server.root / DATABASE, timeout=30)) as database:
        rows = database.execute(statement, values).fetchall()
        database.commit()
        return rows


def owner_of(server: Server, id: str) -> tuple[int | None, str]:
    [row] = sql(server, "SELECT user_id, sender FROM fileservice_file WHERE id = ?", id)
    user_id, sender = row
    return user_id, sender


def test_a_token_is_shown_as_bearer_or_as_the_password_of_basic(
    private: Server, people: dict[str, Any]
) -> None:
    bob = people["bob"]
    token = bob["tokens"][0]["token"]

    for shows in (bearer(token), basic("", token), basic("anybody", token)):
        answer = private.ask("PUT", "/files/a", b"hello", {**shows, **JSON})

        assert answer.status == 201
        assert owner_of(private, answer.json["files"][0]["id"]) == (bob["id"], "")


def test_curl_shows_it_by_u_and_by_a_netrc(
    private: Server, people: dict[str, Any], tmp_path: Path
) -> None:
    curl, token = need_program("curl"), people["bob"]["tokens"][0]["token"]
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login token password {token}\n")
    (tmp_path / "a.txt").write_bytes(b"hello")
    send = ["-sS", "--fail", "-T", str(tmp_path / "a.txt"), f"{private.url}/files/"]

    for shows in (["-u", f":{token}"], ["--netrc-file", str(netrc)]):
        done = subprocess.run([curl, *shows, *send], capture_output=True, timeout=60, check=False)

        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{private.url}/files/".encode())


def test_a_token_does_what_it_is_for_and_no_more(private: Server, people: dict[str, Any]) -> None:
    both, upload = (bearer(made["token"]) for made in people["bob"]["tokens"])

    assert private.ask("PUT", "/files/a", b"hello", upload).status == 201
    assert private.ask("GET", "/", headers={**both, **JSON}).status == 200
    refused = [
        private.ask("GET", "/", headers={**upload, **JSON}),
        private.ask("POST", "/certificates/", b"name=Ada", {**both, **FORM}),
        private.ask("GET", "/certificate", headers=both),
    ]
    assert [answer.status for answer in refused] == [403] * 3


def test_beside_a_token_no_cookie_counts(private: Server, people: dict[str, Any]) -> None:
    ada, bob = people["ada"], people["bob"]
    visited = private.ask("GET", "/", headers=PAGE).headers["set-cookie"].split(";")[0]
    cookies = {"Cookie": f"{ada['cookie']}; {visited}"}
    token = bob["tokens"][1]["token"]
    spellings = [
        bearer(token),
        {"Authorization": f"bEARER   {token} "},
        basic("", token),
        basic("ada", token),
    ]

    for shows in spellings:
        mixed = {**cookies, **shows}
        made = private.ask("PUT", "/files/a", b"hello", {**mixed, **JSON})
        assert owner_of(private, made.json["files"][0]["id"]) == (bob["id"], "")
        # What ada's login may do, and the token may not.
        assert private.ask("GET", "/", headers={**mixed, **JSON}).status == 403
        assert private.ask("GET", "/certificate", headers=mixed).status == 403
        assert private.ask("GET", "/admin/", headers=mixed).status == 302
        assert private.ask("GET", "/accounts/tokens/", headers=mixed).status == 302
    form = {**cookies, **bearer(token), **FORM_TYPE}
    sent = private.ask("POST", "/files/", form_body(file_part(b"a", b"hello")), form)
    assert sent.status == 201
    assert private.ask("GET", "/admin/", headers=cookies).status == 200


def test_beside_a_token_that_is_not_good_no_cookie_counts_either(
    private: Server, people: dict[str, Any]
) -> None:
    token = people["bob"]["tokens"][0]["token"]
    cookies = {"Cookie": people["ada"]["cookie"]}
    bad = [
        bearer(token + "x"),
        bearer("fs_"),
        basic("", "fs_" + "x" * 43),
        {"Authorization": f"Bearer {token},Bearer {token}"},
    ]

    for shows in bad:
        for path in ("/", "/certificate", "/livez", "/nowhere", "/admin/", "/accounts/tokens/"):
            answer = private.ask("GET", path, headers={**cookies, **shows})

            assert answer.status == 401, (path, shows)
            assert answer.headers["www-authenticate"].startswith('Bearer realm="fileservice"')
    for shows in (bearer(OPERATORS + "x"), bearer("garbage"), basic("", "garbage")):
        assert private.ask("PUT", "/files/a", b"x", {**cookies, **shows}).status == 401


def test_another_password_of_basic_is_for_a_proxy_before_an_open_service(server: Server) -> None:
    visited = server.ask("GET", "/", headers=PAGE).headers["set-cookie"].split(";")[0]
    cookies = {"Cookie": visited}

    made = [
        server.ask("PUT", "/files/a", b"hello", {**cookies, **shows, **JSON})
        for shows in (basic("proxy", "its own"), bearer("somebody-elses"), {})
    ]

    senders = [owner_of(server, one.json["files"][0]["id"])[1] for one in made]
    assert senders[0] == senders[2] != ""
    assert senders[1] == ""


def test_the_next_request_after_a_revocation_is_refused(private: Server) -> None:
    [eve] = make_people(private, ("eve", False, ["upload read"])).values()
    token, cookie = eve["tokens"][0], {"Cookie": eve["cookie"]}
    shows = {**bearer(token["token"]), **JSON}
    before = private.ask("GET", "/", headers=shows)
    manage(private.root, "token", "revoke", str(token["id"]))
    after = private.ask("GET", "/", headers=shows)
    logged_in = private.ask("GET", "/certificate", headers=cookie)
    sql(private, "UPDATE auth_user SET is_active = 0 WHERE id = ?", eve["id"])
    deactivated = private.ask("GET", "/certificate", headers=cookie)

    answers = [before, after, logged_in, deactivated]
    assert [answer.status for answer in answers] == [200, 401, 200, 401]


def test_the_page_makes_a_token_shows_it_once_and_revokes_it(
    private: Server, people: dict[str, Any]
) -> None:
    bob = people["bob"]
    page, cookies = visited(private, bob["cookie"])
    form = f"{page}&name=backup&scope=upload&scope=read&expires_at=2099-12-31"

    made = private.ask("POST", "/accounts/tokens/", form.encode(), {**FORM, **cookies})
    token = re.search(r"fs_[\w-]{43}", made.text)

    assert made.status == 201
    assert token
    assert made.headers["cache-control"] == "no-store"
    assert "<script" not in made.text
    assert "default-src 'none'" in made.headers["content-security-policy"]
    listed = private.ask("GET", "/accounts/tokens/", headers=cookies)
    assert token[0] not in listed.text
    assert token[0][:7] in listed.text
    assert private.ask("PUT", "/files/a", b"x", bearer(token[0])).status == 201

    [(id,)] = sql(private, "SELECT id FROM fileservice_token WHERE name = 'backup'")
    gone = private.ask("POST", f"/accounts/tokens/{id}/revoke", page.encode(), {**FORM, **cookies})
    assert gone.status == 303
    assert private.ask("PUT", "/files/a", b"x", bearer(token[0])).status == 401


def visited(server: Server, cookie: str) -> tuple[str, dict[str, str]]:
    """Return what a form of the page carries, and the cookies to send with it."""
    page = server.ask("GET", "/accounts/tokens/", headers={"Cookie": cookie})
    assert page.status == 200
    hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert hidden
    csrf = page.headers["set-cookie"].split(";")[0]
    return f"csrfmiddlewaretoken={hidden[1]}", {"Cookie": f"{cookie}; {csrf}"}


def test_the_page_refuses_what_it_should(private: Server, people: dict[str, Any]) -> None:
    bob, ada = people["bob"], people["ada"]
    hidden, cookies = visited(private, bob["cookie"])
    headers = {**FORM, **cookies}
    id = ada["tokens"][0]["id"]

    def post(fields: str, path: str = "/accounts/tokens/") -> tuple[int, str]:
        answer = private.ask("POST", path, f"{hidden}&{fields}".encode(), headers)
        return answer.status, answer.text

    before = sql(private, "SELECT count(*) FROM fileservice_token")
    refused = [
        post("name=x&scope=admin"),
        post("name=x"),
        post("name=&scope=read"),
        post("name=x&scope=read&expires_at=2001-01-01"),
        post("name=x&scope=read&expires_at=%3Cscript%3E"),
    ]

    assert [status for status, _ in refused] == [403, 422, 422, 422, 422]
    assert all('role="alert"' in text and "<script" not in text for _, text in refused)
    assert post("", f"/accounts/tokens/{id}/revoke")[0] == 303
    forged = {"Cookie": bob["cookie"], **FORM}
    sent = private.ask("POST", "/accounts/tokens/", b"name=x&scope=read", forged)
    assert sent.status == 403
    assert private.ask("GET", "/accounts/tokens/").status == 302
    assert private.ask("PUT", "/accounts/tokens/", b"", cookies).status in (403, 405)
    assert sql(private, "SELECT count(*) FROM fileservice_token") == before
    assert sql(private, "SELECT revoked_at FROM fileservice_token WHERE id = ?", id) == [(None,)]


def test_the_command_prints_the_token_alone(private: Server, people: dict[str, Any]) -> None:
    made = manage(private.root, "token", "make", "bob", "--name", "cron", "--scopes", "upload")

    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"fs_[\w-]{43}\n", made.stdout)
    assert private.ask("PUT", "/files/a", b"x", bearer(made.stdout.strip())).status == 201
    listed = manage(private.root, "token", "list", "bob").stdout.splitlines()
    id, hint, *facts = listed[0].split("\t")
    assert hint == made.stdout[:7] + "..."
    assert facts[:3] == ["good", "upload", "expires never"]
    assert facts[3].startswith("used 20")
    assert facts[4] == "cron"
    assert manage(private.root, "token", "revoke", id).returncode == 0
    assert private.ask("PUT", "/files/a", b"x", bearer(made.stdout.strip())).status == 401


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["make", "nobody", "--name", "x"], "There is no user 'nobody'."),
        (["make", "bob", "--name", "x", "--scopes", "admin"], "is for administrators"),
        (["make", "bob", "--name", ""], "1 to 100 characters"),
        (["make", "bob", "--name", "x", "--expires-at", "soon"], "is no day and no time"),
        (["revoke", "999999"], "There is no such token"),
    ],
)
def test_the_command_says_what_is_wrong(
    private: Server, people: dict[str, Any], words: list[str], sentence: str
) -> None:
    done = manage(private.root, "token", *words)

    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr


@pytest.mark.long
def test_no_token_is_ever_in_a_log(migrated: Path) -> None:
    with serving(migrated, ACCESS="private", TOKEN=OPERATORS) as running:
        [bob] = make_people(running, ("bob", False, ["upload read"])).values()
        token = bob["tokens"][0]["token"]
        shown = [token, token + "x", OPERATORS]
        for one in shown:
            for headers in (bearer(one), basic("", one)):
                for path in ("/", "/nowhere", "/admin/", f"/files/{'a' * 26}", "/?token=" + one):
                    running.ask("GET", path, headers=headers)
        (running.root / DATABASE).rename(running.root / "away")
        running.ask("GET", "/accounts/login/", headers=bearer(token))
        (running.root / "away").rename(running.root / DATABASE)
        running.process.terminate()
        running.process.wait(60)
        log = running.log.read_text()

        assert " 401 " in log
        for one in shown:
            assert one not in log
            assert basic("", one)["Authorization"].removeprefix("Basic ") not in log
