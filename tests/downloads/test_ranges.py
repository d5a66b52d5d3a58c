"""Parts of files: RFC 9110 14."""

import email
import email.policy
import re
import subprocess
from pathlib import Path

import pytest

from tests.client import Answer, raw_exchange
from tests.conftest import need_program
from tests.downloads.given import ALPHABET, LARGE, Given


@pytest.mark.parametrize(
    ("field", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1-5", 1, 6),
        ("bytes=20-", 20, None),
        ("bytes=-1", -1, None),
        ("bytes=-6", -6, None),
        ("bytes=0-", 0, None),
        ("bytes=5-99999999999999", 5, None),
        ("bytes=-99999999999999", 0, None),
        ("bytes=3-4,99999999999-", 3, 5),
        ("Bytes=3-4", 3, 5),
    ],
)
def test_one_range_is_given_alone(given: Given, field: str, start: int, stop: int | None) -> None:
    answer = given.get(Range=field)

    size = len(given.content)
    first, end, _ = slice(start, stop).indices(size)
    assert answer.status == 206
    assert answer.body == given.content[start:stop]
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
    assert answer.headers["content-length"] == str(end - first)
    assert answer.headers["etag"] == given.etag
    assert answer.headers["repr-digest"] == given.digest
    assert answer.headers["cache-control"] == "private, no-cache, no-transform"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("start", [0, 1, 524_287, 524_288, 524_289, 1_048_576, 2_999_999])
def test_a_large_range_is_cut_where_it_says(large: Given, start: int) -> None:
    stop = min(start + 1_500_000, len(LARGE))

    answer = large.get(Range=f"bytes={start}-{stop - 1}")

    assert answer.status == 206
    assert answer.body == LARGE[start:stop]


@pytest.mark.parametrize(
    "field",
    [
        "items=0-1",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=-",
        "bytes=",
        "bytes",
        "bytes=+1-1_0",
        "bytes=0-1;2-3",
        "bytes=0-1,bytes=4-5",
        "bytes=0-,0-",
        "bytes=0-5,1-6,2-7",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(17)),
        "bytes=" + "0-0," * 300,
    ],
)
def test_a_range_that_is_malformed_or_greedy_is_ignored(given: Given, field: str) -> None:
    answer = given.get(Range=field)

    assert answer.status == 200
    assert answer.body == given.content
    assert "content-range" not in answer.headers


def test_digits_of_other_scripts_are_no_digits(small: Given) -> None:
    request = f"GET {small.path} HTTP/1.1\r\nHost: {small.server.host}\r\nConnection: close\r\n"

    for digits in ("\u0660-\u0661", "\u00b2-\u00b3", "\uff11-\uff12"):
        answer = raw_exchange(
            small.server.address, f"{request}Range: bytes={digits}\r\n\r\n".encode()
        )

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(ALPHABET)


@pytest.mark.parametrize("field", ["bytes=99999999-", "bytes=-0", "bytes=99999999-999999999,-0"])
def test_a_range_past_the_end_is_refused_with_the_size(given: Given, field: str) -> None:
    answer = given.get(Range=field, Accept="application/problem+json")

    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(given.content)}"
    assert answer.json["code"] == "range_not_satisfiable"
    assert "etag" not in answer.headers


def test_an_empty_file_is_given_whole_whatever_the_range(empty: Given) -> None:
    assert empty.get(Range="bytes=0-0").status == 200
    assert empty.get(Range="bytes=-1").status == 200


def test_head_knows_no_ranges(given: Given) -> None:
    for field in ("bytes=0-0", "bytes=99999999-"):
        answer = given.get("HEAD", Range=field)

        assert answer.status == 200
        assert answer.headers["content-length"] == str(len(given.content))
        assert "content-range" not in answer.headers


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 1), (4, 6)],
        [(20, 26), (0, 3), (7, 8)],
        [(0, 4), (2, 6)],
        [(n, n + 1) for n in range(16)],
    ],
)
def test_several_ranges_come_as_parts_in_their_order(
    given: Given, spans: list[tuple[int, int]]
) -> None:
    size = len(given.content)

    answer = given.get(Range="bytes=" + ",".join(f"{a}-{b - 1}" for a, b in spans))

    assert answer.status == 206
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "content-range" not in answer.headers
    assert parts_of(answer) == [(f"bytes {a}-{b - 1}/{size}", given.content[a:b]) for a, b in spans]


def test_large_parts_are_framed_exactly(large: Given) -> None:
    answer = large.get(Range="bytes=0-999999,2000000-,1500000-1500000")

    assert answer.headers["content-length"] == str(len(answer.body))
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    heads = re.findall(rb"--%s\r\n(?:[^\r\n]+\r\n)+\r\n" % boundary, answer.body)
    frame = b"\r\n".join([*heads, b"--%s--\r\n" % boundary])
    assert len(heads) == 3
    assert len(answer.body) == len(frame) + 1_000_000 + 1_000_000 + 1
    assert LARGE[:1_000_000] in answer.body
    assert LARGE[2_000_000:] in answer.body


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    parts = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((str(part["Content-Range"]), content))
    return parts


def test_curl_resumes_a_download(large: Given, tmp_path: Path) -> None:
    curl = need_program("curl")
    part = tmp_path / "part"
    part.write_bytes(LARGE[:1_234_567])

    url = f"{large.server.url}{large.path}"
    subprocess.run([curl, "-sSf", "-C", "-", "-o", str(part), url], check=True)

    assert part.read_bytes() == LARGE
