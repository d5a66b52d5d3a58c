"""Files given out whole."""

from email.utils import parsedate_to_datetime

import pytest

from tests.conftest import Server
from tests.downloads.given import ALPHABET, Given, digest_of


def test_a_file_comes_back_with_all_that_is_known_of_it(given: Given) -> None:
    answer = given.get()

    assert answer.status == 200
    assert answer.body == given.content
    assert answer.headers["content-length"] == str(len(given.content))
    assert answer.headers["etag"] == given.etag
    assert answer.headers["repr-digest"] == given.digest
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-cache, no-transform"
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert parsedate_to_datetime(answer.headers["last-modified"]).tzinfo
    assert "content-digest" not in answer.headers
    assert "content-encoding" not in answer.headers


def test_an_empty_file_comes_back(empty: Given) -> None:
    answer = empty.get()

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == "0"


def test_compression_is_never_done_on_the_way(small: Given) -> None:
    assert small.get(Accept_Encoding="gzip, br").body == ALPHABET


def test_head_tells_what_get_would(given: Given) -> None:
    with given.server.client() as client:
        head = client.ask("HEAD", given.path)
        get = client.ask("GET", given.path)

    ours_alone = {"date", "x-request-id"}
    assert (head.status, head.body) == (200, b"")
    assert {name: v for name, v in head.headers.items() if name not in ours_alone} == {
        name: v for name, v in get.headers.items() if name not in ours_alone
    }


def test_the_id_says_which_file_and_the_name_is_decoration(small: Given) -> None:
    for path in (f"/files/{small.id}", f"/files/{small.id}/", f"/files/{small.id}/other/x.html"):
        answer = small.server.ask("GET", path)

        assert answer.body == ALPHABET
        assert "letters.txt" in answer.headers["content-disposition"]


@pytest.mark.parametrize("id", ["a" * 26, "a", "A" * 26, "..", "%2e%2e%2f%2e%2e", "%00", "%ff"])
def test_what_is_not_there_is_not_found(server: Server, id: str) -> None:
    assert server.ask("GET", f"/files/{id}").status == 404
    assert server.ask("HEAD", f"/files/{id}").status == 404


def test_a_deleted_file_is_not_found_even_by_who_has_a_copy(server: Server) -> None:
    accept = {"Accept": "application/json"}
    [file] = server.ask("PUT", "/files/a.txt", b"hello", accept).json["files"]
    assert server.ask("DELETE", file["manage_url"].removeprefix(server.url)).status == 204

    answer = server.ask("GET", f"/files/{file['id']}", headers={"If-None-Match": "*"})

    assert answer.status == 404
    assert answer.headers["cache-control"] == "no-store"


def test_the_digest_is_of_the_whole_file_whatever_part_is_sent(given: Given) -> None:
    answers = [given.get("HEAD"), given.get(Range="bytes=3-9"), given.get(Range="bytes=0-0,5-5")]

    assert {answer.headers["repr-digest"] for answer in answers} == {given.digest}


def test_a_digest_is_left_out_for_who_wants_none(given: Given) -> None:
    assert "repr-digest" not in given.get(Want_Repr_Digest="sha-256=0").headers
    for wish in ("sha-256=1", "sha-512=9", "nonsense"):
        assert given.get(Want_Repr_Digest=wish).headers["repr-digest"] == given.digest


@pytest.mark.parametrize("field", ["", "bytes=3-9", "bytes=0-0,5-5"])
def test_the_digest_of_the_content_is_sent_on_request(given: Given, field: str) -> None:
    answer = given.get(Want_Content_Digest="sha-256=3", Range=field)

    assert answer.headers["content-digest"] == digest_of(answer.body)
    assert "content-digest" not in given.get(Want_Content_Digest="sha-256=0").headers
    assert "content-digest" not in given.get("HEAD", Want_Content_Digest="sha-256=3").headers
