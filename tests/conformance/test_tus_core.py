"""Points T1 to T3 and T7: versions, numbers, HEAD and OPTIONS of tus 1.0.0."""

import pytest

from tests.conformance.points import must, should
from tests.conformance.target import NUMBER, words
from tests.conformance.tus import CONTENT_TYPE, NAMED, NAMELESS, VERSION, Tus

CONTENT = b"hello world"
REFUSED = range(400, 500)
GONE = {403, 404, 410}
NOT_NUMBERS = [
    pytest.param("", id="empty"),
    pytest.param("+5", id="plus"),
    pytest.param("-1", id="minus"),
    pytest.param("1_0", id="underscore"),
    pytest.param("0x5", id="hexadecimal"),
    pytest.param("5.0", id="fraction"),
    pytest.param("1e1", id="exponent"),
    pytest.param("five", id="word"),
    pytest.param("\u0665", id="other digits"),
    pytest.param("5, 6", id="two"),
    pytest.param(str(2**63), id="past 63 bits"),
    pytest.param("9" * 400, id="400 digits"),
]


@must()
def test_t1_the_answer_to_a_creation_names_the_version(tus: Tus) -> None:
    answer = tus.post({"Upload-Length": "5"})

    assert answer.headers["tus-resumable"] == "1.0.0"


@must()
def test_t1_the_answer_to_head_names_the_version(tus: Tus) -> None:
    assert tus.head(tus.create(5)).headers["tus-resumable"] == "1.0.0"


@must()
def test_t1_the_answer_to_patch_names_the_version(tus: Tus) -> None:
    assert tus.patch(tus.create(5), 0, b"hello").headers["tus-resumable"] == "1.0.0"


@must()
@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
def test_t1_the_answer_for_an_unknown_upload_names_the_version(tus: Tus, method: str) -> None:
    told = {**CONTENT_TYPE, "Upload-Offset": "0"} if method == "PATCH" else {}
    answer = tus.ask(method, tus.unknown(), told, b"" if told else None)

    assert answer.status in GONE
    assert answer.headers["tus-resumable"] == "1.0.0"


@must()
def test_t1_a_refusal_names_the_version(tus: Tus) -> None:
    answer = tus.patch(tus.create(5), 3, b"lo")

    assert answer.status == 409
    assert answer.headers["tus-resumable"] == "1.0.0"


@must()
def test_t1_a_creation_of_another_version_is_refused_with_412(tus: Tus) -> None:
    answer = tus.post({"Upload-Length": "5", "Tus-Resumable": "0.2.2"})

    assert answer.status == 412
    assert "1.0.0" in words(answer.headers["tus-version"])


@must()
def test_t1_a_patch_of_another_version_is_refused_with_412(tus: Tus) -> None:
    url = tus.create(5)

    answer = tus.patch(url, 0, b"hello", {"Tus-Resumable": "2.0.0"})

    assert answer.status == 412
    assert "1.0.0" in words(answer.headers["tus-version"])


@must()
def test_t1_a_patch_of_another_version_changes_nothing(tus: Tus) -> None:
    url = tus.create(5)

    tus.patch(url, 0, b"hello", {"Tus-Resumable": "2.0.0"})

    assert tus.offset(url) == 0


@must()
def test_t1_a_patch_without_a_version_changes_nothing(tus: Tus) -> None:
    url = tus.create(5)

    answer = tus.target.ask("PATCH", url, {**CONTENT_TYPE, "Upload-Offset": "0"}, b"hello")

    assert answer.status in REFUSED
    assert tus.offset(url) == 0


@should()
def test_t1_a_patch_without_a_version_is_refused_with_412(tus: Tus) -> None:
    answer = tus.target.ask("PATCH", tus.create(5), {**CONTENT_TYPE, "Upload-Offset": "0"}, b"hi")

    assert answer.status == 412


@must()
def test_t1_options_do_not_look_at_the_version(tus: Tus) -> None:
    answer = tus.ask("OPTIONS", tus.target.url, {"Tus-Resumable": "0.0.1"})

    assert answer.status in {200, 204}
    assert "1.0.0" in words(answer.headers["tus-version"])


@must()
@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_t2_a_length_that_is_no_number_is_refused(tus: Tus, value: str) -> None:
    assert tus.post({"Upload-Length": value}).status in REFUSED


@must()
@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_t2_an_offset_that_is_no_number_is_refused(tus: Tus, value: str) -> None:
    url = tus.create(20)
    assert tus.patch(url, 0, b"hello").status == 204

    answer = tus.patch(url, 5, b"world", {"Upload-Offset": value})

    assert answer.status in REFUSED
    assert tus.offset(url) == 5


@must()
def test_t2_an_offset_is_written_in_digits_only(tus: Tus) -> None:
    url = tus.create(20)
    answers = [tus.head(url), tus.patch(url, 0, b"hello"), tus.head(url)]

    assert all(NUMBER.fullmatch(answer.headers["upload-offset"]) for answer in answers)


@must()
def test_t3_head_of_a_new_upload_tells_the_offset_0(tus: Tus) -> None:
    assert tus.head(tus.create(5)).headers["upload-offset"] == "0"


@must()
def test_t3_head_of_a_part_tells_its_offset(tus: Tus) -> None:
    url = tus.create(11)
    tus.patch(url, 0, b"hello")

    assert tus.head(url).headers["upload-offset"] == "5"


@must()
def test_t3_head_of_a_finished_upload_tells_its_offset(tus: Tus) -> None:
    assert tus.head(tus.filled(CONTENT)).headers["upload-offset"] == "11"


@must()
def test_t3_head_tells_the_length(tus: Tus) -> None:
    answer = tus.head(tus.create(11))

    assert answer.headers["upload-length"] == "11"
    assert "upload-defer-length" not in answer.headers


@must()
def test_t3_head_of_a_finished_upload_tells_the_length(tus: Tus) -> None:
    assert tus.head(tus.filled(CONTENT)).headers["upload-length"] == "11"


@must("creation-defer-length")
def test_t3_head_tells_that_the_length_is_deferred(tus: Tus) -> None:
    answer = tus.head(tus.create(None))

    assert answer.headers["upload-defer-length"] == "1"
    assert "upload-length" not in answer.headers


@must()
@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="as clients send it"),
        pytest.param(",b eA==,a eQ==", id="not sorted"),
        pytest.param(",caption 0YTQsNC50LsudHh0", id="UTF-8"),
        pytest.param(",is_confidential", id="no value"),
        pytest.param(",is_confidential ,a eQ==", id="an empty value"),
    ],
)
def test_t3_head_tells_the_metadata_as_it_came(tus: Tus, more: str) -> None:
    value = NAMED["Upload-Metadata"] + more
    url = tus.create(5, {"Upload-Metadata": value})

    assert tus.head(url).headers["upload-metadata"] == value


@must()
def test_t3_head_of_an_upload_without_metadata_tells_none(tus: Tus) -> None:
    assert tus.head(tus.create(5, NAMELESS)).headers.get("upload-metadata", "") == ""


@must()
def test_t3_head_is_kept_by_no_cache(tus: Tus) -> None:
    assert "no-store" in words(tus.head(tus.create(5)).headers["cache-control"])


@must()
def test_t3_head_is_answered_with_200_or_204(tus: Tus) -> None:
    assert tus.head(tus.create(5)).status in {200, 204}


@must()
def test_t3_the_answer_to_head_has_no_body(tus: Tus) -> None:
    url = tus.create(5)

    with tus.target.sending("HEAD", url, VERSION) as connection:
        first = connection.answer("HEAD")
        connection.start("HEAD", url, {**tus.target.headers, **VERSION, "Connection": "close"})
        second = connection.answer("HEAD")
        rest = connection.stream.read()

    assert second.status == first.status
    assert rest == b""


@should()
def test_t3_head_of_an_unknown_upload_is_answered_with_404_410_or_403(tus: Tus) -> None:
    assert tus.head(tus.unknown()).status in GONE


@must()
def test_t3_head_of_an_unknown_upload_tells_no_offset(tus: Tus) -> None:
    assert "upload-offset" not in tus.head(tus.unknown()).headers


@must()
def test_t7_options_are_answered_with_200_or_204_and_the_versions(tus: Tus) -> None:
    answer = tus.target.ask("OPTIONS", tus.target.url)

    assert answer.status in {200, 204}
    assert "1.0.0" in words(answer.headers["tus-version"])


@must()
def test_t7_the_list_of_extensions_is_not_empty(tus: Tus) -> None:
    told = tus.target.options.get("tus-extension")

    assert told is None or words(told)


@must("max-size")
def test_t7_the_maximum_is_written_in_digits(tus: Tus) -> None:
    assert NUMBER.fullmatch(tus.target.options["tus-max-size"])


@must("checksum")
def test_t7_the_algorithms_of_checksums_are_named(tus: Tus) -> None:
    assert words(tus.target.options["tus-checksum-algorithm"])
