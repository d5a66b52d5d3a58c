"""What pages of other origins may send and read: listed ones, any, none."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fileservice.http.cors import ANSWER_FIELDS, METHODS, REQUEST_FIELDS
from tests.client import FORM_TYPE, Answer, file_part, form_body, raw_exchange
from tests.conftest import CHECKOUT, Server, serving
from tests.test_access import log_in, make_user

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f":{TOKEN}".encode()).decode()}
LISTED = "https://app.example"
OTHER = "https://evil.example"
FROM_LISTED = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
FROM_OTHER = {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}
ASKING = {"Access-Control-Request-Method": "PATCH"}
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
FORM = form_body(file_part(b"a", b"hello"))
LIMIT = 600_000
LARGE = 400_000  # more than is held whole

# What JavaScript cannot set (Fetch, "forbidden request-header"), or may set without being asked.
SET_BY_BROWSERS = {
    *("accept", "accept-encoding", "access-control-request-method", "connection", "cookie"),
    *("access-control-request-private-network", "host", "origin", "sec-fetch-site"),
    *("transfer-encoding", "expect", "content-length", "purpose", "sec-fetch-mode"),
    *("sec-fetch-user", "sec-purpose", "user-agent", "x-moz", "x-purpose"),
}
SET_BY_PROXIES = {"forwarded", "via", "x-forwarded-for"}


@pytest.fixture(scope="module")
def listing(migrated: Path) -> Iterator[Server]:
    """Give a private service that lists origins, and whose one user is ada."""
    origins = f"HTTPS://App.Example:443 http://b.example:8080 {LISTED}"
    choices = {"ACCESS": "private", "TOKEN": TOKEN, "MAX_UPLOAD_BYTES": str(LIMIT)}
    with serving(migrated, CORS_ORIGINS=origins, **choices) as running:
        make_user(running, "ada", "a-long-passphrase")
        yield running


@pytest.fixture(scope="module")
def to_any(migrated: Path) -> Iterator[Server]:
    """Give a private service that lets any origin in, and whose one user is ada."""
    with serving(migrated, CORS_ORIGINS="*", ACCESS="private", TOKEN=TOKEN) as running:
        make_user(running, "ada", "a-long-passphrase")
        yield running


@pytest.fixture(scope="module")
def cookies(listing: Server) -> str:
    """Return those of ada's browser."""
    return log_in(listing, "ada", "a-long-passphrase")


def leave(answer: Answer) -> dict[str, str]:
    """Return what an answer allows, without the prefix of each name."""
    prefix = "access-control-"
    found = answer.headers.items()
    return {name.removeprefix(prefix): value for name, value in found if name.startswith(prefix)}


def vary(answer: Answer) -> set[str]:
    return set(filter(None, answer.headers.get("vary", "").split(", ")))


LISTED_LEAVE = {
    "allow-origin": LISTED,
    "allow-credentials": "true",
    "expose-headers": ANSWER_FIELDS,
}


def put(server: Server, name: str, content: bytes) -> dict[str, str]:
    headers = {**BEARER, "Accept": "application/json"}
    [file] = server.ask("PUT", f"/files/{name}", content, headers).json["files"]
    kept = file["manage_url"].removeprefix(server.url)
    return {"id": file["id"], "path": f"/files/{file['id']}", "kept": kept}


ANSWERS: list[tuple[int, str, str, bytes, dict[str, str]]] = [
    (200, "GET", "{small}", b"", {}),
    (200, "HEAD", "{small}", b"", {}),
    (200, "GET", "{large}", b"", {}),
    (200, "GET", "{kept}", b"", {}),
    (200, "GET", "/", b"", {"Accept": "text/html"}),
    (200, "GET", "/livez", b"", {}),
    (200, "GET", "/certificate", b"", BEARER),
    (201, "PUT", "/files/a", b"hello", BEARER),
    (201, "POST", "/files/", b"", {**BEARER, **TUS, "Upload-Length": "9"}),
    (204, "OPTIONS", "/files/", b"", {}),
    (204, "PATCH", "{begun}", b"", {**BEARER, **TUS, **BYTES, "Upload-Offset": "0"}),
    (206, "GET", "{small}", b"", {"Range": "bytes=1-2"}),
    (206, "GET", "{large}", b"", {"Range": "bytes=1-"}),
    (303, "POST", "/files/", FORM, {**BEARER, **FORM_TYPE, "Accept": "text/html"}),
    (304, "GET", "{small}", b"", {"If-None-Match": "*"}),
    (400, "PUT", "/files/..%2Fa", b"hello", BEARER),
    (400, "GET", "/", b"", {"Host": "evil.example"}),
    (401, "PUT", "/files/a", b"hello", {}),
    (401, "PUT", "/files/a", b"hello", {"Accept": "application/json"}),
    (403, "POST", "/certificates/", b"", BEARER),
    (404, "GET", "/nowhere", b"", {}),
    (404, "GET", "/files/none", b"", {"Accept": "text/html"}),
    (404, "DELETE", "/uploads/none", b"", {}),
    (405, "PATCH", "/livez", b"", {}),
    (409, "PATCH", "{begun}", b"", {**BEARER, **TUS, **BYTES, "Upload-Offset": "5"}),
    (412, "GET", "{small}", b"", {"If-Match": '"other"'}),
    (412, "POST", "/files/", b"", {**BEARER, "Tus-Resumable": "0.2.2", "Upload-Length": "9"}),
    (413, "PUT", "/files/a", b"x" * (LIMIT + 1), BEARER),
    (414, "GET", f"/{'a' * 9000}", b"", {}),
    (415, "POST", "/files/", b"hello", BEARER),
    (416, "GET", "{small}", b"", {"Range": "bytes=99-"}),
    (431, "GET", "/", b"", {"Upload-Metadata": "a" * 40_000}),
    (500, "GET", "{damaged}", b"", {}),
]


@pytest.fixture(scope="module")
def paths(listing: Server) -> dict[str, str]:
    small, damaged = put(listing, "a.txt", b"hello"), put(listing, "b.txt", b"gone")
    [blob] = [path for path in listing.stored() if path.name == damaged["id"]]
    blob.unlink()
    begun = listing.ask("POST", "/files/", headers={**BEARER, **TUS, "Upload-Length": "9"})
    return {
        "begun": begun.headers["location"],
        "small": small["path"],
        "large": put(listing, "c.bin", bytes(LARGE))["path"],
        "kept": small["kept"],
        "damaged": damaged["path"],
    }


@pytest.mark.parametrize(("status", "method", "path", "body", "headers"), ANSWERS)
def test_a_listed_origin_reads_every_answer(
    listing: Server,
    paths: dict[str, str],
    status: int,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    answer = listing.ask(method, path.format(**paths), body, {**FROM_LISTED, **headers})

    assert answer.status == status
    assert leave(answer) == LISTED_LEAVE
    assert "Origin" in vary(answer)


@pytest.mark.parametrize(("_status", "method", "path", "body", "headers"), ANSWERS)
def test_another_origin_reads_none_and_every_answer_says_that_it_depends(
    listing: Server,
    paths: dict[str, str],
    _status: int,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    for origin in ({}, FROM_OTHER, {"Origin": "null"}):
        answer = listing.ask(method, path.format(**paths), body, {**origin, **headers})

        assert leave(answer) == {}
        assert "Origin" in vary(answer)


@pytest.mark.parametrize(
    ("path", "accept", "told"),
    [("/", "text/html", {"Accept", "Cookie", "Origin"}), ("/none", "*/*", {"Accept", "Origin"})],
)
def test_what_else_an_answer_depends_on_is_still_told(
    listing: Server, path: str, accept: str, told: set[str]
) -> None:
    answer = listing.ask("GET", path, headers={**FROM_LISTED, "Accept": accept})

    assert vary(answer) == told


@pytest.mark.parametrize(
    "origin",
    [
        "http://app.example",
        "https://app.example:444",
        "https://app.example/",
        "https://app.example.evil.example",
        "https://www.app.example",
        "http://b.example",
        "null",
        "*",
        "",
    ],
)
def test_an_origin_that_is_nearly_listed_is_not(listing: Server, origin: str) -> None:
    assert leave(listing.ask("GET", "/livez", headers={"Origin": origin})) == {}


def test_the_list_is_of_origins_in_any_spelling(listing: Server) -> None:
    origin = "http://b.example:8080"

    assert leave(listing.ask("GET", "/livez", headers={"Origin": origin}))["allow-origin"] == origin


@pytest.mark.parametrize("path", ["/files/", "/files/a", "/uploads/none", "/none", "/livez", "/"])
@pytest.mark.parametrize("host", [{}, {"Host": "evil.example"}])
def test_a_preflight_is_never_refused(listing: Server, path: str, host: dict[str, str]) -> None:
    answer = listing.ask("OPTIONS", path, headers={**FROM_LISTED, **ASKING, **host})

    assert (answer.status, answer.body) == (204, b"")
    assert leave(answer) == {
        "allow-origin": LISTED,
        "allow-credentials": "true",
        "allow-methods": METHODS,
        "allow-headers": REQUEST_FIELDS,
        "max-age": "86400",
    }
    assert vary(answer) == {"Origin"}


def test_a_preflight_of_another_origin_gets_an_answer_without_leave(listing: Server) -> None:
    answer = listing.ask("OPTIONS", "/files/", headers={**FROM_OTHER, **ASKING})

    assert answer.status == 204
    assert leave(answer) == {}
    assert vary(answer) == {"Origin"}


def test_an_address_of_a_private_network_is_for_listed_origins_only(
    listing: Server, to_any: Server
) -> None:
    asking = {**FROM_LISTED, **ASKING, "Access-Control-Request-Private-Network": "true"}

    allowed = leave(listing.ask("OPTIONS", "/files/", headers=asking))
    unasked = leave(listing.ask("OPTIONS", "/files/", headers={**FROM_LISTED, **ASKING}))
    of_any = leave(to_any.ask("OPTIONS", "/files/", headers=asking))

    assert allowed["allow-private-network"] == "true"
    assert "allow-private-network" not in unasked | of_any


def test_every_field_that_is_read_may_be_sent() -> None:
    sources = [path.read_text() for path in (CHECKOUT / "fileservice" / "http").rglob("*.py")]
    names = {name for source in sources for name in re.findall(r'"HTTP_([A-Z_]+)"', source)}
    read = {name.replace("_", "-").lower() for name in names}

    assert "range" in read
    assert read - SET_BY_BROWSERS - SET_BY_PROXIES <= set(REQUEST_FIELDS.lower().split(", "))


def form() -> bytes:
    return form_body(file_part(b"a.txt", b"hello"))


@pytest.mark.parametrize("by_cookie", [False, True])
def test_a_listed_origin_sends_and_deletes_files(
    listing: Server, cookies: str, *, by_cookie: bool
) -> None:
    by = {**FROM_LISTED, **({"Cookie": cookies} if by_cookie else BEARER)}
    sent = listing.ask("PUT", "/files/a.txt", b"hello", by)
    formed = listing.ask("POST", "/files/", form(), {**FORM_TYPE, **by})
    kept = [answer.headers["link"].split(">")[0][1:] for answer in (sent, formed)]
    paths = [url.removeprefix(listing.url) for url in kept]

    deleted = listing.ask("DELETE", paths[0], headers=by)
    deleted_by_form = listing.ask("POST", f"{paths[1]}/delete", b"", by)

    assert [sent.status, formed.status] == [201, 201]
    assert sent.headers["location"].startswith(f"{listing.url}/files/")
    assert [deleted.status, deleted_by_form.status] == [204, 303]


def test_a_listed_origin_resumes_an_upload_and_deletes_it(listing: Server, cookies: str) -> None:
    by = {**FROM_LISTED, **TUS, "Cookie": cookies}
    begun = listing.ask("POST", "/files/", headers={**by, "Upload-Length": "9"})
    path = begun.headers["location"]

    told = listing.ask("HEAD", path, headers=by)
    sent = listing.ask("PATCH", path, b"hello", {**by, **BYTES, "Upload-Offset": "0"})
    deleted = listing.ask("DELETE", path, headers=by)

    assert [begun.status, told.status, sent.status, deleted.status] == [201, 200, 204, 204]
    assert {"upload-offset", "tus-resumable"} <= set(sent.headers)


def test_another_origin_sends_nothing(listing: Server, cookies: str) -> None:
    before = listing.stored()

    for by in (BEARER, {"Cookie": cookies}):
        for origin in (FROM_OTHER, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
            put = listing.ask("PUT", "/files/a", b"hello", {**origin, **by})
            formed = listing.ask("POST", "/files/", form(), {**FORM_TYPE, **origin, **by})

            asked = {**TUS, "Upload-Length": "9", **origin, **by}
            begun = listing.ask("POST", "/files/", headers=asked)

            assert (put.status, formed.status, begun.status) == (403, 403, 403)
    assert listing.stored() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/certificates/"),
        ("POST", "/batches/"),
        ("POST", "/issued/none/revoke"),
        ("POST", "/batches/none/stop"),
    ],
)
def test_a_listed_origin_has_no_certificate_issued_or_revoked(
    listing: Server, cookies: str, method: str, path: str
) -> None:
    for by in (BEARER, {"Cookie": cookies}):
        assert listing.ask(method, path, b"", {**FROM_LISTED, **by}).status == 403


def test_pages_of_the_operator_are_for_no_other_origin(listing: Server, cookies: str) -> None:
    for path in ("/accounts/login/", "/admin/", "/static/admin/css/base.css"):
        answer = listing.ask("GET", path, headers={**FROM_LISTED, "Cookie": cookies})

        assert answer.status == 200
        assert leave(answer) == {}


ANY_LEAVE = {"allow-origin": "*", "expose-headers": ANSWER_FIELDS}


@pytest.mark.parametrize("origin", [{}, FROM_OTHER, {"Origin": "null"}])
def test_where_any_origin_is_let_in_all_get_the_same_answers(
    to_any: Server, origin: dict[str, str]
) -> None:
    for path, status in (("/livez", 200), ("/none", 404), ("/" + "a" * 9000, 414)):
        answer = to_any.ask("GET", path, headers=origin)

        assert answer.status == status
        assert leave(answer) == ANY_LEAVE
        assert "Origin" not in vary(answer)


@pytest.mark.parametrize("origin", [FROM_OTHER, {"Origin": "null"}])
def test_any_origin_sends_files_with_a_token_of_its_own(
    to_any: Server, origin: dict[str, str]
) -> None:
    put = to_any.ask("PUT", "/files/a", b"hello", {**origin, **BEARER})
    formed = to_any.ask("POST", "/files/", form(), {**FORM_TYPE, **origin, **BEARER})

    assert (put.status, formed.status) == (201, 201)


def test_no_origin_sends_files_with_what_the_browser_adds_by_itself(to_any: Server) -> None:
    session = log_in(to_any, "ada", "a-long-passphrase")
    page = to_any.ask("GET", "/", headers={"Accept": "text/html"})
    browser = page.headers["set-cookie"].split(";")[0]
    before = to_any.stored()

    for added in ({"Cookie": session}, BASIC, {**BEARER, "Cookie": browser}):
        put = to_any.ask("PUT", "/files/a", b"hello", {**FROM_OTHER, **added})
        formed = to_any.ask("POST", "/files/", form(), {**FORM_TYPE, **FROM_OTHER, **added})

        assert (put.status, formed.status) == (403, 403)
        assert leave(put) == ANY_LEAVE
    assert to_any.stored() == before


def test_where_no_origin_is_let_in_nothing_is_said_of_it(server: Server) -> None:
    preflight = server.ask("OPTIONS", "/files/", headers={**FROM_OTHER, **ASKING})
    answers = [preflight, server.ask("GET", "/livez", headers=FROM_OTHER)]
    answers += [server.ask("GET", f"/{'a' * 9000}", headers=FROM_OTHER)]

    assert preflight.status == 204
    assert [leave(answer) for answer in answers] == [{}, {}, {}]
    assert not any("Origin" in vary(answer) for answer in answers)


def test_a_refusal_in_the_middle_of_a_body_is_read(listing: Server) -> None:
    answer = raw_exchange(
        listing.address,
        f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{listing.port}\r\nOrigin: {LISTED}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert f"access-control-allow-origin: {LISTED}\r\n".encode() in answer
