"""What was told as stored is stored: killed at system calls, failing disks, a cut of the power."""

import array
import fcntl
import hashlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, file_part, form_body
from tests.conftest import CHECKOUT, START_SECONDS, Server, need_program, serving
from tests.test_tus import TUS, append, create

pytestmark = pytest.mark.long

JSON = {"Accept": "application/json"}
# linux/ext4.h: go down as if the power went, and do not write the journal first.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


@contextmanager
def injecting(server: Server, fault: str) -> Iterator[None]:
    """Inject `fault` (strace's words) into the server's system calls until the end of the block."""
    strace = need_program("strace")
    tracer = subprocess.Popen(
        [strace, "-f", "-p", str(server.process.pid), "-e", f"inject={fault}", "-o", "/dev/null"],
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr
    assert b"attached" in tracer.stderr.readline()
    try:
        yield
    finally:
        # Asked to stop it may wait for ever for threads that were killed while it held them.
        tracer.kill()
        tracer.communicate()


def put(server: Server, content: bytes) -> tuple[str, str]:
    """Store content and return its path and what it has to be hashed to."""
    answer = server.ask("PUT", "/files/a.bin", content, JSON)
    assert answer.status == 201, answer
    [file] = answer.json["files"]
    return f"/files/{file['id']}", hashlib.sha256(content).hexdigest()


def assert_kept(server: Server, kept: dict[str, str]) -> None:
    """Require every acknowledged file whole, and a file behind every row."""
    for path, digest in kept.items():
        assert hashlib.sha256(server.ask("GET", path).body).hexdigest() == digest
    rows = subprocess.run(
        [
            *(sys.executable, "manage.py", "shell", "-v", "0", "-c"),
            "from fileservice.models import File\n"
            "for file in File.objects.all(): print(file.id, file.sha256)",
        ],
        env=os.environ | {"FILESERVICE_ROOT": str(server.root)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for id, digest in zip(rows[::2], rows[1::2], strict=True):
        blob = server.root / "uploads" / id[:2] / id
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("size", [10_000, 3_000_000])
@pytest.mark.parametrize(
    "fault",
    [
        "fsync:signal=KILL:when=1",
        "fsync:signal=KILL:when=2",
        "linkat,link:signal=KILL:when=1",
        "unlink,unlinkat:signal=KILL:when=1",
        "mkdir,mkdirat:signal=KILL:when=1",
        "pwrite64:signal=KILL:when=1",
        "pwrite64:signal=KILL:when=2",
        "fdatasync:signal=KILL:when=1",
        "sendto,sendmsg,writev:signal=KILL:when=1",
    ],
)
def test_a_kill_at_any_step_loses_nothing_that_was_told(
    migrated: Path, fault: str, size: int
) -> None:
    with serving(migrated, ACCESS="open") as running:
        kept = dict([put(running, os.urandom(size))])
        # Killed before it answered: nothing was told, nothing is owed.
        with injecting(running, fault), suppress(OSError, http.client.HTTPException):
            kept |= dict([put(running, os.urandom(size))])
        running.process.kill()
        running.process.wait(START_SECONDS)

        with serving(running.root, ACCESS="open") as restarted:
            assert_kept(restarted, kept)
            put(restarted, b"and goes on")


SMALL, LARGE = 10_000, 3_000_000  # written in place; by a draft that is linked to its place


@pytest.mark.parametrize(
    ("fault", "status", "sizes"),
    [
        ("fsync:error=EIO:when=1", 500, [SMALL, LARGE]),
        ("fsync:error=EIO:when=2", 500, [SMALL]),
        ("fsync:error=ENOSPC:when=1", 507, [SMALL, LARGE]),
        ("fsync:error=EDQUOT:when=1", 507, [SMALL, LARGE]),
        ("linkat,link:error=EIO:when=1", 500, [LARGE]),
        ("linkat,link:error=ENOSPC:when=1", 507, [LARGE]),
        ("openat:error=EMFILE:when=1", 503, [SMALL]),
    ],
)
def test_an_error_of_the_disk_is_told_and_leaves_nothing(
    migrated: Path, fault: str, status: int, sizes: list[int]
) -> None:
    for size in sizes:
        with serving(migrated, ACCESS="open") as running:
            put(running, b"the folder of the first file is there")
            before = running.stored()

            with injecting(running, fault):
                answer = running.ask("PUT", "/files/a.bin", b"x" * size)

            assert answer.status == status, answer
            assert running.stored() == before
            put(running, b"and goes on")


def test_a_full_disk_is_told_and_leaves_nothing(migrated: Path) -> None:
    mount = need_program("mount")
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    with serving(migrated, ACCESS="open", MIN_FREE_BYTES="0") as running:
        uploads = running.root / "uploads"
        subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "none", str(uploads)], check=True)
        try:
            (uploads / "incoming").mkdir()
            chunked = {"Transfer-Encoding": "chunked", **JSON}
            for name, headers in (("PUT", chunked), ("POST", FORM_TYPE | JSON)):
                body = b"x" * 5_000_000
                if name == "POST":
                    body = form_body(file_part(b"a", body))
                else:
                    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
                answer = running.ask(name, "/files/", body, headers)
                assert answer.status == 507
            assert running.stored() == []
            put(running, b"x" * 100_000)
        finally:
            subprocess.run(["umount", "-l", str(uploads)], check=True)


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of its own, that can lose its power."""

    image: Path
    point: Path

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.point)], check=True)

    def cut_the_power(self) -> None:
        """Drop what the disk was not told to keep."""
        folder = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, array.array("I", [NO_LOG_FLUSH]))
        finally:
            os.close(folder)

    def restore_the_power(self) -> None:
        """Mount what is left; nobody may have a file open."""
        subprocess.run(["umount", str(self.point)], check=True)
        self.mount()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    mkfs = need_program("mkfs.ext4")
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    made = Disk(tmp_path / "image", tmp_path / "disk")
    made.point.mkdir()
    subprocess.run(["truncate", "-s", "256M", str(made.image)], check=True)
    subprocess.run([mkfs, "-q", str(made.image)], check=True)
    made.mount()
    monkeypatch.setattr("tempfile.tempdir", str(made.point))
    yield made
    subprocess.run(["umount", str(made.point)], check=True)


@pytest.mark.parametrize("turn", range(5))
def test_what_was_told_survives_a_cut_of_the_power(migrated: Path, disk: Disk, turn: int) -> None:
    with serving(migrated, ACCESS="open", MIN_FREE_BYTES="0") as running:
        os.sync()  # the copied database and key; what follows has to sync itself
        kept = dict(put(running, os.urandom(1000 * n * n + turn)) for n in range(20 + turn))
        gone = running.ask("PUT", "/files/b", b"deleted", JSON).json["files"][0]
        assert running.ask("DELETE", gone["manage_url"].removeprefix(running.url)).status == 204

        disk.cut_the_power()
        running.process.kill()
        running.process.wait(START_SECONDS)
        disk.restore_the_power()

        with serving(running.root, ACCESS="open", MIN_FREE_BYTES="0") as restarted:
            assert_kept(restarted, kept)
            assert restarted.ask("GET", f"/files/{gone['id']}").status == 404
            assert not any(path.name == gone["id"] for path in restarted.stored())


@pytest.mark.parametrize("turn", range(3))
def test_offsets_that_were_told_survive_a_cut_of_the_power(
    migrated: Path, disk: Disk, turn: int
) -> None:
    with serving(migrated, ACCESS="open", MIN_FREE_BYTES="0") as running:
        os.sync()  # as above
        told = {}
        for size in (0, 1, 100_000 + turn, 3_000_000):
            path = create(running, Upload_Length="4000000").headers["location"]
            content = os.urandom(size)
            answer = append(running, path, 0, content)
            told[path] = content, int(answer.headers["upload-offset"])
        half = create(running, Upload_Length="4", Upload_Concat="partial").headers["location"]
        append(running, half, 0, b"half")

        disk.cut_the_power()
        running.process.kill()
        running.process.wait(START_SECONDS)
        disk.restore_the_power()

        with serving(running.root, ACCESS="open", MIN_FREE_BYTES="0") as restarted:
            for path, (content, offset) in told.items():
                assert offset == len(content)
                head = restarted.ask("HEAD", path, None, TUS)
                assert head.headers["upload-offset"] == str(offset)
                rest = os.urandom(4_000_000 - offset)
                assert append(restarted, path, offset, rest).status == 204
                file = restarted.ask("GET", path, headers=JSON).json
                assert file["sha256"] == hashlib.sha256(content + rest).hexdigest()
            joined = create(restarted, Upload_Concat=f"final;{half} {half}").headers["location"]
            file = restarted.ask("GET", joined, headers=JSON).json
            assert file["sha256"] == hashlib.sha256(b"halfhalf").hexdigest()


def test_the_cut_of_the_power_does_harm_what_was_not_synced(disk: Disk) -> None:
    file = disk.point / "file"
    file.write_bytes(b"not synced")

    disk.cut_the_power()
    disk.restore_the_power()

    assert not file.exists() or file.read_bytes() == b""
