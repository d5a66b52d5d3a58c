"""Files by the API: listed page by page, looked at, changed, deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callers import Api, calling


@pytest.fixture(scope="module")
def api(migrated: Path) -> Iterator[Api]:
    with calling(migrated) as running:
        yield running


def ids(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [file["id"] for file in page["files"]]


def walked(api: Api, who: str, query: str = "") -> list[str]:
    """Return the ids of all pages of a list."""
    found: list[str] = []
    cursor = ""
    while True:
        page = api.page(who, f"/files?cursor={cursor}{query}")
        found += ids(page)
        if page["next"] is None:
            return found
        cursor = page["next"]


def test_a_file_is_told_of_as_it_was_told_to_its_sender(api: Api) -> None:
    sent = api.put("ada", "report.txt")

    told = api.ask("ada", "GET", f"/files/{sent['id']}").json

    assert sent.items() <= told.items()
    assert told["user"] == "ada"
    assert told["state"] == "ready"
    assert told["restricted"] is False
    assert told["expires_at"] is None


def test_lists_show_ones_own_and_administrators_everybodys(api: Api) -> None:
    ada, bob = api.put("ada", "a")["id"], api.put("bob", "b")["id"]

    assert ada in walked(api, "ada")
    assert bob not in walked(api, "ada")
    assert {ada, bob} <= set(walked(api, "root"))
    assert bob not in walked(api, "root", "&user=ada")
    assert ada in walked(api, "root", "&user=ada")
    assert ada in walked(api, "ada", "&user=ada")
    assert walked(api, "root-without-admin") == walked(api, "root", "&user=root")
    assert walked(api, "shared") == []


def test_what_others_have_is_for_administrators(api: Api) -> None:
    assert api.ask("ada", "GET", "/files?user=bob").status == 403
    assert api.ask("root-without-admin", "GET", "/files?user=bob").status == 403
    assert api.ask("ada", "GET", "/files?user=nobody").status == 403
    assert api.ask("root", "GET", "/files?user=nobody").status == 404


def test_a_file_of_somebody_else_is_not_there(api: Api) -> None:
    id = api.put("ada", "a")["id"]
    absent = api.ask("bob", "GET", "/files/" + "a" * 26)

    for method, sent in (("GET", None), ("PATCH", {"name": "b"}), ("DELETE", None)):
        answer = api.ask("bob", method, f"/files/{id}", sent)

        assert answer.status == 404
        assert answer.json == absent.json
    assert api.ask("ada", "GET", f"/files/{id}").json["name"] == "a"


def test_an_administrator_learns_no_key_of_others(api: Api) -> None:
    id = api.put("ada", "a")["id"]

    assert api.ask("root", "GET", f"/files/{id}").json["manage_url"] is None
    assert api.ask("ada", "GET", f"/files/{id}").json["manage_url"]


def test_what_may_change_of_a_file_changes(api: Api) -> None:
    id = api.put("ada", "a.txt")["id"]
    change = {"name": "b.txt", "expires_at": "2099-01-01T01:00:00+01:00", "restricted": True}

    answer = api.ask("ada", "PATCH", f"/files/{id}", change)

    assert answer.status == 200
    assert answer.json["name"] == "b.txt"
    assert answer.json["expires_at"] == "2099-01-01T00:00:00+00:00"
    assert answer.json["restricted"] is True
    assert answer.json["url"].endswith("/b.txt")
    assert api.ask("ada", "GET", f"/files/{id}").json == answer.json
    undone = api.ask("ada", "PATCH", f"/files/{id}", {"expires_at": None, "restricted": False})
    assert undone.json["expires_at"] is None
    assert undone.json["name"] == "b.txt"
    assert api.server.ask("GET", f"/files/{id}").headers["content-disposition"].count("b.txt")


def test_nothing_that_was_sent_changes_nothing(api: Api) -> None:
    file = api.put("ada", "a.txt")

    answer = api.ask("ada", "PATCH", f"/files/{file['id']}", {})

    assert file.items() <= answer.json.items()


def test_a_name_is_cleaned_or_refused_as_that_of_an_upload(api: Api) -> None:
    id = api.put("ada", "a.txt")["id"]

    cleaned = api.ask("ada", "PATCH", f"/files/{id}", {"name": "-a:b.txt"}).json
    refused = api.ask("ada", "PATCH", f"/files/{id}", {"name": "a/b"})

    assert (cleaned["name"], cleaned["name_changed"]) == ("_-a_b.txt", True)
    assert (refused.status, refused.json["code"]) == (400, "bad_name")


def test_a_deleted_file_is_gone_with_its_bytes(api: Api) -> None:
    id = api.put("ada", "a")["id"]

    answer = api.ask("ada", "DELETE", f"/files/{id}")

    assert (answer.status, answer.body) == (204, b"")
    assert api.ask("ada", "DELETE", f"/files/{id}").status == 404
    assert api.server.ask("GET", f"/files/{id}").status == 404
    assert not [path for path in api.server.stored() if path.name == id]


def test_pages_lose_nothing_and_tell_nothing_twice_while_files_come_and_go(api: Api) -> None:
    kept = [api.put("bob", f"{number}")["id"] for number in range(20)]
    doomed = [api.put("bob", f"doomed-{number}")["id"] for number in range(20)]
    found: list[str] = []
    page = api.page("bob", "/files?limit=3")
    while page["next"] is not None:
        found += ids(page)
        api.put("bob", "late")
        if doomed:
            gone = doomed.pop(len(doomed) * 7 // 11)  # some were told already, some were not
            assert api.ask("bob", "DELETE", f"/files/{gone}").status == 204
        page = api.page("bob", f"/files?limit=3&cursor={page['next']}")
    found += ids(page)

    assert len(found) == len(set(found))
    assert [id for id in found if id in kept] == kept[::-1]


def test_a_page_has_as_many_as_were_asked_for(api: Api) -> None:
    for number in range(4):
        api.put("ada", f"{number}")

    page = api.page("ada", "/files?limit=3")

    assert len(page["files"]) == 3
    assert page["next"]


def test_files_are_found_by_a_part_of_their_name(api: Api) -> None:
    found = api.put("ada", "Invoice%2042%25_%C3%84.pdf")["id"]

    for part in ("voice%2042", "INVOICE", "42%25_", "%C3%84.pdf"):
        assert walked(api, "ada", f"&name={part}") == [found], part
    assert walked(api, "ada", "&name=Invoice_42") == []
