"""Points T12 to T16: expiration, checksum, termination and concatenation of tus 1.0.0."""

import hashlib
import time
import zlib
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from tests.client import Answer
from tests.conformance.points import must, should
from tests.conformance.target import offset_of, words
from tests.conformance.tus import CONTENT_TYPE, Tus, metadata

CONTENT = b"hello world"
REFUSED = range(400, 500)
GONE = {404, 410}
PATIENCE_SECONDS = 6
SOME_BYTES = 300_000
IMF_FIXDATE = "%a, %d %b %Y %H:%M:%S GMT"
SUMS: dict[str, Callable[[bytes], bytes]] = {
    "sha1": lambda content: hashlib.sha1(content, usedforsecurity=False).digest(),
    "sha256": lambda content: hashlib.sha256(content).digest(),
    "sha512": lambda content: hashlib.sha512(content).digest(),
    "md5": lambda content: hashlib.md5(content, usedforsecurity=False).digest(),
    "crc32": lambda content: zlib.crc32(content).to_bytes(4),
}


@must("expiration")
def test_t12_the_answer_to_patch_tells_when_the_upload_expires(tus: Tus) -> None:
    assert expires(tus.patch(tus.create(11), 0, b"hello")) > datetime.now(UTC)


@must("expiration")
def test_t12_each_patch_tells_when_the_upload_expires(tus: Tus) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    assert expires(tus.patch(url, 5, b" wor")) > datetime.now(UTC)


@should("expiration")
def test_t12_the_answer_to_a_creation_tells_when_the_upload_expires(tus: Tus) -> None:
    assert expires(tus.post({"Upload-Length": "11"})) > datetime.now(UTC)


@should("expiration")
def test_t12_an_upload_that_expired_is_gone(tus: Tus) -> None:
    url = tus.create(11)
    left = (expires(tus.patch(url, 0, b"hello")) - datetime.now(UTC)).total_seconds()
    if left > PATIENCE_SECONDS:
        pytest.skip(f"an upload expires only in {left:.0f} s")
    time.sleep(left + 1)

    assert tus.patch(url, 5, b" world").status in GONE
    assert tus.head(url).status in GONE


@must("checksum")
def test_t13_sha1_is_announced(tus: Tus) -> None:
    assert "sha1" in algorithms(tus)


@must("checksum")
def test_t13_names_of_algorithms_are_small_letters(tus: Tus) -> None:
    assert all(name.isascii() and name == name.lower() for name in algorithms(tus))


@must("checksum")
@pytest.mark.parametrize("name", SUMS)
def test_t13_bytes_with_their_checksum_are_taken(tus: Tus, name: str) -> None:
    only_if_named(tus, name)

    answer = tus.patch(tus.create(11), 0, CONTENT, checksum(name, CONTENT))

    assert (answer.status, offset_of(answer)) == (204, 11)


@must("checksum")
@pytest.mark.parametrize("name", SUMS)
def test_t13_bytes_with_another_checksum_are_refused_with_460(tus: Tus, name: str) -> None:
    only_if_named(tus, name)

    assert tus.patch(tus.create(11), 0, CONTENT, checksum(name, b"other")).status == 460


@must("checksum")
@pytest.mark.parametrize("name", SUMS)
def test_t13_bytes_with_another_checksum_are_discarded(tus: Tus, name: str) -> None:
    only_if_named(tus, name)
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    tus.patch(url, 5, b" wor", checksum(name, b"other"))

    assert tus.offset(url) == 5
    assert offset_of(tus.patch(url, 5, b" world", checksum(name, b" world"))) == 11


@should("checksum", "creation-with-upload")
def test_t13_a_creation_with_another_checksum_keeps_no_bytes(tus: Tus) -> None:
    told = {**CONTENT_TYPE, "Upload-Length": "11", **checksum("sha1", b"other")}

    answer = tus.post(told, CONTENT)

    assert answer.status == 460
    assert "location" not in answer.headers or tus.offset(tus.target.located(answer)) == 0


@must("checksum")
def test_t13_an_unknown_algorithm_is_refused_with_400(tus: Tus) -> None:
    url = tus.create(11)

    answer = tus.patch(url, 0, CONTENT, {"Upload-Checksum": "sha0 AAAA"})

    assert answer.status == 400
    assert tus.offset(url) == 0


@should("checksum")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("sha1", id="without a checksum"),
        pytest.param("sha1 ", id="an empty checksum"),
        pytest.param("sha1 !!!!", id="not base64"),
        pytest.param("sha1 AAAA", id="too short"),
        pytest.param("", id="empty"),
    ],
)
def test_t13_a_malformed_checksum_is_refused(tus: Tus, value: str) -> None:
    url = tus.create(11)

    answer = tus.patch(url, 0, CONTENT, {"Upload-Checksum": value})

    assert answer.status in REFUSED
    assert tus.offset(url) == 0


@must("checksum")
def test_t13_a_chunked_body_with_another_checksum_is_discarded(tus: Tus) -> None:
    url = tus.create(11)
    told = {"Transfer-Encoding": "chunked", **checksum("sha1", b"other")}

    with tus.patching(url, 0, told) as connection:
        connection.send_chunk(CONTENT)
        connection.send_chunk(b"")
        answer = connection.answer("PATCH")

    assert answer.status == 460
    assert tus.offset(url) == 0


@should("checksum")
def test_t13_bytes_that_broke_off_before_their_checksum_was_compared_are_discarded(
    tus: Tus,
) -> None:
    content = bytes(SOME_BYTES * 2)
    url = tus.create(len(content))
    told = {"Content-Length": str(len(content)), **checksum("sha1", content)}

    with tus.patching(url, 0, told) as connection:
        connection.send(content[:SOME_BYTES])

    assert tus.patch(url, 0, content, checksum("sha1", content)).status == 204


@must()
def test_t14_checksums_in_trailers_are_announced_with_checksums_only(tus: Tus) -> None:
    told = words(tus.target.options.get("tus-extension", ""))

    assert "checksum-trailer" not in told or "checksum" in told


@must("checksum-trailer")
@pytest.mark.parametrize(("content", "status"), [(CONTENT, 204), (b"other", 460)])
def test_t14_a_checksum_in_a_trailer_is_compared(tus: Tus, content: bytes, status: int) -> None:
    told = {"Transfer-Encoding": "chunked", "Trailer": "Upload-Checksum"}
    [line] = [f"{name}: {value}" for name, value in checksum("sha1", content).items()]

    with tus.patching(tus.create(11), 0, told) as connection:
        connection.send_chunk(CONTENT)
        connection.send(b"0\r\n%b\r\n\r\n" % line.encode())
        answer = connection.answer("PATCH")

    assert answer.status == status


@must("termination")
def test_t15_a_removal_is_answered_with_204(tus: Tus) -> None:
    assert tus.ask("DELETE", tus.create(5)).status == 204


@must("termination")
def test_t15_a_finished_upload_is_removed(tus: Tus) -> None:
    assert tus.ask("DELETE", tus.filled(CONTENT)).status == 204


@must("termination", "concatenation")
def test_t15_a_partial_upload_is_removed(tus: Tus) -> None:
    url = tus.filled(CONTENT, {"Upload-Concat": "partial"})

    assert tus.ask("DELETE", url).status == 204


@must("termination")
def test_t15_the_answer_to_a_removal_names_the_version(tus: Tus) -> None:
    assert tus.ask("DELETE", tus.create(5)).headers["tus-resumable"] == "1.0.0"


@should("termination")
def test_t15_what_was_removed_is_gone(tus: Tus) -> None:
    url = tus.create(5)
    tus.ask("DELETE", url)

    answers = [tus.head(url), tus.patch(url, 0, b"hello"), tus.ask("DELETE", url)]

    assert {answer.status for answer in answers} <= GONE


@should("termination")
def test_t15_an_upload_is_removed_while_its_bytes_arrive(tus: Tus) -> None:
    url = tus.create(SOME_BYTES)

    with tus.patching(url, 0, {"Content-Length": str(SOME_BYTES)}) as connection:
        connection.send(bytes(SOME_BYTES // 2))
        answer = tus.ask("DELETE", url)

    assert answer.status == 204
    assert tus.head(url).status in GONE


@must("concatenation")
def test_t16_a_partial_upload_says_so(tus: Tus) -> None:
    answer = tus.head(tus.create(5, {"Upload-Concat": "partial"}))

    assert answer.headers["upload-concat"] == "partial"
    assert answer.headers["upload-offset"] == "0"


@must("concatenation")
def test_t16_a_final_upload_is_created_of_partial_ones(tus: Tus) -> None:
    answer = tus.joined(*parts(tus))

    assert answer.status == 201
    assert "tus-resumable" in answer.headers


@must("concatenation")
def test_t16_the_length_of_a_final_upload_is_the_sum(tus: Tus) -> None:
    answer = tus.head(tus.created(tus.joined(*parts(tus))))

    assert answer.headers["upload-length"] == "11"
    assert answer.headers["upload-offset"] == "11"


@must("concatenation")
def test_t16_a_final_upload_says_of_what_it_is(tus: Tus) -> None:
    first, second = parts(tus)

    answer = tus.head(tus.created(tus.joined(first, second)))

    assert answer.headers["upload-concat"] == f"final;{first} {second}"


@must("concatenation")
def test_t16_parts_are_named_by_paths_too(tus: Tus) -> None:
    paths = [urlsplit(url).path for url in parts(tus)]

    url = tus.created(tus.joined(*paths))

    assert tus.offset(url) == 11


@must("concatenation")
def test_t16_the_parts_come_in_the_order_named(tus: Tus) -> None:
    first, second = parts(tus)

    content = read(tus, tus.created(tus.joined(second, first)), 11)

    assert content == b" worldhello"


@should("concatenation")
def test_t16_a_part_may_come_twice(tus: Tus) -> None:
    first, second = parts(tus)

    url = tus.created(tus.joined(first, second, first))

    assert tus.offset(url) == 16


@must("concatenation")
def test_t16_a_final_upload_takes_no_patch(tus: Tus) -> None:
    url = tus.created(tus.joined(*parts(tus)))

    assert tus.patch(url, 11, b"").status == 403
    assert tus.patch(url, 0, b"x").status == 403
    assert tus.offset(url) == 11


@should("concatenation")
def test_t16_a_final_upload_with_a_length_is_refused(tus: Tus) -> None:
    assert tus.joined(*parts(tus), headers={"Upload-Length": "11"}).status == 400


@must("concatenation")
def test_t16_a_final_upload_has_metadata_of_its_own(tus: Tus) -> None:
    part = tus.filled(CONTENT, {"Upload-Concat": "partial", **metadata(filename=b"a.txt")})
    told = metadata(filename=b"b.txt")

    answer = tus.head(tus.created(tus.joined(part, headers=told)))

    assert answer.headers["upload-metadata"] == told["Upload-Metadata"]


@should("concatenation")
def test_t16_an_unfinished_part_is_refused(tus: Tus) -> None:
    if "concatenation-unfinished" in tus.target.announced:
        pytest.skip("unfinished parts are taken")
    first, _ = parts(tus)

    answer = tus.joined(first, tus.create(5, {"Upload-Concat": "partial"}))

    assert answer.status in REFUSED


@must("concatenation", "concatenation-unfinished")
def test_t16_an_unfinished_part_is_taken_where_that_is_announced(tus: Tus) -> None:
    first, _ = parts(tus)

    answer = tus.joined(first, tus.create(5, {"Upload-Concat": "partial"}))

    assert answer.status == 201


@should("concatenation")
def test_t16_an_unknown_part_is_refused(tus: Tus) -> None:
    first, second = parts(tus)

    assert tus.joined(first, second[:-1] + "~").status in REFUSED


@should("concatenation")
def test_t16_a_part_of_another_host_is_refused(tus: Tus) -> None:
    first, second = parts(tus)
    foreign = urlsplit(second)._replace(netloc="elsewhere.example").geturl()

    assert tus.joined(first, foreign).status in REFUSED


@should("concatenation")
def test_t16_what_is_no_partial_upload_is_refused(tus: Tus) -> None:
    assert tus.joined(tus.filled(CONTENT)).status in REFUSED


@should("concatenation")
@pytest.mark.parametrize("value", ["whole", "final", "final;", "partial;/a", ""])
def test_t16_another_kind_of_upload_is_refused(tus: Tus, value: str) -> None:
    assert tus.post({"Upload-Length": "5", "Upload-Concat": value}).status in REFUSED


def expires(answer: Answer) -> datetime:
    """Return when an upload expires, told as RFC 9110, section 5.6.7 wants it."""
    told = answer.headers["upload-expires"]
    found = parsedate_to_datetime(told)
    assert found.astimezone(UTC).strftime(IMF_FIXDATE) == told
    return found


def algorithms(tus: Tus) -> list[str]:
    return words(tus.target.options["tus-checksum-algorithm"])


def only_if_named(tus: Tus, name: str) -> None:
    if name not in algorithms(tus):
        pytest.skip(f"not announced: {name}")


def checksum(name: str, content: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"{name} {b64encode(SUMS[name](content)).decode()}"}


def parts(tus: Tus) -> tuple[str, str]:
    """Return the URLs of two finished partial uploads."""
    partial = {"Upload-Concat": "partial"}
    return tus.filled(b"hello", partial), tus.filled(b" world", partial)


def read(tus: Tus, url: str, size: int) -> bytes:
    """Return the content of an upload, where the server tells it at its URL."""
    answer = tus.ask("GET", url)
    if answer.status != 200 or len(answer.body) != size:
        pytest.skip("the content is not told at the URL of the upload")
    return answer.body
