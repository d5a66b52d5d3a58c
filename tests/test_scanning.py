"""Files that a real ClamAV daemon looks at before they are given out."""

import asyncio
import io
import os
import signal
import sqlite3
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pikepdf
import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from fileservice import scanning
from fileservice.actors import ANYBODY
from fileservice.admin import released
from fileservice.clamd import Clamd, ScannerFailed, TooLargeToScan, finding_of
from fileservice.models import File
from fileservice.names import clean_name
from fileservice.options import DATABASE
from fileservice.recipients import NOBODY
from fileservice.scanning import LEFT, LONGEST_REST_SECONDS, Rests, Scanning
from fileservice.uploads import Upload, finish
from tests.client import FORM_TYPE, Answer, Client, file_part, form_body
from tests.conftest import START_SECONDS, Server, serving
from tests.processes import children_of
from tests.resumables import ROOMY, Worker, service_in
from tests.scanners import FOUND, MARKER, STREAM_BYTES, Scanner, scanner, standing_still

JSON = {"Accept": "application/json"}
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
PARTIAL = {"Content-Type": "application/partial-upload"}
BAD = b"some bytes, and " + MARKER + b" in them"


@pytest.fixture(scope="module")
def clamd() -> Iterator[Scanner]:
    with scanner() as given:
        given.start()
        yield given


@pytest.fixture(scope="module")
def guarded(migrated: Path, clamd: Scanner) -> Iterator[Server]:
    """Give a service whose files are scanned."""
    with serving(migrated, ACCESS="open", CLAMD=str(clamd.socket)) as running:
        yield running


@pytest.fixture(scope="module")
def moody() -> Iterator[Scanner]:
    """Give a daemon that tests start and kill."""
    with scanner() as given:
        yield given


@pytest.fixture(scope="module")
def troubled(migrated: Path, moody: Scanner) -> Iterator[Server]:
    """Give a service, of two workers, whose scanner tests start and kill."""
    options = {"ACCESS": "open", "CLAMD": f"127.0.0.1:{moody.port}", "CLAMD_TOO_LARGE": "give"}
    with serving(migrated, "--workers", "2", **options) as running:
        yield running


def put(client: Client | Server, content: bytes, name: str = "a.bin") -> dict[str, str]:
    answer = client.ask("PUT", f"/files/{name}", content, JSON)
    assert answer.status == 201
    file: dict[str, str] = answer.json["files"][0]
    return file


def scanned(client: Client | Server, path: str) -> dict[str, str]:
    """Return what is told of a file once it was scanned, at once or a while later."""
    while (file := told(client, path))["state"] == "unscanned":
        time.sleep(0.05)  # nobody is told when a scan is done
    return file


def put_and_scanned(server: Server, content: bytes) -> dict[str, str]:
    return scanned(server, path_of(put(server, content)["manage_url"]))


def told(client: Client | Server, path: str) -> dict[str, str]:
    answer = client.ask("GET", path, headers=JSON)
    assert answer.status == 200
    file: dict[str, str] = answer.json
    return file


def path_of(url: str) -> str:
    return urlsplit(url).path


def by_put(client: Client, content: bytes) -> str:
    return path_of(put(client, content)["manage_url"])


def by_form(client: Client, content: bytes) -> str:
    body = form_body(file_part(b"a.bin", content))
    answer = client.ask("POST", "/files/", body, FORM_TYPE | JSON)
    return path_of(answer.json["files"][0]["manage_url"])


def by_tus(client: Client, content: bytes) -> str:
    length = {"Upload-Length": str(len(content))}
    return client.ask("POST", "/files/", content, TUS | BYTES | length).headers["location"]


def by_tus_in_two(client: Client, content: bytes) -> str:
    length = {"Upload-Length": str(len(content))}
    path = client.ask("POST", "/files/", None, TUS | length).headers["location"]
    for start, stop in ((0, 20), (20, len(content))):
        place = {"Upload-Offset": str(start)}
        assert client.ask("PATCH", path, content[start:stop], TUS | BYTES | place).status == 204
    return path


def by_ietf(client: Client, content: bytes) -> str:
    answer = client.ask("POST", "/files/", content, JSON | {"Upload-Complete": "?1"})
    return path_of(answer.json["files"][0]["manage_url"])


def by_ietf_in_two(client: Client, content: bytes) -> str:
    begun = client.ask("POST", "/files/", content[:20], {"Upload-Complete": "?0"})
    path = path_of(begun.headers["location"])
    place = {"Upload-Offset": "20", "Upload-Complete": "?1"}
    assert client.ask("PATCH", path, content[20:], PARTIAL | place).status < 300
    return path


DOORS: list[Callable[[Client, bytes], str]] = [
    by_put,
    by_form,
    by_tus,
    by_tus_in_two,
    by_ietf,
    by_ietf_in_two,
]


def test_whatever_the_door_malware_is_never_given_out_and_the_rest_is(
    guarded: Server,
) -> None:
    with guarded.client() as client:
        for door in DOORS:
            bad, good = scanned(client, door(client, BAD)), scanned(client, door(client, b"g" * 50))
            refused = client.ask("GET", path_of(bad["url"]), headers=JSON)
            given = client.ask("GET", path_of(good["url"]))

            assert (bad["state"], bad["finding"]) == ("infected", FOUND), door
            assert (refused.status, refused.json["code"]) == (403, "infected"), door
            assert (good["state"], good["finding"]) == ("ready", ""), door
            assert (given.status, given.body) == (200, b"g" * 50), door


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", content)
    return packed.getvalue()


def drawn(content: bytes) -> bytes:
    made = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].Contents = pdf.make_stream(content)
        pdf.save(made, compress_streams=True)
    assert MARKER not in made.getvalue()
    return made.getvalue()


@pytest.mark.parametrize("wrapped", [zipped, drawn])
def test_malware_is_found_inside_of_files(
    guarded: Server, wrapped: Callable[[bytes], bytes]
) -> None:
    assert put_and_scanned(guarded, wrapped(BAD * 20))["state"] == "infected"
    assert put_and_scanned(guarded, wrapped(b"harmless" * 20))["state"] == "ready"


def test_what_is_too_large_to_scan_is_withheld_and_its_sender_told_why(guarded: Server) -> None:
    file = put_and_scanned(guarded, bytes(STREAM_BYTES + 1))
    page = guarded.ask("GET", path_of(file["manage_url"]), headers={"Accept": "text/html"}).text

    assert (file["state"], file["finding"]) == ("withheld", "It is too large to be scanned.")
    assert "It is too large to be scanned." in page
    assert guarded.ask("GET", path_of(file["url"])).status == 403


def test_what_is_still_uploaded_is_not_given_out(guarded: Server) -> None:
    with guarded.client() as client:
        begun = client.ask("POST", "/files/", None, TUS | {"Upload-Length": "50"})
        path = begun.headers["location"]
        client.ask("PATCH", path, b"x" * 20, TUS | BYTES | {"Upload-Offset": "0"})
        link = path_of(told(client, path)["url"])

        for method in ("GET", "HEAD"):
            answer = client.ask(method, link, headers=JSON | {"Range": "bytes=0-4"})
            assert answer.status == 503
            assert answer.headers["retry-after"]
        client.ask("PATCH", path, b"x" * 30, TUS | BYTES | {"Upload-Offset": "20"})
        scanned(client, path)
        assert client.ask("GET", link).body == b"x" * 50


def test_each_scan_is_on_record(guarded: Server) -> None:
    acts = {BAD: "file.infected", b"good": "file.scan", bytes(STREAM_BYTES + 1): "file.withhold"}
    sent = {put_and_scanned(guarded, content)["id"]: act for content, act in acts.items()}
    with closing(sqlite3.connect(guarded.root / DATABASE)) as rows:
        entries = rows.execute(
            "SELECT object, act FROM fileservice_auditentry WHERE user_name = 'the service'"
        ).fetchall()

    assert {id: act for id, act in entries if id in sent} == sent
    assert len([id for id, _ in entries if id in sent]) == len(sent)


async def test_what_is_released_before_it_was_scanned_is_scanned_first(
    tmp_path: Path,
    migrated: Path,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def release(**found: str) -> tuple[str, str]:
        told = {"name_changed": False, "size": 0, "created_at": datetime.now(UTC)}
        row = File.objects.create(id="a", key="a", state="withheld", **told, **found)
        File.objects.update(**released())
        row.refresh_from_db()
        row.delete()
        return row.state, row.finding

    def with_scanner(address: Path | None) -> None:
        monkeypatch.setattr(settings, "OPTIONS", replace(settings.OPTIONS, clamd=address))

    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as worker:
            with_scanner(Path("/nowhere"))
            new = await worker.ledger.run(release)
            too_large = await worker.ledger.run(lambda: release(finding="It is too large."))
            with_scanner(None)
            unguarded = await worker.ledger.run(release)

    assert (new, too_large, unguarded) == (("unscanned", ""), ("ready", ""), ("ready", ""))


def state_in(server: Server, id: str) -> str:
    with closing(sqlite3.connect(server.root / DATABASE)) as rows:
        found: tuple[str] = rows.execute(
            "SELECT state FROM fileservice_file WHERE id = ?", (id,)
        ).fetchone()
        return found[0]


def wait_for_verdict(server: Server, file: dict[str, str]) -> Answer:
    """Return the first answer that is not "later"."""
    deadline = time.monotonic() + 2 * START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):  # all workers may have been killed a moment ago
            answer = server.ask("GET", path_of(file["url"]), headers=JSON)
            if answer.status != 503:
                return answer
            assert answer.json["code"] == "being_scanned"
        time.sleep(0.25)  # nobody is told when a scan is done
    raise AssertionError(server.log.read_text()[-2000:])


def health_of(server: Server) -> list[dict[str, str]]:
    """Return what whoever of two workers answers says of itself."""
    return [server.ask("GET", "/readyz").json for _ in range(20)]


@pytest.mark.long
def test_while_the_scanner_is_down_files_come_and_wait(troubled: Server, moody: Scanner) -> None:
    moody.kill()
    bad, good = put(troubled, BAD), put(troubled, b"good")
    states = bad["state"], good["state"]
    refused = troubled.ask("GET", path_of(good["url"]), headers=JSON)
    health = health_of(troubled)
    moody.start()

    assert states == ("unscanned", "unscanned")
    assert any("cannot be reached" in each["scanner"] and each["ready"] for each in health)
    assert (refused.status, refused.json["code"]) == (503, "being_scanned")
    assert wait_for_verdict(troubled, bad).status == 403
    assert wait_for_verdict(troubled, good).body == b"good"


@pytest.mark.long
def test_a_scanner_killed_among_50_parallel_uploads_lets_nothing_bad_through(
    troubled: Server, moody: Scanner
) -> None:
    moody.kill()
    moody.start()
    contents = [(BAD if n % 2 else b"good") + os.urandom(1 << 19) for n in range(50)]

    def send(content: bytes) -> dict[str, str]:
        return put(troubled, content)

    with ThreadPoolExecutor(50) as threads:
        sending = [threads.submit(send, content) for content in contents]
        sending[5].result()
        moody.kill()
        files = [each.result() for each in sending]
    moody.start()

    for n, file in enumerate(files):
        answer = wait_for_verdict(troubled, file)
        assert answer.status == (403 if n % 2 else 200)
        assert n % 2 or answer.body == contents[n]


@pytest.mark.long
def test_what_killed_workers_left_is_scanned_by_others(troubled: Server, moody: Scanner) -> None:
    moody.kill()
    bad = put(troubled, BAD)
    for worker in children_of(troubled.process.pid):
        os.kill(worker, signal.SIGKILL)
    with closing(sqlite3.connect(troubled.root / DATABASE, timeout=30)) as rows, rows:
        # As if the lease of a killed one had run out.
        rows.execute("UPDATE fileservice_duty SET until = '1970-01-01 00:00:00'")
    moody.start()

    assert state_in(troubled, bad["id"]) == "unscanned"
    assert wait_for_verdict(troubled, bad).status == 403


def test_what_is_too_large_to_scan_is_given_where_that_was_chosen(
    troubled: Server, moody: Scanner
) -> None:
    moody.kill()
    moody.start()
    file = put(troubled, bytes(STREAM_BYTES + 1))

    assert len(wait_for_verdict(troubled, file).body) == STREAM_BYTES + 1


@pytest.mark.long
def test_a_scanner_that_stands_still_keeps_nobody_waiting_for_long(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    with standing_still(path), serving(migrated, ACCESS="open", CLAMD=str(path)) as running:
        file = put(running, b"good")

        assert file["state"] == "unscanned"
        assert running.ask("GET", path_of(file["url"])).status == 503
        assert running.ask("DELETE", path_of(file["manage_url"])).status == 204


@pytest.mark.parametrize("reply", [b"", b"OK", b"stream: Can't allocate ERROR", b"FOUND", b"\xff"])
def test_only_what_is_said_clearly_counts(reply: bytes) -> None:
    with pytest.raises(ScannerFailed):
        finding_of(reply)


def test_content_that_the_scanner_gave_up_on_is_too_large() -> None:
    with pytest.raises(TooLargeToScan):
        finding_of(b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND")


@pytest.mark.parametrize("where", ["socket", "tcp"])
async def test_more_than_the_scanner_takes_is_told_from_a_scanner_that_broke_off(
    clamd: Scanner, where: str
) -> None:
    daemon = Clamd(clamd.socket if where == "socket" else ("127.0.0.1", clamd.port))

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(STREAM_BYTES // 2)

    for _ in range(10):
        with pytest.raises(TooLargeToScan):
            await daemon.scan(blocks())


def test_what_is_left_is_found_without_reading_every_row(guarded: Server) -> None:
    with closing(sqlite3.connect(guarded.root / DATABASE)) as rows:
        [(*_, plan)] = rows.execute(f"EXPLAIN QUERY PLAN {LEFT}", ("unscanned",)).fetchall()

    assert "file_state" in plan


def test_scans_are_counted(guarded: Server) -> None:
    put_and_scanned(guarded, b"good")
    metrics = guarded.ask("GET", "/metrics").text

    assert 'fileservice_scans_total{outcome="ready"' in metrics


async def test_failures_side_by_side_are_one() -> None:
    rests, clock = Rests(), asyncio.get_running_loop().time
    began = clock()
    for _ in range(20):
        rests.failed(None)
    _, until = rests._failed[None]

    assert rests.rests(None)
    assert until < began + LONGEST_REST_SECONDS / 2
    assert not rests.rests("another")
    rests.worked(None)
    assert not rests.rests(None)


async def test_a_small_file_is_scanned_before_who_sent_it_is_answered(
    tmp_path: Path,
    migrated: Path,
    django_db_blocker: DjangoDbBlocker,
    clamd: Scanner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanning, "AT_ONCE_SECONDS", float(START_SECONDS))
    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as worker:
            scanner = Scanning(
                worker.ledger, worker.storage, Clamd(clamd.socket), too_large="withheld"
            )
            worker.ledger.quarantine = scanner
            states = [await stored(worker, content) for content in (BAD, b"good")]

    assert states == ["infected", "ready"]


async def stored(worker: Worker, content: bytes) -> str:
    """Store a file as a request does, and return its state as that is answered."""
    upload = Upload(worker.storage, clean_name(b"a.bin"), to=NOBODY, now=datetime.now(UTC))

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async with upload:
        await upload.append(chunks(), ROOMY)
        await upload.seal()
        [file] = await finish(worker.ledger, [upload], ANYBODY)
    return file.state
