"""Webhooks by the API: made with a secret shown once, paused, given another, removed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.callers import Api

ORDER = {"url": "https://hooks.example/in", "events": ["file.upload"]}


@pytest.fixture
def hook(api: Api) -> Iterator[dict[str, Any]]:
    made = api.ask("ada", "POST", "/webhooks", ORDER)
    assert made.status == 201, made.text
    yield made.json
    api.ask("ada", "DELETE", f"/webhooks/{made.json['id']}")


def test_a_secret_is_shown_once_and_again_only_when_it_is_new(
    api: Api, hook: dict[str, Any]
) -> None:
    path = f"/webhooks/{hook['id']}"
    told = {name: value for name, value in hook.items() if name != "secret"}

    assert hook["secret"].startswith("whsec_")
    assert api.ask("ada", "GET", path).json == told
    assert told in api.ask("ada", "GET", "/webhooks").json["webhooks"]
    rotated = api.ask("ada", "POST", f"{path}/rotate").json
    assert rotated["secret"] not in ("", hook["secret"])
    assert rotated["rotated_at"]


def test_a_webhook_is_paused_and_told_again(api: Api, hook: dict[str, Any]) -> None:
    path = f"/webhooks/{hook['id']}"

    paused = api.ask("ada", "POST", f"{path}/pause").json
    tested = api.ask("ada", "POST", f"{path}/test")
    waiting = api.ask("ada", "GET", f"{path}/deliveries").json["deliveries"]
    resumed = api.ask("ada", "POST", f"{path}/resume").json

    assert paused["paused_at"]
    assert tested.status == 204
    assert [(one["event"], one["state"]) for one in waiting] == [("webhook.test", "waiting")]
    assert resumed["paused_at"] is None


def test_webhooks_of_others_are_not_there(api: Api, hook: dict[str, Any]) -> None:
    path = f"/webhooks/{hook['id']}"

    asked = [("GET", path), ("DELETE", path), ("GET", f"{path}/deliveries")]
    asked += [("POST", f"{path}/{verb}") for verb in ("pause", "resume", "rotate", "test")]
    for method, one in asked:
        assert api.ask("bob", method, one).status == 404, one
    assert api.ask("bob", "GET", "/webhooks").json == {"webhooks": []}
    assert api.ask("shared", "GET", "/webhooks").json == {"webhooks": []}
    assert api.ask("ada", "GET", path).json["paused_at"] is None


@pytest.mark.parametrize(
    ("who", "order", "status"),
    [
        ("ada", {**ORDER, "events": []}, 422),
        ("ada", {**ORDER, "events": ["file.read"]}, 422),
        ("ada", {**ORDER, "url": ""}, 422),
        ("ada", {**ORDER, "url": "ftp://hooks.example/"}, 400),
        ("ada", {**ORDER, "url": "https://user:word@hooks.example/"}, 400),
        ("ada", {**ORDER, "url": "https://hooks.example/" + "x" * 2048}, 422),
        ("ada", {**ORDER, "secret": "mine"}, 422),
        ("uploads", ORDER, 403),
        ("shared", ORDER, 403),
        ("", ORDER, 401),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    api: Api, who: str, order: dict[str, object], status: int
) -> None:
    assert api.ask(who, "POST", "/webhooks", order).status == status


def test_a_removed_webhook_is_gone(api: Api) -> None:
    id = api.ask("ada", "POST", "/webhooks", ORDER).json["id"]

    assert api.ask("ada", "DELETE", f"/webhooks/{id}").status == 204
    assert api.ask("ada", "GET", f"/webhooks/{id}").status == 404
