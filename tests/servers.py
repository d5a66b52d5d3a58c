"""The program under each server that runs several workers of it, and the road that all must go."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.client import Answer
from tests.conftest import (
    CHECKOUT,
    START_SECONDS,
    Server,
    environment,
    free_port,
    wait_until_up,
)
from tests.otherhosts import Answering, OtherHost, other_host

SESSION_MADE = "of this worker is made"
PROGRAM = "fileservice.asgi:application"

type Command = Callable[[int, int, str], list[str]]


def uvicorn(port: int, workers: int, program: str) -> list[str]:
    return ["-m", "uvicorn", "--port", str(port), "--workers", str(workers), program]


def gunicorn(port: int, workers: int, program: str) -> list[str]:
    # Its control socket would be made in the home of whoever runs the tests.
    command = ["-m", "gunicorn", "--worker-class", "asgi", "--no-control-socket"]
    return [*command, "--bind", f"127.0.0.1:{port}", "--workers", str(workers), program]


def granian(port: int, workers: int, program: str) -> list[str]:
    command = ["-m", "granian", "--interface", "asgi", "--no-ws", "--host", "127.0.0.1"]
    return [*command, "--port", str(port), "--workers", str(workers), program]


SERVERS: tuple[Command, ...] = (uvicorn, gunicorn, granian)


@contextmanager
def serving_under(
    command: Command,
    root: Path,
    log: Path,
    *,
    workers: int,
    program: str = PROGRAM,
    calling: str = "",
    **options: str,
) -> Iterator[Server]:
    """Serve `program` in `root` until the end of the block, from when every worker has started."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command(port, workers, program)],
            env=environment(root, **{"ACCESS": "open", **options}) | {"CALLING_URL": calling},
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
        )
    server = Server("127.0.0.1", port, root, process, log)
    try:
        wait_until_up(server)
        wait_for_sessions(server, workers)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def wait_for_sessions(server: Server, least: int) -> None:
    """Return when so many sessions were made: each worker makes its own as it starts."""
    for _ in range(START_SECONDS * 20):
        if sessions_made(server) >= least:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.05)


def sessions_made(server: Server) -> int:
    return server.log.read_text().count(SESSION_MADE)


@contextmanager
def host_aside(answer: Answering) -> Iterator[OtherHost]:
    """Run another host in a thread, so that whoever asks may block."""
    started: Future[OtherHost] = Future()
    ended = threading.Event()

    async def run() -> None:
        async with other_host(answer) as host:
            started.set_result(host)
            await asyncio.to_thread(ended.wait)

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(asyncio.run, run())
        try:
            yield started.result(START_SECONDS)
        finally:
            ended.set()
        running.result()


def samples(answer: Answer) -> list[Sample]:
    """Return what an answer of /metrics holds, but for when each count began."""
    families = text_string_to_metric_families(answer.text)
    found = [sample for family in families for sample in family.samples]
    return [sample for sample in found if not sample.name.endswith("_created")]


def walk(server: Server) -> None:
    """Go the main road: a file in, out, away; a certificate."""
    content = os.urandom(600_000)  # large enough for a server that sends files by itself
    put = server.ask("PUT", "/files/a.bin", content, {"Accept": "application/json"})
    [file] = put.json["files"]

    assert put.status == 201
    assert server.ask("GET", f"/files/{file['id']}").body == content
    ranged = server.ask("GET", f"/files/{file['id']}", headers={"Range": "bytes=10-19"})
    assert (ranged.status, ranged.body) == (206, content[10:20])
    assert server.ask("DELETE", file["manage_url"].removeprefix(server.url)).status == 204
    assert server.ask("GET", f"/files/{file['id']}").status == 404
    certificate = server.ask("GET", "/certificate")
    assert certificate.status == 200
    assert certificate.body.startswith(b"%PDF-")
