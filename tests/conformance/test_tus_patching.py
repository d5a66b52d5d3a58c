"""Points T4 to T6: the bytes of an upload of tus 1.0.0."""

import contextlib

import pytest

from tests.conformance.points import must, should
from tests.conformance.target import offset_of
from tests.conformance.tus import CONTENT_TYPE, Tus

CONTENT = b"hello world"
REFUSED = range(400, 500)
GONE = {403, 404, 410}
# What two kernels hold between sender and reader is less than half of it.
LARGE_BYTES = 32 << 20
# More than one read, less than what is written to a disk at once.
SOME_BYTES = 300_000


@must()
def test_t4_a_patch_is_answered_with_204_and_the_new_offset(tus: Tus) -> None:
    answer = tus.patch(tus.create(11), 0, b"hello")

    assert answer.status == 204
    assert answer.headers["upload-offset"] == "5"


@must()
def test_t4_patches_add_up(tus: Tus) -> None:
    url = tus.create(11)

    told = [tus.patch(url, at, CONTENT[at : at + 4]).headers["upload-offset"] for at in (0, 4, 8)]

    assert told == ["4", "8", "11"]
    assert tus.offset(url) == 11


@should()
@pytest.mark.parametrize("value", ["application/octet-stream", "text/plain"])
def test_t4_another_content_type_is_refused_with_415(tus: Tus, value: str) -> None:
    assert tus.patch(tus.create(5), 0, b"hello", {"Content-Type": value}).status == 415


@should()
def test_t4_another_content_type_changes_nothing(tus: Tus) -> None:
    url = tus.create(5)

    tus.patch(url, 0, b"hello", {"Content-Type": "text/plain"})

    assert tus.offset(url) == 0


@must()
@pytest.mark.parametrize("offset", [0, 4, 6, 11])
def test_t4_an_offset_that_does_not_match_is_refused_with_409(tus: Tus, offset: int) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    assert tus.patch(url, offset, b"x").status == 409


@must()
@pytest.mark.parametrize("offset", [0, 4, 6, 11])
def test_t4_an_offset_that_does_not_match_changes_nothing(tus: Tus, offset: int) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    tus.patch(url, offset, b"x")

    assert tus.offset(url) == 5


@must()
def test_t4_a_patch_without_an_offset_is_refused(tus: Tus) -> None:
    url = tus.create(5)

    answer = tus.ask("PATCH", url, CONTENT_TYPE, b"hello")

    assert answer.status in REFUSED
    assert tus.offset(url) == 0


@should()
def test_t4_a_patch_of_an_unknown_upload_is_answered_with_404(tus: Tus) -> None:
    assert tus.patch(tus.unknown(), 0, b"hello").status == 404


@must()
def test_t4_an_empty_patch_keeps_the_offset(tus: Tus) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    answer = tus.patch(url, 5, b"")

    assert (answer.status, offset_of(answer)) == (204, 5)


@should()
def test_t4_a_patch_at_the_end_of_a_finished_upload_is_answered_with_204(tus: Tus) -> None:
    answer = tus.patch(tus.filled(CONTENT), 11, b"")

    assert (answer.status, offset_of(answer)) == (204, 11)


@should()
def test_t4_a_chunked_patch_is_taken(tus: Tus) -> None:
    url = tus.create(11)

    with tus.patching(url, 0, {"Transfer-Encoding": "chunked"}) as connection:
        for block in (b"hello", b" ", b"world", b""):
            connection.send_chunk(block)
        answer = connection.answer("PATCH")

    assert (answer.status, offset_of(answer)) == (204, 11)


@should()
def test_t4_a_chunked_patch_of_a_part_is_taken(tus: Tus) -> None:
    url = tus.create(11)

    with tus.patching(url, 0, {"Transfer-Encoding": "chunked"}) as connection:
        connection.send_chunk(b"hello")
        connection.send_chunk(b"")
        answer = connection.answer("PATCH")

    assert (answer.status, offset_of(answer)) == (204, 5)
    assert tus.patch(url, 5, b" world").status == 204


@should()
def test_t4_a_connection_that_is_closed_keeps_bytes(tus: Tus) -> None:
    url = tus.create(LARGE_BYTES)

    with tus.patching(url, 0, {"Content-Length": str(LARGE_BYTES)}) as connection:
        connection.send(bytes(LARGE_BYTES // 2))

    assert 0 < tus.settles(url, 1) <= LARGE_BYTES // 2


@should()
def test_t4_a_connection_that_is_reset_keeps_bytes(tus: Tus) -> None:
    url = tus.create(LARGE_BYTES)

    with tus.patching(url, 0, {"Content-Length": str(LARGE_BYTES)}) as connection:
        connection.send(bytes(LARGE_BYTES // 2))
        connection.reset()

    assert 0 < tus.settles(url, 1) <= LARGE_BYTES // 2


@should()
def test_t4_a_body_that_breaks_off_keeps_every_byte(tus: Tus) -> None:
    url = tus.create(SOME_BYTES * 2)

    with tus.patching(url, 0, {"Content-Length": str(SOME_BYTES * 2)}) as connection:
        connection.send(bytes(SOME_BYTES))
        connection.end()

    assert tus.settles(url, SOME_BYTES) == SOME_BYTES


@should()
def test_t4_a_chunked_body_that_breaks_off_keeps_every_byte(tus: Tus) -> None:
    url = tus.create(SOME_BYTES * 2)

    with tus.patching(url, 0, {"Transfer-Encoding": "chunked"}) as connection:
        connection.send_chunk(bytes(SOME_BYTES))
        connection.end()

    assert tus.settles(url, SOME_BYTES) == SOME_BYTES


@must()
def test_t4_an_upload_that_broke_off_is_resumed(tus: Tus) -> None:
    url = tus.create(SOME_BYTES * 2)
    with tus.patching(url, 0, {"Content-Length": str(SOME_BYTES * 2)}) as connection:
        connection.send(bytes(SOME_BYTES))

    answer = tus.resume(url, SOME_BYTES * 2)

    assert (answer.status, offset_of(answer)) == (204, SOME_BYTES * 2)


@should()
def test_t5_a_body_larger_than_what_is_left_is_refused_before_it_is_read(tus: Tus) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    with tus.patching(url, 5, {"Content-Length": "7"}) as connection:
        answer = connection.answer("PATCH")

    assert answer.status in REFUSED
    assert tus.offset(url) == 5


@should()
def test_t5_a_body_larger_than_what_is_left_is_refused_with_413(tus: Tus) -> None:
    assert tus.patch(tus.create(5), 0, CONTENT).status == 413


@must()
def test_t5_a_body_larger_than_what_is_left_never_grows_past_the_length(tus: Tus) -> None:
    url = tus.create(5)

    answer = tus.patch(url, 0, CONTENT)

    assert answer.status in REFUSED
    assert tus.offset(url) <= 5


@must()
def test_t5_a_chunked_body_never_grows_past_the_length(tus: Tus) -> None:
    url = tus.create(5)

    with tus.patching(url, 0, {"Transfer-Encoding": "chunked"}) as connection:
        connection.send_chunk(CONTENT)
        connection.send_chunk(b"")
        answer = connection.answer("PATCH")

    assert answer.status in REFUSED
    assert tus.offset(url) <= 5


@should()
def test_t5_an_endless_chunked_body_is_refused(tus: Tus) -> None:
    url = tus.create(5)

    with tus.patching(url, 0, {"Transfer-Encoding": "chunked"}) as connection:
        connection.send_chunk(bytes(1 << 20))
        with contextlib.suppress(ConnectionError):
            assert connection.answer("PATCH").status in REFUSED

    assert tus.offset(url) <= 5


@must()
def test_t6_a_post_that_says_patch_appends(tus: Tus) -> None:
    url = tus.create(11)
    told = {**CONTENT_TYPE, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}

    answer = tus.ask("POST", url, told, b"hello")

    assert (answer.status, offset_of(answer)) == (204, 5)
    assert tus.offset(url) == 5


@must()
def test_t6_a_post_that_says_head_tells_the_offset(tus: Tus) -> None:
    answer = tus.ask("POST", tus.create(5), {"X-HTTP-Method-Override": "HEAD"}, b"")

    assert answer.headers["upload-offset"] == "0"


@must("termination")
def test_t6_a_post_that_says_delete_removes(tus: Tus) -> None:
    url = tus.create(5)

    answer = tus.ask("POST", url, {"X-HTTP-Method-Override": "DELETE"}, b"")

    assert answer.status == 204
    assert tus.head(url).status in GONE


@should()
def test_t6_a_get_that_says_delete_removes_nothing(tus: Tus) -> None:
    # RFC 9110, section 9.2.1: a link is safe to follow. The protocol does not except it.
    url = tus.create(5)

    tus.ask("GET", url, {"X-HTTP-Method-Override": "DELETE"})

    assert tus.offset(url) == 0
