"""How much anybody may have here, at every door."""

import itertools
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, Answer, file_part, form_body, raw_exchange
from tests.conftest import START_SECONDS, Server, manage, serving

BYTES = 1_000_000
FILES = 10
SIZE = BYTES // FILES
DATA = bytes(range(256)) * (SIZE // 256) + bytes(SIZE % 256)
TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = {"Content-Type": "application/offset+octet-stream"}
JSON = {"Accept": "application/json"}
hosts = itertools.count(1)


@pytest.fixture(scope="module")
def limited(migrated: Path) -> Iterator[Server]:
    with serving(
        migrated, "--workers", "2", ACCESS="open", QUOTA_BYTES=str(BYTES), QUOTA_FILES="1000"
    ) as running:
        yield running


@pytest.fixture
def whose() -> dict[str, str]:
    """Return the fields of a client with an address of its own, as a proxy tells it."""
    number = next(hosts)
    return {"X-Forwarded-For": f"192.0.2.{number}", "X-Number": str(number)}


def usage(server: Server, whose: dict[str, str]) -> tuple[int, int]:
    """Return the bytes and files that are counted for an address."""
    with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as rows:
        return rows.execute(
            "SELECT used_bytes, used_files FROM fileservice_usage WHERE subject = ?",
            (f"address:{whose['X-Forwarded-For']}",),
        ).fetchone() or (0, 0)


def reserved(server: Server) -> int:
    with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as rows:
        [(count,)] = rows.execute("SELECT COUNT(*) FROM fileservice_reservation")
        return int(count)


def by_put(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    return server.ask("PUT", "/files/a", DATA[:size], whose | JSON)


def by_chunks(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    """Send a body whose length nobody is told."""
    with server.client() as client:
        fields = whose | JSON | {"Transfer-Encoding": "chunked"}
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, DATA[:size])
        return client.ask("PUT", "/files/a", body, fields)


def by_form(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    body = form_body(file_part(b"a", DATA[:size]))
    return server.ask("POST", "/files/", body, whose | JSON | FORM_TYPE)


def by_form_of_two(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    half = size // 2
    body = form_body(file_part(b"a", DATA[:half]), file_part(b"b", DATA[half:size]))
    return server.ask("POST", "/files/", body, whose | JSON | FORM_TYPE)


def by_tus(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    """Create, and bring the bytes in a request of their own."""
    answer = server.ask("POST", "/files/", None, whose | TUS | {"Upload-Length": str(size)})
    if answer.status != 201:
        return answer
    fields = whose | TUS | OFFSET | {"Upload-Offset": "0"}
    done = server.ask("PATCH", answer.headers["location"], DATA[:size], fields)
    assert done.status == 204
    return answer


def by_tus_at_once(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    fields = whose | TUS | OFFSET | {"Upload-Length": str(size)}
    return server.ask("POST", "/files/", DATA[:size], fields)


def by_tus_without_a_length(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    answer = server.ask("POST", "/files/", None, whose | TUS | {"Upload-Defer-Length": "1"})
    if answer.status != 201:
        return answer
    fields = whose | TUS | OFFSET | {"Upload-Offset": "0", "Upload-Length": str(size)}
    done = server.ask("PATCH", answer.headers["location"], DATA[:size], fields)
    if done.status != 204:
        server.ask("DELETE", answer.headers["location"], headers=TUS)
        return done
    return answer


def by_ietf(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    fields = whose | JSON | {"Upload-Complete": "?0", "Upload-Length": str(size)}
    answer = server.ask("POST", "/files/", None, fields)
    if answer.status != 201:
        return answer
    fields = whose | {
        "Upload-Complete": "?1",
        "Upload-Offset": "0",
        "Content-Type": "application/partial-upload",
    }
    done = server.ask("PATCH", answer.headers["location"], DATA[:size], fields)
    assert done.status == 201
    return answer


def by_range(server: Server, whose: dict[str, str], size: int = SIZE) -> Answer:
    """Go on with plain curl."""
    answer = server.ask("POST", "/files/", None, whose | JSON | {"Upload-Complete": "?0"})
    if answer.status != 201:
        return answer
    fields = whose | {"Content-Range": f"bytes 0-{size - 1}/{size}"}
    done = server.ask("PUT", answer.headers["location"], DATA[:size], fields)
    if done.status != 201:
        server.ask("DELETE", answer.headers["location"])
        return done
    return answer


DOORS: list[Callable[..., Answer]] = [
    by_put,
    by_chunks,
    by_form,
    by_form_of_two,
    by_tus,
    by_tus_at_once,
    by_tus_without_a_length,
    by_ietf,
    by_range,
]


@pytest.mark.parametrize("door", DOORS)
def test_a_file_too_many_is_refused_at_every_door_and_costs_nothing(
    limited: Server, whose: dict[str, str], door: Callable[..., Answer]
) -> None:
    number = 2 if door is by_form_of_two else 1
    sizes = [SIZE * 4, SIZE * 5, SIZE * 2]

    answers = [door(limited, whose, size // 10) for size in sizes[:1]]
    first = by_put(limited, whose, SIZE)
    taken = [by_put(limited, whose) for _ in range(8)]
    refused = door(limited, whose, SIZE)

    assert {answer.status for answer in [*answers, first, *taken]} == {201}
    assert refused.status == 413
    assert b"quota_exceeded" in refused.body or refused.text.startswith("No more room for you:")
    assert usage(limited, whose) == (SIZE * 9 + SIZE * 4 // 10, 9 + number)
    assert door(limited, whose, SIZE * 6 // 10).status == 201
    assert usage(limited, whose) == (BYTES, 9 + 2 * number)


@pytest.mark.parametrize("door", [by_put, by_form, by_tus, by_ietf])
def test_of_fifty_uploads_at_once_as_many_are_taken_as_fit(
    limited: Server, whose: dict[str, str], door: Callable[..., Answer]
) -> None:
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: door(limited, whose), range(50)))

    assert Counter(answer.status for answer in answers) == {201: FILES, 413: 50 - FILES}
    assert usage(limited, whose) == (BYTES, FILES)


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("PUT", "/files/a", {}),
        ("POST", "/files/", FORM_TYPE),
        ("POST", "/files/", TUS | OFFSET | {"Upload-Length": str(BYTES * 2)}),
        ("POST", "/files/", TUS | OFFSET | {"Upload-Length": str(BYTES * 2 - 1)}),
        ("POST", "/files/", {"Upload-Complete": "?0", "Upload-Length": str(BYTES * 2)}),
        ("POST", "/files/", {"Upload-Complete": "?1"}),
        ("PUT", "/files/a", {"Upload-Complete": "?1"}),
    ],
)
def test_what_has_no_room_is_refused_before_its_body_is_sent(
    limited: Server, whose: dict[str, str], method: str, path: str, fields: dict[str, str]
) -> None:
    length = BYTES * 2 + (1 << 20)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{limited.port}\r\n"
    told = {"Content-Length": str(length), "Expect": "100-continue", "Connection": "close"}
    for name, value in (whose | fields | told | JSON).items():
        head += f"{name}: {value}\r\n"

    answer = raw_exchange(limited.address, f"{head}\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"quota_exceeded" in answer
    assert usage(limited, whose) == (0, 0)


def test_what_is_deleted_is_given_back(limited: Server, whose: dict[str, str]) -> None:
    small = {"Upload-Length": "5", "Upload-Metadata": "filename YQ=="}
    made = [
        by_put(limited, whose).json["files"][0]["manage_url"].removeprefix(limited.url),
        by_tus(limited, whose).headers["location"],
        limited.ask("POST", "/files/", b"small", whose | TUS | OFFSET | small).headers["location"],
        limited.ask("POST", "/files/", None, whose | TUS | {"Upload-Length": "99"}).headers[
            "location"
        ],
    ]
    before = usage(limited, whose)

    answers = [limited.ask("DELETE", path, headers=TUS) for path in made]

    assert before == (2 * SIZE + 5 + 99, 4)
    assert {answer.status for answer in answers} == {204}
    assert usage(limited, whose) == (0, 0)


def test_what_does_not_arrive_is_given_back(limited: Server, whose: dict[str, str]) -> None:
    head = f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{limited.port}\r\n"
    head += f"X-Forwarded-For: {whose['X-Forwarded-For']}\r\nContent-Length: {SIZE}\r\n\r\n"
    with socket.create_connection(limited.address) as connection:
        connection.sendall(head.encode() + DATA[: SIZE // 2])
        until(lambda: usage(limited, whose) == (SIZE, 1))
    wrong = {"Repr-Digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}

    answer = limited.ask("PUT", "/files/a", DATA, whose | wrong)

    assert answer.status == 400
    until(lambda: usage(limited, whose) == (0, 0))


def test_parts_that_are_joined_count_once(limited: Server, whose: dict[str, str]) -> None:
    parts = []
    for _ in range(2):
        fields = whose | TUS | OFFSET | {"Upload-Length": str(SIZE), "Upload-Concat": "partial"}
        parts.append(limited.ask("POST", "/files/", DATA, fields).headers["location"])
    parted = usage(limited, whose)

    final = limited.ask(
        "POST", "/files/", None, whose | TUS | {"Upload-Concat": f"final;{' '.join(parts)}"}
    )

    assert parted == (2 * SIZE, 2)
    assert final.headers["upload-offset"] == str(2 * SIZE)
    assert usage(limited, whose) == (2 * SIZE, 1)


def test_a_network_of_ipv6_counts_as_one(limited: Server) -> None:
    for host in ("1", "2", "ffff:1"):
        limited.ask("PUT", "/files/a", b"hello", {"X-Forwarded-For": f"2001:db8:0:7::{host}"})

    assert usage(limited, {"X-Forwarded-For": "2001:db8:0:7::/64"}) == (15, 3)


def test_unfinished_uploads_count_as_files(migrated: Path) -> None:
    with serving(migrated, ACCESS="private", TOKEN="t" * 32, QUOTA_FILES="3") as server:
        script = (
            "from datetime import UTC, datetime;"
            "from django.contrib.auth.models import User;"
            "from fileservice.models import Usage;"
            "from fileservice.tokens import add;"
            "from fileservice.actors import THE_SERVICE as by;"
            "now = datetime.now(UTC);"
            "ada = User.objects.create_user('ada'); bob = User.objects.create_user('bob');"
            "Usage.objects.create(subject=f'user:{bob.pk}', max_files=1);"
            "add(by, 'fs_ada', '', ['upload'], ada.pk, now, None);"
            "add(by, 'fs_bob', '', ['upload'], bob.pk, now, None);"
        )
        made = manage(server.root, "shell", "-c", script)
        assert made.returncode == 0, made.stderr
        begun = {"Upload-Length": "5"} | TUS | JSON

        def statuses(token: str) -> list[int]:
            fields = begun | {"Authorization": f"Bearer {token}"}
            return [server.ask("POST", "/files/", None, fields).status for _ in range(5)]

        assert statuses("fs_ada") == [201, 201, 201, 413, 413]
        assert statuses("fs_bob") == [201, 413, 413, 413, 413]
        assert statuses("t" * 32) == [201] * 5
        refused = server.ask("POST", "/files/", None, begun | {"Authorization": "Bearer fs_ada"})
        assert refused.json["code"] == "quota_exceeded"
        assert (refused.json["limit_files"], refused.json["used_files"]) == (3, 3)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_out(root: Path) -> None:
    """Let the leases of workers that were killed run out."""
    with closing(sqlite3.connect(root / "fileservice.sqlite3")) as rows, rows:
        for table in ("reservation", "duty"):
            rows.execute(f"UPDATE fileservice_{table} SET until = '2000-01-01 00:00:00'")  # noqa: S608 - our own


@pytest.mark.long
def test_what_a_killed_worker_had_reserved_is_given_back(
    migrated: Path, whose: dict[str, str]
) -> None:
    with serving(migrated, ACCESS="open", QUOTA_BYTES=str(BYTES)) as server:
        begun = server.ask("POST", "/files/", None, whose | TUS | {"Upload-Length": "7"})
        by_put(server, whose)
        with ExitStack() as stack:
            for _ in range(3):
                connection = stack.enter_context(socket.create_connection(server.address))
                head = f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                head += f"X-Forwarded-For: {whose['X-Forwarded-For']}\r\n"
                head += f"Content-Length: {SIZE}\r\n\r\n"
                connection.sendall(head.encode() + DATA[: SIZE // 2])
            until(lambda: usage(server, whose) == (4 * SIZE + 7, 5))
            # Killed in the sweep of its start, it would keep the others from theirs for a minute.
            until(lambda: manage(server.root, "sweep", QUOTA_BYTES=str(BYTES)).returncode == 0)
            server.process.kill()
            server.process.wait()
        live = manage(server.root, "sweep", QUOTA_BYTES=str(BYTES))
        kept = usage(server, whose)
        run_out(server.root)
        swept = manage(server.root, "sweep", QUOTA_BYTES=str(BYTES))

        assert (live.returncode, swept.returncode) == (0, 0), live.stderr + swept.stderr
        assert begun.status == 201
        assert kept == (4 * SIZE + 7, 5)
        assert usage(server, whose) == (SIZE + 7, 2)


@pytest.mark.long
def test_what_was_stored_before_there_was_a_quota_counts(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as server:
        script = (
            "from datetime import UTC, datetime;"
            "from django.contrib.auth.models import User;"
            "from fileservice.tokens import add;"
            "from fileservice.actors import THE_SERVICE as by;"
            "ada = User.objects.create_user('ada');"
            "add(by, 'fs_ada', '', ['upload'], ada.pk, datetime.now(UTC), None);"
        )
        assert manage(server.root, "shell", "-c", script).returncode == 0
        fields = JSON | {"Authorization": "Bearer fs_ada"}
        assert server.ask("PUT", "/files/a", DATA, fields).status == 201

        with serving(server.root, ACCESS="open", QUOTA_BYTES=str(SIZE + 4)) as later:
            assert later.ask("PUT", "/files/a", b"hello", fields).status == 413
            assert later.ask("PUT", "/files/a", b"four", fields).status == 201


def test_a_disk_without_room_is_told_at_every_door(migrated: Path) -> None:
    with serving(migrated, ACCESS="open", MIN_FREE_BYTES="9" * 18) as server:
        answers = [door(server, {}) for door in DOORS]

        assert {answer.status for answer in answers} == {507}
        assert server.stored() == []
