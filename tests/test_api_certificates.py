"""Certificates by the API: issued, listed, revoked, verified; one by one and by the list."""

from typing import Any

import pytest

from tests.callers import Api

CSV = b"name\nAda\nGrace\n"


def send_list(api: Api, who: str) -> dict[str, Any]:
    """Send a list and return the newest of one's lists."""
    headers = api.shown(who) | {"Content-Type": "text/csv"}
    sent = api.server.ask("POST", "/batches/", CSV, headers)
    assert sent.status == 201, sent.text
    [batch] = api.page(who, "/batches?limit=1")["batches"]
    assert isinstance(batch, dict)
    return batch


def test_a_certificate_is_issued_as_it_is_ordered(api: Api) -> None:
    order = {"expires_at": "2099-12-31", "tz": "Europe/Vienna", "attach": "json"}

    issued = api.issue("ada", **order)

    assert issued["values"] == {"name": "Ada"}
    assert issued["state"] == "valid"
    assert issued["expires_at"] == "2100-01-01T00:00:00+01:00"
    assert issued["user"] == "ada"
    assert api.ask("ada", "GET", f"/certificates/{issued['id']}").json == issued
    pdf = api.server.ask("GET", issued["url"].removeprefix(api.server.url))
    assert pdf.body.startswith(b"%PDF-")
    kept = api.server.ask("GET", issued["manage_url"].removeprefix(api.server.url))
    assert kept.status == 200


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"values": {"nobody": "asks"}}, 422, "unknown_value"),
        ({"values": {"name": "x" * 501}}, 422, "bad_field"),
        ({"values": {f"v{number}": "" for number in range(65)}}, 422, "bad_field"),
        ({"values": {"name": 1}}, 422, "bad_field"),
        ({"values": [["name", "Ada"]]}, 422, "bad_field"),
        ({"tz": "Mars/Olympus"}, 422, "bad_value"),
        ({"expires_at": "yesterday"}, 422, "bad_value"),
        ({"expires_at": "2020-01-01"}, 422, "bad_value"),
        ({"template": "none"}, 404, "not_found"),
        ({"attach": "xml"}, 422, "bad_field"),
        ({"number": "1"}, 422, "bad_field"),
    ],
)
def test_what_cannot_be_issued_is_not(
    api: Api, order: dict[str, object], status: int, code: str
) -> None:
    answer = api.ask("issues", "POST", "/certificates", {"values": {"name": "Ada"}, **order})

    assert (answer.status, answer.json["code"]) == (status, code), answer.text


def test_lists_of_certificates_show_ones_own(api: Api) -> None:
    ada, bob = api.issue("ada")["id"], api.issue("bob")["id"]

    def listed(who: str, query: str = "") -> set[str]:
        page = api.page(who, f"/certificates?limit=200{query}")
        return {one["id"] for one in page["certificates"]}

    assert ada in listed("ada")
    assert bob not in listed("ada")
    assert {ada, bob} <= listed("root")
    assert bob not in listed("root", "&user=ada")
    assert api.ask("bob", "GET", f"/certificates/{ada}").status == 404
    assert api.ask("root", "GET", f"/certificates/{ada}").json["manage_url"] is None


def test_a_revoked_certificate_stays_revoked_for_its_first_reason(api: Api) -> None:
    issued = api.issue("ada")
    path = f"/certificates/{issued['id']}/revoke"

    first = api.ask("ada", "POST", path, {"reason": "a  mistake"})
    second = api.ask("ada", "POST", path, {"reason": "another"})

    assert (first.status, first.json["state"], first.json["reason"]) == (
        200,
        "revoked",
        "a mistake",
    )
    assert first.json["url"] is None
    assert second.json == first.json
    assert api.server.ask("GET", issued["url"].removeprefix(api.server.url)).status == 410
    assert api.ask("bob", "POST", path, {}).status == 404
    assert api.ask("ada", "POST", path, {"reason": "x" * 501}).status == 422


def test_a_number_is_verified_by_everybody_however_it_was_copied(api: Api) -> None:
    issued = api.issue("ada")
    number = issued["number"]

    for copied in (number, number.lower(), number.replace("0", "O").replace("1", "l")):
        told = api.ask("", "GET", f"/verify/{copied}")

        assert told.status == 200
        assert told.json["number"] == number
        assert told.json["url"] == issued["url"]
        assert not {"id", "manage_url", "user"} & told.json.keys()
    assert api.ask("", "GET", "/verify/nothing").status == 404
    assert api.ask("", "GET", f"/verify/{number}", Authorization="Bearer fs_x").status == 401


def test_lists_of_people_are_told_of_and_stopped_by_their_owner(api: Api) -> None:
    batch = send_list(api, "ada")
    path = f"/batches/{batch['id']}"

    assert batch["total"] == 2
    assert batch["user"] == "ada"
    assert batch["url"].startswith(f"{api.server.url}/batches/")
    assert api.ask("bob", "GET", path).status == 404
    assert api.ask("bob", "POST", f"{path}/stop").status == 404
    assert batch["id"] not in {one["id"] for one in api.page("bob", "/batches")["batches"]}
    stopped = api.ask("ada", "POST", f"{path}/stop")
    assert stopped.json["state"] in ("stopped", "done")
    seen = api.ask("root", "GET", path).json
    assert (seen["url"], seen["zip_url"]) == (None, None)
