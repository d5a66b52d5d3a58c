"""What nobody is going to use any more is removed, and nothing else."""

import fcntl
import hashlib
import http.client
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, Answer, file_part, form_body
from tests.conftest import START_SECONDS, Server, manage, serving

DAY = 24 * 3600
MIB = 1 << 20
FREE = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = "Removed: files 0, uploads 0, drafts 0, blobs 0, parcels 0.\n"


def age(path: Path, seconds: int) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def plant(root: Path, place: str, seconds: int) -> Path:
    path = root / "uploads" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    age(path, seconds)
    return path


def at(seconds: float) -> str:
    """Return a moment from now as the database holds it."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return str(moment.replace(tzinfo=None))


def insert(root: Path, table: str, row: Mapping[str, object]) -> None:
    """Insert a row, empty where it needs a value that `row` does not have."""
    with closing(sqlite3.connect(root / "fileservice.sqlite3")) as rows, rows:
        columns = rows.execute(f"PRAGMA table_info(fileservice_{table})").fetchall()
        needed = {
            name: "" if "char" in kind or kind == "TEXT" else 0
            for _, name, kind, needs, *_ in columns
            if needs
        }
        row = {**needed, **row}
        marks = ", ".join("?" * len(row))
        names = ", ".join(f'"{name}"' for name in row)
        statement = f"INSERT INTO fileservice_{table} ({names}) VALUES ({marks})"  # noqa: S608 - our own
        rows.execute(statement, [*row.values()])


def ids(root: Path) -> set[str]:
    """Return those of the rows of resumable uploads."""
    with closing(sqlite3.connect(root / "fileservice.sqlite3")) as rows:
        return {id for (id,) in rows.execute("SELECT id FROM fileservice_resumableupload")}


def places(root: Path) -> set[str]:
    """Return where there are bytes."""
    uploads = root / "uploads"
    return {str(path.relative_to(uploads)) for path in uploads.rglob("*") if path.is_file()}


def held(root: Path, seconds: float) -> None:
    """Let another host sweep."""
    row = {"name": "sweep", "owner": "elsewhere:7", "fence": 4, "until": at(seconds)}
    insert(root, "duty", row)


def let_go(root: Path) -> None:
    """Let the lease of a sweeper that was killed run out."""
    with closing(sqlite3.connect(root / "fileservice.sqlite3")) as rows, rows:
        rows.execute("UPDATE fileservice_duty SET until = ?", [at(-1)])


def has_swept(root: Path) -> bool:
    with closing(sqlite3.connect(root / "fileservice.sqlite3")) as rows:
        return bool(rows.execute("SELECT 1 FROM fileservice_duty WHERE done_at > 0").fetchall())


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_its_sweep(server: Server) -> None:
    """Return when a service has swept, as it does when it starts."""
    wait_until(lambda: has_swept(server.root))


@pytest.fixture
def root(migrated: Path, tmp_path: Path) -> Path:
    """Return a root of its own, without a server."""
    return Path(shutil.copytree(migrated, tmp_path / "root"))


@dataclass(frozen=True, slots=True)
class Planted:
    """
    Something in a root before it is swept.

    Attributes:
        name: what it is, for people.
        row: what is not as in an upload that can be gone on with; None for no row.
        bytes: where it has some: drafts, blobs.
        open: somebody who is alive has its bytes open.
        stays: what is left after the sweep: row, draft, blob.
    """

    name: str
    row: Mapping[str, object] | None
    bytes: str
    stays: str
    open: bool = False

    @property
    def id(self) -> str:
        return (self.name.replace(" ", "").lower() + "a" * 26)[:26]

    def plant(self, root: Path) -> None:
        if self.row is not None:
            usual: dict[str, object] = {
                "id": self.id,
                "key": f"k{self.id[:25]}",
                "name": "a",
                "name_changed": False,
            }
            usual |= {"kind": "whole", "state": "open", "length": 99, "offset": 11, "sha256": ""}
            usual |= {"metadata": "", "concat": "", "parts": "", "created_at": at(-DAY)}
            usual |= {"restricted": False, "path": ""}
            usual |= {"expires_at": at(DAY), "sender": "", "owner": "", "fence": 1}
            insert(
                root, "resumableupload", {**usual, "until": at(-DAY), "asked": False, **self.row}
            )
        for place in self.places(self.bytes):
            plant(root, place, 30 * DAY)

    def places(self, named: str) -> list[str]:
        """Return where the bytes that are named are to be found."""
        found = {"draft": f"incoming/{self.id}", "blob": f"{self.id[:2]}/{self.id}"}
        return [found[word] for word in named.split() if word in found]


OVER = {"expires_at": at(-1)}
PART = {"kind": "part", "state": "finished"}
PLANTED = [
    Planted("open", {}, "draft", "row draft"),
    Planted("over", OVER, "draft", ""),
    Planted("begun and over", {**OVER, "offset": 0}, "", ""),
    Planted("leased and over", {**OVER, "until": at(3600)}, "draft", "row draft"),
    Planted("held and over", OVER, "draft", "row draft", open=True),
    Planted("placed", {}, "blob", "row blob"),
    Planted("joined and placed", {"kind": "final"}, "blob", "row blob"),
    Planted("placed and over", OVER, "blob", ""),
    Planted("written and over", OVER, "blob", "row blob", open=True),
    Planted("failed", {"state": "failed"}, "draft", "row"),
    Planted("lost and over", {"state": "failed", **OVER}, "draft", ""),
    Planted("part", PART, "draft", "row draft"),
    Planted("unused part", {**PART, **OVER}, "draft", ""),
    Planted("needed part", {**PART, **OVER}, "draft", "row draft"),
    Planted("joined", {"kind": "final", "parts": '["neededpartaaaaaaaaaaaaaaaa"]'}, "", "row"),
    Planted("x part", {**PART, **OVER}, "draft", ""),
    Planted("late", {"kind": "final", "parts": '["xpartaaaaaaaaaaaaaaaaaaaaa"]', **OVER}, "", ""),
    Planted("finished", {"state": "finished", **OVER}, "blob", "row blob"),
    Planted("killed", None, "draft", ""),
    Planted("qilled", None, "draft", "draft", open=True),
    Planted("zilled", None, "blob", ""),
    Planted("uncommitted", None, "blob", "blob", open=True),
]


@pytest.fixture(scope="module")
def swept(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root after a sweep without grace."""
    root = Path(shutil.copytree(migrated, tmp_path_factory.mktemp("swept") / "root"))
    with ExitStack() as stack:
        for planted in PLANTED:
            planted.plant(root)
            for place in planted.places(planted.bytes) if planted.open else ():
                file = stack.enter_context((root / "uploads" / place).open("rb"))
                fcntl.flock(file, fcntl.LOCK_EX)
        done = manage(root, "sweep", "--grace", "0")
        assert done.stdout == "Removed: files 0, uploads 7, drafts 2, blobs 2, parcels 0.\n", (
            done.stderr
        )
        again = manage(root, "sweep", "--grace", "0")
        assert again.stdout == NOTHING, again.stderr
    return root


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_over_goes_and_what_is_of_use_stays(swept: Path, planted: Planted) -> None:
    there = places(swept)

    assert (planted.id in ids(swept)) == ("row" in planted.stays.split())
    for place in planted.places("draft blob"):
        assert (place in there) == (place in planted.places(planted.stays))


def test_a_sweep_removes_what_is_old_and_belongs_to_no_file(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        wait_for_its_sweep(running)
        put = running.ask("PUT", "/files/a", b"kept", {"Accept": "application/json"})
        [kept] = running.stored()
        age(kept, 2 * DAY)
        draft = plant(running.root, "incoming/" + "a" * 26, 2 * DAY)
        fresh = plant(running.root, "incoming/" + "b" * 26, DAY // 2)
        orphan = plant(running.root, "cc/" + "c" * 26, 2 * DAY)
        young = plant(running.root, "dd/" + "d" * 26, DAY // 2)

        done = manage(running.root, "sweep", ACCESS="open")

        assert done.stdout == "Removed: files 0, uploads 0, drafts 1, blobs 1, parcels 0.\n", (
            done.stderr
        )
        assert running.stored() == sorted([kept, fresh, young])
        assert not draft.exists()
        assert not orphan.exists()
        id = put.json["files"][0]["id"]
        assert running.ask("GET", f"/files/{id}").body == b"kept"


def test_a_service_sweeps_when_it_starts(root: Path) -> None:
    plant(root, "incoming/" + "e" * 26, 2 * DAY)
    with serving(root, ACCESS="open") as running:
        wait_for_its_sweep(running)

        assert running.stored() == []


def test_where_another_sweeps_it_is_told_who_and_nothing_is_done(root: Path) -> None:
    leftover = plant(root, "cc/" + "c" * 26, 2 * DAY)
    held(root, 3600)

    refused = manage(root, "sweep")

    assert refused.returncode == 75
    assert refused.stderr.endswith("Not swept: elsewhere:7 sweeps.\n")
    assert leftover.exists()


def test_the_lease_of_a_sweeper_that_was_killed_runs_out(root: Path) -> None:
    leftover = plant(root, "cc/" + "c" * 26, 2 * DAY)
    held(root, -1)

    done = manage(root, "sweep")

    assert done.returncode == 0, done.stderr
    assert not leftover.exists()


def begun(server: Server, method: str, path: str, body: bytes, rest: int) -> socket.socket:
    """Send a request but for the last `rest` bytes, and wait until something of it is stored."""
    before = server.stored()
    connection = socket.create_connection(server.address, 30)
    fields = f"Host: 127.0.0.1:{server.port}\r\n"
    if method == "POST":
        fields += f"Content-Type: {FORM_TYPE['Content-Type']}\r\n"
    fields += f"Accept: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode() + body[:-rest])
    wait_until(lambda: server.stored() != before)
    return connection


def ended(connection: socket.socket, rest: bytes) -> Answer:
    """Send what is left of a request and return its answer."""
    with connection:
        connection.sendall(rest)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/files/a.bin", bytes(range(256)) * 12_000),
        # The first file has its place; its row is committed with the second's.
        ("POST", "/files/", form_body(file_part(b"a", b"a" * 99), file_part(b"b", bytes(MIB)))),
    ],
    ids=["bare", "form"],
)
def test_a_sweep_without_grace_leaves_alone_what_is_still_sent(
    server: Server, method: str, path: str, body: bytes
) -> None:
    rest = 50_000
    wait_for_its_sweep(server)
    connection = begun(server, method, path, body, rest)

    done = manage(server.root, "sweep", "--grace", "0", ACCESS="open")
    answer = ended(connection, body[-rest:])

    assert done.returncode == 0, done.stderr
    assert answer.status == 201
    for file in answer.json["files"]:
        content = server.ask("GET", f"/files/{file['id']}").body
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


@pytest.mark.long
def test_a_time_of_grace_is_not_negative(root: Path) -> None:
    refused = manage(root, "sweep", "--grace=-1")

    assert (refused.returncode, refused.stderr) == (
        1,
        "CommandError: --grace must be 0 or more.\n",
    )


def test_a_sweep_that_fails_is_told_and_the_service_goes_on(root: Path) -> None:
    broken = Planted("broken", OVER, "", "")
    broken.plant(root)
    (root / "uploads" / "incoming" / broken.id).mkdir(parents=True)
    with serving(root, ACCESS="open") as running:
        wait_until(lambda: "IsADirectoryError" in running.log.read_text())

        assert "A sweep failed" in running.log.read_text()
        assert running.ask("PUT", "/files/a", b"hello").status == 201
