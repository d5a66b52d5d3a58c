"""How fast resumable uploads come in, and how many."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from bench.contenders import OURS, TUS_NODE, Contender
from bench.crowd import BLOCK_BYTES
from bench.figures import Bound, Measure, Ratio, Row, Sample
from bench.load import curl_patch, curl_put
from bench.race import DISK, MEMORY, MIB, Terms, clear, race
from bench.resuming import create, far_crowd, small_uploads
from bench.rows.uploads import CONNECTIONS, CPU, CPU_EACH, DURABLE, ON_DISK, SMALL_BYTES, WALL
from bench.servers import Server
from tests.faultproxy import fault_proxy

PER_MINUTE = Measure("uploads", "per minute", more_is_better=True)
TOTAL = Measure("all memory", "MiB")

BY_PUT = replace(OURS, name="fileservice by plain PUT", creates=None)
DELAY_SECONDS = 0.1
PIECES = 4


def big_turn(contender: Contender, server: Server, file: Path, *, synced: bool) -> Sample:
    """Send the large file once, by one PATCH or by PUT, and remove it."""
    os.sync()  # nobody pays for what another left to be written
    if contender.creates is not None:
        send, path = curl_patch, create(server, contender.creates, file.stat().st_size)
    else:
        send, path = curl_put, f"{contender.puts}big.bin"
    cpu = server.cpu_seconds()
    start = time.monotonic()
    wall = send(server.url(path), file)
    if synced:
        subprocess.run(["sync", "-f", str(server.root)], check=True)
    durable = time.monotonic() - start
    sample = {WALL.name: wall, CPU.name: server.cpu_seconds() - cpu, DURABLE.name: durable}
    clear(server)
    return sample


def one_patch(terms: Terms, place: Path) -> Row:
    """Run the row of the large PATCH on the file system of `place`."""
    on_disk = place == DISK
    outcome = race(
        [OURS, BY_PUT, TUS_NODE],
        lambda contender, server: big_turn(contender, server, terms.big_file, synced=on_disk),
        place=place,
        rounds=terms.rounds,
    )
    return Row(
        f"One tus PATCH of {terms.big_bytes // MIB} MiB, {'disk' if on_disk else 'tmpfs'}",
        (WALL, CPU, DURABLE) if on_disk else (WALL, CPU),
        outcome.samples,
        outcome.absent,
        (Ratio(WALL, BY_PUT.name, 0.9), Ratio(WALL, TUS_NODE.name, 2)),
        (
            "The upload was created before. fileservice hashes (sha256) and syncs before it "
            "answers; @tus/server does neither.",
            *((ON_DISK,) if on_disk else ()),
        ),
    )


def patch_in_memory(terms: Terms) -> Row:
    return one_patch(terms, MEMORY)


def patch_on_disk(terms: Terms) -> Row:
    return one_patch(terms, DISK)


def small(terms: Terms, *, at_once: bool) -> Row:
    """Run the row of many small uploads, sent in one request each or in two."""

    def turn(contender: Contender, server: Server) -> Sample:
        os.sync()
        assert contender.creates is not None  # noqa: S101  both of this row have one
        cpu = server.cpu_seconds()
        start = time.monotonic()
        rate = small_uploads(
            server,
            contender.creates,
            size=SMALL_BYTES,
            connections=CONNECTIONS,
            seconds=terms.seconds,
            at_once=at_once,
        )
        done = rate * (time.monotonic() - start)
        each = (server.cpu_seconds() - cpu) / done * 1000
        clear(server)
        return {PER_MINUTE.name: rate * 60, CPU_EACH.name: each}

    outcome = race([OURS, TUS_NODE], turn, place=DISK, rounds=terms.rounds)
    how = "one request each" if at_once else "creation and PATCH"
    return Row(
        f"tus uploads of 10 KB, {how}, {CONNECTIONS} at once, disk",
        (PER_MINUTE, CPU_EACH),
        outcome.samples,
        outcome.absent,
        (Bound(PER_MINUTE, 10_000), Ratio(PER_MINUTE, TUS_NODE.name, 1)),
        (
            "fileservice syncs file, folder and rows before it answers; @tus/server syncs nothing "
            "and keeps what it knows of an upload in a file beside it.",
        ),
    )


def small_in_two(terms: Terms) -> Row:
    return small(terms, at_once=False)


def small_in_one(terms: Terms) -> Row:
    return small(terms, at_once=True)


def far(terms: Terms) -> Row:
    crowd = terms.crowd // 5

    def turn(contender: Contender, server: Server) -> Sample:
        os.sync()
        assert contender.creates is not None  # noqa: S101  both of this row have one
        with fault_proxy(("127.0.0.1", server.port)) as proxy:
            proxy.delay_seconds = DELAY_SECONDS
            seconds, peak = far_crowd(
                server,
                proxy.port,
                contender.creates,
                crowd=crowd,
                pieces=PIECES,
                piece_bytes=2 * BLOCK_BYTES,
            )
        clear(server)
        return {WALL.name: seconds, TOTAL.name: peak / MIB}

    outcome = race([OURS, TUS_NODE], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"{crowd} tus uploads at once over {DELAY_SECONDS * 1000:.0f} ms each way, disk",
        (WALL, TOTAL),
        outcome.samples,
        outcome.absent,
        (Bound(TOTAL, 300), Ratio(WALL, TUS_NODE.name, 1)),
        (
            f"Each is created, then sent in {PIECES} PATCHes of {2 * BLOCK_BYTES // 1024} KiB, "
            "one after another: the delays alone take "
            f"{2 * DELAY_SECONDS * (PIECES + 1):g} s. The proxy runs beside the load. Resident "
            "memory of all processes, the greatest seen.",
        ),
    )
