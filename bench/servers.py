"""A server under test: started on a free loopback port, watched through /proc, always ended."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 20.0
STOP_SECONDS = 5.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

# Positions in /proc/<pid>/stat counted from the state, which follows the name in brackets: proc(5).
SESSION = 3
TIMES = slice(11, 15)  # utime, stime, and both of the children that were waited for
RESIDENT = 21


class DidNotStart(Exception):
    """A server ended or stayed silent instead of answering; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started; `env` is added to ours."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and every process it started: they share one session."""

    session: int
    port: int
    root: Path

    def url(self, path: str) -> str:
        """Return the address of `path` on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes since the start, user and system."""
        ticks = sum(int(tick) for stat in self._stats() for tick in stat[TIMES])
        return ticks / TICKS_PER_SECOND

    def resident_bytes(self) -> int:
        """Return the resident memory of all its processes; what they share counts for each."""
        return sum(int(stat[RESIDENT]) for stat in self._stats()) * PAGE_BYTES

    def _stats(self) -> Iterator[list[str]]:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                line = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended since the folder was listed
            stat = line.rpartition(")")[2].split()
            if int(stat[SESSION]) == self.session:
                yield stat


def free_port() -> int:
    """Return a loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Command, *, port: int, root: Path) -> Iterator[Server]:
    """
    Run `command` until the block ends, and end all its processes then.

    Its temporary files go below `root` too, so that a peer which spools does so on the file
    system the row is about.

    Raises:
        DidNotStart: nothing answered on `port` within 20 seconds.
    """
    spool = root / "tmp"
    spool.mkdir(exist_ok=True)
    words = root / "server.log"
    with words.open("wb") as log:
        process = subprocess.Popen(
            command.argv,
            env={**os.environ, "TMPDIR": str(spool), **command.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(process, port, words)
        yield Server(process.pid, port, root)
    finally:
        _end(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, words: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(ConnectionError, http.client.HTTPException, TimeoutError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
            connection.request("GET", "/")
            connection.getresponse()
            connection.close()
            return
        time.sleep(0.05)
    last = words.read_text(errors="replace").strip().splitlines()[-3:]
    raise DidNotStart(" / ".join(last) or "it stayed silent")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group: politely, then for certain."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
