"""Tokens by the API: made, shown once, listed, revoked."""

import pytest

from tests.callers import Api


def order(**more: object) -> dict[str, object]:
    return {"name": "of a test", "scopes": ["read"], **more}


def test_a_token_is_shown_once_and_good_until_it_is_revoked(api: Api) -> None:
    made = api.ask("ada", "POST", "/tokens", order(expires_at="2099-01-01T00:00:00Z"))
    shown = {"Authorization": f"Bearer {made.json['token']}"}

    assert made.status == 201
    assert made.json["scopes"] == ["read"]
    assert made.json["expires_at"] == "2099-01-01T00:00:00+00:00"
    assert api.ask("", "GET", "/files", **shown).status == 200
    assert api.ask("", "DELETE", "/files/x", **shown).status == 403
    listed = api.ask("ada", "GET", "/tokens")
    assert made.json["token"] not in listed.text
    [told] = [one for one in listed.json["tokens"] if one["id"] == made.json["id"]]
    assert told["is_good"]
    assert api.ask("ada", "DELETE", f"/tokens/{told['id']}").status == 204
    assert api.ask("", "GET", "/files", **shown).status == 401
    assert api.ask("ada", "DELETE", f"/tokens/{told['id']}").status == 404


@pytest.mark.parametrize(
    ("who", "sent", "status", "code"),
    [
        ("reads", order(scopes=["upload"]), 403, "forbidden"),
        ("ada", order(scopes=["admin"]), 403, "forbidden"),
        ("root-without-admin", order(scopes=["admin"]), 403, "forbidden"),
        ("shared", order(), 403, "forbidden"),
        ("", order(), 401, "unauthorized"),
        ("ada", order(scopes=[]), 422, "bad_field"),
        ("ada", order(scopes=["read"] * 5), 422, "bad_field"),
        ("ada", order(scopes=["write"]), 422, "bad_field"),
        ("ada", order(scopes="read"), 422, "bad_field"),
        ("ada", order(name=""), 422, "bad_field"),
        ("ada", order(name=" "), 422, "bad_value"),
        ("ada", order(name="a\u202eb"), 422, "bad_value"),
        ("ada", order(name="x" * 101), 422, "bad_field"),
        ("ada", order(expires_at="2020-01-01T00:00:00Z"), 422, "bad_field"),
        ("ada", order(user_id=1), 422, "bad_field"),
    ],
)
def test_nobody_gives_a_token_more_than_they_have(
    api: Api, who: str, sent: dict[str, object], status: int, code: str
) -> None:
    answer = api.ask(who, "POST", "/tokens", sent)

    assert (answer.status, answer.json["code"]) == (status, code), answer.text


def test_tokens_of_others_are_not_there(api: Api) -> None:
    id = api.ask("ada", "POST", "/tokens", order()).json["id"]

    assert api.ask("bob", "DELETE", f"/tokens/{id}").status == 404
    assert id not in {one["id"] for one in api.ask("bob", "GET", "/tokens").json["tokens"]}
    for absent in ("0", str((1 << 63) - 1), str(1 << 63), "9" * 1000, "x", "-1"):
        assert api.ask("ada", "DELETE", f"/tokens/{absent}").status in (404, 422)
