"""What a real server under GuardedProtocol answers to raw bytes: the rows H1-H40 and more."""

import gc
import http.client
import json
import socket
import ssl
import subprocess
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from fileservice.http.parting import Patience
from fileservice.http.protocol import GuardedProtocol
from tests.conftest import need_program
from tests.echo import WAIT_SECONDS, EchoServer, serving_echo, wait_until

MIB = 1 << 20


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def echo_server(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    with serving_echo(loop=request.param) as server:
        yield server


@pytest.fixture
def echo(echo_server: EchoServer) -> Iterator[EchoServer]:
    """Give the server; the test says of every request what became of it."""
    yield echo_server
    unsaid = []
    while not echo_server.seen.empty():
        unsaid.append(echo_server.seen.get())
    assert unsaid == []


class HastyProtocol(GuardedProtocol):
    """One whose deadlines can be waited for."""

    head_seconds = 0.3
    patience = Patience(linger_seconds=1.5, silence_seconds=0.3, stall_seconds=0.3)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def hasty(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    with serving_echo(HastyProtocol, loop=request.param) as server:
        yield server


@contextmanager
def connection(server: EchoServer) -> Iterator[socket.socket]:
    with socket.create_connection(server.address, WAIT_SECONDS) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield wire


def read_to_end(wire: socket.socket) -> bytes:
    """Return all that comes; a reset is an error."""
    received = bytearray()
    while block := wire.recv(1 << 16):
        received += block
    return bytes(received)


def read_until(wire: socket.socket, mark: bytes) -> bytes:
    received = bytearray()
    while mark not in received:
        block = wire.recv(1 << 16)
        assert block, received
        received += block
    return bytes(received)


def talk(server: EchoServer, *pieces: bytes) -> list["Answer"]:
    """Send `pieces`, each by itself, and return all answers until the server closes."""
    with connection(server) as wire:
        for piece in pieces:
            wire.sendall(piece)
        return split_answers(read_to_end(wire))


type Answer = tuple[int, dict[str, str], bytes]


def split_answers(received: bytes) -> list[Answer]:
    """Take responses apart: status, fields, body; what is in chunks stays so."""
    answers = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, _, value in (f.partition(": ") for f in lines)}
        size = int(fields.get("content-length", 0 if int(line.split()[1]) < 200 else len(received)))
        answers.append((int(line.split()[1]), fields, received[:size]))
        received = received[size:]
    return answers


def report_of(answer: Answer) -> Any:
    status, _, body = answer
    assert status == 200, answer
    return json.loads(body)


def ask(echo: EchoServer, *pieces: bytes) -> Any:
    """Send one request and return what the application saw of it."""
    [answer] = talk(echo, *pieces)
    assert echo.next_seen() == "complete"
    return report_of(answer)


def assert_refused(answer: Answer, status: int) -> None:
    assert answer[0] == status, answer
    assert answer[1]["connection"] == "close"
    assert answer[1]["content-type"] == "text/plain; charset=utf-8"
    assert answer[2].endswith(b"\n")
    assert answer[2].count(b"\n") == 1


def head(
    *lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a.example"
) -> bytes:
    return b"\r\n".join([start, host, *lines, b"", b""])


def put(*lines: bytes) -> bytes:
    return head(*lines, start=b"PUT /a HTTP/1.1")


CHUNKED = put(b"Transfer-Encoding: chunked", b"Connection: close")

# Refused for the head alone: the application never hears of them.
BAD_HEADS = {
    "H1 CL and TE": (put(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "H1 TE and CL": (put(b"Transfer-Encoding: chunked", b"Content-Length: 3") + b"0\r\n\r\n", 400),
    "H2 CL twice": (put(b"Content-Length: 3", b"Content-Length: 3") + b"abc", 400),
    "H3 CL list": (put(b"Content-Length: 3, 3") + b"abc", 400),
    "H4 two CL": (put(b"Content-Length: 3", b"Content-Length: 4") + b"abc", 400),
    "H5 CL plus": (put(b"Content-Length: +3") + b"abc", 400),
    "H5 CL minus": (put(b"Content-Length: -1") + b"abc", 400),
    "H5 CL hex": (put(b"Content-Length: 0x3") + b"abc", 400),
    "H5 CL empty": (put(b"Content-Length:") + b"abc", 400),
    "H6 CL 2^64+1": (put(b"Content-Length: 18446744073709551617"), 413),
    "H6 CL 2^63": (put(b"Content-Length: 9223372036854775808"), 413),
    "H6 CL 2^64-1": (put(b"Content-Length: 18446744073709551615"), 413),
    "H7 TE gzip": (put(b"Transfer-Encoding: gzip, chunked") + b"3\r\nabc\r\n0\r\n\r\n", 501),
    "H8 TE xchunked": (put(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n", 400),
    "H8 TE not last": (put(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", 400),
    "H8 TE twice": (put(*[b"Transfer-Encoding: chunked"] * 2) + b"0\r\n\r\n", 400),
    "H8 TE in two": (
        put(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
    ),
    "H8 space before colon": (put(b"Content-Length : 3") + b"abc", 400),
    "TE in HTTP/1.0": (
        head(b"Transfer-Encoding: chunked", start=b"PUT / HTTP/1.0") + b"0\r\n\r\n",
        400,
    ),
    "H16 no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "H17 two Hosts": (head(b"Host: b.example"), 400),
    "H17 bad Host": (head(host=b"Host: a.example/b"), 400),
    "H17 empty Host": (head(host=b"Host:"), 400),
    "H18 obs-fold": (head(b"A: b", b" c"), 400),
    "H18 folded first": (b"GET / HTTP/1.1\r\n Host: a.example\r\n\r\n", 400),
    "H19 bare LF": (b"GET / HTTP/1.1\nHost: a.example\n\n", 400),
    "H19 one bare LF": (b"GET / HTTP/1.1\r\nHost: a.example\nA: b\r\n\r\n", 400),
    "H20 bare CR": (head(b"A: b\rC: d"), 400),
    "H20 NUL": (head(b"A: b\0c"), 400),
    "H20 control byte": (head(b"A: b\x01c"), 400),
    "H23 1 MB field": (head(b"A: " + b"x" * MIB), 431),
    "H24 20,000 fields": (head(*[b"A: b"] * 20_000), 431),
    "H24 101 fields": (head(*[b"A: b"] * 100), 431),
    "H25 a head without end": (b"GET / HTTP/1.1\r\nA: " + b"x" * 33_000, 431),
    "H25 newlines without end": (b"\r\n" * 20_000, 431),
    "H27 URL of 200 KB": (head(start=b"GET /" + b"a" * 200_000 + b" HTTP/1.1"), 414),
    "H27 URL of 8193 bytes": (head(start=b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414),
    "H27 URL without end": (b"GET /" + b"a" * 33_000, 414),
    "H30 foreign URL": (head(start=b"GET http://evil.example/path HTTP/1.1"), 400),
    "H30 URL of a user": (head(start=b"GET http://u@a.example/ HTTP/1.1"), 400),
    "H30 URL of another scheme": (head(start=b"GET https://a.example/ HTTP/1.1"), 421),
    "fragment": (head(start=b"GET /a#b HTTP/1.1"), 400),
    "path with a raw byte": (head(start=b"GET /\xff HTTP/1.1"), 400),
    "query with a raw byte": (head(start=b"GET /?\xff HTTP/1.1"), 400),
    "path with a space": (head(start=b"GET /a b HTTP/1.1"), 400),
    "relative path": (head(start=b"GET a HTTP/1.1"), 400),
    "GET *": (head(start=b"GET * HTTP/1.1"), 400),
    "H32 CONNECT": (head(start=b"CONNECT a.example:443 HTTP/1.1"), 405),
    "H33 HTTP/2.0": (head(start=b"GET / HTTP/2.0"), 505),
    "H33 HTTP/3.0": (head(start=b"GET / HTTP/3.0"), 505),
    "H33 HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "H34 HTTP/0.9": (b"GET /\r\n", 400),
    "H34 HTTP/0.9 with a newline": (b"GET /\r\n\r\n", 400),
    "H36 Expect": (put(b"Expect: foo", b"Content-Length: 3") + b"abc", 417),
    "unknown method": (head(start=b"FOO / HTTP/1.1"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


@pytest.mark.parametrize("row", BAD_HEADS)
def test_a_bad_head_is_refused(row: str, echo: EchoServer) -> None:
    raw, status = BAD_HEADS[row]
    [answer] = talk(echo, raw)

    assert_refused(answer, status)


# HTTP/0.9 is only known by a request line that comes alone.
CUT_HEADS = [row for row in BAD_HEADS if len(BAD_HEADS[row][0]) < 200 and row != "H34 HTTP/0.9"]


@pytest.mark.parametrize("row", CUT_HEADS)
def test_a_bad_head_is_refused_however_it_is_cut(row: str, echo: EchoServer) -> None:
    raw, status = BAD_HEADS[row]
    [answer] = talk(echo, *(raw[i : i + 1] for i in range(len(raw))))

    assert_refused(answer, status)


# Refused when the application has already begun to read.
BAD_BODIES = {
    "H10 long extension": (b"3;" + b"x" * 2000 + b"\r\nabc\r\n0\r\n\r\n", 400),
    "H10 extension without end": (b"3;" + b"x" * 100_000, 400),
    "H11 extension ended by LF": (b"3;a\nabc\r\n0\r\n\r\n", 400),
    "H11 size 0x3": (b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "H11 size -1": (b"-1\r\nabc\r\n0\r\n\r\n", 400),
    "H12 size of 17 digits": (b"10000000000000000\r\nabc", 413),
    "H12 size of 2^64-1": (b"ffffffffffffffff\r\nabc", 413),
    "H13 wrong bytes after a chunk": (b"3\r\nabcXX0\r\n\r\n", 400),
    "H14 bare LF": (b"3\nabc\n0\n\n", 400),
    "H15 endless trailers": (b"0\r\n" + b"X: y\r\n" * 20_000, 431),
    "H15 broken trailer": (b"0\r\nX\r\n\r\n", 400),
}


@pytest.mark.parametrize("step", [1, 5, 1 << 20])
@pytest.mark.parametrize("row", BAD_BODIES)
def test_a_bad_body_is_refused_and_never_complete(row: str, step: int, echo: EchoServer) -> None:
    body, status = BAD_BODIES[row]
    if len(body) > 3000:
        step = max(step, 1 << 12)
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    pieces = [CHUNKED + body] if step == 1 << 20 else [CHUNKED, *pieces]
    [answer] = talk(echo, *pieces)

    assert_refused(answer, status)
    assert echo.next_seen() == "gone"


ABC = b"3\r\nabc\r\n0\r\n\r\n"
CLOSE = b"Connection: close"

# What has to be served, and what the application has to see of it.
GOOD: dict[str, tuple[bytes, dict[str, object]]] = {
    "H9 TE after TAB": (put(b"Transfer-Encoding:\tchunked", CLOSE) + ABC, {"body": "abc"}),
    "TE in capitals": (put(b"Transfer-Encoding: CHUNKED", CLOSE) + ABC, {"body": "abc"}),
    "CL with spaces": (put(b"Content-Length:  3 \t ", CLOSE) + b"abc", {"body": "abc"}),
    "H10 extension": (CHUNKED + b"3;a=b\r\nabc\r\n0;c\r\n\r\n", {"body": "abc"}),
    "H15 trailers": (
        CHUNKED + b"3\r\nabc\r\n0\r\nX-Remote-User: admin\r\n\r\n",
        {
            "body": "abc",
            "headers": [
                ["host", "a.example"],
                ["transfer-encoding", "chunked"],
                ["connection", "close"],
            ],
        },
    ),
    "H15 trailers that frame": (CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n", {"body": ""}),
    "H24 100 fields": (head(*[b"A: b"] * 98, CLOSE), {"path": "/"}),
    "H23 30 KB field": (head(b"A: " + b"x" * 30_000, CLOSE), {"path": "/"}),
    "H26 one byte a chunk": (
        CHUNKED + b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n",
        {"size": 10_000},
    ),
    "H27 URL of 8 KiB": (
        head(CLOSE, start=b"GET /" + b"a" * 8191 + b" HTTP/1.1"),
        {"path": "/" + "a" * 8191},
    ),
    "H28 traversal": (
        head(CLOSE, start=b"GET /%2e%2e%2f../etc/passwd HTTP/1.1"),
        {"path": "/../../etc/passwd", "raw_path": "/%2e%2e%2f../etc/passwd"},
    ),
    "H29 NUL": (head(CLOSE, start=b"GET /a%00b HTTP/1.1"), {"path": "/a\0b"}),
    "H30 own URL": (
        head(CLOSE, start=b"GET http://A.example:80/p?q HTTP/1.1"),
        {
            "path": "/p",
            "raw_path": "/p",
            "query": "q",
            "headers": [["host", "A.example:80"], ["connection", "close"]],
        },
    ),
    "H30 URL of an old client": (
        b"GET http://a.example/p HTTP/1.0\r\n\r\n",
        {"path": "/p", "headers": [["host", "a.example"]]},
    ),
    "HTTP/1.0 without Host": (b"GET /p HTTP/1.0\r\n\r\n", {"version": "1.0", "headers": []}),
    "newlines ahead": (b"\r\n\r\n" + head(CLOSE), {"method": "GET"}),
    "query with a question": (head(CLOSE, start=b"GET /a?b?c=/d HTTP/1.1"), {"query": "b?c=/d"}),
    "value with white space": (
        head(b"A:  b \t", CLOSE),
        {"headers": [["host", "a.example"], ["a", "b"], ["connection", "close"]]},
    ),
    "Upgrade to HTTP/2 with a body": (
        put(b"Connection: close, Upgrade", b"Upgrade: h2c", b"Content-Length: 3") + b"abc",
        {"body": "abc", "method": "PUT"},
    ),
    "Upgrade to a websocket": (
        head(b"Connection: Upgrade, close", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        {"method": "GET"},
    ),
    "Expect of an old client": (
        head(b"Expect: foo", b"Content-Length: 3", start=b"PUT / HTTP/1.0") + b"abc",
        {"body": "abc"},
    ),
}


@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
@pytest.mark.parametrize("row", GOOD)
def test_a_good_request_is_served_however_it_is_cut(row: str, step: int, echo: EchoServer) -> None:
    raw, expected = GOOD[row]
    if len(raw) > 3000:
        step = max(step, 1 << 12)
    seen = ask(echo, *(raw[start : start + step] for start in range(0, len(raw), step)))

    assert {name: seen[name] for name in expected} == expected


def test_a_head_of_64_mib_is_refused_at_once(echo: EchoServer) -> None:
    """H25: and its sender is told, though it never looks before the end."""
    [answer] = talk(echo, b"GET / HTTP/1.1\r\nA: ", *([b"x" * MIB] * 64))

    assert_refused(answer, 431)


def test_options_asks_about_the_server(echo: EchoServer) -> None:
    """H31."""
    [answer] = talk(echo, head(CLOSE, start=b"OPTIONS * HTTP/1.1"))

    assert answer[0] == 204
    assert "PUT" in answer[1]["allow"]


def test_a_refused_method_says_which_are_known(echo: EchoServer) -> None:
    [answer] = talk(echo, head(start=b"CONNECT a.example:443 HTTP/1.1"))

    assert "PUT" in answer[1]["allow"]


def test_a_refused_head_request_has_no_body(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(b"HEAD / HTTP/1.1\r\n\r\n")
        received = read_to_end(wire)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.endswith(b"\r\n\r\n")


def test_requests_sent_ahead_are_answered_in_turn(echo: EchoServer) -> None:
    """H22."""
    raw = (
        put(b"Content-Length: 3")
        + b"abc"
        + put(b"Transfer-Encoding: chunked")
        + ABC
        + head(start=b"GET /b HTTP/1.1") * 50
        + head(b"Connection: upgrade", b"Upgrade: h2c", start=b"GET /c HTTP/1.1")
        + head(CLOSE, start=b"GET /d HTTP/1.1")
    )
    answers = talk(echo, raw)

    assert [report_of(answer)["path"] for answer in answers] == ["/a"] * 2 + ["/b"] * 50 + [
        "/c",
        "/d",
    ]
    assert [echo.next_seen() for _ in answers] == ["complete"] * 54


def test_a_large_body_and_what_follows_it_are_told_apart(echo: EchoServer) -> None:
    body = b"x" * (3 * MIB + 7)
    first, second = talk(echo, put(b"Content-Length: %d" % len(body)) + body + head(CLOSE))

    assert report_of(first)["size"] == len(body)
    assert report_of(second)["method"] == "GET"
    assert [echo.next_seen(), echo.next_seen()] == ["complete", "complete"]


@pytest.mark.parametrize("row", ["H16 no Host", "H19 bare LF", "H33 HTTP/2.0", "TLS"])
def test_a_refusal_waits_for_the_answer_before_it(row: str, echo: EchoServer) -> None:
    raw, status = BAD_HEADS[row]
    good, bad = talk(echo, put(b"Content-Length: 3") + b"abc" + raw)

    assert report_of(good)["body"] == "abc"
    assert_refused(bad, status)
    assert echo.next_seen() == "complete"


def test_a_body_longer_than_its_length_is_answered_first(echo: EchoServer) -> None:
    good, bad = talk(echo, put(b"Content-Length: 3") + b"abcdef")

    assert report_of(good)["body"] == "abc"
    assert_refused(bad, 400)
    assert echo.next_seen() == "complete"


@pytest.mark.parametrize("last", [head(CLOSE), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])
def test_nothing_is_served_after_the_last_request(last: bytes, echo: EchoServer) -> None:
    answers = talk(echo, last + head(start=b"GET /not-this HTTP/1.1"))

    assert [report_of(answer)["path"] for answer in answers] == ["/"]
    assert echo.next_seen() == "complete"


def test_a_connection_is_kept_alive(echo: EchoServer) -> None:
    with connection(echo) as wire:
        for _ in range(3):
            wire.sendall(put(b"Content-Length: 3") + b"abc")
            [answer] = split_answers(read_until(wire, b"}"))
            assert report_of(answer)["body"] == "abc"
            assert "connection" not in answer[1]
            assert echo.next_seen() == "complete"


def test_a_body_that_comes_faster_than_it_is_read_is_whole(echo: EchoServer) -> None:
    body = bytes(range(256)) * 4000
    raw = head(b"Content-Length: %d" % len(body), CLOSE, start=b"PUT /late HTTP/1.1") + body
    seen = ask(echo, *(raw[start : start + 5000] for start in range(0, len(raw), 5000)))

    assert seen["size"] == len(body)
    assert seen["body"].encode("latin-1") == body[:1000]


def test_100_continue_is_sent_when_the_body_is_read(echo: EchoServer) -> None:
    """H35."""
    with connection(echo) as wire:
        wire.sendall(put(b"Content-Length: 3", b"Expect: 100-continue", CLOSE))
        interim = read_until(wire, b"\r\n\r\n")
        wire.sendall(b"abc")
        [answer] = split_answers(read_to_end(wire))

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert report_of(answer)["body"] == "abc"
    assert echo.next_seen() == "complete"


def test_100_continue_is_not_sent_for_a_body_that_is_here(echo: EchoServer) -> None:
    [answer] = talk(echo, put(b"Content-Length: 3", b"Expect: 100-continue", CLOSE) + b"abc")

    assert report_of(answer)["body"] == "abc"
    assert echo.next_seen() == "complete"


def refused_put(length: int, *lines: bytes) -> bytes:
    return head(b"Content-Length: %d" % length, *lines, start=b"PUT /refuse HTTP/1.1")


def test_a_refusal_comes_before_100_continue(echo: EchoServer) -> None:
    """H35."""
    with connection(echo) as wire:
        wire.sendall(refused_put(1000, b"Expect: 100-continue"))
        received = read_to_end(wire)

    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_refusal_is_read_by_a_client_that_sends_all_first(echo: EchoServer) -> None:
    """H37."""
    [answer] = talk(echo, refused_put(50 * MIB), *([b"x" * MIB] * 50))

    assert answer[0] == 413
    assert answer[1]["connection"] == "close"
    assert answer[2] == b"Too large\n"


def test_a_refusal_is_read_by_a_client_that_sends_chunks_first(echo: EchoServer) -> None:
    start = head(b"Transfer-Encoding: chunked", start=b"PUT /refuse HTTP/1.1")
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    [answer] = talk(echo, start, *([chunk] * 50), b"0\r\n\r\n")

    assert answer[0] == 413


def test_a_refusal_of_the_head_is_read_by_a_client_that_sends_all_first(echo: EchoServer) -> None:
    start = put(b"Content-Length: %d" % (50 * MIB), b"Expect: foo")
    [answer] = talk(echo, start, *([b"x" * MIB] * 50))

    assert_refused(answer, 417)


def test_a_refusal_is_read_by_pythons_client(echo: EchoServer) -> None:
    client = http.client.HTTPConnection(*echo.address, timeout=WAIT_SECONDS)
    client.request("PUT", "/refuse", b"x" * (50 * MIB))
    response = client.getresponse()

    assert (response.status, response.read()) == (413, b"Too large\n")
    client.close()


@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
def test_a_refusal_is_read_by_curl(expect: str, echo: EchoServer, tmp_path: Path) -> None:
    curl = need_program("curl")
    file = tmp_path / "zeros"
    with file.open("wb") as sparse:
        sparse.truncate(50 * MIB)
    url = f"http://{echo.address[0]}:{echo.address[1]}/refuse"
    done = subprocess.run(
        [curl, "-sS", "-T", file, "-H", expect, "-w", "%{http_code}", url],
        capture_output=True,
        check=False,
        timeout=WAIT_SECONDS,
    )

    assert done.stdout == b"Too large\n413", done.stderr


def test_an_answer_begun_before_the_body_is_complete_is_the_last(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(head(b"Content-Length: 3", start=b"PUT /begin HTTP/1.1"))
        begun = read_until(wire, b"begun\n")
        wire.sendall(b"abc" + head(start=b"GET /not-this HTTP/1.1"))
        rest = read_to_end(wire)

    assert b"connection: close\r\n" in begun
    assert rest.endswith(b"8\r\ncomplete\r\n0\r\n\r\n")
    assert echo.next_seen() == "complete"


def test_an_answer_begun_before_a_broken_body_is_cut_short(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(head(b"Transfer-Encoding: chunked", start=b"PUT /begin HTTP/1.1"))
        read_until(wire, b"begun\n")
        wire.sendall(b"nonsense\r\n")
        rest = read_to_end(wire)

    assert b"0\r\n\r\n" not in rest
    assert echo.next_seen() == "gone"


def test_an_answer_whose_head_is_still_here_gives_way_to_a_refusal(echo: EchoServer) -> None:
    raw = head(b"Transfer-Encoding: chunked", start=b"PUT /start HTTP/1.1") + b"nonsense\r\n"
    [answer] = talk(echo, raw)

    assert_refused(answer, 400)
    assert echo.next_seen() == "gone"


def test_content_of_unknown_length_is_in_chunks(echo: EchoServer) -> None:
    [answer] = talk(echo, head(CLOSE, start=b"GET /start HTTP/1.1"))

    assert answer[1]["transfer-encoding"] == "chunked"
    assert answer[2] == b"8\r\ncomplete\r\n0\r\n\r\n"
    assert echo.next_seen() == "complete"


def test_an_application_may_frame_its_content_itself(echo: EchoServer) -> None:
    [answer] = talk(echo, head(CLOSE, start=b"GET /own-framing HTTP/1.1"))

    assert answer[1]["transfer-encoding"] == "chunked"
    assert answer[2] == b"1\r\na\r\n0\r\n\r\n"


def test_an_old_client_is_sent_no_chunks(echo: EchoServer) -> None:
    [answer] = talk(echo, b"GET /start HTTP/1.0\r\n\r\n")

    assert "transfer-encoding" not in answer[1]
    assert answer[1]["connection"] == "close"
    assert answer[2] == b"complete"
    assert echo.next_seen() == "complete"


def test_a_head_request_is_answered_without_content(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(head(CLOSE, start=b"HEAD /a HTTP/1.1"))
        received = read_to_end(wire)

    assert b"\r\ncontent-length: " in received
    assert received.endswith(b"\r\n\r\n")
    assert echo.next_seen() == "complete"


@pytest.mark.parametrize("path", ["/line-break", "/carriage-return", "/line-feed", "/nul"])
def test_a_field_that_would_be_two_is_not_sent(path: str, echo: EchoServer) -> None:
    assert talk(echo, head(start=f"GET {path} HTTP/1.1".encode())) == []


@pytest.mark.parametrize(
    ("path", "received"),
    [("/twice", b"1\r\na\r\n"), ("/too-long", b""), ("/too-short", b"ab"), ("/on-and-on", b"a")],
)
def test_an_answer_that_goes_wrong_is_cut_short(
    path: str, received: bytes, echo: EchoServer
) -> None:
    answers = talk(echo, head(start=f"GET {path} HTTP/1.1".encode()))

    assert b"".join(body for _, _, body in answers) == received


def test_an_application_without_an_answer_is_a_failure(echo: EchoServer) -> None:
    [answer] = talk(echo, head(start=b"GET /headless HTTP/1.1"))

    assert answer[0] == 500


@pytest.mark.parametrize("last", [head(), head(CLOSE), put(b"Content-Length: 3") + b"abc"])
def test_a_client_that_has_no_more_to_send_is_answered(last: bytes, echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(last)
        wire.shutdown(socket.SHUT_WR)
        [answer] = split_answers(read_to_end(wire))

    assert report_of(answer)["version"] == "1.1"
    assert echo.next_seen() == "complete"


def test_a_client_that_has_no_more_to_send_is_refused(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(CHUNKED + b"nonsense\r\n")
        wire.shutdown(socket.SHUT_WR)
        [answer] = split_answers(read_to_end(wire))

    assert_refused(answer, 400)
    assert echo.next_seen() == "gone"


def test_a_client_that_stops_in_its_body_is_gone(echo: EchoServer) -> None:
    """H40."""
    with connection(echo) as wire:
        wire.sendall(put(b"Content-Length: 3") + b"ab")
        wire.shutdown(socket.SHUT_WR)

        assert read_to_end(wire) == b""
    assert echo.next_seen() == "gone"


def test_a_client_that_leaves_a_download_is_gone(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(head(start=b"GET /pour HTTP/1.1"))
        wire.recv(1000)

    assert echo.next_seen() == "gone"


def test_half_a_head_is_refused_in_time(hasty: EchoServer) -> None:
    """H38."""
    [answer] = talk(hasty, b"GET / HTTP/1.1\r\nHost: a")

    assert_refused(answer, 408)


def test_a_silent_connection_is_closed_without_a_word(hasty: EchoServer) -> None:
    """H38."""
    assert talk(hasty) == []


def test_a_dripping_head_is_refused_in_time(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n")
        wire.settimeout(0.02)
        received = b""
        while not received:
            wire.sendall(b"A: b\r\n")
            try:
                received = wire.recv(1 << 16)
            except TimeoutError:
                continue

    assert received.startswith(b"HTTP/1.1 408 ")


def test_newlines_do_not_keep_a_connection(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.settimeout(0.02)
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - which call sees it is chance
            while True:
                wire.sendall(b"\r\n")
                try:
                    assert wire.recv(1 << 16) == b""
                except TimeoutError:
                    continue


def test_half_of_a_second_head_is_refused_in_time(hasty: EchoServer) -> None:
    good, bad = talk(hasty, head() + b"GET / HTTP/1.1\r\n")

    assert report_of(good)["method"] == "GET"
    assert_refused(bad, 408)
    assert hasty.next_seen() == "complete"


def test_an_idle_connection_is_closed_without_a_word(hasty: EchoServer) -> None:
    [answer] = talk(hasty, head())

    assert report_of(answer)["method"] == "GET"
    assert hasty.next_seen() == "complete"


def test_a_slow_body_is_not_the_business_of_the_head_clock(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.sendall(put(b"Content-Length: 3", CLOSE))
        wire.settimeout(3 * HastyProtocol.head_seconds)
        with pytest.raises(TimeoutError):
            wire.recv(1)
        wire.settimeout(WAIT_SECONDS)
        wire.sendall(b"abc")
        [answer] = split_answers(read_to_end(wire))

    assert report_of(answer)["body"] == "abc"
    assert hasty.next_seen() == "complete"


def test_a_reader_that_stands_still_is_cut(hasty: EchoServer) -> None:
    """H39."""
    with connection(hasty) as wire:
        wire.sendall(head(start=b"GET /pour HTTP/1.1"))

        assert hasty.next_seen() == "gone"


def test_a_reader_that_moves_is_not_cut(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.sendall(head(start=b"GET /pour HTTP/1.1"))
        until = time.monotonic() + 4 * HastyProtocol.patience.stall_seconds
        while time.monotonic() < until:
            assert wire.recv(1 << 16)
            time.sleep(0.001)  # so that the server has to wait for us

        assert hasty.seen.empty()
    assert hasty.next_seen() == "gone"


def test_a_refused_client_that_never_stops_is_cut(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.sendall(refused_put(1 << 40))
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - which call sees it is chance
            while True:
                wire.sendall(b"x" * MIB)


def test_a_refused_client_that_stays_silent_is_let_go(hasty: EchoServer) -> None:
    with connection(hasty) as wire:
        wire.sendall(refused_put(1000))
        assert split_answers(read_to_end(wire))[0][0] == 413
        # Our side hears nothing of the server's closing its side for good.
        wait_until(lambda: not hasty.connections)


def test_an_application_that_fails_after_its_refusal_takes_it_not_back(echo: EchoServer) -> None:
    start = head(b"Content-Length: %d" % MIB, start=b"PUT /raise HTTP/1.1")
    [answer] = talk(echo, start, b"x" * MIB)

    assert answer[0] == 413


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *(need_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-subj", "/CN=a.example", "-keyout", file, "-out", file.with_name("cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    with file.open("ab") as both:
        both.write(file.with_name("cert.pem").read_bytes())
    return file


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_refusal_is_read_under_tls(loop: Literal["uvloop", "asyncio"], certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.with_name("cert.pem")))
    with (
        serving_echo(HastyProtocol, loop, certificate=certificate) as server,
        connection(server) as wire,
        trust.wrap_socket(wire, server_hostname="a.example") as safe,
    ):
        safe.sendall(refused_put(5 * MIB) + b"x" * (5 * MIB))
        [answer] = split_answers(read_to_end(safe))

    assert answer[0] == 413


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_closed_connection_leaves_nothing_behind(loop: Literal["uvloop", "asyncio"]) -> None:
    """What only the garbage collector can free is freed late, and all at once."""
    gc.collect()
    gc.disable()
    try:
        with serving_echo(loop=loop) as server:
            with connection(server) as wire:
                wire.sendall(put(b"Content-Length: 3") + b"abc")
                read_until(wire, b"}")
                [remembered] = [weakref.ref(protocol) for protocol in server.connections]
            wait_until(lambda: remembered() is None)
    finally:
        gc.enable()


def test_a_crowded_server_says_so() -> None:
    with serving_echo(limit_concurrency=1) as server:
        [answer] = talk(server, head())

    assert answer[0] == 503


def test_a_stopping_server_answers_what_has_begun() -> None:
    with serving_echo() as server, connection(server) as wire:
        wire.sendall(put(b"Content-Length: 3", b"Expect: 100-continue"))
        read_until(wire, b"100 Continue\r\n\r\n")
        server.uvicorn.should_exit = True
        wait_until(lambda: not any(protocol.keeps_alive for protocol in server.connections))
        wire.sendall(b"abc")
        [answer] = split_answers(read_to_end(wire))

    assert report_of(answer)["body"] == "abc"
    assert answer[1]["connection"] == "close"


def test_what_came_before_the_client_hung_up_is_handed_over_first(echo: EchoServer) -> None:
    with connection(echo) as wire:
        wire.sendall(b"PATCH /kept HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabcde")

    assert echo.next_seen() == "gone after 5 bytes"
