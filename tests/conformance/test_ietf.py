"""Points R1 to R7: uploads of draft-ietf-httpbis-resumable-upload-11, one request at a time."""

import pytest

from tests.conformance.ietf import CONTENT_TYPE, PROBLEM, Ietf, limits, representation
from tests.conformance.points import must, should
from tests.conformance.target import words
from tests.conformance.wire import problem_type

CONTENT = b"hello world"
REFUSED = range(400, 500)
DONE = range(200, 300)
GONE = {403, 404, 410}


@must()
def test_r1_a_creation_takes_the_whole_file(ietf: Ietf) -> None:
    assert ietf.post(CONTENT, complete=True).status in DONE


@must()
def test_r1_an_empty_creation_makes_an_upload(ietf: Ietf) -> None:
    assert ietf.offset(ietf.create()) == 0


@must()
def test_r1_a_creation_takes_the_first_bytes(ietf: Ietf) -> None:
    assert ietf.offset(ietf.create(b"hello")) == 5


@must()
def test_r1_a_chunked_creation_takes_the_first_bytes(ietf: Ietf) -> None:
    headers = {**representation(complete=False), "Transfer-Encoding": "chunked"}

    with ietf.target.sending("POST", ietf.target.url, headers) as connection:
        connection.send_chunk(b"hello")
        connection.send_chunk(b"")
        url = ietf.target.located(connection.answer("POST"))

    assert ietf.offset(url) == 5


@must()
def test_r1_two_lengths_that_differ_are_refused(ietf: Ietf) -> None:
    answer = ietf.post(CONTENT, complete=True, headers={"Upload-Length": "12"})

    assert answer.status in REFUSED


@should()
def test_r1_two_lengths_that_differ_are_a_problem_of_their_own_type(ietf: Ietf) -> None:
    answer = ietf.post(CONTENT, complete=True, headers={"Upload-Length": "12"})

    assert answer.status == 400
    assert problem_type(answer) == f"{PROBLEM}inconsistent-upload-length"


@must()
@pytest.mark.parametrize("value", ["eleven", "-1", "11.0", '"11"', "?1", "11, 12"])
def test_r1_a_length_that_is_no_integer_is_ignored(ietf: Ietf, value: str) -> None:
    url = ietf.create(headers={"Upload-Length": value})

    assert "upload-length" not in ietf.head(url).headers


@must()
def test_r1_parameters_of_a_length_are_ignored(ietf: Ietf) -> None:
    url = ietf.create(headers={"Upload-Length": "11;source=disk"})

    assert ietf.head(url).headers["upload-length"] == "11"


@must()
def test_r3_the_answer_to_an_incomplete_creation_tells_the_place(ietf: Ietf) -> None:
    assert ietf.post(b"hello", complete=False).headers["location"]


@should()
def test_r3_the_answer_to_an_incomplete_creation_is_201(ietf: Ietf) -> None:
    assert ietf.post(b"hello", complete=False).status == 201


@must()
def test_r3_the_answer_to_an_incomplete_creation_tells_the_limits(ietf: Ietf) -> None:
    assert limits(ietf.post(b"hello", complete=False))


@must()
def test_r4_head_tells_the_offset(ietf: Ietf) -> None:
    answer = ietf.head(ietf.create(b"hello"))

    assert answer.status in DONE
    assert answer.headers["upload-offset"] == "5"


@must()
def test_r4_head_tells_that_the_upload_is_not_complete(ietf: Ietf) -> None:
    url = ietf.create(CONTENT, {"Upload-Length": "11"})

    assert ietf.head(url).headers["upload-complete"] == "?0"


@must()
def test_r4_head_tells_the_length_that_was_told(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})

    assert ietf.head(url).headers["upload-length"] == "11"


@must()
def test_r4_head_tells_the_length_that_an_append_told(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    ietf.append(url, 5, b" wor", complete=False, headers={"Upload-Length": "11"})

    assert ietf.head(url).headers["upload-length"] == "11"


@must()
def test_r4_head_tells_no_length_before_one_was_told(ietf: Ietf) -> None:
    assert "upload-length" not in ietf.head(ietf.create(b"hello")).headers


@must()
def test_r4_head_tells_the_limits(ietf: Ietf) -> None:
    assert limits(ietf.head(ietf.create()))


@should()
def test_r4_head_is_kept_by_no_cache(ietf: Ietf) -> None:
    assert "no-store" in words(ietf.head(ietf.create()).headers["cache-control"])


@should()
def test_r4_head_does_not_redirect(ietf: Ietf) -> None:
    assert ietf.head(ietf.create()).status not in {301, 302}


@should()
def test_r4_head_of_a_complete_upload_says_so(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    ietf.append(url, 5, b" world", complete=True)

    answer = ietf.head(url)

    assert answer.headers["upload-complete"] == "?1"
    assert answer.headers["upload-offset"] == "11"


@must()
def test_r4_head_of_an_unknown_upload_tells_no_offset(ietf: Ietf) -> None:
    answer = ietf.head(ietf.create() + "~")

    assert answer.status in GONE
    assert "upload-offset" not in answer.headers


@must()
def test_r5_an_append_is_answered_with_success_and_that_more_is_awaited(ietf: Ietf) -> None:
    url = ietf.create(b"hello")

    answer = ietf.append(url, 5, b" wor", complete=False)

    assert answer.status in DONE
    assert answer.headers["upload-complete"] == "?0"
    assert ietf.offset(url) == 9


@must()
def test_r5_the_last_append_is_answered_as_complete(ietf: Ietf) -> None:
    url = ietf.create(b"hello")

    answer = ietf.append(url, 5, b" world", complete=True)

    assert answer.status in DONE
    assert answer.headers["upload-complete"] == "?1"


@should()
def test_r5_the_last_append_is_answered_as_one_request_would_be(ietf: Ietf) -> None:
    whole = ietf.post(CONTENT, complete=True)

    last = ietf.append(ietf.create(b"hello"), 5, b" world", complete=True)

    assert last.status == whole.status
    assert last.headers.get("content-type") == whole.headers.get("content-type")


@must()
def test_r5_an_empty_append_completes(ietf: Ietf) -> None:
    url = ietf.create(CONTENT)

    answer = ietf.append(url, 11, b"", complete=True)

    assert answer.status in DONE
    assert answer.headers["upload-complete"] == "?1"


@must()
@pytest.mark.parametrize("offset", [0, 4, 6])
def test_r5_an_offset_that_does_not_match_is_refused_with_409(ietf: Ietf, offset: int) -> None:
    url = ietf.create(b"hello")

    answer = ietf.append(url, offset, b"x", complete=False)

    assert answer.status == 409
    assert answer.headers["upload-offset"] == "5"
    assert ietf.offset(url) == 5


@should()
def test_r5_an_offset_that_does_not_match_is_a_problem_of_its_own_type(ietf: Ietf) -> None:
    answer = ietf.append(ietf.create(b"hello"), 4, b"x", complete=False)

    assert problem_type(answer) == f"{PROBLEM}mismatching-upload-offset"
    assert answer.json["expected-offset"] == 5
    assert answer.json["provided-offset"] == 4


@should()
def test_r5_an_offset_that_does_not_match_is_told_with_what_is_awaited(ietf: Ietf) -> None:
    answer = ietf.append(ietf.create(b"hello"), 4, b"x", complete=True)

    assert answer.headers["upload-complete"] == "?0"


@must()
@pytest.mark.parametrize("value", ["text/plain", "application/octet-stream"])
def test_r5_another_content_type_changes_nothing(ietf: Ietf, value: str) -> None:
    url = ietf.create(b"hello")

    answer = ietf.append(url, 5, b"x", complete=False, headers={"Content-Type": value})

    assert answer.status in REFUSED
    assert ietf.offset(url) == 5


@should()
def test_r5_another_content_type_is_refused_with_415(ietf: Ietf) -> None:
    url = ietf.create(b"hello")

    answer = ietf.append(url, 5, b"x", complete=False, headers={"Content-Type": "text/plain"})

    assert answer.status == 415


@must()
@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"Upload-Complete": "?0"}, id="no offset"),
        pytest.param({"Upload-Offset": "5"}, id="not whether it completes"),
        pytest.param({"Upload-Complete": "?0", "Upload-Offset": "five"}, id="no integer"),
        pytest.param({"Upload-Complete": "yes", "Upload-Offset": "5"}, id="no boolean"),
    ],
)
def test_r5_an_append_that_lacks_a_field_changes_nothing(ietf: Ietf, told: dict[str, str]) -> None:
    url = ietf.create(b"hello")

    answer = ietf.ask("PATCH", url, {**CONTENT_TYPE, **told}, b"x")

    assert answer.status in REFUSED
    assert ietf.offset(url) == 5


@must()
def test_r5_a_complete_upload_takes_no_more_bytes(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    ietf.append(url, 5, b" world", complete=True)

    assert ietf.append(url, 11, b"!", complete=False).status in REFUSED
    assert ietf.append(url, 11, b"!", complete=True).status in REFUSED


@should()
def test_r5_a_final_answer_that_was_lost_is_told_again(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    first = ietf.append(url, 5, b" world", complete=True)

    again = ietf.append(url, 11, b"", complete=True)

    problem = f"{PROBLEM}completed-upload"
    assert again.status == first.status or problem_type(again) == problem


@should()
def test_r5_an_append_to_an_unknown_upload_is_answered_with_404(ietf: Ietf) -> None:
    assert ietf.append(ietf.create() + "~", 0, b"x", complete=False).status == 404


@must()
def test_r6_more_bytes_than_the_length_are_refused(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})

    assert ietf.append(url, 5, b" world!", complete=False).status in REFUSED


@must()
def test_r6_a_chunked_body_of_more_bytes_than_the_length_is_refused(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})

    with ietf.appending(url, 5, {"Transfer-Encoding": "chunked"}, complete=True) as connection:
        connection.send_chunk(b" world!")
        connection.send_chunk(b"")
        answer = connection.answer("PATCH")

    assert answer.status in REFUSED
    assert ietf.head(url).headers.get("upload-complete", "?0") == "?0"


@must()
def test_r6_an_upload_whose_length_was_exceeded_is_of_no_more_use(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})
    with ietf.appending(url, 5, {"Transfer-Encoding": "chunked"}, complete=False) as connection:
        connection.send_chunk(b" world!")
        connection.send_chunk(b"")
        connection.answer("PATCH")

    answer = ietf.append(url, 11, b"", complete=True)

    assert answer.status in REFUSED


@must()
def test_r6_fewer_bytes_than_the_length_do_not_complete(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})

    answer = ietf.append(url, 5, b" wor", complete=True)

    assert answer.status in REFUSED
    assert ietf.head(url).headers.get("upload-complete", "?0") == "?0"


@must()
def test_r6_another_length_is_refused(ietf: Ietf) -> None:
    url = ietf.create(b"hello", {"Upload-Length": "11"})

    answer = ietf.append(url, 5, b" ", complete=False, headers={"Upload-Length": "12"})

    assert answer.status in REFUSED


@must()
def test_r6_the_offset_never_decreases(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    ietf.append(url, 2, b"x", complete=False)
    ietf.append(url, 5, b" wor", complete=False)
    ietf.append(url, 5, b" wor", complete=False)

    assert ietf.offset(url) == 9


@should()
def test_r7_a_cancellation_is_answered_with_success(ietf: Ietf) -> None:
    assert ietf.ask("DELETE", ietf.create(b"hello")).status in DONE


@should()
def test_r7_what_was_cancelled_is_gone(ietf: Ietf) -> None:
    url = ietf.create(b"hello")
    ietf.ask("DELETE", url)

    assert ietf.head(url).status in GONE
    assert ietf.append(url, 5, b"x", complete=False).status in GONE
