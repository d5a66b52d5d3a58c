"""multipart/form-data as a stream: the same whatever the chunks."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.errors import BadForm
from fileservice.http.forms import Form
from tests.client import FormPart, field_part, file_part, form_body

BOUNDARY = "-x-"
FRAGMENTS = [
    b"\r",
    b"\n",
    b"\r\n",
    b"-",
    b"--",
    b"--x",
    b"---x-",
    b"---x---",
    b"\r\n---x",
    b"a",
    b"",
]


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int) -> list[tuple[str, bytes | None, bytes]]:
    form = Form(in_chunks(body, size), BOUNDARY.encode())
    return [
        (part.name, part.filename, b"".join([bytes(data) async for data in form.content()]))
        async for part in form.parts()
    ]


# The delimiter itself cannot be content (RFC 2046 5.1.1).
contents = (
    st.lists(st.sampled_from(FRAGMENTS), max_size=30)
    .map(b"".join)
    .filter(lambda content: b"\r\n---x-" not in b"\r\n" + content)
)


@given(st.lists(contents, max_size=3), st.integers(1, 60))
async def test_any_content_in_any_chunks_reads_as_it_was_written(
    found: list[bytes], size: int
) -> None:
    parts = [file_part(b"%d" % number, content) for number, content in enumerate(found)]
    body = form_body(*parts, boundary=BOUNDARY)

    expected = [("file", b"%d" % number, content) for number, content in enumerate(found)]
    assert await read(body, size) == expected


@pytest.mark.parametrize("size", range(1, 40))
async def test_what_follows_the_end_is_seen_in_any_chunks(size: int) -> None:
    body = form_body(file_part(b"a", b"x---x---"), boundary=BOUNDARY)

    assert await read(body + b"\r\n\r\n", size) == [("file", b"a", b"x---x---")]
    with pytest.raises(BadForm):
        await read(body + b".", size)


async def test_a_part_that_nobody_reads_is_passed_over() -> None:
    parts: list[FormPart] = [
        field_part(b"a", b"1"),
        file_part(b"b", b"2" * 100),
        field_part(b"c", b"3"),
    ]
    form = Form(in_chunks(form_body(*parts, boundary=BOUNDARY), 7), BOUNDARY.encode())

    assert [part.name async for part in form.parts()] == ["a", "file", "c"]
