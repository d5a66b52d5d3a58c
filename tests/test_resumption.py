"""What is ours of the IETF's resumable uploads; its points one by one are in tests/conformance."""

import base64
import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice.errors import OffsetMismatch
from fileservice.http.body import ClientGone
from tests.client import FORM_TYPE, WAIT_SECONDS, Answer, file_part, form_body, raw_exchange
from tests.conftest import START_SECONDS, Server, serving
from tests.echo import wait_until
from tests.resumables import WEEK, Service, service_in

JSON = {"Accept": "application/json"}
TEXT = {"Accept": "text/plain"}
PROBLEM = "https://iana.org/assignments/http-problem-types#"
LIMIT = 100_000
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    """Give a private service of small files, that keeps nothing for long."""
    options = {"MAX_UPLOAD_BYTES": str(LIMIT), "RESUME_SECONDS": "1000"}
    with serving(migrated, ACCESS="private", TOKEN=TOKEN, **options) as running:
        yield running


def begin(server: Server, content: bytes = b"", **fields: str) -> Answer:
    """Ask for an upload, with its first bytes."""
    return server.ask("POST", "/files/", content, {"Upload-Complete": "?0", **fields_of(fields)})


def begun(server: Server, content: bytes = b"", **fields: str) -> str:
    """Return the path of an upload."""
    answer = begin(server, content, **fields)
    assert answer.status == 201, answer
    return answer.headers["location"]


def append(
    server: Server, path: str, offset: int, content: bytes, *, complete: bool, **fields: str
) -> Answer:
    told = {
        "Content-Type": "application/partial-upload",
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if complete else "?0",
    }
    return server.ask("PATCH", path, content, told | fields_of(fields))


def fields_of(named: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


def digest(algorithm: str, content: bytes) -> str:
    found = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{algorithm}=:{base64.b64encode(found).decode()}:"


def file_at(server: Server, path: str) -> dict[str, str]:
    """Return what the link to keep tells of a file."""
    told: dict[str, str] = server.ask("GET", path, headers=JSON).json
    return told


def test_a_file_comes_in_three_requests(server: Server) -> None:
    path = begun(server, b"hello", Content_Disposition='inline; filename="a.txt"')

    middle = append(server, path, 5, b" wor", complete=False)
    last = append(server, path, 9, b"ld", complete=True)

    assert (middle.status, middle.headers["upload-offset"]) == (204, "9")
    assert last.status == 201
    url = last.text.strip()
    assert url == last.headers["location"] == file_at(server, path)["url"]
    got = server.ask("GET", url.removeprefix(server.url))
    assert got.body == b"hello world"
    assert last.headers["repr-digest"] == got.headers["repr-digest"]


def test_a_terminal_is_told_the_link_to_keep_alone(server: Server) -> None:
    answer = begin(server)

    assert answer.text == f"{server.url}{answer.headers['location']}\n"


def test_a_program_is_told_what_is_known_of_the_upload(server: Server) -> None:
    answer = begin(server, b"hello", **JSON)

    assert answer.json["manage_url"] == f"{server.url}{answer.headers['location']}"
    assert (answer.json["state"], answer.json["offset"]) == ("open", 5)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('inline; filename="a b.txt"', "a b.txt"),
        ("inline; filename=\"_.txt\"; filename*=UTF-8''%c3%a4.txt", "\u00e4.txt"),
        ("attachment; filename*=utf-8'en'%e4%ba%ba", "\u4eba"),
        ("inline; filename=plain.txt; filename*=ISO-8859-1''%e4", "plain.txt"),
        ("inline", "unnamed"),
    ],
)
def test_content_disposition_tells_the_name(server: Server, disposition: str, name: str) -> None:
    path = begun(server, Content_Disposition=disposition)

    assert file_at(server, path)["name"] == name


@pytest.mark.parametrize(
    ("disposition", "code"),
    [
        ('inline; filename="../x"', "bad_name"),
        ('inline; filename="a"; filename="b"', "bad_request"),
        ('inline; filename="a', "bad_request"),
        ("; filename=a", "bad_request"),
    ],
)
def test_a_name_that_lies_begins_nothing(server: Server, disposition: str, code: str) -> None:
    refused = begin(server, Content_Disposition=disposition)

    assert (refused.status, refused.json["code"]) == (400, code)


def test_a_put_begins_an_upload_under_the_name_of_its_path(server: Server) -> None:
    answer = server.ask("PUT", "/files/na%C3%AFve.txt", b"he", {"Upload-Complete": "?0"})

    assert answer.status == 201
    assert file_at(server, answer.headers["location"])["name"] == "na\u00efve.txt"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_comes_whole_is_answered_as_ever_and_as_complete(server: Server, method: str) -> None:
    answer = server.ask(method, "/files/", b"hello", {"Upload-Complete": "?1", **JSON})

    [file] = answer.json["files"]
    assert answer.status == 201
    assert answer.headers["location"] == file["url"]
    assert answer.headers["upload-complete"] == "?1"
    assert answer.headers["upload-offset"] == "5"
    assert answer.headers["repr-digest"] == digest("sha-256", b"hello")


def test_a_page_that_sends_is_not_sent_away(server: Server) -> None:
    page = {"Accept": "text/html"}
    path = begun(server, b"hello")

    last = append(server, path, 5, b"", complete=True, **page)
    again = server.ask("PUT", path, b"hello", page)

    assert (last.status, last.headers["upload-complete"]) == (201, "?1")
    assert (again.status, again.text) == (200, last.text)


def test_what_comes_whole_in_chunks_must_have_the_length_told(server: Server) -> None:
    before = server.stored()
    head = (
        b"POST /files/ HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\nUpload-Complete: ?1\r\n"
        b"Upload-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    received = raw_exchange(
        server.address,
        head % (server.host.encode(), server.port) + b"5\r\nhello\r\n0\r\n\r\n",
    )

    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"#inconsistent-upload-length" in received
    assert server.stored() == before


def test_a_form_is_a_form_also_where_it_is_said_to_be_complete(server: Server) -> None:
    body = form_body(file_part(b"a.txt", b"hello"))

    whole = server.ask("POST", "/files/", body, FORM_TYPE | {"Upload-Complete": "?1", **JSON})
    part = server.ask("POST", "/files/", body, FORM_TYPE | {"Upload-Complete": "?0"})

    assert whole.json["files"][0]["name"] == "a.txt"
    assert (part.status, part.json["code"]) == (415, "unsupported_type")


def test_a_field_that_is_no_boolean_is_ignored(server: Server) -> None:
    answer = server.ask("PUT", "/files/a", b"hello", {"Upload-Complete": "yes"})

    assert answer.status == 201
    assert "upload-complete" not in answer.headers


def test_an_upload_with_all_its_bytes_waits_for_who_says_so(server: Server) -> None:
    path = begun(server, b"hello", Upload_Length="5")

    head = server.ask("HEAD", path)
    completed = append(server, path, 5, b"", complete=True)

    assert (head.headers["upload-offset"], head.headers["upload-complete"]) == ("5", "?0")
    assert completed.status == 201
    assert server.ask("HEAD", path).headers["upload-complete"] == "?1"


def test_the_last_answer_is_told_again_and_nothing_is_added(server: Server) -> None:
    path = begun(server, b"hello")
    first = append(server, path, 5, b"", complete=True)

    again = append(server, path, 5, b"", complete=True)
    more = append(server, path, 5, b"!", complete=True)
    open_end = append(server, path, 5, b"", complete=False)

    assert (again.status, again.body) == (201, first.body)
    assert again.headers["upload-complete"] == "?1"
    assert (more.status, more.json["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
    assert (open_end.status, open_end.json["type"]) == (400, f"{PROBLEM}completed-upload")


def test_a_file_that_came_whole_takes_no_more(server: Server) -> None:
    file = server.ask("PUT", "/files/a", b"hello", JSON).json["files"][0]
    path = file["manage_url"].removeprefix(server.url)

    assert server.ask("HEAD", path).headers["upload-complete"] == "?1"
    assert append(server, path, 0, b"hello", complete=True).status == 409
    assert append(server, path, 5, b"", complete=True).text.strip() == file["url"]


def test_an_upload_whose_length_is_exceeded_is_gone(server: Server) -> None:
    before = server.stored()
    path = begun(server, b"hello", Upload_Length="6")

    refused = append(server, path, 5, b" world", complete=False)

    assert (refused.status, refused.json["type"]) == (400, f"{PROBLEM}inconsistent-upload-length")
    assert server.ask("HEAD", path).status == 410
    assert append(server, path, 5, b"!", complete=True).status == 410
    assert server.stored() == before


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_content_is_appended_only_with_its_digest(server: Server, algorithm: str) -> None:
    path = begun(server)

    wrong = append(
        server, path, 0, b"hello", complete=True, Content_Digest=digest(algorithm, b"hellO")
    )
    right = append(
        server, path, 0, b"hello", complete=True, Content_Digest=digest(algorithm, b"hello")
    )

    assert (wrong.status, wrong.json["code"]) == (400, "digest_mismatch")
    assert wrong.headers["upload-complete"] == "?0"
    assert right.status == 201


def test_a_whole_with_another_digest_than_told_fails_when_it_is_complete(server: Server) -> None:
    path = begun(server, b"hello", Repr_Digest=digest("sha-256", b"other"))

    refused = append(server, path, 5, b"", complete=True)

    assert (refused.status, refused.json["code"]) == (400, "digest_mismatch")
    assert refused.headers["upload-complete"] == "?1"
    assert server.ask("HEAD", path).status == 410


@pytest.mark.parametrize(
    "fields",
    [
        {"Upload-Complete": "?0", "Content-Digest": digest("sha-256", b"other")},
        {"Upload-Complete": "?0", "Upload-Length": "3"},
    ],
    ids=["digest", "length"],
)
def test_a_beginning_that_is_refused_leaves_nothing(
    private: Server, fields: dict[str, str]
) -> None:
    refused = private.ask("POST", "/files/", b"hello", fields | bearer())

    assert refused.status == 400
    assert "location" not in refused.headers
    assert private.stored() == []


def test_a_beginning_that_breaks_off_leaves_nothing(private: Server) -> None:
    head = (
        f"POST /files/ HTTP/1.1\r\nHost: {private.host}:{private.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nUpload-Complete: ?0\r\nContent-Length: 9\r\n\r\nhello"
    )
    with private.client() as client:
        client.connection.connect()
        assert client.connection.sock
        client.connection.sock.sendall(head.encode())
        eventually(lambda: private.stored() != [])

    eventually(lambda: private.stored() == [])


def eventually(fact: Callable[[], bool]) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + START_SECONDS
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


def test_a_private_service_asks_who_begins_and_appends_and_not_who_looks(private: Server) -> None:
    path = begun(private, b"hello", **bearer())

    assert begin(private).status == 401
    assert append(private, path, 5, b"", complete=True).status == 401
    assert private.ask("HEAD", path).headers["upload-offset"] == "5"
    assert append(private, path, 5, b"", complete=True, **bearer()).status == 201


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Content-Encoding": "gzip"}, 415)],
    ids=["another site", "compressed"],
)
def test_what_no_door_takes_these_take_neither(
    server: Server, fields: dict[str, str], status: int
) -> None:
    path = begun(server, b"hello")

    assert begin(server, b"hello", **fields).status == status
    assert append(server, path, 5, b"", complete=True, **fields).status == status
    assert server.ask("PUT", path, b"hello", fields).status == status
    assert server.ask("HEAD", path).headers["upload-offset"] == "5"


def test_too_much_is_refused_with_the_limits(private: Server) -> None:
    refused = begin(private, b"", Upload_Length=str(LIMIT + 1), **bearer())

    assert refused.status == 413
    assert refused.headers["upload-limit"] == f"max-size={LIMIT}"


@pytest.mark.parametrize("path", ["/files/", "/files/a.txt", "/uploads/any"])
def test_options_tell_the_limits_and_the_types(private: Server, path: str) -> None:
    answer = private.ask("OPTIONS", path)

    assert answer.headers["upload-limit"] == f"max-size={LIMIT}, max-age=1000"
    assert answer.headers["accept-patch"] == (
        "application/partial-upload, application/offset+octet-stream"
    )


@pytest.mark.parametrize(("version", "echoed"), [("8", "8"), ("6", "6"), ("3", None), ("x", None)])
def test_the_version_is_named_where_it_is_spoken(
    server: Server, version: str, echoed: str | None
) -> None:
    answer = begin(server, Upload_Draft_Interop_Version=version)

    assert answer.headers.get("upload-draft-interop-version") == echoed


def test_a_refusal_is_a_problem_or_a_line_for_who_asks_for_text(server: Server) -> None:
    path = begun(server, b"hello")

    problem = append(server, path, 4, b"", complete=False)
    line = append(server, path, 4, b"", complete=False, **TEXT)

    assert problem.headers["content-type"] == "application/problem+json"
    assert (problem.json["expected-offset"], problem.json["provided-offset"]) == (5, 4)
    assert line.text == "Other bytes come next: The next byte is number 5, not 4.\n"
    assert line.headers["upload-offset"] == "5"


def test_an_append_without_its_type_is_refused(server: Server) -> None:
    path = begun(server)
    fields = {"Upload-Offset": "0", "Upload-Complete": "?0"}

    refused = server.ask("PATCH", path, b"x", fields | {"Content-Type": "text/plain"})

    assert refused.status == 415
    assert refused.headers["accept-patch"] == "application/partial-upload"


def test_what_one_protocol_began_the_other_goes_on_with(server: Server) -> None:
    tus = {"Tus-Resumable": "1.0.0"}
    theirs = server.ask("POST", "/files/", None, tus | {"Upload-Length": "11"}).headers["location"]
    ours = begun(server, b"hello", Upload_Length="11")

    first = append(server, theirs, 0, b"hello world", complete=True)
    bytes_of_tus = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "5"}
    second = server.ask("PATCH", ours, b" world", tus | bytes_of_tus)

    assert (first.status, second.status) == (201, 204)
    assert file_at(server, ours)["sha256"] == file_at(server, theirs)["sha256"]


def test_a_part_of_a_concatenation_is_left_to_tus(server: Server) -> None:
    fields = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Concat": "partial"}
    path = server.ask("POST", "/files/", None, fields).headers["location"]

    assert append(server, path, 0, b"hello", complete=True).status == 403


def half(server: Server, version: str, complete: str) -> bytes:
    """Return a request with half of its body."""
    head = (
        f"PUT /files/half{complete[1]} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        f"Upload-Complete: {complete}\r\nUpload-Draft-Interop-Version: {version}\r\n"
        "Content-Length: 10\r\n\r\n"
    )
    return head.encode() + b"hello"


@pytest.mark.parametrize("complete", ["?0", "?1"])
def test_who_is_told_the_link_before_it_sends_can_go_on(server: Server, complete: str) -> None:
    with socket.create_connection(server.address, WAIT_SECONDS) as wire:
        wire.sendall(half(server, "8", complete))
        interim = wire.recv(4096).decode()
    wait_until(lambda: f'"PUT /files/half{complete[1]}" gone' in server.log.read_text())

    line, *fields = interim.removesuffix("\r\n\r\n").split("\r\n")
    told = dict(field.split(": ") for field in fields)
    assert line == "HTTP/1.1 104 Upload Resumption Supported"
    assert told["Upload-Draft-Interop-Version"] == "8"
    assert told["Upload-Limit"].startswith("max-size=")
    assert server.ask("HEAD", told["Location"]).headers["upload-offset"] == "5"
    rest = append(server, told["Location"], 5, b"world", complete=True)
    assert rest.status == 201
    link = rest.headers["location"].removeprefix(server.url)
    assert server.ask("GET", link).body == b"helloworld"


@pytest.mark.parametrize("version", ["6", "7", "9", ""])
def test_who_speaks_another_version_gets_no_interim_answer(server: Server, version: str) -> None:
    with socket.create_connection(server.address, WAIT_SECONDS) as wire:
        wire.sendall(half(server, version, "?1") + b"world")

        assert wire.recv(4096).startswith(b"HTTP/1.1 201 ")


def test_one_that_comes_whole_after_an_interim_answer_is_a_file(server: Server) -> None:
    request = (
        f"PUT /files/whole.txt HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\nAccept: text/plain\r\n"
        "Content-Length: 5\r\nConnection: close\r\n\r\nhello"
    )

    interim, _, final = raw_exchange(server.address, request.encode()).partition(b"\r\n\r\n")

    assert interim.startswith(b"HTTP/1.1 104 ")
    assert final.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"upload-complete: ?1\r\n" in final
    link = final.rpartition(b"\r\n\r\n")[2].decode().strip()
    assert server.ask("GET", link.removeprefix(server.url)).body == b"hello"


@pytest.mark.parametrize(
    "field", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "Via: 1.1 a.example"]
)
def test_no_interim_answer_goes_through_a_proxy(server: Server, field: str) -> None:
    request = (
        f"PUT /files/whole.txt HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n{field}\r\n"
        "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\n"
        "Content-Length: 5\r\nConnection: close\r\n\r\nhello"
    )

    assert raw_exchange(server.address, request.encode()).startswith(b"HTTP/1.1 201 ")


def test_an_old_client_gets_no_interim_answer(server: Server) -> None:
    request = (
        f"PUT /files/whole.txt HTTP/1.0\r\nHost: {server.host}:{server.port}\r\n"
        "Upload-Complete: ?1\r\nUpload-Draft-Interop-Version: 8\r\n"
        "Content-Length: 5\r\n\r\nhello"
    )

    assert b" 104 " not in raw_exchange(server.address, request.encode())


@pytest.fixture
def service(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Service]:
    with service_in(tmp_path, migrated, django_db_blocker) as made:
        yield made


async def test_what_waits_for_a_word_is_made_no_file_by_who_starts_next(service: Service) -> None:
    async with service.worker() as first:
        upload = await first.start(5, kind="told")
        await first.append(upload, b"hello", goes_on=True)

    async with service.worker() as second:
        left = second.resumables.left(datetime.now(UTC) + WEEK)
        asked = await second.settle(upload)
        done = await second.append(upload, is_last=True)

        assert left == []
        assert (asked.state, asked.offset) == ("open", 5)
        assert (done.state, second.content(upload)) == ("finished", b"hello")


async def test_an_end_that_does_not_come_completes_nothing(service: Service) -> None:
    async with service.worker() as worker:
        upload = await worker.start(5, kind="told")

        with pytest.raises(ClientGone):
            await worker.append(upload, b"hello", is_last=True, error=ClientGone())

        assert (await worker.settle(upload)).state == "open"
        assert (await worker.append(upload, is_last=True)).state == "finished"


async def test_what_lies_in_its_place_already_is_told_to_be_complete(service: Service) -> None:
    async with service.worker() as worker:
        upload = await worker.start(5, kind="told")
        await worker.append(upload, b"hel", goes_on=True)
        # Killed after the bytes had their place, before the row was committed.
        async with worker.storage.reopen(upload.id, 3) as draft:
            await draft.write(b"lo")
            await draft.finish()

        with pytest.raises(OffsetMismatch):
            await worker.append(upload, b"lo", is_last=True)

        assert worker.now(upload).state == "finished"
        assert worker.file(upload).sha256 == hashlib.sha256(b"hello").hexdigest()
