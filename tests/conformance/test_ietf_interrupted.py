"""Points R2 and R7 to R12 of draft-ietf-httpbis-resumable-upload-11: lines, limits, digests."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.client import Answer
from tests.conformance.ietf import VERSION, Ietf, limits, representation
from tests.conformance.points import must, not_announced, should
from tests.conformance.target import BUSY
from tests.conformance.wire import Connection

CONTENT = b"hello world"
REFUSED = range(400, 500)
DONE = range(200, 300)
GONE = {403, 404, 410}
SOME_BYTES = 300_000
# What two kernels hold between sender and reader is less than half of it.
LARGE_BYTES = 32 << 20
# 64 bits in hexadecimal digits.
UNGUESSABLE_CHARACTERS = 16


@should()
def test_r2_a_creation_is_answered_with_104_before_its_body(
    ietf: Ietf, pytestconfig: pytest.Config
) -> None:
    interim = interim_of_creation(ietf, VERSION)
    if interim is None:
        not_announced(pytestconfig, {"104"})

    assert interim.headers["location"]
    assert limits(interim)


@must()
def test_r2_who_does_not_name_the_interop_version_gets_no_104(ietf: Ietf) -> None:
    assert interim_of_creation(ietf, {}) is None


@must()
def test_r2_another_interop_version_gets_no_104(ietf: Ietf) -> None:
    assert interim_of_creation(ietf, {"Upload-Draft-Interop-Version": "99"}) is None


@must()
def test_r2_who_waits_for_100_is_not_kept_waiting(ietf: Ietf) -> None:
    told = {**VERSION, **representation(complete=False), "Content-Length": "5"}

    with ietf.target.sending(
        "POST", ietf.target.url, {**told, "Expect": "100-continue"}
    ) as waiting:
        statuses = [waiting.response("POST").status]
        while statuses[-1] == 104:
            statuses.append(waiting.response("POST").status)
        waiting.send(b"hello")
        url = ietf.target.located(waiting.answer("POST"))

    assert statuses[-1] == 100
    assert ietf.offset(url) == 5


@should()
def test_r7_an_upload_is_cancelled_while_its_bytes_arrive(ietf: Ietf) -> None:
    url = ietf.create()

    with hanging(ietf, url):
        answer = ietf.ask("DELETE", url)

    assert answer.status in DONE
    assert ietf.head(url).status in GONE


@should()
def test_r8_an_upload_is_resumed_while_its_older_request_hangs(ietf: Ietf) -> None:
    url = ietf.create()

    with hanging(ietf, url):
        answer = ietf.resume(url, SOME_BYTES)

    assert answer.status in DONE
    assert answer.headers["upload-complete"] == "?1"


@must()
def test_r8_an_offset_that_was_told_is_taken(ietf: Ietf) -> None:
    url = ietf.create()

    with hanging(ietf, url) as connection:
        at = ietf.settles(url, 1)
        connection.send(bytes(SOME_BYTES // 4))
        answer = ietf.append(url, at, b"x", complete=False)

    assert answer.status in {*DONE, *BUSY}


@must()
def test_r9_options_name_the_media_type_of_appends(ietf: Ietf) -> None:
    answer = ietf.target.ask("OPTIONS", ietf.target.url)

    assert "application/partial-upload" in answer.headers["accept-patch"]


@should()
def test_r9_options_tell_the_limits(ietf: Ietf) -> None:
    assert limits(ietf.target.ask("OPTIONS", ietf.target.url))


@must()
def test_r9_a_length_above_the_maximum_is_refused_with_413_and_the_limits(ietf: Ietf) -> None:
    told = {"Upload-Length": str(maximum(ietf) + 1)}

    answer = ietf.post(b"", complete=False, headers=told)

    assert answer.status == 413
    assert limits(answer)["max-size"] == maximum(ietf)


@should()
def test_r9_limits_do_not_become_narrower(ietf: Ietf) -> None:
    before = limits(ietf.target.ask("OPTIONS", ietf.target.url))

    later = limits(ietf.head(ietf.create()))

    assert later.get("max-size", before.get("max-size")) == before.get("max-size")


@should()
def test_r10_content_with_its_digest_is_appended(ietf: Ietf) -> None:
    url = ietf.create()

    ietf.append(url, 0, CONTENT, complete=False, headers=digest("Content-Digest", CONTENT))

    assert ietf.offset(url) == 11


@should()
def test_r10_content_with_another_digest_is_not_appended(ietf: Ietf) -> None:
    url = ietf.create()

    answer = ietf.append(
        url, 0, CONTENT, complete=False, headers=digest("Content-Digest", b"other")
    )

    assert answer.status in REFUSED
    assert ietf.offset(url) == 0


@should()
def test_r10_a_file_with_another_digest_than_told_fails(ietf: Ietf) -> None:
    url = ietf.create(b"hello", digest("Repr-Digest", b"other"))

    assert ietf.append(url, 5, b" world", complete=True).status in REFUSED


@should()
def test_r10_a_file_with_the_digest_told_is_taken(ietf: Ietf) -> None:
    url = ietf.create(b"hello", digest("Repr-Digest", CONTENT))

    assert ietf.append(url, 5, b" world", complete=True).status in DONE


@should()
def test_r10_who_wants_the_digest_is_told_it(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Want-Repr-Digest": "sha-256=10"})

    answer = ietf.append(url, 5, b" world", complete=True)

    assert digest("Repr-Digest", CONTENT)["Repr-Digest"] in answer.headers["repr-digest"]


@should()
def test_r11_the_place_of_an_upload_is_not_guessed(ietf: Ietf) -> None:
    names = {ietf.create().rstrip("/").rpartition("/")[2] for _ in range(3)}

    assert len(names) == 3
    assert min(map(len, names)) >= UNGUESSABLE_CHARACTERS


@should()
def test_r12_a_body_that_breaks_off_keeps_every_byte(ietf: Ietf) -> None:
    url = ietf.create()

    with hanging(ietf, url) as connection:
        connection.end()

    assert ietf.settles(url, SOME_BYTES // 2) == SOME_BYTES // 2


@should()
def test_r12_a_connection_that_is_reset_keeps_bytes(ietf: Ietf) -> None:
    url = ietf.create()
    told = {"Content-Length": str(LARGE_BYTES)}

    with ietf.appending(url, 0, told, complete=True) as connection:
        connection.send(bytes(LARGE_BYTES // 2))
        connection.reset()

    assert 0 < ietf.settles(url, 1) <= LARGE_BYTES // 2


@must()
def test_r12_an_upload_that_broke_off_is_not_complete(ietf: Ietf) -> None:
    url = ietf.create()

    with hanging(ietf, url) as connection:
        connection.end()

    assert ietf.head(url).headers["upload-complete"] == "?0"


@must()
def test_r12_an_upload_that_broke_off_is_resumed(ietf: Ietf) -> None:
    url = ietf.create()
    with hanging(ietf, url):
        pass

    answer = ietf.resume(url, SOME_BYTES)

    assert answer.status in DONE
    assert answer.headers["upload-complete"] == "?1"


@should()
def test_r12_bytes_that_are_sent_incrementally_are_taken(ietf: Ietf) -> None:
    url = ietf.create()
    told = {"Transfer-Encoding": "chunked", "Incremental": "?1"}

    with ietf.appending(url, 0, told, complete=True) as connection:
        for block in (b"hello", b" ", b"world", b""):
            connection.send_chunk(block)
        answer = connection.answer("PATCH")

    assert answer.status in DONE
    assert ietf.offset(url) == 11


def interim_of_creation(ietf: Ietf, version: dict[str, str]) -> Answer | None:
    """Return the 104 that comes before the final answer to a creation, if one comes."""
    told = {**version, **representation(complete=False), "Content-Length": "5"}
    with ietf.target.sending("POST", ietf.target.url, told) as connection:
        connection.send(b"hello")
        ietf.target.located(connection.answer("POST"))
        found = [answer for answer in connection.interim if answer.status == 104]
    return found[0] if found else None


def maximum(ietf: Ietf) -> int:
    """Return the largest size; skip where there is none."""
    told = limits(ietf.target.ask("OPTIONS", ietf.target.url))
    if "max-size" not in told:
        pytest.skip("not announced: max-size")
    return told["max-size"]


def digest(name: str, content: bytes) -> dict[str, str]:
    """Return a field of RFC 9530."""
    return {name: f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"}


@contextmanager
def hanging(ietf: Ietf, url: str) -> Iterator[Connection]:
    """Send half of the bytes, and hold the connection open until the end of the block."""
    told = {"Content-Length": str(SOME_BYTES), "Expect": "100-continue"}
    with ietf.appending(url, 0, told, complete=True) as connection:
        # Now the request is there, and not only on its way.
        while connection.response("PATCH").status != 100:
            pass
        connection.send(bytes(SOME_BYTES // 2))
        yield connection
