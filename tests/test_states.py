"""What is not to be given out, at the doors where files leave."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest

from fileservice.errors import FileserviceError
from fileservice.options import DATABASE
from fileservice.sharing import check_given_out, is_given_out
from tests.conftest import Server

KEPT_BACK = {
    "unscanned": (503, "being_scanned"),
    "infected": (403, "infected"),
    "withheld": (403, "withheld"),
}
JSON = {"Accept": "application/json"}


def sent(server: Server) -> dict[str, str]:
    """Send a file and return what is told of it."""
    answer = server.ask("PUT", "/files/a.txt", b"content", JSON)
    file: dict[str, str] = answer.json["files"][0]
    return file


def put_into(server: Server, file: dict[str, str], state: str) -> None:
    with closing(sqlite3.connect(server.root / DATABASE, timeout=30)) as rows, rows:
        rows.execute("UPDATE fileservice_file SET state = ? WHERE id = ?", (state, file["id"]))


@pytest.mark.parametrize("state", KEPT_BACK)
def test_only_what_is_ready_is_given_out(server: Server, state: str) -> None:
    file = sent(server)
    fresh = {"If-None-Match": f'"{file["sha256"]}"'}
    put_into(server, file, state)

    for path in (f"/files/{file['id']}", f"/files/{file['id']}/a.txt?inline=1"):
        for asked in (JSON, {**JSON, "Range": "bytes=0-2"}, JSON | fresh):
            answer = server.ask("GET", path, headers=asked)
            assert (answer.status, answer.json["code"]) == KEPT_BACK[state]
            assert ("retry-after" in answer.headers) == (state == "unscanned")
            assert "etag" not in answer.headers
            head = server.ask("HEAD", path, headers=asked)
            assert (head.status, head.body) == (KEPT_BACK[state][0], b"")


@pytest.mark.parametrize("state", KEPT_BACK)
def test_its_sender_is_told_why_and_can_delete_it(server: Server, state: str) -> None:
    file = sent(server)
    link = file["manage_url"].removeprefix(server.url)
    put_into(server, file, state)
    told = server.ask("GET", link, headers=JSON).json["state"]
    shown = server.ask("GET", link, headers={"Accept": "text/html"}).text

    assert told == state
    assert 'role="status"' in shown
    assert ">Download</a>" not in shown
    assert server.ask("DELETE", link).status == 204


def test_what_is_ready_is_shown_with_its_download(server: Server) -> None:
    file = sent(server)
    link = file["manage_url"].removeprefix(server.url)
    shown = server.ask("GET", link, headers={"Accept": "text/html"}).text

    assert file["state"] == "ready"
    assert 'role="status"' not in shown
    assert ">Download</a>" in shown


def test_a_state_that_nobody_knows_is_not_given_out() -> None:
    @dataclass(frozen=True)
    class Odd:
        state: str

    file = Odd("new")

    assert not is_given_out(file)
    with pytest.raises(FileserviceError):
        check_given_out(file)
