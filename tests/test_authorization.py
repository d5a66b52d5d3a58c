"""Every route, by every method, for everybody there is: one table says who is let in."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from django.urls import URLPattern, URLResolver

from fileservice import urls
from fileservice.actors import SCOPES
from tests.client import Answer, Client
from tests.conftest import Server, serving
from tests.people import bearer, database, make_people

OPERATORS = "correct-horse-battery-staple-0123456789"
JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}
TEXT = {"Content-Type": "text/plain"}
TUS = {"Tus-Resumable": "1.0.0"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NONE = "a" * 26  # a key or an id of nothing

type Access = Literal["open", "private"]


@dataclass(frozen=True, slots=True)
class Who:
    """
    Somebody who asks.

    Attributes:
        headers: by which it is known who it is.
        scopes: what may be asked for; of a login all but `admin`.
        is_somebody: it has said who it is.
        is_admin: an administrator, and does not hide it.
        is_owner: the file is theirs.
        is_bad: it shows a token of ours that is not good.
        is_browser: it has logged in.
    """

    name: str
    headers: Mapping[str, str]
    scopes: frozenset[str] = frozenset(SCOPES)
    is_somebody: bool = True
    is_admin: bool = False
    is_owner: bool = False
    is_bad: bool = False
    is_browser: bool = False


# A rule says what somebody is answered who is not let in; None lets in.
type Rule = Callable[[Who, Access], int | None]


def anybody(who: Who, access: Access) -> int | None:
    """Let in who has the link, or need not have one."""
    return None


def scoped(scope: str) -> Rule:
    """Let in who may do something of this kind; in an open service nobody need say who it is."""

    def rule(who: Who, access: Access) -> int | None:
        if scope == "admin" and not who.is_admin:
            return 403 if who.is_somebody else 401
        if not who.is_somebody:
            return 401 if access == "private" else None
        return None if scope in who.scopes else 403

    return rule


def theirs(who: Who, access: Access) -> int | None:
    """Let in whose it is, and administrators; for others it is not there."""
    is_let_in = who.is_admin or (who.is_owner and "read" in who.scopes)
    return None if is_let_in else 404


def theirs_to(scope: str) -> Rule:
    """Let in whose it is and who may do something of this kind."""

    def rule(who: Who, access: Access) -> int | None:
        refused = scoped(scope)(who, access)
        return refused if refused or who.is_owner or who.is_admin else 404

    return rule


def with_account(who: Who, access: Access) -> int | None:
    """Let in who has an account, also where nobody need say who it is."""
    if not who.is_somebody:
        return 401
    return 403 if who.name == "FILESERVICE_TOKEN" else None


def users_to(scope: str) -> Rule:
    """Let in users who may do something of this kind; others have nothing of their own."""

    def rule(who: Who, access: Access) -> int | None:
        is_user = who.is_somebody and who.name != "FILESERVICE_TOKEN"
        return scoped(scope)(who, access) or (None if is_user else 403)

    return rule


def person(who: Who, access: Access) -> int | None:
    """Let in who has logged in, and lead others there."""
    return None if who.is_browser else 302


def staff(who: Who, access: Access) -> int | None:
    """Let in administrators who have logged in, and lead others there."""
    return None if who.is_browser and who.is_admin else 302


@dataclass(frozen=True, slots=True)
class Ask:
    """
    A request, as good as its sender.

    Attributes:
        methods: by which it is asked; GET is HEAD too.
        status: of the answer to who is let in.
        path: below the route, with the id and the key of a file that is restricted.
    """

    methods: str
    rule: Rule
    status: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


UPLOAD, READ, ISSUE, ADMIN = (scoped(scope) for scope in ("upload", "read", "issue", "admin"))
APPEND = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
DRAFT = {
    "Content-Type": "application/partial-upload",
    "Upload-Offset": "0",
    "Upload-Complete": "?1",
}
MERGE = {"Content-Type": "application/json"}

# What nobody has is asked for where it is told only to who is let in, and costs less.
NATIVE: dict[str, list[Ask]] = {
    r"^files/(?P<rest>[\s\S]+)$": [
        Ask("GET", theirs, 200, "/files/{id}"),
        Ask("GET", theirs, 200, "/files/{id}/a.txt"),
        Ask("GET", anybody, 200, "/files/{open}"),
        Ask("GET", anybody, 404, f"/files/{NONE}"),
        Ask("PUT", UPLOAD, 201, "/files/a.txt", body=b"hello"),
        Ask("PUT", UPLOAD, 201, "/files/a.txt", {"Upload-Complete": "?0"}),
    ],
    "files/": [
        Ask("PUT", UPLOAD, 201, "/files/"),
        Ask("POST", UPLOAD, 415, "/files/", TEXT),
        Ask("POST", UPLOAD, 201, "/files/", {**TUS, "Upload-Length": "5"}),
        Ask("POST", UPLOAD, 201, "/files/", {"Upload-Complete": "?0"}),
    ],
    "uploads/<str:key>": [
        Ask("GET", anybody, 200, "/uploads/{key}"),
        Ask("GET DELETE", anybody, 404, f"/uploads/{NONE}"),
        Ask("PUT", UPLOAD, 404, f"/uploads/{NONE}"),
        Ask("PATCH", UPLOAD, 404, f"/uploads/{NONE}", APPEND),
        Ask("PATCH", UPLOAD, 404, f"/uploads/{NONE}", DRAFT),
        Ask("PUT", UPLOAD, 409, "/uploads/{key}", {"Content-Range": "bytes 0-0/9"}, b"x"),
        Ask("PATCH", UPLOAD, 409, "/uploads/{key}", APPEND),
    ],
    "uploads/<str:key>/delete": [Ask("POST", anybody, 404, f"/uploads/{NONE}/delete")],
    "uploads/<str:key>/terms": [
        Ask("POST", anybody, 404, f"/uploads/{NONE}/terms"),
        Ask("POST", anybody, 400, "/uploads/{key}/terms"),
    ],
    "uploads/<str:key>/shares": [
        Ask("GET", anybody, 200, "/uploads/{key}/shares", JSON),
        Ask("POST", anybody, 404, f"/uploads/{NONE}/shares"),
    ],
    "uploads/<str:key>/shares/<str:id>": [
        Ask("GET PATCH POST DELETE", anybody, 404, f"/uploads/{{key}}/shares/{NONE}"),
    ],
    "uploads/<str:key>/shares/<str:id>/revoke": [
        Ask("POST", anybody, 404, f"/uploads/{{key}}/shares/{NONE}/revoke"),
    ],
    "s/<str:code>": [Ask("GET POST", anybody, 404, f"/s/{NONE}")],
    "s/<str:code>/qr.svg": [Ask("GET", anybody, 404, f"/s/{NONE}/qr.svg")],
    "s/<str:code>/qr.png": [Ask("GET", anybody, 404, f"/s/{NONE}/qr.png")],
    "s/<str:code>/<str:name>": [Ask("GET", anybody, 404, f"/s/{NONE}/a.txt")],
    "d/<str:code>": [Ask("GET POST", anybody, 404, f"/d/{NONE}")],
    r"^d/(?P<code>[^/]+)/(?P<rest>[\s\S]*)$": [
        Ask("GET", anybody, 404, f"/d/{NONE}/"),
        Ask("PUT", anybody, 404, f"/d/{NONE}/a.txt"),
        Ask("POST", anybody, 404, f"/d/{NONE}/", {**TUS, "Upload-Length": "5"}),
    ],
    "drops/": [
        Ask("GET", users_to("upload"), 200, "/drops/"),
        Ask("POST", users_to("upload"), 400, "/drops/"),
    ],
    "drops/<str:id>": [Ask("GET DELETE", users_to("upload"), 404, f"/drops/{NONE}")],
    "drops/<str:id>/revoke": [Ask("POST", users_to("upload"), 404, f"/drops/{NONE}/revoke")],
    "parcels/": [Ask("POST", UPLOAD, 415, "/parcels/", TEXT)],
    "parcels/<str:key>": [
        Ask("GET", theirs, 200, "/parcels/{parcel}"),
        Ask("GET", anybody, 200, "/parcels/{parcel_key}"),
        Ask("DELETE", anybody, 404, "/parcels/{parcel}"),
        Ask("POST", UPLOAD, 404, "/parcels/{parcel}"),
        Ask("POST", UPLOAD, 415, "/parcels/{parcel_key}", TEXT),
    ],
    "parcels/<str:key>/": [
        Ask("GET DELETE", anybody, 404, f"/parcels/{NONE}/"),
        Ask("POST", UPLOAD, 404, "/parcels/{parcel}/", {**TUS, "Upload-Length": "5"}),
        Ask("POST", UPLOAD, 201, "/parcels/{parcel_key}/", {**TUS, "Upload-Length": "5"}),
    ],
    r"^parcels/(?P<key>[^/]+)/(?P<rest>[\s\S]+)$": [
        Ask("GET", theirs, 200, "/parcels/{parcel}/a.zip"),
        Ask("GET", anybody, 200, "/parcels/{parcel_key}/a.zip"),
        Ask("PUT", UPLOAD, 404, "/parcels/{parcel}/a.txt"),
        Ask("PUT", UPLOAD, 201, "/parcels/{parcel_key}/a.txt", body=b"hello"),
        Ask("DELETE", anybody, 404, "/parcels/{parcel}/a.txt"),
        Ask("POST", anybody, 404, "/parcels/{parcel}/delete"),
    ],
    "certificate": [Ask("GET", ISSUE, 404, "/certificate?template=none")],
    "certificates/": [Ask("POST", ISSUE, 415, "/certificates/", TEXT)],
    "certificates/<str:id>": [Ask("GET", anybody, 404, f"/certificates/{NONE}")],
    "certificates/<str:id>/<str:name>": [Ask("GET", anybody, 404, f"/certificates/{NONE}/a")],
    "issued/<str:key>": [Ask("GET DELETE", anybody, 404, f"/issued/{NONE}")],
    "issued/<str:key>/revoke": [Ask("POST", anybody, 404, f"/issued/{NONE}/revoke")],
    "templates/": [Ask("GET", ISSUE, 200, "/templates/")],
    "templates/preview.png": [Ask("GET", ISSUE, 404, "/templates/preview.png?template=none")],
    "templates/<str:name>": [Ask("GET", ISSUE, 404, "/templates/none")],
    "templates/<str:name>/preview.png": [Ask("GET", ISSUE, 404, "/templates/none/preview.png")],
    "batches/": [Ask("POST", ISSUE, 415, "/batches/", TEXT)],
    "batches/<str:key>": [Ask("GET DELETE", anybody, 404, f"/batches/{NONE}")],
    "batches/<str:key>/stop": [Ask("POST", anybody, 404, f"/batches/{NONE}/stop")],
    **{
        f"batches/<str:key>/certificates.{kind}": [
            Ask("GET", anybody, 404, f"/batches/{NONE}/certificates.{kind}")
        ]
        for kind in ("zip", "pdf", "csv", "jsonl")
    },
    "verify/": [Ask("GET", anybody, 200, "/verify/"), Ask("POST", anybody, 400, "/verify/")],
    "verify/<str:name>": [Ask("GET", anybody, 404, "/verify/none")],
    "audit/": [Ask("GET", ADMIN, 200, "/audit/")],
    "audit/audit.csv": [Ask("GET", ADMIN, 200, "/audit/audit.csv?act=none")],
    "": [Ask("GET", READ, 200, "/", JSON), Ask("GET", anybody, 200, "/")],
    "put.sh": [Ask("GET", anybody, 200, "/put.sh")],
    "problems/<str:code>": [Ask("GET", anybody, 404, "/problems/none")],
    "livez": [Ask("GET", anybody, 200, "/livez")],
    "readyz": [Ask("GET", anybody, 200, "/readyz")],
    "metrics": [Ask("GET", READ, 200, "/metrics")],
    "api/docs": [Ask("GET", anybody, 200, "/api/docs")],
    "api/v1/openapi.json": [Ask("GET", anybody, 200, "/api/v1/openapi.json")],
    "api/v1/files": [Ask("GET", READ, 200, "/api/v1/files")],
    "api/v1/files/<id>": [
        Ask("GET", theirs_to("read"), 200, "/api/v1/files/{id}"),
        Ask("PATCH", theirs_to("upload"), 200, "/api/v1/files/{id}", MERGE, b"{}"),
        Ask("DELETE", UPLOAD, 404, f"/api/v1/files/{NONE}"),
    ],
    "api/v1/files/<id>/shares": [
        Ask("GET", theirs_to("read"), 200, "/api/v1/files/{id}/shares"),
        Ask("POST", UPLOAD, 404, f"/api/v1/files/{NONE}/shares", MERGE, b"{}"),
    ],
    "api/v1/shares": [Ask("GET", READ, 200, "/api/v1/shares")],
    "api/v1/shares/<id>": [
        Ask("GET", READ, 404, f"/api/v1/shares/{NONE}"),
        Ask("PATCH", UPLOAD, 404, f"/api/v1/shares/{NONE}", MERGE, b"{}"),
        Ask("DELETE", UPLOAD, 404, f"/api/v1/shares/{NONE}"),
    ],
    "api/v1/certificates": [
        Ask("GET", READ, 200, "/api/v1/certificates"),
        Ask("POST", ISSUE, 404, "/api/v1/certificates", MERGE, b'{"template": "none"}'),
    ],
    "api/v1/certificates/<id>": [Ask("GET", READ, 404, f"/api/v1/certificates/{NONE}")],
    "api/v1/certificates/<id>/revoke": [
        Ask("POST", ISSUE, 404, f"/api/v1/certificates/{NONE}/revoke", MERGE, b"{}"),
    ],
    "api/v1/verify/<number>": [Ask("GET", anybody, 404, "/api/v1/verify/none")],
    "api/v1/batches": [Ask("GET", READ, 200, "/api/v1/batches")],
    "api/v1/batches/<id>": [Ask("GET", READ, 404, f"/api/v1/batches/{NONE}")],
    "api/v1/batches/<id>/stop": [Ask("POST", ISSUE, 404, f"/api/v1/batches/{NONE}/stop")],
    "api/v1/tokens": [
        Ask("GET", with_account, 200, "/api/v1/tokens"),
        Ask("POST", with_account, 422, "/api/v1/tokens", MERGE, b"{}"),
    ],
    "api/v1/tokens/<int:id>": [Ask("DELETE", with_account, 404, "/api/v1/tokens/1000000")],
    "api/v1/parcels": [
        Ask("GET", READ, 200, "/api/v1/parcels"),
        Ask("POST", UPLOAD, 422, "/api/v1/parcels", MERGE, b"{}"),
    ],
    "api/v1/parcels/<id>": [
        Ask("GET", READ, 404, f"/api/v1/parcels/{NONE}"),
        Ask("DELETE", UPLOAD, 404, f"/api/v1/parcels/{NONE}"),
    ],
    "api/v1/parcels/<id>/files": [
        Ask("GET", READ, 404, f"/api/v1/parcels/{NONE}/files"),
        Ask("POST", UPLOAD, 422, f"/api/v1/parcels/{NONE}/files", MERGE, b"{}"),
    ],
    "api/v1/drops": [
        Ask("GET", READ, 200, "/api/v1/drops"),
        Ask("POST", UPLOAD, 422, "/api/v1/drops", MERGE, b"{}"),
    ],
    "api/v1/drops/<id>": [
        Ask("GET", READ, 404, f"/api/v1/drops/{NONE}"),
        Ask("DELETE", UPLOAD, 404, f"/api/v1/drops/{NONE}"),
    ],
    "api/v1/webhooks": [
        Ask("GET", READ, 200, "/api/v1/webhooks"),
        Ask("POST", READ, 422, "/api/v1/webhooks", MERGE, b"{}"),
    ],
    "api/v1/webhooks/<int:id>": [Ask("GET DELETE", READ, 404, "/api/v1/webhooks/1000000")],
    "api/v1/webhooks/<int:id>/deliveries": [
        Ask("GET", READ, 404, "/api/v1/webhooks/1000000/deliveries"),
    ],
    **{
        f"api/v1/webhooks/<int:id>/{verb}": [
            Ask("POST", READ, 404, f"/api/v1/webhooks/1000000/{verb}")
        ]
        for verb in ("pause", "resume", "rotate", "test")
    },
    "api/v1/quota": [Ask("GET", READ, 200, "/api/v1/quota")],
}
# Django says itself which methods it knows, and forms are refused without its token.
STANDARD: dict[str, list[Ask]] = {
    "admin/login/": [Ask("GET", anybody, 302, "/admin/login/")],
    "admin/logout/": [Ask("POST", anybody, 403, "/admin/logout/")],
    "admin/password_change/": [Ask("GET", anybody, 302, "/admin/password_change/")],
    "admin/": [Ask("GET", staff, 200, "/admin/")],
    "accounts/": [Ask("GET", person, 200, "/accounts/")],
    "accounts/login/": [Ask("GET", anybody, 200, "/accounts/login/")],
    "accounts/logout/": [Ask("POST", anybody, 403, "/accounts/logout/")],
    "accounts/password/": [
        Ask("GET", person, 200, "/accounts/password/"),
        Ask("POST", anybody, 403, "/accounts/password/"),
    ],
    "accounts/sessions/end": [Ask("POST", anybody, 403, "/accounts/sessions/end")],
    "accounts/sessions/<str:id>/end": [Ask("POST", anybody, 403, "/accounts/sessions/1/end")],
    "accounts/first/<str:secret>": [Ask("GET", anybody, 404, f"/accounts/first/{NONE}")],
    "accounts/tokens/": [
        Ask("GET", person, 200, "/accounts/tokens/"),
        Ask("POST", anybody, 403, "/accounts/tokens/"),
    ],
    "accounts/tokens/<int:id>/revoke": [Ask("POST", anybody, 403, "/accounts/tokens/1/revoke")],
}


def test_every_route_is_in_the_table() -> None:
    assert patterns(urls.native) == NATIVE.keys()
    assert patterns(urls.standard) == STANDARD.keys()


def patterns(routes: list[Any]) -> set[str]:
    assert all(isinstance(route, URLPattern | URLResolver) for route in routes)
    return {str(route.pattern) for route in routes}


def logged_in(server: Server, cookie: str) -> dict[str, str]:
    """Return what a browser sends that has logged in, and has been shown a form."""
    home = server.ask("GET", "/", headers={**PAGE, "Cookie": cookie})
    shown = re.search(r'name="?csrf_token"? value="?([0-9a-f]+)', home.text)
    browser = re.search(r"fileservice_browser=[^;]+", home.headers["set-cookie"])
    assert shown
    assert browser
    return {"Cookie": f"{cookie}; {browser[0]}", "X-CSRFToken": shown[1]}


def everybody(server: Server) -> list[Who]:
    """Make people and tokens of every kind, and take from some what they had."""
    each = [*SCOPES[:3]]
    people = make_people(
        server,
        ("owner", False, [*each, *["upload read"] * 3]),
        ("other", False, ["read"]),
        ("admin", True, [*SCOPES]),
        ("demoted", True, [" ".join(SCOPES)]),
        ("deactivated", True, ["admin"]),
    )
    tokens = {name: [one["token"] for one in made["tokens"]] for name, made in people.items()}
    owner = people["owner"]["tokens"]
    browsers = {name: logged_in(server, made["cookie"]) for name, made in people.items()}
    hour_ago = str((datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None))
    with database(server) as rows:
        revoke = "UPDATE fileservice_token SET revoked_at = ? WHERE id = ?"
        expire = "UPDATE fileservice_token SET expires_at = ? WHERE id = ?"
        rows.execute(revoke, (hour_ago, owner[3]["id"]))
        rows.execute(expire, (hour_ago, owner[4]["id"]))
        demote = "UPDATE auth_user SET is_superuser = 0, is_staff = 0 WHERE username = 'demoted'"
        rows.execute(demote)
        rows.execute("UPDATE auth_user SET is_active = 0 WHERE username = 'deactivated'")

    def by_login(name: str, **more: Any) -> Who:
        return Who(f"login of {name}", browsers[name], is_browser=True, **more)

    def by_token(name: str, at: int, scopes: str, **more: Any) -> Who:
        shows, known = bearer(tokens[name][at]), frozenset(scopes.split())
        return Who(f"token of {name} for {scopes}", shows, known, **more)

    return [
        Who("anonymous", {}, is_somebody=False),
        by_login("owner", is_owner=True),
        by_login("other"),
        by_login("admin", is_admin=True),
        by_login("demoted"),
        Who("login of deactivated", browsers["deactivated"], is_somebody=False),
        *(by_token("owner", at, scope, is_owner=True) for at, scope in enumerate(each)),
        by_token("other", 0, "read"),
        *(
            by_token("admin", at, scope, is_admin=scope == "admin")
            for at, scope in enumerate(SCOPES)
        ),
        by_token("demoted", 0, " ".join(SCOPES)),
        Who("FILESERVICE_TOKEN", bearer(OPERATORS), frozenset(SCOPES) - {"admin"}),
        by_token("deactivated", 0, "deactivated", is_bad=True),
        by_token("owner", 3, "revoked", is_bad=True),
        by_token("owner", 4, "expired", is_bad=True),
        Who("unknown token", bearer("fs_" + "x" * 43), is_bad=True),
        Who(
            "revoked token beside a login",
            {**browsers["admin"], **bearer(tokens["owner"][3])},
            is_bad=True,
        ),
    ]


@pytest.fixture(scope="module", params=["private", "open"])
def access(request: pytest.FixtureRequest) -> Access:
    chosen: Access = request.param
    return chosen


@pytest.fixture(scope="module")
def service(migrated: Path, access: Access) -> Iterator[Server]:
    with serving(migrated, ACCESS=access, TOKEN=OPERATORS) as running:
        yield running


def expected(who: Who, ask: Ask, access: Access) -> int:
    if who.is_bad:
        return 401
    refused = ask.rule(who, access)
    return ask.status if refused is None else refused


def asks_of(asks: list[Ask]) -> Iterator[tuple[str, Ask]]:
    for ask in asks:
        methods = ask.methods.split()
        yield from ((method, ask) for method in methods)
        if "GET" in methods and asks not in STANDARD.values():
            yield "HEAD", ask


def told(client: Client, who: Who, method: str, ask: Ask, names: Mapping[str, str]) -> Answer:
    path = ask.path.format(**names)
    return client.ask(method, path, ask.body or None, {**ask.headers, **who.headers})


def parcel_of(server: Server, who: Who) -> dict[str, str]:
    """Make a parcel that is restricted, of one file, and return its names."""
    headers = {**who.headers, **JSON, "Content-Type": "application/json"}
    made = server.ask("POST", "/parcels/", b'{"restricted": true}', headers).json
    key = made["manage_url"].rpartition("/")[2]
    assert server.ask("PUT", f"/parcels/{key}/a", b"hello", {**who.headers}).status == 201
    return {"parcel": made["id"], "parcel_key": key}


def test_each_is_let_in_where_the_table_says(service: Server, access: Access) -> None:
    everyone = everybody(service)
    owner = next(who for who in everyone if who.name == "token of owner for upload")
    sent = [
        service.ask("PUT", "/files/a.txt", b"hello", {**owner.headers, **JSON}).json["files"][0]
        for _ in range(2)
    ]
    with database(service) as rows:
        restrict = "UPDATE fileservice_file SET restricted = 1 WHERE id = ?"
        rows.execute(restrict, (sent[0]["id"],))
    key = sent[0]["manage_url"].rpartition("/")[2]
    parcel = parcel_of(service, owner)
    names = {"id": sent[0]["id"], "key": key, "open": sent[1]["id"], **parcel}
    wrong = []

    with service.client() as client:
        for who in everyone:
            for asks in (*NATIVE.values(), *STANDARD.values()):
                for method, ask in asks_of(asks):
                    answer = told(client, who, method, ask, names)
                    if answer.status != (right := expected(who, ask, access)):
                        wrong.append((who.name, method, ask.path, answer.status, right))
            for asks in NATIVE.values():
                known = {method for method, _ in asks_of(asks)}
                for method in set(METHODS) - known:
                    answer = told(client, who, method, Ask(method, anybody, 0, asks[0].path), names)
                    right = 401 if who.is_bad else 204 if method == "OPTIONS" else 405
                    if answer.status != right:
                        wrong.append((who.name, method, asks[0].path, answer.status, right))

    assert wrong == []


def test_what_was_taken_away_is_gone_with_the_next_request(service: Server) -> None:
    [ann] = make_people(service, ("ann", True, ["admin", "read"])).values()
    login = {"Cookie": ann["cookie"]}
    shows = [login, bearer(ann["tokens"][0]["token"])]

    def asked(path: str, *headers: Mapping[str, str]) -> list[int]:
        return [service.ask("GET", path, headers={**JSON, **one}).status for one in headers]

    assert asked("/audit/", *shows) == [200, 200]
    with database(service) as rows:
        rows.execute("UPDATE auth_user SET is_superuser = 0, is_staff = 0 WHERE username = 'ann'")
    assert asked("/audit/", *shows) == [403, 403]
    assert asked("/accounts/tokens/", login) == [200]
    log_out(service, ann["cookie"])
    assert asked("/accounts/tokens/", login) == [302]
    assert asked("/audit/", *shows) == [401, 403]


def log_out(server: Server, cookie: str) -> None:
    page = server.ask("GET", "/accounts/tokens/", headers={"Cookie": cookie})
    csrf = page.headers["set-cookie"].split(";")[0]
    hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert hidden
    headers = {
        "Cookie": f"{cookie}; {csrf}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = f"csrfmiddlewaretoken={hidden[1]}".encode()
    assert server.ask("POST", "/accounts/logout/", body, headers).status in (200, 302)
