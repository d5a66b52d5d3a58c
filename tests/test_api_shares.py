"""Shares by the API: made, listed, changed and revoked by the owner of what is shared."""

import pytest

from tests.callers import Api
from tests.client import Answer


def shared(api: Api, **terms: object) -> Answer:
    id = api.put("ada", "a.txt")["id"]
    return api.ask("ada", "POST", f"/files/{id}/shares", terms)


def opened(api: Api, share: Answer) -> int:
    path = share.json["url"].removeprefix(api.server.url)
    return api.server.ask("GET", path, headers={"Accept": "application/json"}).status


def test_a_file_is_shared_on_terms(api: Api) -> None:
    made = shared(
        api, note="for bob", max_downloads=3, expires_at="2030-01-01T00:00:00Z", password="x" * 20
    )

    assert made.status == 201
    assert made.headers["location"] == made.json["url"]
    assert made.json["has_password"] is True
    assert made.json["max_downloads"] == 3
    assert made.json["state"] == "open"
    assert "x" * 20 not in made.text
    assert api.ask("ada", "GET", f"/shares/{made.json['id']}").json == made.json
    file = made.json["file"]
    assert api.ask("ada", "GET", f"/files/{file}/shares").json == {"shares": [made.json]}
    assert made.json in api.page("ada", "/shares?limit=200")["shares"]
    assert made.json in api.page("root", "/shares?limit=200")["shares"]


def test_a_change_leaves_what_it_does_not_speak_of(api: Api) -> None:
    made = shared(api, note="for bob", max_downloads=3, password="secret")

    changed = api.ask("ada", "PATCH", f"/shares/{made.json['id']}", {"max_downloads": None})

    assert changed.json == {**made.json, "max_downloads": None}
    bare = api.ask("ada", "PATCH", f"/shares/{made.json['id']}", {"password": "", "note": ""})
    assert (bare.json["has_password"], bare.json["note"]) == (False, "")


def test_a_revoked_share_leads_nowhere(api: Api) -> None:
    made = shared(api)
    assert opened(api, made) == 200

    answer = api.ask("ada", "DELETE", f"/shares/{made.json['id']}")

    assert answer.status == 204
    assert opened(api, made) in (404, 410)
    assert api.ask("ada", "DELETE", f"/shares/{made.json['id']}").status == 404


def test_shares_of_others_are_not_there(api: Api) -> None:
    made = shared(api).json

    assert made not in api.page("bob", "/shares?limit=200")["shares"]
    assert api.ask("bob", "GET", f"/files/{made['file']}/shares").status == 404
    assert api.ask("bob", "POST", f"/files/{made['file']}/shares", {}).status == 404
    for method, sent in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert api.ask("bob", method, f"/shares/{made['id']}", sent).status == 404
    assert api.ask("ada", "GET", f"/shares/{made['id']}").json == made


@pytest.mark.parametrize(
    "terms",
    [
        {"max_downloads": 0},
        {"max_downloads": 1_000_001},
        {"max_downloads": "3"},
        {"max_downloads": 1.5},
        {"max_downloads": True},
        {"password": "x" * 1001},
        {"password": None},
        {"note": "x" * 256},
        {"expires_at": "7d"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"downloads": 0},
        {"file": "a" * 26},
    ],
)
def test_terms_that_cannot_be_are_refused(api: Api, terms: dict[str, object]) -> None:
    answer = shared(api, **terms)

    assert (answer.status, answer.json["code"]) == (422, "bad_field")
    assert answer.json["fields"][0]["name"] == next(iter(terms))
