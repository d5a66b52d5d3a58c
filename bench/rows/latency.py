"""What small requests wait while the service is busy."""

import http.client
import itertools
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from bench.contenders import OURS_WATCHED, Contender
from bench.crowd import put_on_and_on
from bench.figures import Bound, Measure, Row, Sample
from bench.load import Refused
from bench.race import DISK, MIB, Terms, clear, folder_below, race
from bench.rows.downloads import SMALL_BYTES, Addresses
from bench.servers import Server

LATENCY = Measure("p99 of small requests", "ms")
BLOCKED = Measure("longest block of the loop", "ms")
UPLOADS = 50
UPLOAD_BYTES = 64 * MIB
PAUSE_SECONDS = 0.01


def small_requests_beside_uploads(terms: Terms) -> Row:
    with folder_below(DISK) as folder:
        file = folder / "small.bin"
        file.write_bytes(os.urandom(SMALL_BYTES))
        addresses = Addresses(file)

        def turn(contender: Contender, server: Server) -> Sample:
            addresses.lay_out(contender, server)  # again: each turn ends with nothing stored
            small = urlsplit(addresses.by_contender[contender.name]).path
            with uploads_running(server):
                time.sleep(1)
                ask(server.port, "/longest-block")
                waits = asked_in_turn(server.port, ["/livez", small], seconds=terms.seconds)
                blocked = float(ask(server.port, "/longest-block"))
            clear(server)
            return {
                LATENCY.name: statistics.quantiles(waits, n=100)[98] * 1000,
                BLOCKED.name: blocked * 1000,
            }

        outcome = race([OURS_WATCHED], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"Small requests while {UPLOADS} uploads of {UPLOAD_BYTES // MIB} MiB run",
        (LATENCY, BLOCKED),
        outcome.samples,
        outcome.absent,
        (Bound(LATENCY, 50), Bound(BLOCKED, 50)),
        (
            "`GET /livez` and a download of 10 KB in turn on one connection, every 10 ms. "
            "The uploads run as fast as they can, and their client shares the two cores.",
        ),
    )


@contextmanager
def uploads_running(server: Server) -> Iterator[None]:
    """Keep large uploads running from another process while the block runs."""
    crowd = multiprocessing.get_context("spawn").Process(
        target=put_on_and_on,
        args=(server.port, "/files/"),
        kwargs={"size": UPLOAD_BYTES, "connections": UPLOADS},
    )
    crowd.start()
    try:
        yield
        if crowd.exitcode is not None:
            raise Refused("the uploads ended")
    finally:
        crowd.kill()
        crowd.join()


def asked_in_turn(port: int, paths: list[str], *, seconds: float) -> list[float]:
    """Ask for the paths in turn on one connection, and return what each answer took in seconds."""
    waits = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    until = time.monotonic() + seconds
    for path in itertools.cycle(paths):
        start = time.monotonic()
        if start > until:
            break
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise Refused(f"answered {answer.status}")
        waits.append(time.monotonic() - start)
        time.sleep(PAUSE_SECONDS)
    connection.close()
    return waits


def ask(port: int, path: str) -> str:
    """Return the body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body
