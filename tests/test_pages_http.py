"""Pages, health and small answers, over sockets."""

import shutil
import socket
import sqlite3
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fileservice.management.commands.serve import address, is_loopback
from tests.client import FORM_TYPE, file_part, form_body
from tests.conftest import CHECKOUT, START_SECONDS, Server, environment, serving
from tests.echo import is_listening, wait_until

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}


def test_home_in_json_lists_what_the_sender_sent(server: Server) -> None:
    nothing: dict[str, list[str]] = {"files": [], "parcels": [], "certificates": []}
    assert server.ask("GET", "/", headers=JSON).json == nothing


def test_a_link_to_keep_is_a_page_with_a_button_for_a_browser(server: Server) -> None:
    file = server.ask("PUT", "/files/a.txt", b"hello", JSON).json["files"][0]
    path = file["manage_url"].removeprefix(server.url)

    page = server.ask("GET", path, headers=PAGE)
    deleted = server.ask("POST", f"{path}/delete", b"")

    assert page.headers["content-type"].startswith("text/html")
    assert file["sha256"] in page.text
    assert deleted.status == 303
    assert server.ask("GET", path, headers=PAGE).status == 404
    assert server.ask("POST", f"{path}/delete", b"").status == 404


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain"),
        ("text/*;q=0.5, application/json", "application/problem+json"),
        ("application/json;q=0.1, text/html;q=0.2", "text/html"),
        ("image/png", "text/plain"),
        ("application/json;q=0", "text/plain"),
        ("nonsense", "text/plain"),
        (",,;", "text/plain"),
        ("*/*, application/json", "application/problem+json"),
        ("text/html;q=2", "text/html"),
        ("text/html;q=high, application/json;q=0.9", "text/html"),
        ("text/html;level=1;q=0.1, application/json;q=0.5", "application/problem+json"),
        ("TEXT/HTML", "text/html"),
        # Django cannot read these two, and says so by a ValueError.
        ("text/html;q*=utf-9''x", "text/html"),
        ("text/html" + ";a" * 8000, "text/html"),
    ],
)
def test_an_answer_has_the_shape_that_is_preferred(
    server: Server, accept: str, media_type: str
) -> None:
    answer = server.ask("GET", "/nothing", headers={"Accept": accept})

    assert answer.headers["content-type"].split(";")[0] == media_type


def test_an_unknown_kind_of_problem_is_not_found(server: Server) -> None:
    assert server.ask("GET", "/problems/boredom").status == 404


def test_an_answer_without_content_has_no_type(server: Server) -> None:
    assert "content-type" not in server.ask("OPTIONS", "/").headers


def test_a_service_that_lost_its_store_says_so(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        shutil.move(running.root / "uploads", running.root / "elsewhere")

        answer = running.ask("GET", "/readyz")

        assert answer.status == 503
        assert answer.json["database"] == "ok"
        assert "No such file" in answer.json["disk"]
        broken = running.ask("PUT", "/files/a", b"hello")
        assert broken.status == 500
        assert "Traceback" not in broken.text
        assert "Traceback" in running.log.read_text()


def test_a_service_that_lost_its_rows_says_so(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        with sqlite3.connect(running.root / "fileservice.sqlite3", autocommit=True) as database:
            database.execute("DROP TABLE fileservice_file")
        database.close()

        answer = running.ask("GET", "/readyz")

        assert answer.status == 503
        assert "no such table" in answer.json["database"]
        assert running.ask("PUT", "/files/a", b"hello").status == 503
        assert running.stored() == []


@pytest.mark.long
def test_a_locked_database_is_told_and_nothing_is_stored(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        database = sqlite3.connect(running.root / "fileservice.sqlite3", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")

        one = running.ask("PUT", "/files/a", b"hello")
        several = running.ask("POST", "/files/", form_body(file_part(b"a", b"1")), FORM_TYPE)

        assert (one.status, several.status) == (503, 503)
        assert one.headers["retry-after"] == "5"
        assert running.stored() == []
        database.close()
        assert running.ask("PUT", "/files/a", b"hello").status == 201


@pytest.mark.long
def test_where_nobody_chose_only_loopback_is_served(migrated: Path, tmp_path: Path) -> None:
    with serving(migrated) as running:
        assert running.ask("PUT", "/files/a", b"hello").status == 201
    path = tmp_path / "s"
    root = shutil.copytree(migrated, tmp_path / "root")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--uds", str(path), "fileservice.asgi:application"],
        env=environment(root),
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_listening(path))
        connection = HTTPConnection("localhost")
        connection.sock = connect(path)
        connection.request("PUT", "/files/a", b"hello")
        assert connection.getresponse().status == 403
        connection.close()
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the point
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_an_address_is_loopback_only_if_it_surely_is(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_address_is_shown_as_a_url_has_it() -> None:
    assert address("127.0.0.1") == "127.0.0.1"
    assert address("::1") == "[::1]"
