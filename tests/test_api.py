"""The JSON API as a whole: its doors, what it takes for JSON, its description and its page."""

import json
import re

import pytest

from tests.callers import SHARED, Api
from tests.client import raw_exchange
from tests.conftest import CHECKOUT, manage
from tests.people import basic
from tests.test_access import PAGE, hidden_token

DEEP = b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.fixture(scope="module")
def id(api: Api) -> str:
    return str(api.put("ada", "a.txt")["id"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "bad_field"),
        (b"{", 400, "bad_request"),
        (b"[]", 422, "bad_field"),
        (b"null", 422, "bad_field"),
        (b"1", 422, "bad_field"),
        (b'"name"', 422, "bad_field"),
        (b'{"name": NaN}', 400, "bad_request"),
        (b'{"name": -Infinity}', 400, "bad_request"),
        (b'{"name": "a", "name": "b"}', 400, "bad_request"),
        (b"\xff", 400, "bad_request"),
        (b"\xef\xbb\xbf{}", 400, "bad_request"),
        ('{"name": "a"}'.encode("utf-16"), 400, "bad_request"),
        (DEEP, 400, "bad_request"),
        (b'{"name": ' + b"9" * 5000 + b"}", 400, "bad_request"),
        (b'{"name": 1e999}', 422, "bad_field"),
        (b'{"name": "\\ud800"}', 422, "bad_field"),
        (b'{"\\ud800": 1}', 422, "bad_field"),
        (b'{"name": "\\u0000"}', 400, "bad_name"),
        (b'{"name": ""}', 422, "bad_field"),
        (b'{"name": null}', 422, "bad_field"),
        (b'{"name": 1}', 422, "bad_field"),
        (b'{"name": ["a"]}', 422, "bad_field"),
        (b'{"name": "%s"}' % (b"a" * 1001), 422, "bad_field"),
        (b'{"nane": "a"}', 422, "bad_field"),
        (b'{"id": "a"}', 422, "bad_field"),
        (b'{"restricted": 1}', 422, "bad_field"),
        (b'{"restricted": "true"}', 422, "bad_field"),
        (b'{"restricted": null}', 422, "bad_field"),
        (b'{"expires_at": 4102444800}', 422, "bad_field"),
        (b'{"expires_at": "2020-01-01T00:00:00Z"}', 422, "bad_field"),
        (b'{"expires_at": "2099-01-01T00:00:00"}', 422, "bad_field"),
        (b'{"expires_at": "2099-01-01"}', 422, "bad_field"),
        (b'{"expires_at": "2099-13-01T00:00:00Z"}', 422, "bad_field"),
        (b'{"expires_at": "9999-12-31T23:59:59-23:59"}', 422, "bad_field"),
        (b'{"expires_at": "0001-01-01T00:00:00+23:59"}', 422, "bad_field"),
        (b'{"expires_at": "tomorrow"}', 422, "bad_field"),
    ],
)
def test_what_a_body_cannot_say_is_refused(
    api: Api, id: str, body: bytes, status: int, code: str
) -> None:
    answer = api.ask("ada", "PATCH", f"/files/{id}", body)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.ask("ada", "GET", f"/files/{id}").json["name"] == "a.txt"


def test_each_value_that_is_wrong_is_named(api: Api, id: str) -> None:
    answer = api.ask("ada", "PATCH", f"/files/{id}", {"restricted": 1, "expires_at": "x", "z": 0})

    fields = {(each["in"], each["name"]) for each in answer.json["fields"]}
    assert fields == {("body", "restricted"), ("body", "expires_at"), ("body", "z")}
    [sentence] = [each["problem"] for each in answer.json["fields"] if each["name"] == "expires_at"]
    assert sentence.startswith("Write a time")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "APPLICATION/JSON"}, 200),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
def test_a_body_is_json_and_not_packed(
    api: Api, id: str, headers: dict[str, str], status: int
) -> None:
    assert api.ask("ada", "PATCH", f"/files/{id}", b"{}", **headers).status == status


def test_a_body_that_is_too_large_is_not_read(api: Api, id: str) -> None:
    announced = (
        f"PATCH /api/v1/files/{id} HTTP/1.1\r\nHost: 127.0.0.1:{api.server.port}\r\n"
        f"Authorization: Bearer {api.token('ada')}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1048577\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    largest = b'{"name": "b"%s}' % (b" " * ((1 << 20) - 13))

    assert raw_exchange(api.server.address, announced.encode()).startswith(b"HTTP/1.1 413 ")
    assert api.ask("ada", "PATCH", f"/files/{id}", largest + b" ").status == 413
    assert len(largest) == 1 << 20
    renamed = api.ask("ada", "PATCH", f"/files/{id}", largest)
    assert renamed.status == 200
    assert api.ask("ada", "PATCH", f"/files/{id}", {"name": "a.txt"}).status == 200


def test_who_may_not_call_is_told_before_the_body_is_read(api: Api, id: str) -> None:
    head = (
        f"PATCH /api/v1/files/{id} HTTP/1.1\r\nHost: 127.0.0.1:{api.server.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )

    assert raw_exchange(api.server.address, head.encode()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "query",
    [
        *(
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=x",
            "limit=1.5",
            "limit=",
            "limit=" + "9" * 5000,
        ),
        *("cursor=x", "cursor=%20", "cursor=%FF", "cursor=" + "A" * 121, "cursor=%00"),
        "cursor=MjAyNi0wMS0wMVQwMDowMDowMCBhYQ",  # no such id
        "cursor=MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OSAx",  # before the year 1
        *("name=" + "a" * 256, "user=" + "a" * 151),
    ],
)
def test_what_a_query_cannot_say_is_refused(api: Api, query: str) -> None:
    answer = api.ask("ada", "GET", f"/files?{query}")

    assert (answer.status, answer.json["code"]) == (422, "bad_field")
    assert answer.json["fields"][0]["in"] == "query"
    assert answer.json["fields"][0]["name"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/files", 405, "GET, HEAD, OPTIONS"),
        ("PUT", "/files/x", 405, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("TRACE", "/files", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/files", 204, "GET, HEAD, OPTIONS"),
        ("GET", "/nothing", 404, None),
        ("GET", "/", 404, None),
        ("GET", "/files/", 404, None),
        ("GET", "/files/%00", 404, None),
        ("GET", "/files/%FF%FE", 404, None),
        ("GET", "/files/" + "a" * 5000, 404, None),
    ],
)
def test_what_is_not_there_is_told_as_a_problem(
    api: Api, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = api.ask("ada", method, path)

    assert answer.status == status
    assert answer.headers.get("allow") == allow
    if status != 204:
        assert answer.json["status"] == status


def test_head_is_get_without_its_content(api: Api) -> None:
    whole, head = api.ask("ada", "GET", "/files"), api.ask("ada", "HEAD", "/files")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_no_answer_is_kept(api: Api, id: str) -> None:
    for path in ("/files", f"/files/{id}", "/files/x", "/nothing"):
        assert api.ask("ada", "GET", path).headers["cache-control"] == "no-store"


def test_a_cookie_alone_changes_nothing(api: Api) -> None:
    cookies = api.people["bob"]["cookie"]
    home = api.server.ask("GET", "/", headers={**PAGE, "Cookie": cookies})
    cookies += "; " + home.headers["set-cookie"].split(";")[0]
    form = {"X-CSRFToken": hidden_token(home).decode()}
    file = f"/files/{api.put('bob', 'b.txt')['id']}"
    own, foreign = {"Origin": api.server.url}, {"Origin": "http://evil.example"}

    def deleted(who: str, **headers: str) -> int:
        return api.ask(who, "DELETE", file, **{"Cookie": cookies, **headers}).status

    assert api.ask("", "GET", file, Cookie=cookies).status == 200
    assert deleted("") == 403
    assert deleted("", **own) == 403
    assert deleted("", **foreign, **form) == 403
    assert deleted("", **{"X-CSRFToken": "0" * 64}) == 403
    assert deleted("", **{"Sec-Fetch-Site": "cross-site"}, **form) == 403
    assert deleted("", **own, **form) == 204


def test_what_a_browser_adds_by_itself_serves_no_other_site(api: Api) -> None:
    foreign = {"Origin": "http://evil.example"}
    file = f"/files/{api.put('bob', 'b.txt')['id']}"
    password = api.token("bob")

    assert api.ask("", "DELETE", file, **basic("", password), **foreign).status == 403
    assert api.ask("bob", "DELETE", file, **foreign).status == 204


def test_the_operators_token_counts_as_a_token(api: Api) -> None:
    cookie = {"Cookie": "sessionid=" + "a" * 32}

    assert api.ask("", "DELETE", "/files/x", **basic("", SHARED), **cookie).status == 404


def test_the_description_is_the_one_that_is_kept() -> None:
    kept = (CHECKOUT / "docs" / "openapi.json").read_text()

    printed = manage(CHECKOUT, "openapi")

    assert printed.stdout == kept, (
        "`python manage.py openapi > docs/openapi.json`, and read the diff"
    )


def test_the_service_gives_out_its_description(api: Api) -> None:
    answer = api.server.ask("GET", "/api/v1/openapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json == json.loads((CHECKOUT / "docs" / "openapi.json").read_text())


def test_the_page_of_the_api_names_no_other_host(api: Api) -> None:
    page = api.server.ask("GET", "/api/docs")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page.text)

    assert page.status == 200
    assert "//" not in page.text
    assert sum(source.startswith("/static/ninja/") for source in sources) == 3
    for source in sources:
        assert api.server.ask("GET", source).status == 200, source
