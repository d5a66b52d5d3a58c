"""Points C1 to C7: what clients of tus need that the specification does not tell."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.conformance.points import must, should
from tests.conformance.target import BUSY, words
from tests.conformance.tus import CONTENT_TYPE, VERSION, Tus
from tests.conformance.wire import Connection

CONTENT = b"hello world"
SOME_BYTES = 300_000
EXPOSED = {
    "location",
    "tus-resumable",
    "upload-length",
    "upload-metadata",
    "upload-offset",
}
SENT = {
    "content-type",
    "tus-resumable",
    "upload-concat",
    "upload-defer-length",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-http-method-override",
}


@should()
def test_c1_head_is_answered_while_another_request_hangs(tus: Tus) -> None:
    # tus-js-client takes any other 4xx for a reason to forget the upload.
    url = tus.create(SOME_BYTES)

    with hanging(tus, url):
        answer = tus.ask("HEAD", url)

    assert answer.status in {200, 204, *BUSY}


@should()
def test_c1_an_upload_is_resumed_while_its_older_request_hangs(tus: Tus) -> None:
    url = tus.create(SOME_BYTES)

    with hanging(tus, url):
        answer = tus.resume(url, SOME_BYTES)

    assert answer.status == 204
    assert tus.offset(url) == SOME_BYTES


@should()
def test_c1_what_two_requests_write_at_once_is_never_more_than_the_length(tus: Tus) -> None:
    url = tus.create(SOME_BYTES)

    with hanging(tus, url) as connection:
        answer = tus.patch(url, tus.offset(url), bytes(10))
        connection.send(bytes(SOME_BYTES // 2))
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.answer("PATCH")

    assert answer.status in {204, 409, *BUSY}
    assert tus.offset(url) <= SOME_BYTES


@should()
def test_c2_a_method_that_is_not_known_is_refused_with_405(tus: Tus) -> None:
    answer = tus.ask("MKCOL", tus.create(5))

    # RFC 9110, section 15.5.6 demands the list; 501 is for what no resource knows.
    assert answer.status == 501 or (answer.status == 405 and words(answer.headers["allow"]))


@should()
def test_c3_a_finished_upload_still_answers_head(tus: Tus) -> None:
    answer = tus.head(tus.filled(CONTENT))

    assert answer.status in {200, 204}
    assert answer.headers["upload-offset"] == answer.headers["upload-length"]


@should("termination")
def test_c4_what_was_removed_answers_get_with_404(tus: Tus) -> None:
    url = tus.filled(CONTENT)
    tus.ask("DELETE", url)

    assert tus.ask("GET", url).status == 404


@should()
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_c5_a_preflight_for_an_upload_is_never_refused(tus: Tus, method: str) -> None:
    assert tus.target.preflight(tus.create(5), method).status in {200, 204}


@should()
def test_c5_a_preflight_for_a_creation_is_never_refused(tus: Tus) -> None:
    assert tus.target.preflight(tus.target.url, "POST").status in {200, 204}


@should("cors")
def test_c6_a_page_may_send_the_methods(tus: Tus) -> None:
    answer = tus.target.preflight(tus.create(5), "PATCH")

    allowed = set(words(answer.headers["access-control-allow-methods"]))
    assert allowed >= {"POST", "HEAD", "PATCH", "DELETE"}


@should("cors")
def test_c6_a_page_may_send_the_headers(tus: Tus) -> None:
    answer = tus.target.preflight(tus.create(5), "PATCH")

    allowed = {word.lower() for word in words(answer.headers["access-control-allow-headers"])}
    assert allowed >= SENT


@should("cors")
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH"])
def test_c6_a_page_may_read_the_headers(tus: Tus, method: str) -> None:
    place = tus.target.url if method == "POST" else tus.create(5)
    told = {"POST": {"Upload-Length": "5"}, "PATCH": {**CONTENT_TYPE, "Upload-Offset": "0"}}
    headers = {"Origin": tus.target.origin, **told.get(method, {})}

    answer = tus.ask(method, place, headers, None if method == "HEAD" else b"")

    assert answer.status < 300
    exposed = {word.lower() for word in words(answer.headers["access-control-expose-headers"])}
    assert exposed >= EXPOSED


@should("cors")
@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PATCH", {**CONTENT_TYPE, "Upload-Offset": "3"}, 409),
        ("PATCH", {"Content-Type": "text/plain", "Upload-Offset": "0"}, 415),
        ("PATCH", {**CONTENT_TYPE, "Upload-Offset": "0", "Tus-Resumable": "0.1"}, 412),
        ("HEAD", {}, 404),
    ],
)
def test_c6_a_page_may_read_a_refusal(
    tus: Tus, method: str, headers: dict[str, str], status: int
) -> None:
    url = tus.create(5) + ("~" if status == 404 else "")
    told = {**VERSION, "Origin": tus.target.origin, **headers}

    answer = tus.target.ask(method, url, told, None if method == "HEAD" else b"")

    assert answer.status in range(400, 500)
    assert answer.headers["access-control-allow-origin"] in {"*", tus.target.origin}


@must("termination")
def test_c7_the_body_of_a_refused_request_is_never_a_request(tus: Tus) -> None:
    # RFC 9112, section 9.3: what is not read of a body ends the connection.
    url = tus.create(SOME_BYTES)
    hidden = f"DELETE {urlsplit(url).path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
    body = f"{hidden}Tus-Resumable: 1.0.0\r\nContent-Length: 0\r\n\r\n".encode()

    with tus.patching(url, 7, {"Content-Length": str(len(body))}) as connection:
        connection.send(body)
        answer = connection.answer("PATCH")
        connection.start("OPTIONS", url, {"Connection": "close"})
        with contextlib.suppress(ConnectionError):
            connection.answer("OPTIONS")

    assert answer.status == 409
    assert tus.offset(url) == 0


@contextlib.contextmanager
def hanging(tus: Tus, url: str) -> Iterator[Connection]:
    """Send half of the bytes, and hold the connection open until the end of the block."""
    told = {"Content-Length": str(SOME_BYTES), "Expect": "100-continue"}
    with tus.patching(url, 0, told) as connection:
        # Now the request is there, and not only on its way.
        assert connection.response("PATCH").status == 100
        connection.send(bytes(SOME_BYTES // 2))
        yield connection
