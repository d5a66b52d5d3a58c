"""Boxes by the API: made, listed, filled by guests, taken back."""

import pytest

from tests.callers import Api

JSON = {"Accept": "application/json"}


def test_a_box_takes_what_its_order_lets_in(api: Api) -> None:
    order = {"title": "Photos", "max_files": 1, "media_types": ["text/plain"], "max_bytes": 100}
    made = api.ask("ada", "POST", "/drops", {**order, "expires_at": "2030-01-01T00:00:00Z"})
    path = made.json["url"].removeprefix(api.server.url)

    assert made.status == 201
    assert order.items() <= made.json.items()
    assert made.json["state"] == "open"
    assert api.server.ask("PUT", f"{path}/dropped.txt", b"hello", JSON).status == 201
    told = api.ask("ada", "GET", f"/drops/{made.json['id']}").json
    assert (told["state"], told["used_files"], told["used_bytes"]) == ("full", 1, 5)
    assert told in api.ask("ada", "GET", "/drops").json["drops"]
    [file] = [one for one in api.page("ada", "/files")["files"] if one["name"] == "dropped.txt"]
    assert file["user"] == "ada"


def test_a_box_that_was_taken_back_takes_nothing(api: Api) -> None:
    made = api.ask("ada", "POST", "/drops", {"title": "Photos"}).json
    path = made["url"].removeprefix(api.server.url)

    assert api.ask("ada", "DELETE", f"/drops/{made['id']}").status == 204
    assert api.ask("ada", "DELETE", f"/drops/{made['id']}").status == 404
    assert api.server.ask("PUT", f"{path}/a.txt", b"hello", JSON).status >= 400
    assert api.ask("ada", "GET", f"/drops/{made['id']}").json["state"] == "revoked"


def test_boxes_of_others_are_not_there(api: Api) -> None:
    id = api.ask("ada", "POST", "/drops", {"title": "Photos", "password": "secret"}).json["id"]

    assert api.ask("bob", "GET", f"/drops/{id}").status == 404
    assert api.ask("bob", "DELETE", f"/drops/{id}").status == 404
    assert api.ask("bob", "GET", "/drops").json == {"drops": []}
    assert api.ask("shared", "GET", "/drops").json == {"drops": []}
    assert api.ask("root", "GET", f"/drops/{id}").json["has_password"] is True


@pytest.mark.parametrize(
    ("who", "order", "status"),
    [
        ("ada", {}, 422),
        ("ada", {"title": ""}, 422),
        ("ada", {"title": "a\nb"}, 400),
        ("ada", {"title": "x" * 256}, 422),
        ("ada", {"title": "a", "max_files": 0}, 422),
        ("ada", {"title": "a", "max_bytes": 10**15}, 422),
        ("ada", {"title": "a", "max_file_bytes": "5"}, 422),
        ("ada", {"title": "a", "media_types": ["nonsense"]}, 400),
        ("ada", {"title": "a", "media_types": ["a/b"] * 33}, 422),
        ("ada", {"title": "a", "expires_at": "2050-01-01T00:00:00Z"}, 422),
        ("ada", {"title": "a", "user": "bob"}, 422),
        ("reads", {"title": "a"}, 403),
        ("shared", {"title": "a"}, 403),
        ("", {"title": "a"}, 401),
    ],
)
def test_a_box_that_cannot_be_is_refused(
    api: Api, who: str, order: dict[str, object], status: int
) -> None:
    assert api.ask(who, "POST", "/drops", order).status == status
