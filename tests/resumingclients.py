"""Clients of resumable uploads that others wrote, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import CHECKOUT
from tests.nodepackages import NODE

RUN_SECONDS = 120
TUSPY_RETRIES = 30  # it waits the same time before each
RETRY_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)

type Command = Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client told, as it told it; the last event is a success or an error."""

    events: Sequence[Mapping[str, Any]]

    @property
    def url(self) -> str:
        """Return the upload's URL; the client was successful."""
        last = self.events[-1]
        assert last["event"] == "success", self.events
        return str(last["url"])

    @property
    def status(self) -> int | None:
        """Return the status that the client gave up at; it did."""
        last = self.events[-1]
        assert last["event"] == "error", self.events
        status: int | None = last.get("status")
        return status

    @property
    def answers(self) -> list[tuple[str, int]]:
        """Return methods and statuses; only Node's clients tell them."""
        return [(one["method"], one["status"]) for one in self.of("answer")]

    def of(self, event: str) -> list[Mapping[str, Any]]:
        return [one for one in self.events if one["event"] == event]


def tus_js(
    node: str, endpoint: str, file: Path, *, store: Path | None = None, **options: Any
) -> Command:
    """Return the command that sends `file` by tus-js-client with its own `options`."""
    order = {
        "endpoint": endpoint,
        "file": str(file),
        "retryDelays": [int(seconds * 1000) for seconds in RETRY_SECONDS],
        "metadata": {"filename": file.name},
        "urlStorage": store and str(store),
    }
    return [node, str(NODE / "upload.mjs"), json.dumps(order | options)]


def uppy(node: str, endpoint: str, files: Sequence[Path], **options: Any) -> Command:
    """Return the command that sends `files` by Uppy with the Tus plugin's own `options`."""
    order = {"endpoint": endpoint, "files": [str(file) for file in files]}
    return [node, str(NODE / "uppy.mjs"), json.dumps(order | options)]


def tuspy(
    endpoint: str,
    file: Path,
    *,
    headers: Mapping[str, str] | None = None,
    store: Path | None = None,
    asynchronous: bool = False,
    **options: Any,
) -> Command:
    """Return the command that sends `file` by tuspy with its uploader's own `options`."""
    order = {
        "endpoint": endpoint,
        "headers": headers or {},
        "store": store and str(store),
        "asynchronous": asynchronous,
        "options": {
            "file_path": str(file),
            "retries": TUSPY_RETRIES,
            "retry_delay": RETRY_SECONDS[1],
            "metadata": {"filename": file.name},
            **options,
        },
    }
    return [sys.executable, "-m", "tests.tuspy_program", json.dumps(order)]


def run(command: Command, seconds: float = RUN_SECONDS) -> Outcome:
    """Run a client to its end."""
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=seconds, check=False
    )
    return told(done.stdout, done.stderr)


@contextmanager
def running(command: Command) -> Iterator[subprocess.Popen[str]]:
    """Run a client beside the block; it is killed at the end of it, if it still runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=pipe, stderr=pipe, text=True) as client:
        try:
            yield client
        finally:
            client.kill()


def outcome(client: subprocess.Popen[str], seconds: float = RUN_SECONDS) -> Outcome:
    """Wait for a running client's end."""
    return told(*client.communicate(timeout=seconds))


def told(output: str, trouble: str) -> Outcome:
    lines = output.splitlines()
    assert lines, trouble
    return Outcome([json.loads(line) for line in lines])


@contextmanager
def tus_node_server(node: str, folder: Path, **options: Any) -> Iterator[tuple[str, int]]:
    """Run @tus/server with its files in `folder`, at the path /files; yield where."""
    order = json.dumps({"directory": str(folder), **options})
    command = [node, str(NODE / "server.mjs"), order]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line, "the server did not start"
        try:
            yield "127.0.0.1", json.loads(line)["port"]
        finally:
            server.stdin.close()
            server.wait(RUN_SECONDS)
