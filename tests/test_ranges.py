import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.errors import BadRequest, RangeNotSatisfiable
from fileservice.ranges import (
    MAX_SPECS,
    Piece,
    Span,
    frame_parts,
    parse_content_range,
    parse_range,
)

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
SIZE = len(ALPHABET)


def cut(field: str, content: bytes = ALPHABET) -> list[bytes] | None:
    spans = parse_range(field, len(content))
    return None if spans is None else [content[span.start : span.stop] for span in spans]


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("bytes=0-0", [b"a"]),
        ("bytes=0-4", [b"abcde"]),
        ("bytes=23-", [b"xyz"]),
        ("bytes=0-", [ALPHABET]),
        ("bytes=-1", [b"z"]),
        ("bytes=-3", [b"xyz"]),
        ("bytes=25-25", [b"z"]),
        ("bytes=24-99", [b"yz"]),
        ("bytes=-99", [ALPHABET]),
        ("bytes=0-99999999999999999999999999", [ALPHABET]),
        ("bytes=00-0001", [b"ab"]),
        ("BYTES=0-0", [b"a"]),
        ("bytes=0-0,2-2", [b"a", b"c"]),
        ("bytes=20-21,0-1,-1", [b"uv", b"ab", b"z"]),
        ("bytes=0-0 ,\t2-2", [b"a", b"c"]),
        ("bytes=,0-0,,2-2,", [b"a", b"c"]),
        ("bytes=0-1,5000-", [b"ab"]),
        ("bytes=-0,0-1", [b"ab"]),
        ("bytes=0-3,2-5", [b"abcd", b"cdef"]),
        ("bytes=0-0,0-0", [b"a", b"a"]),
    ],
)
def test_what_is_asked_for_is_given(field: str, parts: list[bytes]) -> None:
    assert cut(field) == parts


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= , ",
        "bytes=-",
        "bytes=--1",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=0-1,5-2",
        "bytes=0-1;2-3",
        "bytes=0 - 1",
        "bytes=+1-10",
        "bytes=+1-1_0",
        "bytes=1_0-20",
        "bytes=0x1-0x2",
        "bytes=1.0-2.0",
        "bytes=\u0660-\u0661",
        "bytes=\u00b2-\u00b3",
        "bytes=0-1,items=2-3",
        "bytes=0-0,bytes=1-1",
        "bytes =0-1",
        " bytes=0-1",
        "items=0-1",
        "none",
        "seconds=0-1",
        "bytes=0-1\n",
    ],
)
def test_what_is_malformed_or_of_another_unit_is_ignored(field: str) -> None:
    assert parse_range(field, SIZE) is None


@pytest.mark.parametrize("field", ["bytes=26-", "bytes=26-30", "bytes=-0", "bytes=99-,100-200,-0"])
def test_past_the_end_is_refused_and_the_size_is_told(field: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(field, SIZE)

    assert refused.value.headers == {"Content-Range": "bytes */26"}


@pytest.mark.parametrize("field", ["bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"])
def test_an_empty_file_has_no_ranges(field: str) -> None:
    assert parse_range(field, 0) is None


def test_sixteen_ranges_are_taken_and_seventeen_ignored() -> None:
    specs = [f"{n}-{n}" for n in range(MAX_SPECS + 1)]

    assert len(parse_range("bytes=" + ",".join(specs[:-1]), SIZE) or ()) == MAX_SPECS
    assert parse_range("bytes=" + ",".join(specs), SIZE) is None


def test_a_field_of_more_than_a_kibibyte_is_ignored() -> None:
    assert parse_range("bytes=0-".ljust(1024), SIZE) is not None
    assert parse_range("bytes=0-".ljust(1025), SIZE) is None


@pytest.mark.parametrize(
    "field", ["bytes=0-5,2-6,4-8", "bytes=0-1,1-2,8-9,9-10", "bytes=2-2,2-2,2-2"]
)
def test_more_than_two_overlapping_ranges_are_ignored(field: str) -> None:
    assert parse_range(field, SIZE) is None


def test_more_bytes_than_the_file_has_are_never_sent() -> None:
    assert parse_range("bytes=0-,0-0", SIZE) is None
    assert parse_range("bytes=1-,0-0", SIZE) == (Span(1, 26), Span(0, 1))


def test_ten_thousand_ranges_are_ignored() -> None:
    field = "bytes=" + ",".join(f"{n}-" for n in range(10_000))

    assert parse_range(field, 1_000_000) is None


specs = st.one_of(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(0, 40).map(lambda first: f"{first}-"),
    st.integers(0, 40).map(lambda suffix: f"-{suffix}"),
)


def slice_by_spec(content: bytes, spec: str) -> bytes:
    """Cut as RFC 9110 14.1.2 words it, by Python's own slicing."""
    first, last = spec.split("-")
    if not first:
        return content[-int(last) :] if int(last) else b""
    return content[int(first) : int(last) + 1 if last else None]


@given(content=st.binary(min_size=1, max_size=32), listed=st.lists(specs, min_size=1, max_size=4))
def test_spans_are_what_slicing_gives(content: bytes, listed: list[str]) -> None:
    backwards = any(
        int(spec.split("-")[1]) < int(spec.split("-")[0])
        for spec in listed
        if re.match(r"\d+-\d", spec)
    )
    sliced = [part for part in (slice_by_spec(content, spec) for spec in listed) if part]

    try:
        parts = cut("bytes=" + ",".join(listed), content)
    except RangeNotSatisfiable:
        assert not backwards
        assert sliced == []
    else:
        assert parts is None or parts == sliced
        if backwards:
            assert parts is None
        elif len(listed) == 1:
            assert parts is not None


@given(
    field=st.one_of(
        st.text(max_size=60), st.text("bytes=0123456789-, \t", max_size=60).map("bytes={}".format)
    )
)
def test_whatever_is_sent_the_spans_lie_in_the_file(field: str) -> None:
    try:
        spans = parse_range(field, SIZE) or ()
    except RangeNotSatisfiable:
        return

    assert all(0 <= span.start < span.stop <= SIZE for span in spans)
    assert sum(span.size for span in spans) <= SIZE


def test_a_content_range_counts_its_last_byte_in() -> None:
    assert Span(2, 5).content_range(26) == "bytes 2-4/26"
    assert Span(2, 5).size == 3


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(1, 26)), min_size=2, max_size=5))
def test_a_framed_body_is_read_back_by_a_mime_parser(ends: list[tuple[int, int]]) -> None:
    spans = tuple(Span(start, min(start + length, SIZE)) for start, length in ends)

    pieces = frame_parts(spans, size=SIZE, media_type="image/png", boundary="b0undary")

    body = b"".join(
        piece if isinstance(piece, bytes) else ALPHABET[piece.start : piece.stop]
        for piece in pieces
    )
    head = b"Content-Type: multipart/byteranges; boundary=b0undary\r\n\r\n"
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    read = [
        (part["Content-Type"], part["Content-Range"], part.get_payload(decode=True))
        for part in message.iter_parts()
    ]
    assert body.startswith(b"--b0undary\r\n")
    assert body.endswith(b"\r\n--b0undary--\r\n")
    assert read == [
        ("image/png", span.content_range(SIZE), ALPHABET[span.start : span.stop]) for span in spans
    ]


@pytest.mark.parametrize(
    ("field", "piece"),
    [
        ("bytes 5-9/10", Piece(Span(5, 10), 10)),
        ("bytes 0-0/1", Piece(Span(0, 1), 1)),
        ("Bytes 0-4/*", Piece(Span(0, 5), None)),
        ("bytes */10", Piece(None, 10)),
        ("bytes */0", Piece(None, 0)),
    ],
)
def test_a_content_range_says_what_is_brought(field: str, piece: Piece) -> None:
    assert parse_content_range(field) == piece


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes */*",
        "bytes 5-4/10",
        "bytes 5-10/10",
        "bytes 5-9",
        "bytes 5-/10",
        "bytes -5/10",
        "bytes=5-9/10",
        "bytes  5-9/10",
        "items 5-9/10",
        "bytes +5-9/10",
        "bytes 5-9/1_0",
        "bytes \u0665-9/10",
        "bytes 0-9/10, bytes 0-9/10",
        f"bytes 0-9/{10**18}",
    ],
)
def test_a_content_range_that_cannot_be_read_is_refused(field: str) -> None:
    with pytest.raises(BadRequest):
        parse_content_range(field)
