"""What the clients that people use make of resumable uploads, over lines that break."""

import functools
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.client import WAIT_SECONDS
from tests.conftest import START_SECONDS, Server, serving
from tests.faultproxy import Fault, FaultProxy, fault_proxy, seeded_faults
from tests.lists import rows
from tests.processes import children_of, wait_until_gone
from tests.resumingclients import Command, outcome, run, running, tus_js, tuspy, uppy

MIB = 1 << 20
GIB = 1 << 30
SIZE = 8 * MIB + 5
MOST = 6 * MIB
HEADS = 10_000  # bytes, more than what all requests of a test have beside their bodies
# Who comes back at once does not wait until the service has read what the kernel still holds.
UNREAD = 4 * MIB
JOIN_SECONDS = 60
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test

JSON = {"Accept": "application/json"}
NOTED = 'SELECT id FROM fileservice_resumableupload WHERE "offset" > 0'
OPEN = "SELECT until FROM fileservice_resumableupload WHERE state = 'open'"
EXPIRE = (
    "UPDATE fileservice_resumableupload SET expires_at = '2000-01-01 00:00:00' WHERE state = 'open'"
)
FILES = "SELECT id FROM fileservice_file ORDER BY id"
CREATED_AND_SENT = [("POST", 201), ("PATCH", 204)]

type Sending = Callable[..., Command]


@pytest.fixture(params=["tus-js-client", "tuspy"])
def sending(request: pytest.FixtureRequest) -> Sending:
    """Give what makes the command of a client; it takes endpoint and file, a store, headers."""
    if request.param == "tuspy":
        return tuspy
    node: str = request.getfixturevalue("node")
    return functools.partial(tus_js, node)


@pytest.fixture(scope="module")
def workers(migrated: Path) -> Iterator[Server]:
    """Give a service of two workers, which is soon tired of waiting."""
    with serving(migrated, "--workers", "2", ACCESS="open", BODY_WAIT_SECONDS="2") as running:
        yield running


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as running:
        yield running


@pytest.fixture
def proxy(workers: Server) -> Iterator[FaultProxy]:
    with fault_proxy(workers.address) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sent") / "Übung 1.bin"
    file.write_bytes(os.urandom(SIZE))
    return file


def endpoint(place: Server | FaultProxy) -> str:
    return f"{place.url}/files/"


def path_of(url: str) -> str:
    """Return the path of a URL, which may lead over the proxy."""
    return urlsplit(url).path


def assert_stored(server: Server, url: str, file: Path) -> None:
    """Require that an upload has become a file of the same name and bytes."""
    told = finished(server, path_of(url))
    with server.client() as client, file.open("rb") as sent:
        digest = hashlib.file_digest(sent, "sha256").hexdigest()
        client.connection.request("GET", path_of(told["url"]))
        got = hashlib.file_digest(client.connection.getresponse(), "sha256")
    assert (told["name"], told["sha256"]) == (file.name, digest)
    assert got.hexdigest() == digest


def finished(server: Server, path: str) -> Any:
    """Return what is told of an upload when it is a file: large parts are joined in their time."""
    until = time.monotonic() + JOIN_SECONDS
    while "sha256" not in (told := server.ask("GET", path, headers=JSON).json):
        assert time.monotonic() < until, told
        time.sleep(0.1)
    return told


def expire_what_is_open(server: Server) -> None:
    """Let all uploads expire that are not finished, once nobody writes to them."""
    until = time.monotonic() + WAIT_SECONDS
    while [lease for (lease,) in rows(server, OPEN) if lease > "2000"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    rows(server, EXPIRE)


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({}, CREATED_AND_SENT),
        ({"source": "buffer"}, CREATED_AND_SENT),
        ({"chunkSize": 5 * MIB}, [*CREATED_AND_SENT, ("PATCH", 204)]),
        (
            {"uploadLengthDeferred": True, "source": "stream", "chunkSize": 5 * MIB},
            [*CREATED_AND_SENT, ("PATCH", 204)],
        ),
        ({"uploadDataDuringCreation": True}, [("POST", 201)]),
        ({"uploadDataDuringCreation": True, "chunkSize": 5 * MIB}, CREATED_AND_SENT),
        ({"overridePatchMethod": True}, [("POST", 201), ("POST", 204)]),
        ({"addRequestId": True}, CREATED_AND_SENT),
    ],
)
def test_tus_js_client_is_done_in_as_many_requests_as_it_needs(
    node: str, server: Server, file: Path, options: dict[str, Any], answers: list[tuple[str, int]]
) -> None:
    done = run(tus_js(node, endpoint(server), file, **options))

    assert_stored(server, done.url, file)
    assert done.answers == answers


@pytest.mark.long
def test_tus_js_client_joins_parts_that_it_sent_side_by_side(
    node: str, workers: Server, file: Path
) -> None:
    done = run(tus_js(node, endpoint(workers), file, parallelUploads=4))

    assert_stored(workers, done.url, file)
    assert sorted(done.answers) == sorted(4 * CREATED_AND_SENT + [("POST", 201)])


def test_tus_js_client_sends_an_empty_file(node: str, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "empty.bin"
    file.touch()

    done = run(tus_js(node, endpoint(server), file))

    assert_stored(server, done.url, file)
    assert done.answers == [("POST", 201)]


@pytest.mark.parametrize("options", [{}, {"chunkSize": 5 * MIB}])
def test_tus_js_client_speaks_the_draft_of_the_ietf_over_a_line_that_breaks(
    node: str, workers: Server, proxy: FaultProxy, file: Path, options: dict[str, Any]
) -> None:
    named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
    proxy.befall([Fault("half-close", MOST)])

    # Its other sources say `Upload-Complete: ?0` of the last bytes too.
    options |= {"protocol": "ietf-draft-05", "headers": named, "source": "buffer"}
    done = run(tus_js(node, endpoint(proxy), file, **options))

    assert_stored(workers, done.url, file)
    assert proxy.struck.qsize() == 1
    assert proxy.carried["up"] < SIZE + HEADS


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunk_size": 3 * MIB},
        {"chunk_size": 3 * MIB, "upload_checksum": True},
        {"chunk_size": 3 * MIB, "asynchronous": True},
    ],
)
def test_tuspy_sends_a_file(server: Server, file: Path, options: dict[str, Any]) -> None:
    done = run(tuspy(endpoint(server), file, **options))

    assert_stored(server, done.url, file)


def test_uppy_sends_a_folder_over_a_line_that_breaks(
    node: str, workers: Server, proxy: FaultProxy, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(25)]  # it sends 20 at once
    for file in files:
        file.write_bytes(os.urandom(200_000))
    proxy.befall([Fault("reset", MIB), Fault("half-close", MIB), Fault("reset", MIB)])

    done = run(uppy(node, endpoint(proxy), files))

    urls = {one["name"]: one["url"] for one in done.of("success")}
    assert len(urls) == 25
    assert proxy.struck.qsize() == 3
    for file in files:
        assert_stored(workers, urls[file.name], file)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "lost"), [("reset", UNREAD), ("half-close", 0), ("stall", 0)])
def test_what_arrived_before_a_connection_broke_is_not_sent_again(
    sending: Sending, workers: Server, proxy: FaultProxy, file: Path, kind: Any, lost: int
) -> None:
    proxy.befall([Fault(kind, MOST)])

    done = run(sending(endpoint(proxy), file))

    assert_stored(workers, done.url, file)
    assert proxy.struck.qsize() == 1
    assert proxy.carried["up"] < SIZE + HEADS + lost


def test_a_lost_last_answer_is_asked_for(
    sending: Sending, workers: Server, proxy: FaultProxy, file: Path
) -> None:
    proxy.befall([Fault("nothing", MOST), Fault("reset", 0, "down")])

    done = run(sending(endpoint(proxy), file))

    assert_stored(workers, done.url, file)
    assert proxy.struck.qsize() == 1
    assert proxy.carried["up"] < SIZE + HEADS


@pytest.mark.long
def test_parts_go_on_where_their_connections_broke(
    node: str, workers: Server, proxy: FaultProxy, file: Path
) -> None:
    proxy.befall([Fault(kind, MIB) for kind in ("reset", "half-close", "reset", "half-close")])

    done = run(tus_js(node, endpoint(proxy), file, parallelUploads=3))

    assert_stored(workers, done.url, file)
    assert proxy.struck.qsize() == 4


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, {"parallelUploads": 3}])
def test_another_process_goes_on_though_the_first_ones_connections_hang(
    node: str,
    workers: Server,
    proxy: FaultProxy,
    file: Path,
    tmp_path: Path,
    options: dict[str, Any],
) -> None:
    store = tmp_path / "urls.json"
    proxy.befall([Fault("stall", MOST)])
    with running(tus_js(node, endpoint(proxy), file, store=store, **options)):
        proxy.struck.get(timeout=WAIT_SECONDS)

    done = run(tus_js(node, endpoint(proxy), file, store=store, **options))

    assert_stored(workers, done.url, file)
    assert done.answers[0] == ("HEAD", 200)
    assert ("POST", 201) not in done.answers[:-1]
    assert proxy.carried["up"] < SIZE + HEADS + UNREAD


@pytest.mark.long
def test_another_process_of_tuspy_goes_on(
    workers: Server, proxy: FaultProxy, file: Path, tmp_path: Path
) -> None:
    store = tmp_path / "urls.json"
    proxy.befall([Fault("stall", MOST)])
    with running(tuspy(endpoint(proxy), file, store=store)):
        proxy.struck.get(timeout=WAIT_SECONDS)

    done = run(tuspy(endpoint(proxy), file, store=store))

    assert_stored(workers, done.url, file)
    assert proxy.carried["up"] < SIZE + HEADS + UNREAD


def test_a_finished_file_is_not_sent_again(
    sending: Sending, workers: Server, proxy: FaultProxy, file: Path, tmp_path: Path
) -> None:
    command = sending(endpoint(proxy), file, store=tmp_path / "urls.json")
    first = run(command)
    carried = proxy.carried["up"]

    again = run(command)

    assert again.url == first.url
    assert proxy.carried["up"] < carried + HEADS


def test_finished_parts_are_not_sent_again_and_joined_to_the_same_file(
    node: str, workers: Server, proxy: FaultProxy, file: Path, tmp_path: Path
) -> None:
    store = tmp_path / "urls.json"
    command = tus_js(node, endpoint(proxy), file, store=store, parallelUploads=3)
    first = run(command)
    assert_stored(workers, first.url, file)
    before = rows(workers, FILES)

    again = run(command)

    assert again.url == first.url
    assert again.answers == [*3 * [("HEAD", 200)], ("POST", 201)]
    assert rows(workers, FILES) == before


def test_tus_js_client_begins_anew_what_has_expired(
    node: str, workers: Server, proxy: FaultProxy, file: Path, tmp_path: Path
) -> None:
    command = tus_js(node, endpoint(proxy), file, store=tmp_path / "urls.json")
    proxy.befall([Fault("stall", MOST)])
    with running(command):
        proxy.struck.get(timeout=WAIT_SECONDS)
    proxy.reset_all()
    expire_what_is_open(workers)

    done = run(command)

    assert_stored(workers, done.url, file)
    assert done.answers == [("HEAD", 410), *CREATED_AND_SENT]


def test_who_is_not_let_in_gives_up_at_once(sending: Sending, private: Server, file: Path) -> None:
    allowed = {"Authorization": f"Bearer {TOKEN}"}

    refused = run(sending(endpoint(private), file))
    done = run(sending(endpoint(private), file, headers=allowed))

    assert refused.status == 401
    assert_stored(private, done.url, file)


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        ("1", signal.SIGKILL),
        pytest.param("1", signal.SIGTERM, marks=pytest.mark.long),
        pytest.param("2", signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_a_client_goes_on_by_itself_when_an_ended_service_is_started_again(
    node: str, migrated: Path, file: Path, workers: str, number: signal.Signals
) -> None:
    serve = functools.partial(serving, ACCESS="open")
    with serve(migrated, "--workers", workers) as ended, fault_proxy(ended.address) as proxy:
        proxy.bytes_per_second = SIZE // 5
        with running(tus_js(node, endpoint(proxy), file)) as client:
            wait_until_something_is_noted(ended)
            end(ended, number)
            proxy.bytes_per_second = 0
            with serve(ended.root, "--workers", workers) as restarted:
                proxy.target = restarted.address
                done = outcome(client)
                assert_stored(restarted, done.url, file)

    heads = [one for one in done.of("answer") if one["method"] == "HEAD"]
    assert [one["status"] for one in heads] == [200]
    assert int(heads[0]["offset"]) > 0
    assert ("POST", 201) not in done.answers[1:]


def wait_until_something_is_noted(server: Server) -> None:
    """Return when an upload under way has an offset."""
    until = time.monotonic() + WAIT_SECONDS
    while not rows(server, NOTED):
        assert time.monotonic() < until
        time.sleep(0.05)


def end(server: Server, number: signal.Signals) -> None:
    """End a service and its workers; SIGKILL is what a machine does that runs out of memory."""
    workers = list(children_of(server.process.pid))
    for process in (server.process.pid, *workers):
        os.kill(process, number)
    server.process.wait(START_SECONDS)
    wait_until_gone(workers)


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a file of a GiB, no two MiB of which are alike, that is small on the disk."""
    path = tmp_path_factory.mktemp("large") / "large.bin"
    with path.open("wb") as file:
        for start in range(0, GIB, MIB):
            file.seek(start)
            file.write(os.urandom(1 << 16))
        file.truncate(GIB)
    yield path
    path.unlink()


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, {"parallelUploads": 4}, {"chunkSize": 50 * MIB}])
def test_a_large_file_sent_by_tus_js_client_survives_many_faults(
    node: str,
    workers: Server,
    proxy: FaultProxy,
    large_file: Path,
    options: dict[str, Any],
) -> None:
    command = tus_js(node, endpoint(proxy), large_file, **options)

    assert_survives(command, workers, proxy, large_file)


@pytest.mark.long
def test_a_large_file_sent_by_tuspy_survives_many_faults(
    workers: Server, proxy: FaultProxy, large_file: Path
) -> None:
    command = tuspy(endpoint(proxy), large_file, chunk_size=50 * MIB)

    assert_survives(command, workers, proxy, large_file)


def assert_survives(command: Command, server: Server, proxy: FaultProxy, file: Path) -> None:
    proxy.befall(seeded_faults(1, 64 * MIB))

    done = run(command, seconds=900)

    assert proxy.struck.qsize() > 20
    assert proxy.carried["up"] < 1.1 * file.stat().st_size
    assert_stored(server, done.url, file)
    server.ask("DELETE", path_of(done.url))
