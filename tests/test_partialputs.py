"""An upload that plain curl goes on with."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.client import Answer, raw_exchange
from tests.conftest import Server, need_program, serving

JSON = {"Accept": "application/json"}
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test


def begun(server: Server, length: int | None = None) -> str:
    """Return the path of an upload."""
    told = {} if length is None else {"Upload-Length": str(length)}
    answer = server.ask("PUT", "/files/a.txt", None, {"Upload-Complete": "?0", **told})
    assert answer.status == 201, answer
    return answer.headers["location"]


def put(server: Server, path: str, content: bytes, place: str = "", **fields: str) -> Answer:
    told = {"Content-Range": place} if place else {}
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return server.ask("PUT", path, content, told | named)


def content_of(server: Server, answer: Answer) -> bytes:
    """Return the content of the file that an answer names."""
    return server.ask("GET", answer.text.strip().removeprefix(server.url)).body


def test_a_put_of_the_whole_is_answered_with_the_link_to_give_away(server: Server) -> None:
    answer = put(server, begun(server), b"hello")

    assert answer.status == 201
    assert content_of(server, answer) == b"hello"


def test_a_range_that_comes_next_is_appended(server: Server) -> None:
    path = begun(server)

    first = put(server, path, b"hello", "bytes 0-4/11")
    last = put(server, path, b" world", "bytes 5-10/11")

    assert (first.status, first.headers["upload-offset"]) == (202, "5")
    assert first.text == f"5 bytes are here; go on with: curl -C 5 -T FILE {server.url}{path}\n"
    assert last.status == 201
    assert content_of(server, last) == b"hello world"


def test_the_size_may_be_told_last(server: Server) -> None:
    path = begun(server)

    first = put(server, path, b"hello", "bytes 0-4/*", **JSON)
    last = put(server, path, b"", "bytes */5")

    assert (first.status, first.json["offset"], first.json["length"]) == (202, 5, None)
    assert last.status == 201
    assert content_of(server, last) == b"hello"


def test_a_wrong_place_is_refused_in_one_line_with_the_command_to_use(server: Server) -> None:
    path = begun(server, 11)
    put(server, path, b"hello", "bytes 0-4/11")

    refused = put(server, path, b"world", "bytes 6-10/11")
    whole = put(server, path, b"hello world")
    rest = put(server, path, b"", "bytes */11")
    problem = put(server, path, b"world", "bytes 6-10/11", **JSON)

    line = f"5 bytes are here; go on with: curl -C 5 -T FILE {server.url}{path}"
    for answer in (refused, whole, rest):
        assert (answer.status, answer.headers["upload-offset"]) == (409, "5")
        assert answer.text == f"Other bytes come next: {line}\n"
    assert (problem.json["expected-offset"], problem.json["provided-offset"]) == (5, 6)


def test_nothing_here_needs_no_place(server: Server) -> None:
    path = begun(server)

    refused = put(server, path, b"world", "bytes 6-10/11")

    assert refused.text.endswith(f"go on with: curl -T FILE {server.url}{path}\n")


def test_the_last_command_can_be_repeated_and_no_other(server: Server) -> None:
    path = begun(server)
    put(server, path, b"hello", "bytes 0-4/11")
    last = put(server, path, b" world", "bytes 5-10/11")

    again = put(server, path, b" world", "bytes 5-10/11")
    whole = put(server, path, b"hello world")
    size = put(server, path, b"", "bytes */11")
    other = put(server, path, b"hello", "bytes 0-4/5")

    assert [answer.status for answer in (again, whole, size)] == [200, 200, 200]
    assert again.text == whole.text == size.text == last.text
    assert (other.status, other.headers["upload-offset"]) == (409, "11")
    assert other.text == f"Other bytes come next: all 11 bytes are here, at {last.text}"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"hello", "bytes 0-3/11"),
        (b"hello", "bytes 0-5/11"),
        (b"hello", "bytes */5"),
        (b"", "bytes 0-4/11"),
        (b"hello", "bytes 5-9"),
        (b"hello", "items 0-4/11"),
        (b"hello", "bytes 0-4/12"),
    ],
)
def test_a_range_that_is_not_that_of_the_content_is_refused(
    server: Server, content: bytes, place: str
) -> None:
    path = begun(server, 11)

    assert put(server, path, content, place).status == 400
    assert server.ask("HEAD", path).headers["upload-offset"] == "0"


def test_the_whole_may_come_in_chunks(server: Server) -> None:
    path = begun(server)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    received = raw_exchange(server.address, head.encode() + b"5\r\nhello\r\n0\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 201 ")
    assert server.ask("HEAD", path).headers["upload-length"] == "5"


def test_a_range_in_chunks_is_refused(server: Server) -> None:
    head = (
        f"PUT {begun(server)} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        "Connection: close\r\nContent-Range: bytes 0-4/11\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    received = raw_exchange(server.address, head.encode() + b"5\r\nhello\r\n0\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 400 ")


def test_more_than_the_length_leaves_the_upload_as_it_was(server: Server) -> None:
    path = begun(server, 5)

    refused = put(server, path, b"hello world", "bytes 0-10/*")

    assert refused.status == 413
    assert put(server, path, b"hello").status == 201


def test_a_digest_that_does_not_hold_keeps_nothing(server: Server) -> None:
    path = begun(server)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()

    refused = put(server, path, b"hello", "bytes 0-4/11", Content_Digest=f"sha-256=:{wrong}:")

    assert refused.status == 400
    assert server.ask("HEAD", path).headers["upload-offset"] == "0"


def test_a_part_of_a_concatenation_is_left_to_tus(server: Server) -> None:
    fields = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Concat": "partial"}
    path = server.ask("POST", "/files/", None, fields).headers["location"]

    assert put(server, path, b"hello").status == 403


def test_a_private_service_asks_who_sends(migrated: Path) -> None:
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as private:
        own = {"Authorization": f"Bearer {TOKEN}"}
        begun = private.ask("PUT", "/files/a", None, {"Upload-Complete": "?0", **own})
        path = begun.headers["location"]

        assert put(private, path, b"hello").status == 401
        assert put(private, path, b"hello", **own).status == 201


def curl(*arguments: str) -> str:
    """Return what curl prints, whatever it is answered."""
    done = subprocess.run(
        [need_program("curl"), "-sS", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Give a file for which curl waits to be told to go on."""
    file = tmp_path / "large.bin"
    file.write_bytes(hashlib.sha256(b"large").digest() * 100_000)
    return file


def test_curl_goes_on_where_it_is_told_to(server: Server, large: Path) -> None:
    keep = curl("-X", "PUT", "-H", "Upload-Complete: ?0", f"{server.url}/files/large.bin").strip()
    path = keep.removeprefix(server.url)
    put(server, path, large.read_bytes()[:1_234_567], "bytes 0-1234566/*")

    line = curl("-C", "-", "-T", str(large), keep)
    _, _, command = line.strip().partition("go on with: curl ")
    link = curl(*(str(large) if word == "FILE" else word for word in command.split()))

    assert "-C 1234567 " in command
    assert server.ask("GET", link.strip().removeprefix(server.url)).body == large.read_bytes()
    assert curl("-C", "1234567", "-T", str(large), keep) == link
