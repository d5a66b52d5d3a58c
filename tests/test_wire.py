"""The rows of test_protocol against the whole service: nothing half-received is ever kept."""

import http.client
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import WAIT_SECONDS, raw_exchange
from tests.conftest import Server, need_program, serving
from tests.test_protocol import (
    ABC,
    BAD_BODIES,
    BAD_HEADS,
    CLOSE,
    Answer,
    assert_refused,
    head,
    split_answers,
)

MIB = 1 << 20
LOCAL = b"Host: 127.0.0.1"


@pytest.fixture(scope="module")
def small(migrated: Path) -> Iterator[Server]:
    """Give a service whose largest file is 1 MiB."""
    with serving(migrated, ACCESS="open", MAX_UPLOAD_BYTES=str(MIB)) as running:
        yield running


def talk(server: Server, raw: bytes) -> list[Answer]:
    return split_answers(raw_exchange(server.address, raw))


def get(path: bytes) -> bytes:
    return head(CLOSE, start=b"GET " + path + b" HTTP/1.1", host=LOCAL)


def upload(*lines: bytes) -> bytes:
    return head(*lines, CLOSE, start=b"PUT /files/a.txt HTTP/1.1", host=LOCAL)


@pytest.mark.parametrize("row", BAD_HEADS)
def test_the_service_refuses_a_bad_head(row: str, server: Server) -> None:
    raw, status = BAD_HEADS[row]
    [answer] = talk(server, raw)

    assert_refused(answer, status)


@pytest.mark.parametrize("row", BAD_BODIES)
def test_a_bad_body_leaves_no_file(row: str, server: Server) -> None:
    body, status = BAD_BODIES[row]
    before = server.stored()
    [answer] = talk(server, upload(b"Transfer-Encoding: chunked") + body)

    assert_refused(answer, status)
    assert server.stored() == before


def test_trailers_are_no_fields(server: Server) -> None:
    """H15: a trailer that would ask for JSON changes nothing."""
    body = ABC.removesuffix(b"\r\n") + b"Accept: application/json\r\n\r\n"
    [answer] = talk(server, upload(b"Transfer-Encoding: chunked") + body)

    assert answer[0] == 201
    assert answer[2].startswith(b"http://127.0.0.1")


@pytest.mark.parametrize(
    "path",
    [b"/%2e%2e%2f..", b"/../../etc/passwd", b"/files/%00", b"/files/%ff%fe", b"//evil.example/"],
)
def test_strange_paths_lead_nowhere(path: bytes, server: Server) -> None:
    """H28, H29."""
    [answer] = talk(server, get(path))

    assert answer[0] == 404


def test_a_whole_url_is_served_if_it_is_ours(server: Server) -> None:
    """H30."""
    [ours] = talk(server, get(b"http://127.0.0.1/"))
    [other] = talk(server, get(b"http://evil.example/").replace(LOCAL, b"Host: evil.example"))

    assert ours[0] == 200
    assert other[0] == 400


def test_an_upgrade_takes_nothing_from_an_upload(server: Server) -> None:
    raw = upload(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 3") + b"abc"
    [put] = talk(server, raw)
    url = put[2].decode().strip()
    [got] = talk(server, get(url.partition("127.0.0.1")[2].encode()))

    assert got[2] == b"abc"


def test_two_uploads_sent_at_once_are_two_files(server: Server) -> None:
    """H22."""
    start = head(b"Content-Length: 3", start=b"PUT /files/a.txt HTTP/1.1", host=LOCAL)
    first, second = talk(server, start + b"abc" + upload(b"Content-Length: 3") + b"def")

    assert (first[0], second[0]) == (201, 201)
    assert first[2] != second[2]


@pytest.mark.parametrize("framing", [b"Content-Length: 52428800", b"Transfer-Encoding: chunked"])
def test_a_refusal_is_read_by_a_client_that_sends_all_first(framing: bytes, small: Server) -> None:
    """H37, M28, M29."""
    piece = b"x" * MIB if framing.startswith(b"C") else b"100000\r\n" + b"x" * MIB + b"\r\n"
    with socket.create_connection(small.address, WAIT_SECONDS) as wire:
        wire.sendall(upload(framing))
        for _ in range(50):
            wire.sendall(piece)
        received = bytearray()
        while block := wire.recv(1 << 16):
            received += block
    [answer] = split_answers(bytes(received))

    assert answer[0] == 413
    assert answer[1]["connection"] == "close"
    assert small.stored() == []


@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
@pytest.mark.parametrize("way", ["-T{}", "-Ffile=@{}"])
def test_a_refusal_is_read_by_curl(way: str, expect: str, small: Server, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(20 * MIB))
    command = [need_program("curl"), "-sS", "-w", "\n%{http_code}", "-H", expect]
    done = subprocess.run(
        [*command, way.format(file), f"{small.url}/files/"],
        capture_output=True,
        check=False,
        timeout=WAIT_SECONDS,
    )

    assert done.stdout.endswith(b"\n413"), done


def test_a_refusal_is_read_by_pythons_client(small: Server) -> None:
    client = http.client.HTTPConnection(*small.address, timeout=WAIT_SECONDS)
    client.request("PUT", "/files/a.txt", b"x" * (20 * MIB))

    assert client.getresponse().status == 413
    client.close()
