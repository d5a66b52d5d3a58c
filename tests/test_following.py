"""Files that are read while they are uploaded."""

import asyncio
import base64
import http.client
import re
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from fileservice.appending import Append
from fileservice.errors import DigestMismatch
from fileservice.following import Followed, Gone, may_come
from fileservice.resumables import Resumable
from tests.client import WAIT_SECONDS, Answer
from tests.conftest import START_SECONDS, Server, serving
from tests.resumables import ROOMY, Worker, ignored, new, service_in

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
CONTENT = bytes(range(251)) * 12_000
FIRST, SIZE = CONTENT[:1_000_000], len(CONTENT)


@pytest.fixture(scope="module")
def pair(migrated: Path) -> Iterator[Server]:
    """Give a service whose readers and writers meet any of two workers."""
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        yield running


@pytest.fixture(scope="module")
def hasty(migrated: Path) -> Iterator[Server]:
    """Give a service that does not wait long for what does not come."""
    with serving(migrated, ACCESS="open", BODY_WAIT_SECONDS="2") as running:
        yield running


@dataclass(frozen=True, slots=True)
class Sending:
    """
    An upload by tus.

    Attributes:
        key: path of the link to keep.
        file: path of the link to give away.
    """

    server: Server
    key: str
    file: str

    def append(self, offset: int, content: bytes) -> None:
        fields = TUS | BYTES | {"Upload-Offset": str(offset)}
        answer = self.server.ask("PATCH", self.key, content, fields)
        assert answer.status == 204, answer.text

    def delete(self) -> None:
        assert self.server.ask("DELETE", self.key, headers=TUS).status == 204

    def ask(self, method: str = "GET", **fields: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return self.server.ask(method, self.file, headers=named)


def send(server: Server, name: str = "a.bin", **fields: str) -> Sending:
    """Begin an upload, of `CONTENT` unless `fields` say otherwise."""
    encoded = base64.b64encode(name.encode()).decode()
    length = {} if "Upload_Defer_Length" in fields else {"Upload-Length": str(SIZE)}
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    fields_sent = TUS | {"Upload-Metadata": f"filename {encoded}"} | length | named
    key = server.ask("POST", "/files/", None, fields_sent).headers["location"]
    return Sending(server, key, f"/files/{told(server, key)['id']}")


def told(server: Server, key: str) -> Any:
    return server.ask("GET", key, headers={"Accept": "application/json"}).json


class Reading:
    """A download in a thread, which can be watched."""

    def __init__(self, sending: Sending, **fields: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_cut = False
        self._sending = sending
        self._fields = fields
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        server = self._sending.server
        connection = http.client.HTTPConnection(server.host, server.port, timeout=WAIT_SECONDS)
        with closing(connection):
            connection.request("GET", self._sending.file, headers=self._fields)
            response = connection.getresponse()
            with self._moved:
                self.headers = {name.lower(): value for name, value in response.getheaders()}
                self.status = response.status
                self._moved.notify_all()
            while block := response.read1(1 << 16):
                with self._moved:
                    self.body += block
                    self._moved.notify_all()
            self.is_cut = response.length != 0

    def wait_for_head(self) -> None:
        """Return when it is decided what is answered."""
        with self._moved:
            assert self._moved.wait_for(lambda: self.status, WAIT_SECONDS)

    def wait_for(self, size: int) -> None:
        """Return when so many bytes are here."""
        with self._moved:
            assert self._moved.wait_for(lambda: len(self.body) >= size, WAIT_SECONDS)

    def end(self) -> None:
        """Return when the answer is over."""
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()


def test_a_reader_before_the_first_byte_gets_the_file(pair: Server) -> None:
    sending = send(pair)

    reading = Reading(sending)
    sending.append(0, FIRST)
    reading.wait_for(len(FIRST))
    sending.append(len(FIRST), CONTENT[len(FIRST) :])
    reading.end()

    assert (reading.status, reading.is_cut) == (200, False)
    assert reading.headers["content-length"] == str(SIZE)
    assert reading.body == CONTENT


def test_readers_in_the_middle_get_the_file(pair: Server) -> None:
    sending = send(pair)
    sending.append(0, FIRST)

    readings = [Reading(sending) for _ in range(8)]
    for reading in readings:
        reading.wait_for(len(FIRST))
    sending.append(len(FIRST), CONTENT[len(FIRST) : -5])
    sending.append(SIZE - 5, CONTENT[-5:])

    for reading in readings:
        reading.end()
        assert (reading.status, reading.is_cut) == (200, False)
        assert reading.body == CONTENT


def test_bytes_of_one_long_request_are_read_before_it_ends(pair: Server) -> None:
    sending = send(pair)
    connection = http.client.HTTPConnection(pair.host, pair.port, timeout=WAIT_SECONDS)
    reading = Reading(sending)

    with closing(connection):
        connection.putrequest("PATCH", sending.key)
        for name, value in (TUS | BYTES).items():
            connection.putheader(name, value)
        connection.putheader("Upload-Offset", "0")
        connection.putheader("Content-Length", str(SIZE))
        connection.endheaders()
        sent = 0
        while not reading.body:
            connection.send(CONTENT[sent : sent + 1000])
            sent += 1000
            threading.Event().wait(0.05)
        connection.send(CONTENT[sent:])
        assert connection.getresponse().status == 204
    reading.end()

    assert sent < SIZE
    assert reading.body == CONTENT


def test_an_upload_that_breaks_off_and_goes_on_is_read_on(pair: Server) -> None:
    sending = send(pair)
    connection = http.client.HTTPConnection(pair.host, pair.port, timeout=WAIT_SECONDS)
    reading = Reading(sending)

    with closing(connection):
        connection.putrequest("PATCH", sending.key)
        for name, value in (TUS | BYTES).items():
            connection.putheader(name, value)
        connection.putheader("Upload-Offset", "0")
        connection.putheader("Content-Length", str(SIZE))
        connection.endheaders(FIRST)
    reading.wait_for(1)
    offset = int(pair.ask("HEAD", sending.key, headers=TUS).headers["upload-offset"])
    sending.append(offset, CONTENT[offset:])
    reading.end()

    assert 0 < offset < SIZE
    assert (reading.is_cut, reading.body) == (False, CONTENT)


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (999_990, 1_000_000)])
def test_a_range_that_is_here_is_answered_at_once(pair: Server, start: int, stop: int) -> None:
    sending = send(pair)
    sending.append(0, FIRST)

    answer = sending.ask(Range=f"bytes={start}-{stop - 1}")

    assert (answer.status, answer.body) == (206, CONTENT[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"


@pytest.mark.parametrize(
    ("range_", "start", "stop"),
    [
        ("bytes=999999-1000000", 999_999, 1_000_001),
        ("bytes=2000000-2000009", 2_000_000, 2_000_010),
        ("bytes=2000000-", 2_000_000, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
    ],
)
def test_a_range_that_is_not_here_yet_is_waited_for(
    pair: Server, range_: str, start: int, stop: int
) -> None:
    sending = send(pair)
    sending.append(0, FIRST)

    reading = Reading(sending, Range=range_)
    sending.append(len(FIRST), CONTENT[len(FIRST) :])
    reading.end()

    assert (reading.status, reading.is_cut) == (206, False)
    assert reading.body == CONTENT[start:stop]


def test_several_ranges_are_sent_in_their_order_as_they_come(pair: Server) -> None:
    sending = send(pair)
    sending.append(0, FIRST)

    reading = Reading(sending, Range="bytes=0-9,2000000-2000009,20-29")
    reading.wait_for(10)
    sending.append(len(FIRST), CONTENT[len(FIRST) :])
    reading.end()

    assert (reading.status, reading.is_cut) == (206, False)
    assert reading.headers["content-type"].startswith("multipart/byteranges; boundary=")
    parts = re.findall(
        rb"Content-Range: bytes (\d+)-\d+/\d+\r\n\r\n(.{10})\r\n--", reading.body, re.S
    )
    assert parts == [(b"%d" % at, CONTENT[at : at + 10]) for at in (0, 2_000_000, 20)]


def test_head_tells_the_length_and_waits_for_nothing(pair: Server) -> None:
    answer = send(pair, "report.pdf").ask("HEAD")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["content-disposition"] == 'attachment; filename="report.pdf"'
    assert not {"etag", "last-modified", "repr-digest"} & answer.headers.keys()


def test_the_type_is_told_once_it_is_sure(pair: Server) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(SIZE - 8)
    sending = send(pair, "a.png")

    sending.append(0, picture[:4095])
    before = sending.ask("HEAD").headers["content-type"]
    sending.append(4095, picture[4095:5000])
    after = Sending(pair, sending.key, f"{sending.file}?inline=1").ask("HEAD").headers

    assert (before, after["content-type"]) == ("application/octet-stream", "image/png")
    assert after["content-disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Range": f"bytes={SIZE}-"}, 416),
        ({"Range": "bytes=0-9", "If_Range": '"x"'}, 200),
        ({"Range": "bytes=0-9", "If_Range": "Sat, 21 Nov 2026 08:30:15 GMT"}, 200),
        ({"Range": "bytes=0-9", "If_Match": '"x"'}, 412),
        ({"Range": "bytes=0-9", "If_Match": "*"}, 206),
        ({"Range": "bytes=0-9", "If_None_Match": '"x"'}, 206),
        ({"Range": "bytes=0-9", "If_None_Match": "*"}, 304),
        ({"Range": "bytes=0-9", "If_Modified_Since": "Sat, 21 Nov 2099 08:30:15 GMT"}, 206),
        ({"Range": "bytes=0-9", "If_Unmodified_Since": "Sat, 21 Nov 1999 08:30:15 GMT"}, 206),
    ],
)
def test_conditions_find_neither_tag_nor_date(
    pair: Server, fields: dict[str, str], status: int
) -> None:
    sending = send(pair)
    sending.append(0, FIRST)

    reading = Reading(sending, **{name.replace("_", "-"): value for name, value in fields.items()})
    reading.wait_for_head()
    sending.delete()
    reading.end()

    assert reading.status == status


def test_a_reader_of_what_is_deleted_is_cut(pair: Server) -> None:
    sending = send(pair)
    sending.append(0, FIRST)
    reading = Reading(sending)
    reading.wait_for(len(FIRST))

    sending.delete()
    reading.end()

    assert (reading.status, reading.is_cut, reading.body) == (200, True, FIRST)
    assert sending.ask().status == 404
    assert "Traceback" not in pair.log.read_text()


@pytest.mark.long
def test_a_reader_of_what_does_not_come_is_cut_and_goes_on(hasty: Server) -> None:
    sending = send(hasty)
    sending.append(0, FIRST)

    reading = Reading(sending)
    reading.end()

    assert (reading.status, reading.is_cut, reading.body) == (200, True, FIRST)
    sending.append(len(FIRST), CONTENT[len(FIRST) :])
    assert sending.ask(Range=f"bytes={len(FIRST)}-").body == CONTENT[len(FIRST) :]


def test_a_service_that_stops_does_not_wait_for_its_readers(migrated: Path) -> None:
    with serving(migrated, ACCESS="open", BODY_WAIT_SECONDS="600") as running:
        sending, empty = send(running), send(running)
        sending.append(0, FIRST)
        with socket.create_connection(running.address, WAIT_SECONDS) as waiting:
            waiting.sendall(f"GET {empty.file} HTTP/1.1\r\nHost: {running.host}\r\n\r\n".encode())
            reading = Reading(sending)
            reading.wait_for(len(FIRST))

            running.process.send_signal(signal.SIGTERM)

            refused = waiting.recv(4096)
        reading.end()
        running.process.wait(START_SECONDS)
        log = running.log.read_text()

    assert (reading.is_cut, reading.body) == (True, FIRST)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert "exceeded" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("range_", ["", "bytes=2000000-2000009,0-9"])
def test_what_does_not_begin_to_come_is_told_in_time(hasty: Server, range_: str) -> None:
    sending = send(hasty)

    answer = sending.ask(Range=range_)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_what_has_no_length_is_not_ready(hasty: Server) -> None:
    sending = send(hasty, Upload_Defer_Length="1")
    sending.append(0, FIRST)

    answer = sending.ask()

    assert (answer.status, answer.headers["retry-after"]) == (409, "5")
    fields = TUS | BYTES | {"Upload-Offset": str(len(FIRST)), "Upload-Length": str(SIZE)}
    assert hasty.ask("PATCH", sending.key, b"", fields).status == 204
    assert sending.ask(Range="bytes=0-9").body == CONTENT[:10]


def test_parts_are_not_given_out_and_what_they_become_is(pair: Server) -> None:
    parts = [send(pair, Upload_Concat="partial") for _ in range(2)]
    parts[0].append(0, FIRST)
    unfinished = parts[0].ask().status
    parts[0].append(len(FIRST), CONTENT[len(FIRST) :])
    parts[1].append(0, CONTENT)

    concat = f"final;{parts[0].key} {parts[1].key}"
    final = pair.ask("POST", "/files/", None, TUS | {"Upload-Concat": concat})

    assert (unfinished, parts[1].ask().status) == (404, 404)
    url = told(pair, final.headers["location"])["url"]
    assert pair.ask("GET", url.removeprefix(pair.url)).body == CONTENT * 2


def test_the_link_to_keep_tells_how_far_an_upload_is(pair: Server) -> None:
    sending = send(pair, "<a>.bin")
    sending.append(0, FIRST)

    upload = told(pair, sending.key)
    lines = pair.ask("GET", sending.key).text.splitlines()
    page = pair.ask("GET", sending.key, headers={"Accept": "text/html"})

    assert (upload["state"], upload["offset"], upload["length"]) == ("open", len(FIRST), SIZE)
    assert upload["manage_url"] == pair.url + sending.key
    assert upload["url"].startswith(pair.url + sending.file)
    assert datetime.fromisoformat(upload["expires_at"]) > datetime.now(UTC)
    assert f"offset: {len(FIRST)}" in lines
    assert f'max="{SIZE}" value="{len(FIRST)}"' in page.text
    assert upload["url"] in page.text


def test_the_link_to_keep_of_a_part_has_nothing_to_give_away(pair: Server) -> None:
    sending = send(pair, Upload_Concat="partial")

    assert told(pair, sending.key)["url"] is None
    assert (
        pair.url + "/files/"
        not in pair.ask("GET", sending.key, headers={"Accept": "text/html"}).text
    )


OPEN = new(10, offset=4, expires_at=datetime(9999, 1, 1, tzinfo=UTC))
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("upload", "comes"),
    [
        (OPEN, True),
        (replace(OPEN, kind="final"), True),
        (replace(OPEN, kind="part"), False),
        (replace(OPEN, kind="part", state="finished"), False),
        (replace(OPEN, state="failed"), False),
        (replace(OPEN, expires_at=PAST), False),
        (replace(OPEN, expires_at=PAST, state="finished"), True),
    ],
)
def test_what_may_become_a_file_is_followed(upload: Resumable, *, comes: bool) -> None:
    assert may_come(upload) is comes


@pytest.mark.parametrize(
    ("upload", "size"),
    [
        (OPEN, 4),
        (replace(OPEN, offset=10), 9),
        (replace(OPEN, offset=10, state="finished"), 10),
    ],
)
async def test_the_last_byte_is_read_only_of_a_file(upload: Resumable, size: int) -> None:
    assert Followed(upload).readable() == size


@pytest.mark.parametrize("upload", [None, replace(OPEN, state="failed")])
async def test_nothing_is_read_of_what_is_gone(upload: Resumable | None) -> None:
    with pytest.raises(Gone):
        Followed(upload).readable()


@pytest.fixture
async def workers(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> AsyncIterator[tuple[Worker, Worker]]:
    """Give two workers of one service: for who writes, and for who reads."""
    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as writing, service.worker() as reading:
            yield writing, reading


class Heard:
    """What a reader in a worker got, and with what it ended."""

    def __init__(self, worker: Worker, upload: Resumable, stop: int) -> None:
        self.content = b""
        self.begun = asyncio.Event()
        self._blocks = worker.following.read(upload.id, 0, stop)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with aclosing(self._blocks) as blocks:
            async for block in blocks:
                self.content += block
                self.begun.set()

    async def end(self) -> bytes:
        async with asyncio.timeout(WAIT_SECONDS):
            await self._task
        return self.content


async def test_what_turns_out_to_be_wrong_is_never_read_whole(
    workers: tuple[Worker, Worker],
) -> None:
    writing, reading = workers
    upload = await writing.start(11, sha256="0" * 64)
    await writing.append(upload, b"hello ")
    heard = Heard(reading, upload, 11)
    await heard.begun.wait()

    with pytest.raises(DigestMismatch):
        await writing.append(upload, b"world")

    with pytest.raises(Gone):
        await heard.end()
    assert heard.content == b"hello "
    assert not reading.following.is_read(upload.id)


async def test_a_final_upload_is_read_once_it_is_joined(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as reading:
            part = await reading.start(5, kind="part")
            await reading.append(part, b"hello")
            final = new(10, kind="final", parts=(part.id, part.id), expires_at=OPEN.expires_at)
            await reading.resumables.add(final)
            heard = Heard(reading, final, 10)

            async with service.worker():  # which joins what it finds
                content = await heard.end()

    assert content == b"hellohello"


async def test_who_is_read_in_the_same_worker_notes_sooner(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fileservice.appending.CHECKPOINT_SECONDS", 10 * WAIT_SECONDS)
    worker, _ = workers
    upload = await worker.start(1 << 20)
    heard = Heard(worker, upload, 1)

    async def dripping() -> AsyncIterator[bytes]:
        while not heard.begun.is_set():
            yield b"x"
            await asyncio.sleep(0.01)

    appending = worker.resuming.append(upload, Append(dripping(), ignored, 0), ROOMY)
    async with asyncio.timeout(WAIT_SECONDS):
        await appending

    assert await heard.end() == b"x"


async def test_what_is_not_in_memory_any_more_is_read_too(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fileservice.storage.local.NOWAIT", 0)
    writing, reading = workers
    upload = await writing.start(SIZE)
    await writing.append(upload, FIRST)
    heard = Heard(reading, upload, SIZE)
    await heard.begun.wait()

    await writing.append(upload, CONTENT[len(FIRST) :])

    assert await heard.end() == CONTENT
