"""The rules for heads and bodies, as tables; what they do on a wire is in test_protocol."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.http import framing
from fileservice.http.framing import Framing, Refused
from fileservice.http.transfer import (
    MAX_CHUNK_LINE_BYTES,
    MAX_TRAILER_BYTES,
    ChunkedBody,
    SizedBody,
)

HOST = (b"host", b"a.example")


def read_fields(*fields: tuple[bytes, bytes], version: str = "1.1") -> Framing:
    return framing.read_fields(version, "http", b"", fields)


def refused_status(*fields: tuple[bytes, bytes], version: str = "1.1") -> int:
    with pytest.raises(Refused) as caught:
        read_fields(*fields, version=version)
    return caught.value.status


@pytest.mark.parametrize(
    ("before", "data", "stop"),
    [
        (b"", b"GET / HTTP/1.1\r\n\r\n", 18),
        (b"", b"GET / HTTP/1.1\r\n\r\nrest\r\n\r\n", 18),
        (b"", b"GET / HTTP/1.1\r\n", 16),
        (b"\r\n\r", b"\nrest", 1),
        (b"\r\n", b"\r\nrest", 2),
        (b"a\r\n", b"\r\nrest", 2),
        (b"ab\r", b"\n\r\nrest", 3),
        (b"abc", b"\r\n\r\nrest", 4),
        (b"abc", b"def\r\n\r\nrest", 7),
        (b"a\r\n", b"b: c\r\n", 6),
        (b"\n\r\n", b"\r\nGET", 2),
    ],
)
def test_the_end_of_a_head_is_found_where_it_was_cut(before: bytes, data: bytes, stop: int) -> None:
    assert framing.end_of_head(before, data) == stop


@given(st.text("\r\na", max_size=12), st.integers(1, 4))
def test_the_end_of_a_head_does_not_depend_on_how_it_is_cut(text: str, step: int) -> None:
    whole = text.encode()
    fed = b""
    for start in range(0, len(whole), step):
        piece = whole[start : start + step]
        stop = framing.end_of_head(fed[-3:], piece)
        fed += piece[:stop]
        if b"\r\n\r\n" in fed:
            break

    assert fed == whole[: framing.end_of_head(b"", whole)]


@pytest.mark.parametrize(
    ("head", "old"),
    [
        (b"GET /\r\n", True),
        (b"\r\nGET /\r\n", True),
        (b"GET /", False),
        (b"\r\nGET /", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
    ],
)
def test_a_request_line_without_a_version_is_known(head: bytes, old: bool) -> None:
    assert framing.is_http_0_9(head) is old


@pytest.mark.parametrize(
    ("version", "status"), [("0.9", 400), ("2.0", 505), ("3.0", 505), ("1.2", 505)]
)
def test_another_version_is_refused(version: str, status: int) -> None:
    assert refused_status(HOST, version=version) == status


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("Invalid header token", 400),
        ("Content-Length overflow", 413),
        ("Invalid HTTP version", 505),
        ("Pause on PRI/Upgrade", 505),
    ],
)
def test_what_the_parser_refuses_has_its_status(reason: str, status: int) -> None:
    assert framing.refused_by_parser(reason).status == status


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (b"/", (b"/", b"", b"")),
        (b"/a?b=c?d", (b"/a", b"b=c?d", b"")),
        (b"//evil.example/a", (b"//evil.example/a", b"", b"")),
        (b"/http://evil.example/", (b"/http://evil.example/", b"", b"")),
        (b"http://a.example/p?q", (b"/p", b"q", b"a.example")),
        (b"HTTP://A.example:80/p", (b"/p", b"", b"A.example:80")),
        (b"http://a.example", (b"/", b"", b"a.example")),
        (b"http://a.example?q=/x", (b"/", b"q=/x", b"a.example")),
        (b"http://[::1]:8000/", (b"/", b"", b"[::1]:8000")),
    ],
)
def test_a_target_is_taken_apart(url: bytes, target: tuple[bytes, bytes, bytes]) -> None:
    assert framing.read_target("GET", url, "http") == target


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("CONNECT", b"a.example:443", 405),
        ("CONNECT", b"/", 405),
        ("GET", b"/a#b", 400),
        ("GET", b"*", 400),
        ("GET", b"a.example", 400),
        ("GET", b"http:///a", 400),
        ("GET", b"http://user@a.example/", 400),
        ("GET", b"http://a.example:x/", 400),
        ("GET", b"mailto:a@a.example", 400),
        ("GET", b"https://a.example/", 421),
        ("GET", b"ftp://a.example/", 421),
    ],
)
def test_a_target_that_is_not_ours_is_refused(method: str, url: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        framing.read_target(method, url, "http")

    assert caught.value.status == status


def test_options_may_ask_about_the_server() -> None:
    assert framing.read_target("OPTIONS", b"*", "http") == (b"*", b"", b"")


@pytest.mark.parametrize(
    "host",
    [b"a", b"a.example", b"A.EXAMPLE:8000", b"127.0.0.1", b"[::1]:80", b"a_b.example", b"a:"],
)
def test_a_host_is_taken(host: bytes) -> None:
    assert read_fields((b"host", host)) == Framing(0, chunked=False, waits_for_continue=False)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b":80",
        b"a b",
        b"a,b",
        b"a/b",
        b"a@b",
        b"a:b",
        b"a:80:80",
        b"a:123456",
        b"::1",
        b"[::1",
        b"[::g]",
        b"a'b",
        b"a\xe9",
        b"a\nb",
        b"http://a",
    ],
)
def test_what_is_no_host_is_refused(host: bytes) -> None:
    assert refused_status((b"host", host)) == 400


def test_a_host_is_needed_once() -> None:
    assert refused_status() == 400
    assert refused_status(HOST, HOST) == 400
    assert refused_status(HOST, HOST, version="1.0") == 400
    assert read_fields(version="1.0").length == 0


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"a.example", b"a.example"),
        (b"A.example", b"a.EXAMPLE"),
        (b"a.example:80", b"a.example"),
        (b"a.example", b"a.example:80"),
        (b"a.example", b"a.example:"),
        (b"a.example:8000", b"a.example:8000"),
    ],
)
def test_a_url_may_name_the_host_again(authority: bytes, host: bytes) -> None:
    assert framing.read_fields("1.1", "http", authority, ((b"host", host),)).length == 0


@pytest.mark.parametrize("authority", [b"b.example", b"a.example:81", b"a.example:443"])
def test_a_url_and_a_host_that_disagree_are_refused(authority: bytes) -> None:
    with pytest.raises(Refused, match="two different hosts"):
        framing.read_fields("1.1", "http", authority, (HOST,))


def test_the_host_of_a_url_becomes_the_host() -> None:
    fields = [(b"accept", b"*/*"), (b"host", b"A.EXAMPLE")]

    assert framing.with_host(fields, b"a.example") == [HOST, (b"accept", b"*/*")]


@pytest.mark.parametrize(
    ("value", "length"), [(b"0", 0), (b"3", 3), (b"003", 3), (b"9223372036854775807", 2**63 - 1)]
)
def test_a_length_is_read(value: bytes, length: int) -> None:
    assert read_fields(HOST, (b"content-length", value)).length == length


@pytest.mark.parametrize(
    "value", [b"9223372036854775808", b"18446744073709551615", b"0" * 5000 + b"3"]
)
def test_a_length_beyond_all_files_is_refused(value: bytes) -> None:
    assert refused_status(HOST, (b"content-length", value)) == 413


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_is_known(value: bytes) -> None:
    assert read_fields(HOST, (b"transfer-encoding", value)).chunked


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([b"gzip, chunked"], 501),
        ([b"gzip,chunked"], 501),
        ([b"identity, chunked"], 501),
        ([b", chunked"], 501),
        ([b"gzip"], 400),
        ([b"identity"], 400),
        ([b"xchunked"], 400),
        ([b"chunked, identity"], 400),
        ([b"chunked;q=1"], 400),
        ([b'"chunked"'], 400),
        ([b""], 400),
        ([b"chunked", b"chunked"], 400),
        ([b"identity", b"chunked"], 400),
    ],
)
def test_another_coding_is_refused(values: list[bytes], status: int) -> None:
    assert refused_status(HOST, *((b"transfer-encoding", value) for value in values)) == status


def test_an_old_client_has_no_chunks() -> None:
    assert refused_status(HOST, (b"transfer-encoding", b"chunked"), version="1.0") == 400


def test_only_100_continue_is_expected() -> None:
    assert read_fields(HOST, (b"expect", b"100-Continue")).waits_for_continue
    assert refused_status(HOST, (b"expect", b"foo")) == 417
    assert refused_status(HOST, (b"expect", b"100-continue, foo")) == 417
    assert refused_status(HOST, (b"expect", b"100-continue"), (b"expect", b"foo")) == 417


def test_an_old_client_expects_nothing() -> None:
    assert not read_fields(HOST, (b"expect", b"100-continue"), version="1.0").waits_for_continue


def test_a_sized_body_ends_at_its_size() -> None:
    body = SizedBody(5)

    assert body.feed(b"abc") == (b"abc", b"")
    assert not body.complete
    assert body.feed(b"defgh") == (b"de", b"fgh")
    assert body.complete


def test_a_piece_of_a_body_is_not_copied() -> None:
    piece = b"x" * 1000

    assert SizedBody(2000).feed(piece)[0] is piece
    chunked = ChunkedBody()
    chunked.feed(b"7d0\r\n")
    assert chunked.feed(piece)[0] is piece


def read_chunks(whole: bytes, step: int) -> tuple[bytes, bytes, bool]:
    """Feed `whole` in pieces; return the content, what comes after, and whether it is complete."""
    body, content, rest = ChunkedBody(), b"", b""
    for start in range(0, len(whole), step):
        if body.complete:
            rest += whole[start : start + step]
        else:
            found, rest = body.feed(whole[start : start + step])
            content += found
    return content, rest, body.complete


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize(
    ("whole", "content", "rest"),
    [
        (b"0\r\n\r\n", b"", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b""),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /", b"abcde", b"GET /"),
        (b"A\r\n0123456789\r\n000\r\n\r\n", b"0123456789", b""),
        (b"3\r\n\r\n\n\r\n0\r\n\r\n", b"\r\n\n", b""),
        (b'3;a=b;c="d e"\r\nabc\r\n0;x\r\n\r\n', b"abc", b""),
        (b"3;%b\r\nabc\r\n0\r\n\r\n" % (b"x" * 1024), b"abc", b""),
        (b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nrest", b"abc", b"rest"),
        (b"0000000000000003\r\nabc\r\n0\r\n\r\n", b"abc", b""),
    ],
)
def test_chunks_are_put_together(whole: bytes, content: bytes, rest: bytes, step: int) -> None:
    assert read_chunks(whole, step) == (content, rest, True)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize(
    ("whole", "status"),
    [
        (b"\r\n", 400),
        (b"g\r\n", 400),
        (b"0x3\r\n", 400),
        (b"-1\r\n", 400),
        (b"+3\r\n", 400),
        (b" 3\r\n", 400),
        (b"3 \r\n", 400),
        (b"3 ;a\r\n", 400),
        (b"3_0\r\n", 400),
        (b"\xd9\xa3\r\n", 400),
        (b"3\nabc\n0\n\n", 400),
        (b"3;a\nabc\r\n", 400),
        (b"3;a\x00\r\n", 400),
        (b"3;a\rb\r\n", 400),
        (b"3\r\nabcXX", 400),
        (b"3\r\nabcd\r\n0\r\n\r\n", 400),
        (b"3\r\nabc\n0\r\n\r\n", 400),
        (b"3\r\nabc\r0\r\n\r\n", 400),
        (b"3;" + b"x" * MAX_CHUNK_LINE_BYTES, 400),
        (b"3;" + b"x" * MAX_CHUNK_LINE_BYTES + b"\r\nabc\r\n0\r\n\r\n", 400),
        (b"10000000000000000\r\n", 413),
        (b"00000000000000003\r\n", 413),
        (b"8000000000000000\r\n", 413),
        (b"ffffffffffffffff\r\n", 413),
        (b"0\r\nX: y\n\r\n", 400),
        (b"0\r\n X: y\r\n\r\n", 400),
        (b"0\r\nX : y\r\n\r\n", 400),
        (b"0\r\nX\r\n\r\n", 400),
        (b"0\r\nX: \x00\r\n\r\n", 400),
        (b"0\r\n" + b"X: y\r\n" * (MAX_TRAILER_BYTES // 6 + 1), 431),
    ],
)
def test_broken_chunks_are_refused(whole: bytes, status: int, step: int) -> None:
    with pytest.raises(Refused) as caught:
        read_chunks(whole, step)

    assert caught.value.status == status


def test_a_chunk_line_of_one_byte_too_many_is_refused() -> None:
    longest = b"3;" + b"x" * (MAX_CHUNK_LINE_BYTES - 4) + b"\r\n"

    assert ChunkedBody().feed(longest + b"abc") == (b"abc", b"")
    with pytest.raises(Refused):
        ChunkedBody().feed(b"3;x" + longest[2:] + b"abc")


class Llhttp:
    """What Node's parser makes of a chunked body: the second opinion."""

    def __init__(self) -> None:
        self.content = b""
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.complete = True


TOKENS = [b"3", b"0", b"1a", b"\r\n", b"\r", b"\n", b";", b"a", b"=", b" ", b"X: y", b"\x00", b'"']


@given(
    st.lists(st.sampled_from([*TOKENS, b"3\r\nabc\r\n", b"1\r\n\n\r\n", b"0\r\n\r\n"]), max_size=8),
    st.integers(1, 20),
)
def test_no_chunks_are_taken_that_llhttp_refuses_or_reads_otherwise(
    tokens: list[bytes], step: int
) -> None:
    whole = b"".join(tokens)
    try:
        content, rest, complete = read_chunks(whole, step)
    except Refused:
        return
    opinion = Llhttp()
    parser = httptools.HttpRequestParser(opinion)
    parser.feed_data(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    if complete:
        parser.feed_data(whole[: len(whole) - len(rest)])
        assert (opinion.content, opinion.complete) == (content, True)
