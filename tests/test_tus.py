"""What is ours of tus; its points one by one are in tests/conformance."""

import base64
import contextlib
import hashlib
import signal
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fileservice.options import DATABASE
from tests.client import WAIT_SECONDS, Answer
from tests.conftest import START_SECONDS, Server, serving
from tests.echo import wait_until

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
BROKEN_BYTES = 3_000_000


def create(server: Server, **fields: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return server.ask("POST", "/files/", None, TUS | named)


def append(server: Server, path: str, offset: int, content: bytes, **fields: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    place = {"Upload-Offset": str(offset)}
    return server.ask("PATCH", path, content, TUS | BYTES | place | named)


def metadata(name: str) -> str:
    return f"filename {base64.b64encode(name.encode()).decode()}"


def told(server: Server, path: str) -> Any:
    return server.ask("GET", path, headers={"Accept": "application/json"}).json


def part(server: Server, content: bytes) -> str:
    path = create(server, Upload_Length=str(len(content)), Upload_Concat="partial").headers
    assert append(server, path["location"], 0, content).status == 204
    return path["location"]


def test_an_upload_in_two_requests_is_the_file(server: Server) -> None:
    path = create(server, Upload_Length="11", Upload_Metadata=metadata("a b.txt")).headers[
        "location"
    ]

    first, last = append(server, path, 0, b"hello "), append(server, path, 6, b"world")

    assert (first.headers["upload-offset"], last.headers["upload-offset"]) == ("6", "11")
    file = told(server, path)
    assert (file["name"], file["size"], file["media_type"]) == ("a b.txt", 11, "text/plain")
    assert file["sha256"] == hashlib.sha256(b"hello world").hexdigest()
    got = server.ask("GET", file["url"].removeprefix(server.url))
    assert got.body == b"hello world"


@pytest.mark.parametrize("size", [1, 10_000, 64 << 10, (64 << 10) + 1])
@pytest.mark.parametrize("named", ["", metadata("a b.txt")])
def test_an_upload_that_comes_with_its_creation_is_the_file(
    server: Server, size: int, named: str
) -> None:
    content = bytes(range(33, 97)) * (size // 64) + b"!" * (size % 64)
    fields = TUS | BYTES | {"Upload-Length": str(size), "Upload-Metadata": named}

    made = server.ask("POST", "/files/", content, fields)

    assert (made.status, made.headers["upload-offset"]) == (201, str(size))
    path = made.headers["location"]
    head = server.ask("HEAD", path, headers=TUS).headers
    assert (head["upload-offset"], head["upload-length"]) == (str(size), str(size))
    assert head.get("upload-metadata", "") == named
    file = told(server, path)
    assert (file["name"], file["size"]) == ("a b.txt" if named else "unnamed", size)
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert server.ask("GET", file["url"].removeprefix(server.url)).body == content
    assert append(server, path, size, b"").status == 204
    assert append(server, path, 0, content).status == 409
    assert server.ask("DELETE", path, headers=TUS).status == 204
    assert server.ask("HEAD", path, headers=TUS).status == 404


def test_a_small_creation_that_is_cut_short_leaves_nothing(server: Server) -> None:
    rows, files = numbered(server), server.stored()
    fields = TUS | BYTES | {"Upload-Length": "10", "Content-Length": "10"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    gone = server.log.read_text().count('"POST /files/" gone')
    with socket.create_connection(server.address, WAIT_SECONDS) as client:
        client.sendall(f"POST /files/ HTTP/1.1\r\nHost: localhost\r\n{lines}\r\nhello".encode())

    wait_until(lambda: server.log.read_text().count('"POST /files/" gone') > gone)

    assert (numbered(server), server.stored()) == (rows, files)


def numbered(server: Server) -> int:
    """Return how many uploads have a row."""
    with contextlib.closing(sqlite3.connect(server.root / DATABASE)) as rows:
        [[number]] = rows.execute("SELECT count(*) FROM fileservice_resumableupload")
    return int(number)


def test_a_creation_that_fails_in_its_bytes_says_where_to_go_on(server: Server) -> None:
    wrong = base64.b64encode(bytes(20)).decode()
    fields = TUS | BYTES | {"Upload-Length": "5", "Upload-Checksum": f"sha1 {wrong}"}

    refused = server.ask("POST", "/files/", b"hello", fields)

    assert refused.status == 460
    path = refused.headers["location"]
    assert server.ask("HEAD", path).headers["upload-offset"] == "0"
    assert append(server, path, 0, b"hello").status == 204


def test_a_bad_name_is_refused_before_anything_is_made(server: Server) -> None:
    refused = create(server, Upload_Length="5", Upload_Metadata=metadata("../x"))

    assert refused.status == 400
    assert refused.text.startswith("Bad file name")


def test_parts_become_one_file_and_none_of_their_own(server: Server) -> None:
    parts = [part(server, content) for content in (b"one ", b"two ", b"three")]

    final = create(
        server,
        Upload_Concat=f"final;{parts[0]} {server.url}{parts[1]} {parts[2]} {parts[0]}",
        Upload_Metadata=metadata("sum.txt"),
    )

    file = told(server, final.headers["location"])
    content = server.ask("GET", file["url"].removeprefix(server.url)).body
    assert content == b"one two threeone "
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert told(server, parts[0])["url"] is None


def test_the_same_parts_asked_for_again_are_the_same_file(server: Server) -> None:
    concat = f"final;{part(server, b'a')} {part(server, b'b')}"

    first, again = create(server, Upload_Concat=concat), create(server, Upload_Concat=concat)

    assert first.headers["location"] == again.headers["location"]


@pytest.mark.parametrize(
    ("concat", "status"),
    [
        ("final;", 400),
        ("final;/uploads/unknown", 404),
        ("final;/files/unknown", 400),
        ("final;http://other.example/uploads/unknown", 400),
        ("finally", 400),
    ],
)
def test_a_final_upload_of_what_is_no_part_is_refused(
    server: Server, concat: str, status: int
) -> None:
    assert create(server, Upload_Concat=concat).status == status


def test_a_whole_upload_is_no_part(server: Server) -> None:
    whole = create(server, Upload_Length="0").headers["location"]

    assert create(server, Upload_Concat=f"final;{whole}").status == 404


def test_a_part_of_another_browser_is_no_part(server: Server) -> None:
    path = part(server, b"theirs")
    cookie = server.ask("GET", "/", headers={"Accept": "text/html"}).headers["set-cookie"]
    own = {"Cookie": cookie.partition(";")[0], "Upload-Concat": f"final;{path}"}

    assert server.ask("POST", "/files/", None, TUS | own).status == 404


def test_a_file_that_came_by_put_is_an_upload_at_its_end(server: Server) -> None:
    put = server.ask("PUT", "/files/a", b"12345", {"Accept": "application/json"}).json["files"][0]
    path = put["manage_url"].removeprefix(server.url)

    head = server.ask("HEAD", path, headers=TUS)

    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("5", "5")
    assert append(server, path, 5, b"").status == 204
    assert append(server, path, 0, b"12345").status == 409


@pytest.mark.long
def test_a_service_that_stops_does_not_wait_for_who_can_go_on_later(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        path = create(running, Upload_Length="9").headers["location"]
        fields = TUS | BYTES | {"Upload-Offset": "0", "Content-Length": "9"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"PATCH {path} HTTP/1.1\r\nHost: {running.host}:{running.port}\r\n{lines}\r\n"
        with socket.create_connection(running.address, WAIT_SECONDS) as connection:
            connection.sendall(head.encode() + b"hello")
            draft = running.root / "uploads" / "incoming"
            wait_until(lambda: any(draft.iterdir()))

            running.process.send_signal(signal.SIGTERM)

            answer = connection.recv(4096)
        running.process.wait(START_SECONDS)
        with serving(running.root, ACCESS="open") as restarted:
            offset = restarted.ask("HEAD", path).headers["upload-offset"]
    assert answer.startswith(b"HTTP/1.1 423 ")
    assert offset == "5"


def test_a_private_service_asks_who_appends(migrated: Path) -> None:
    token = "t" * 32
    with serving(migrated, ACCESS="private", TOKEN=token) as private:
        own = {"Authorization": f"Bearer {token}"}
        begun = private.ask("POST", "/files/", None, TUS | own | {"Upload-Length": "5"})
        path = begun.headers["location"]

        refused = append(private, path, 0, b"hello")

        assert refused.status == 401
        assert refused.headers["tus-resumable"] == "1.0.0"
        assert create(private, Upload_Length="5").status == 401
        assert append(private, path, 0, b"hello", **own).status == 204


def test_every_byte_that_came_before_the_client_hung_up_is_kept(server: Server) -> None:
    path = create(server, Upload_Length=str(BROKEN_BYTES * 2)).headers["location"]
    fields = TUS | BYTES | {"Upload-Offset": "0", "Content-Length": str(BROKEN_BYTES * 2)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"PATCH {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n{lines}\r\n"

    with socket.create_connection(server.address, WAIT_SECONDS) as connection:
        connection.sendall(head.encode() + bytes(BROKEN_BYTES))

    # To ask where it stands would end it.
    wait_until(lambda: f'"PATCH {path}" gone' in server.log.read_text())
    assert server.ask("HEAD", path).headers["upload-offset"] == str(BROKEN_BYTES)
