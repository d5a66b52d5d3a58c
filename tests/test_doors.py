"""The same hostile names through every door."""

import base64
from urllib.parse import quote, unquote

import pytest

from tests.client import FORM_TYPE, Answer, FormPart, form_body
from tests.conftest import Server
from tests.hostile import BAD_PART_HEADS, DISPOSITIONS, NAMES, DispositionCase, NameCase, Outcome

JSON = {"Accept": "application/json"}


LONGEST_PART_HEADER = 4224
NAMED = [case for case in NAMES if case.raw]
FITTING = [case for case in NAMES if len(case.as_form_data()) < LONGEST_PART_HEADER - 100]


def assert_outcome(answer: Answer, case: NameCase | DispositionCase) -> None:
    if case.stored is None:
        assert answer.status == 400, (case, answer)
        assert answer.json["code"] in ("bad_name", "bad_form", "no_file"), case
        return
    assert answer.status == 201, (case, answer)
    [file] = answer.json["files"]
    assert file["name"] == case.stored, case
    assert file["name_changed"] is (case.outcome is Outcome.MENDED), case


@pytest.mark.long
def test_each_name_in_a_form_is_kept_mended_or_refused(server: Server) -> None:
    with server.client() as client:
        for case in FITTING:
            body = form_body(FormPart(case.as_form_data(), b"content"))

            answer = client.ask("POST", "/files/", body, {**FORM_TYPE, **JSON})

            assert_outcome(answer, case)


def test_each_name_in_a_path_is_kept_mended_or_refused(server: Server) -> None:
    # The empty name is the address of the collection.
    with server.client() as client:
        for case in NAMED:
            answer = client.ask("PUT", f"/files/{case.as_path_segment()}", b"content", JSON)

            assert_outcome(answer, case)


@pytest.mark.long
def test_each_name_in_a_head_is_kept_mended_or_refused(server: Server) -> None:
    with server.client() as client:
        for case in NAMED:
            disposition = f"inline; filename=\"x\"; filename*=UTF-8''{quote(case.raw, safe='')}"
            head = {"Upload-Complete": "?1", "Content-Disposition": disposition}

            answer = client.ask("POST", "/files/", b"content", head | JSON)

            assert_outcome(answer, case)


@pytest.mark.long
def test_each_name_in_metadata_of_tus_is_kept_mended_or_refused(server: Server) -> None:
    with server.client() as client:
        for case in NAMED:
            metadata = f"filename {base64.b64encode(case.raw).decode()}"
            head = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": metadata}

            answer = client.ask("POST", "/files/", None, head | JSON)

            if case.stored is None:
                assert (answer.status, answer.json["code"]) == (400, "bad_name"), case
            else:
                told = client.ask("GET", answer.headers["location"], headers=JSON).json
                assert told["name"] == case.stored
                assert told["name_changed"] is (case.outcome is Outcome.MENDED)


def test_refused_names_store_nothing(server: Server) -> None:
    before = server.stored()

    with server.client() as client:
        for case in NAMES:
            if case.stored is None and case.raw:
                client.ask("PUT", f"/files/{case.as_path_segment()}", b"content")
                body = form_body(FormPart(case.as_form_data(), b"content"))
                client.ask("POST", "/files/", body, FORM_TYPE)

    assert server.stored() == before


@pytest.mark.parametrize("head", BAD_PART_HEADS.values(), ids=BAD_PART_HEADS.keys())
def test_a_head_of_a_part_is_read_strictly(server: Server, head: bytes) -> None:
    body = b"--x\r\n%s\r\ncontent\r\n--x--\r\n" % head
    form = {"Content-Type": "multipart/form-data; boundary=x", **JSON}

    answer = server.ask("POST", "/files/", body, form)

    assert (answer.status, answer.json["code"]) == (400, "bad_form")


@pytest.mark.parametrize("case", DISPOSITIONS, ids=lambda case: case.id)
def test_a_disposition_is_read_strictly(server: Server, case: DispositionCase) -> None:
    body = form_body(FormPart(case.value, b"content"))

    answer = server.ask("POST", "/files/", body, {**FORM_TYPE, **JSON})

    assert_outcome(answer, case)


@pytest.mark.long
def test_each_name_goes_out_as_it_was_stored(server: Server) -> None:
    with server.client() as client:
        for case in FITTING:
            if case.stored is None:
                continue
            body = form_body(FormPart(case.as_form_data(), b"content"))
            [file] = client.ask("POST", "/files/", body, {**FORM_TYPE, **JSON}).json["files"]

            answer = client.ask("GET", file["url"].removeprefix(server.url))

            disposition = answer.headers["content-disposition"]
            assert answer.body == b"content"
            assert disposition.startswith('attachment; filename="'), case
            told = unquote(disposition.partition("filename*=UTF-8''")[2])
            assert told in (case.stored, ""), case
            assert disposition.isascii(), case


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/files/../../../etc/passwd",
        "/files/..%2f..%2f..%2fetc%2fpasswd",
        "/files/%00",
        "/files/%ff%fe",
        "/files/incoming",
        "/static/../fileservice.sqlite3",
        "/static/%2e%2e/secret_key",
        "/static/..%2fsecret_key",
        "/uploads/..%2f..%2fsecret_key",
        "/certificate/../secret_key",
        "/secret_key",
        "/fileservice.sqlite3",
    ],
)
def test_no_path_leads_out_of_the_store(server: Server, path: str) -> None:
    assert server.ask("GET", path).status in (400, 404)
