"""Uploads of every kind, cut and resumed, while two processes sweep without grace."""

import base64
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, Answer, file_part, form_body
from tests.conftest import CHECKOUT, START_SECONDS, Server, environment, serving
from tests.test_sweeping import begun, ended, ids, places, wait_until

pytestmark = pytest.mark.long

LOAD_SECONDS = 40
SENDERS = 6
TRIES = 50
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
PARTIAL = {"Content-Type": "application/partial-upload"}
JSON = {"Accept": "application/json"}


@contextmanager
def sweeper(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Sweep in a process of its own until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sweep_program"],
        env=environment(root) | {"DJANGO_SETTINGS_MODULE": "fileservice.settings"},
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def sweeps_of(process: subprocess.Popen[str]) -> int:
    """End a sweeper and return how often it swept."""
    told, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0
    return int(told.split()[0])


@dataclass(slots=True)
class Sender:
    """
    A client that sends files of its own.

    Attributes:
        sent: SHA-256 of the files, by their ids.
        left: links to keep of what it began and never finished.
    """

    server: Server
    chance: random.Random
    sent: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, **fields: str) -> Answer:
        """Ask as a client of tus does; the `_` in names are hyphens."""
        return self.server.ask(method, path, None, TUS | hyphened(fields))

    def content(self) -> bytes:
        return self.chance.randbytes(self.chance.choice([1, 9_999, 300_000, 2_500_000]))

    def keep(self, id: str, content: bytes) -> None:
        self.sent[id] = hashlib.sha256(content).hexdigest()

    def put(self) -> None:
        content = self.content()
        answer = self.server.ask("PUT", "/files/a", content, JSON)
        assert answer.status == 201, answer
        self.keep(answer.json["files"][0]["id"], content)

    def form(self) -> None:
        contents = [b"first " + self.content(), self.content()]
        parts = [file_part(b"a%d" % number, each) for number, each in enumerate(contents)]
        answer = self.server.ask("POST", "/files/", form_body(*parts), FORM_TYPE | JSON)
        assert answer.status == 201, answer
        for file, content in zip(answer.json["files"], contents, strict=True):
            self.keep(file["id"], content)

    def whole(self) -> None:
        content = self.content()
        self.finish(self.create(len(content)), content)

    def deferred(self) -> None:
        content = self.content()
        begun = self.ask("POST", "/files/", Upload_Defer_Length="1")
        self.finish(begun.headers["location"], content, Upload_Length=str(len(content)))

    def drafted(self) -> None:
        """Send as the IETF drafts it, in two requests."""
        content = self.content()
        half = len(content) // 2
        begun = self.server.ask("POST", "/files/", content[:half], {"Upload-Complete": "?0"})
        assert begun.status == 201, begun
        place = {"Upload-Offset": str(half), "Upload-Complete": "?1"}
        path = begun.headers["location"]
        answer = self.server.ask("PATCH", path, content[half:], PARTIAL | place | JSON)
        assert answer.status in (200, 201), answer
        self.keep(answer.json["files"][0]["id"], content)

    def joined(self) -> None:
        contents = [self.content() for _ in range(3)]
        paths = [self.create(len(each), Upload_Concat="partial") for each in contents]
        for path, content in zip(paths, contents, strict=True):
            self.send(path, content)
        joined = self.ask("POST", "/files/", Upload_Concat=f"final;{' '.join(paths)}")
        assert joined.status == 201, joined
        path = joined.headers["location"]
        wait_until(lambda: self.standing(path) == sum(map(len, contents)))
        self.keep(self.id_of(path), b"".join(contents))

    def abandoned(self) -> None:
        path = self.create(500_000)
        self.cut(path, 0, self.chance.randbytes(200_000))
        self.left.append(path)

    def create(self, length: int, **fields: str) -> str:
        begun = self.ask("POST", "/files/", Upload_Length=str(length), **fields)
        assert begun.status == 201, begun
        return begun.headers["location"]

    def finish(self, path: str, content: bytes, **fields: str) -> None:
        self.send(path, content, **fields)
        self.keep(self.id_of(path), content)

    def id_of(self, path: str) -> str:
        id: str = self.server.ask("GET", path, headers=JSON).json["id"]
        return id

    def send(self, path: str, content: bytes, **fields: str) -> None:
        """Send an upload in several requests; some are cut, and gone on with where it stands."""
        offset = 0
        while offset < len(content):
            piece = content[offset : offset + self.chance.choice([100_000, 1_000_000])]
            if self.chance.random() < 0.3:
                self.cut(path, offset, piece)
            else:
                place = {"Upload-Offset": str(offset), "Upload-Checksum": checksum(piece)}
                answer = self.server.ask("PATCH", path, piece, BYTES | place | hyphened(fields))
                assert answer.status in (204, 409, 423), answer
            offset = self.standing(path)

    def cut(self, path: str, offset: int, piece: bytes) -> None:
        """Announce a piece, send half of it, and hang up."""
        with self.server.client() as client:
            connection = client.connection
            connection.putrequest("PATCH", path)
            announced = {"Upload-Offset": str(offset), "Content-Length": str(len(piece))}
            for name, value in (BYTES | announced).items():
                connection.putheader(name, value)
            connection.endheaders(piece[: len(piece) // 2])

    def standing(self, path: str) -> int:
        answer = self.ask("HEAD", path)
        for _ in range(TRIES):
            if answer.status != 423:
                break
            time.sleep(0.1)
            answer = self.ask("HEAD", path)
        assert answer.status == 200, answer
        return int(answer.headers["upload-offset"])

    def work(self, until: float) -> None:
        kinds = [self.put, self.form, self.whole, self.deferred, self.drafted, self.joined]
        kinds.append(self.abandoned)
        while time.monotonic() < until:
            self.chance.choice(kinds)()


def hyphened(fields: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in fields.items()}


def checksum(content: bytes) -> str:
    return f"sha1 {base64.b64encode(hashlib.sha1(content).digest()).decode()}"  # noqa: S324 - tus


def test_two_sweepers_under_load_remove_nothing_that_is_alive(migrated: Path) -> None:
    slow = form_body(file_part(b"first", b"1" * 99_999), file_part(b"last", bytes(1_000_000)))
    choices = {"ACCESS": "open", "RESUME_SECONDS": "15", "BODY_WAIT_SECONDS": "300"}
    with (
        serving(migrated, "--workers", "2", **choices) as running,
        sweeper(running.root) as one,
        sweeper(running.root) as other,
        ThreadPoolExecutor(SENDERS) as threads,
    ):
        # As long as all of it: its first file has its place, but no row.
        pending = begun(running, "POST", "/files/", slow, 9)
        until = time.monotonic() + LOAD_SECONDS
        senders = [Sender(running, random.Random(seed)) for seed in range(SENDERS)]  # noqa: S311
        for done in [threads.submit(sender.work, until) for sender in senders]:
            done.result()
        last = ended(pending, slow[-9:])
        assert last.status == 201, last
        kept = {id: digest for sender in senders for id, digest in sender.sent.items()}
        kept |= {file["id"]: file["sha256"] for file in last.json["files"]}
        left = [path for sender in senders for path in sender.left]
        wait_until(lambda: all(running.ask("HEAD", path).status == 404 for path in left))
        sweeps = [sweeps_of(one), sweeps_of(other)]
        found = {
            id: hashlib.sha256(running.ask("GET", f"/files/{id}").body).hexdigest() for id in kept
        }
        there, ids_of_parts = places(running.root), ids(running.root) - kept.keys()

    assert found == kept
    assert len(kept) > 100
    assert len(left) > 10
    assert min(sweeps) > 10
    # Parts stay for an hour after they were joined.
    parts = {f"incoming/{id}" for id in ids_of_parts}
    assert there == {f"{id[:2]}/{id}" for id in kept} | parts
