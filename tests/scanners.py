"""A real ClamAV daemon with signatures of our own, and one that stands still."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import START_SECONDS, free_port, need_program

MARKER = b"this line is what the tests call malware: 8c1f3a"
FOUND = "Tests.Marker.UNOFFICIAL"
STREAM_BYTES = 2 << 20  # the most that the daemon of the tests looks at


@dataclass
class Scanner:
    """
    A daemon.

    Attributes:
        socket: its socket file.
        port: at which it listens too, on 127.0.0.1.
    """

    folder: Path
    socket: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [need_program("clamd"), "--config-file", str(self.folder / "clamd.conf")]
        self.socket.unlink(missing_ok=True)
        with (self.folder / "clamd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(START_SECONDS * 20):
            if self.answers():
                return
            assert self.process.poll() is None, (self.folder / "clamd.log").read_text()
            time.sleep(0.05)  # it tells nobody but its socket that it is up
        raise AssertionError("the daemon does not answer")

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(str(self.socket))
            connection.sendall(b"zPING\0")
            return connection.recv(16) == b"PONG\0"
        return False

    def kill(self) -> None:
        """End it as it stands."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def scanner() -> Iterator[Scanner]:
    """Give a daemon that knows one signature until the end of the block; it is not started."""
    need_program("clamd")
    with tempfile.TemporaryDirectory(prefix="clamd-") as name:
        folder = Path(name)
        (folder / "signatures").mkdir()
        signature = f"Tests.Marker:0:*:{MARKER.hex()}\n"
        (folder / "signatures" / "test.ndb").write_text(signature)
        given = Scanner(folder, folder / "clamd.sock", free_port())
        (folder / "clamd.conf").write_text(
            f"DatabaseDirectory {folder}/signatures\nLocalSocket {given.socket}\n"
            f"TCPSocket {given.port}\nTCPAddr 127.0.0.1\nTemporaryDirectory {folder}\n"
            f"StreamMaxLength {STREAM_BYTES}\nAlertExceedsMax yes\nForeground yes\n"
        )
        try:
            yield given
        finally:
            given.kill()


@contextmanager
def standing_still(path: Path) -> Iterator[None]:
    """Take connections at a socket file, and never a byte from them."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        yield
