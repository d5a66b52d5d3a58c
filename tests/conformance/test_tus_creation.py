"""Points T8 to T11: how uploads of tus 1.0.0 are created."""

from urllib.parse import urljoin

import pytest

from tests.conformance.points import must, should
from tests.conformance.target import offset_of, words
from tests.conformance.tus import CONTENT_TYPE, VERSION, Tus, metadata

CONTENT = b"hello world"
REFUSED = range(400, 500)
SMUGGLED = b'a"\r\nX-Smuggled: yes\r\n\r\n.txt'


@must()
def test_t8_a_creation_is_answered_with_201_and_the_place(tus: Tus) -> None:
    answer = tus.post({"Upload-Length": "5"})

    assert answer.status == 201
    assert answer.headers["location"]


@must()
def test_t8_the_place_is_that_of_the_upload(tus: Tus) -> None:
    answer = tus.post({"Upload-Length": "5"})

    assert tus.offset(urljoin(tus.target.url, answer.headers["location"])) == 0


@must()
def test_t8_each_upload_has_a_place_of_its_own(tus: Tus) -> None:
    assert len({tus.create(5) for _ in range(3)}) == 3


@must()
def test_t8_a_creation_without_a_length_is_refused_with_400(tus: Tus) -> None:
    assert tus.post({}).status == 400


@must("creation-defer-length")
def test_t8_a_length_that_is_told_and_deferred_is_refused_with_400(tus: Tus) -> None:
    assert tus.post({"Upload-Length": "5", "Upload-Defer-Length": "1"}).status == 400


@should("creation-defer-length")
@pytest.mark.parametrize("value", ["0", "2", "true", "?1", ""])
def test_t8_a_length_is_deferred_by_1_only(tus: Tus, value: str) -> None:
    assert tus.post({"Upload-Defer-Length": value}).status == 400


@must("max-size")
def test_t8_a_length_above_the_maximum_is_refused_with_413(tus: Tus) -> None:
    assert tus.post({"Upload-Length": str(tus.max_size + 1)}).status == 413


@must()
def test_t8_an_upload_of_length_0_is_finished_at_once(tus: Tus) -> None:
    answer = tus.head(tus.create(0))

    assert (answer.headers["upload-offset"], answer.headers["upload-length"]) == ("0", "0")


@should()
def test_t9_a_key_may_have_no_value(tus: Tus) -> None:
    assert (
        tus.post({"Upload-Length": "5", "Upload-Metadata": "filename eC50eHQ=,a,b eA==,c "}).status
        == 201
    )


@must()
def test_t9_a_value_may_be_any_bytes(tus: Tus) -> None:
    told = metadata(note=bytes(range(256)))

    url = tus.create(5, told)

    assert tus.head(url).headers["upload-metadata"] == told["Upload-Metadata"]


@should()
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a eA==,a eQ==", id="a key twice"),
        pytest.param("a eA==,,b eQ==", id="an empty pair"),
        pytest.param("a eA==,", id="a comma at the end"),
        pytest.param("a e!A==", id="not base64"),
        pytest.param("a eA", id="without padding"),
        pytest.param("a eA== eQ==", id="two values"),
        pytest.param("a=eA==; b", id="two keys"),
    ],
)
def test_t9_malformed_metadata_is_refused_with_400(tus: Tus, value: str) -> None:
    assert tus.post({"Upload-Length": "5", "Upload-Metadata": value}).status == 400


@must()
@pytest.mark.parametrize("key", ["filename", "name", "filetype", "type"])
def test_t9_a_value_never_becomes_a_header(tus: Tus, key: str) -> None:
    answer = tus.post({"Upload-Length": "11", **metadata(**{key: SMUGGLED})})
    if answer.status != 201:
        assert answer.status in REFUSED
        return
    url = urljoin(tus.target.url, answer.headers["location"])
    tus.patch(url, 0, CONTENT)

    answers = [answer, tus.head(url), tus.ask("GET", url)]

    assert not any("x-smuggled" in found.headers for found in answers)


@must("creation-defer-length")
def test_t10_bytes_are_taken_before_the_length_is_known(tus: Tus) -> None:
    url = tus.create(None)

    assert offset_of(tus.patch(url, 0, b"hello")) == 5
    assert tus.head(url).headers["upload-defer-length"] == "1"


@must("creation-defer-length")
def test_t10_a_later_patch_tells_the_length(tus: Tus) -> None:
    url = tus.create(None)
    tus.patch(url, 0, b"hello")

    assert tus.patch(url, 5, b" wor", {"Upload-Length": "11"}).status == 204
    answer = tus.head(url)
    assert answer.headers["upload-length"] == "11"
    assert "upload-defer-length" not in answer.headers


@must("creation-defer-length")
def test_t10_the_last_patch_tells_the_length(tus: Tus) -> None:
    url = tus.create(None)
    tus.patch(url, 0, CONTENT)

    assert tus.patch(url, 11, b"", {"Upload-Length": "11"}).status == 204
    assert tus.head(url).headers["upload-length"] == "11"


@must("creation-defer-length")
def test_t10_the_length_is_not_changed(tus: Tus) -> None:
    url = tus.create(None)
    tus.patch(url, 0, b"hello", {"Upload-Length": "11"})

    tus.patch(url, 5, b"", {"Upload-Length": "12"})

    assert tus.head(url).headers["upload-length"] == "11"


@should("creation-defer-length")
def test_t10_another_length_is_refused(tus: Tus) -> None:
    url = tus.create(None)
    tus.patch(url, 0, b"hello", {"Upload-Length": "11"})

    assert tus.patch(url, 5, b"", {"Upload-Length": "12"}).status in {400, 409}


@should("creation-defer-length")
def test_t10_a_length_below_the_offset_is_refused(tus: Tus) -> None:
    url = tus.create(None)
    tus.patch(url, 0, CONTENT)

    assert tus.patch(url, 11, b"", {"Upload-Length": "5"}).status in REFUSED


@must("creation-defer-length", "max-size")
def test_t10_a_length_above_the_maximum_is_refused_with_413(tus: Tus) -> None:
    url = tus.create(None)

    assert tus.patch(url, 0, b"", {"Upload-Length": str(tus.max_size + 1)}).status == 413


@must()
def test_t11_creation_with_upload_is_announced_with_creation_only(tus: Tus) -> None:
    told = words(tus.target.options.get("tus-extension", ""))

    assert "creation-with-upload" not in told or "creation" in told


@must("creation-with-upload")
def test_t11_a_creation_takes_the_whole_file(tus: Tus) -> None:
    answer = tus.post({**CONTENT_TYPE, "Upload-Length": "11"}, CONTENT)

    assert answer.headers["upload-offset"] == "11"
    assert tus.offset(tus.created(answer)) == 11


@must("creation-with-upload")
def test_t11_a_creation_takes_the_first_bytes(tus: Tus) -> None:
    answer = tus.post({**CONTENT_TYPE, "Upload-Length": "11"}, b"hello")

    assert answer.headers["upload-offset"] == "5"
    assert offset_of(tus.patch(tus.created(answer), 5, b" world")) == 11


@must("creation-with-upload", "creation-defer-length")
def test_t11_a_creation_of_deferred_length_takes_bytes(tus: Tus) -> None:
    answer = tus.post({**CONTENT_TYPE, "Upload-Defer-Length": "1"}, b"hello")

    assert answer.headers["upload-offset"] == "5"
    assert tus.head(tus.created(answer)).headers["upload-defer-length"] == "1"


@should("creation-with-upload")
def test_t11_a_body_of_another_type_is_not_taken(tus: Tus) -> None:
    told = {"Upload-Length": "11", "Content-Type": "text/plain"}

    answer = tus.post(told, b"hello")

    assert answer.status in REFUSED or tus.offset(tus.created(answer)) == 0


@must("creation-with-upload")
def test_t11_a_body_larger_than_the_length_never_grows_past_it(tus: Tus) -> None:
    answer = tus.post({**CONTENT_TYPE, "Upload-Length": "5"}, CONTENT)

    assert answer.status in REFUSED
    if "location" in answer.headers:
        assert tus.offset(urljoin(tus.target.url, answer.headers["location"])) <= 5


@must("creation-with-upload")
def test_t11_who_waits_for_100_is_not_kept_waiting(tus: Tus) -> None:
    told = {**VERSION, **CONTENT_TYPE, "Upload-Length": "5", "Content-Length": "5"}

    with tus.target.sending("POST", tus.target.url, {**told, "Expect": "100-continue"}) as waiting:
        first = waiting.response("POST")
        waiting.send(b"hello")
        answer = waiting.answer("POST")
    tus.target.located(answer)

    assert first.status == 100
    assert (answer.status, answer.headers["upload-offset"]) == (201, "5")


@should("creation-with-upload", "max-size")
def test_t11_who_waits_for_100_is_refused_before_the_body(tus: Tus) -> None:
    told = {**VERSION, **CONTENT_TYPE, "Upload-Length": str(tus.max_size + 1)}
    told |= {"Content-Length": "5", "Expect": "100-continue"}

    with tus.target.sending("POST", tus.target.url, told) as waiting:
        first = waiting.response("POST")

    assert first.status == 413
