"""Deciding who asks costs at most one hop to the database, and that once a minute."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server
from tests.counting import FIELD
from tests.people import bearer, database, make_people
from tests.servers import serving_under, uvicorn

JSON = {"Accept": "application/json"}
CONTENT = bytes(10_000)


@pytest.fixture(scope="module")
def counting(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("counting")
    root = shutil.copytree(migrated, folder / "root")
    # wait_for_sessions looks for this line, which only its own program writes.
    with serving_under(
        uvicorn, root, folder / "log", workers=0, program="tests.counting:application"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def ways(counting: Server) -> dict[str, Mapping[str, str]]:
    """Return how nobody and somebody ask, who has never asked before."""
    people = make_people(counting, ("ada", True, ["upload read admin"]), ("bob", False, []))
    return {
        "nobody": {},
        "token": bearer(people["ada"]["tokens"][0]["token"]),
        "login": {"Cookie": people["bob"]["cookie"]},
    }


def hops(
    server: Server, method: str, path: str, headers: Mapping[str, str], body: Any = None
) -> int:
    answer = server.ask(method, path, body, {**headers, **JSON})
    assert answer.status in (200, 201), answer.text
    return int(answer.headers[FIELD])


def test_who_asks_is_known_without_a_hop(
    counting: Server, ways: Mapping[str, Mapping[str, str]]
) -> None:
    sent = counting.ask("PUT", "/files/a", CONTENT, JSON).json["files"][0]
    own = counting.ask("PUT", "/files/a?restricted=1", CONTENT, {**ways["login"], **JSON})
    restricted = own.json["files"][0]["id"]
    first = hops(counting, "PUT", "/files/a", ways["token"], CONTENT)

    puts = {way: hops(counting, "PUT", "/files/a", shows, CONTENT) for way, shows in ways.items()}
    gets = {
        way: hops(counting, "GET", f"/files/{sent['id']}", shows) for way, shows in ways.items()
    }
    owned = {
        way: hops(counting, "GET", f"/files/{restricted}", ways[way]) for way in ("token", "login")
    }
    lists = {way: hops(counting, "GET", "/", shows) for way, shows in ways.items()}

    assert gets == dict.fromkeys(ways, 0)
    assert owned == {"token": 0, "login": 0}
    assert puts["token"] == puts["login"] == puts["nobody"] >= 1
    assert first == puts["token"] + 1
    assert lists["token"] == lists["login"] == lists["nobody"]


def test_the_last_use_is_the_one_hop(
    counting: Server, ways: Mapping[str, Mapping[str, str]]
) -> None:
    ago = "2026-01-01 00:00:00"
    with database(counting) as rows:
        rows.execute("UPDATE fileservice_token SET used_at = ?", (ago,))

    asked = [hops(counting, "GET", "/livez", ways["token"]) for _ in range(2)]

    assert asked == [1, 0]
