"""How fast files come in."""

import itertools
import os
import subprocess
import time
from pathlib import Path

from bench.contenders import (
    BLOG,
    COPYPARTY,
    DISCARD,
    FASTAPI,
    FASTAPI_THREAD,
    NGINX,
    OURS,
    RCLONE,
    Contender,
)
from bench.crowd import small_posts
from bench.figures import Measure, Ratio, Row, Sample
from bench.load import curl_form, curl_put
from bench.race import DISK, MEMORY, MIB, Terms, clear, race
from bench.servers import Server

WALL = Measure("wall", "s")
CPU = Measure("server CPU", "s")
DURABLE = Measure("until on disk", "s")
RATE = Measure("uploads", "per second", more_is_better=True)
CPU_EACH = Measure("server CPU each", "ms")

SMALL_BYTES = 10_000
CONNECTIONS = 50

ON_DISK = (
    "`until on disk` ends when a `sync` of the file system after the answer has ended: "
    "fileservice has synced before it answers, the others have not."
)
numbers = itertools.count()


def send(contender: Contender, server: Server, file: Path, *, by_form: bool) -> float:
    """Send `file` once under a new name and return the seconds it took."""
    name = f"big-{next(numbers)}.bin"
    if by_form and contender.form is not None:
        return curl_form(server.url(contender.form.path), contender.form, file, name)
    assert contender.puts is not None  # noqa: S101  the rows name who has which door
    return curl_put(server.url(contender.puts + name), file)


def big_upload_turn(
    contender: Contender, server: Server, file: Path, *, by_form: bool, synced: bool
) -> Sample:
    """Send the large file once, and remove it."""
    os.sync()  # nobody pays for what another left to be written
    cpu = server.cpu_seconds()
    start = time.monotonic()
    wall = send(contender, server, file, by_form=by_form)
    if synced:
        subprocess.run(["sync", "-f", str(server.root)], check=True)
    durable = time.monotonic() - start
    sample = {WALL.name: wall, CPU.name: server.cpu_seconds() - cpu, DURABLE.name: durable}
    clear(server)
    return sample


def form_upload(terms: Terms, place: Path) -> Row:
    """Run the row of the large form upload on the file system of `place`."""
    on_disk = place == DISK
    outcome = race(
        [OURS, BLOG, FASTAPI, FASTAPI_THREAD, COPYPARTY, RCLONE, DISCARD],
        lambda contender, server: big_upload_turn(
            contender, server, terms.big_file, by_form=True, synced=on_disk
        ),
        place=place,
        rounds=terms.rounds,
    )
    return Row(
        f"One form upload of {terms.big_bytes // MIB} MiB, {'disk' if on_disk else 'tmpfs'}",
        (WALL, CPU, DURABLE) if on_disk else (WALL, CPU),
        outcome.samples,
        outcome.absent,
        (
            Ratio(WALL, BLOG.name, 4),
            Ratio(WALL, FASTAPI.name, 2),
            Ratio(WALL, COPYPARTY.name, 1),
            Ratio(WALL, RCLONE.name, 1),
        ),
        (
            "Stock Django runs the view of the blog posts: `request.FILES`, copied with aiofiles. "
            "FastAPI takes an `UploadFile`, copied with aiofiles or (sync view) with shutil.",
            "rclone has no form: it is sent a PUT.",
            "fileservice hashes (sha256) and syncs before it answers; copyparty hashes.",
            *((ON_DISK,) if on_disk else ()),
        ),
    )


def form_upload_in_memory(terms: Terms) -> Row:
    return form_upload(terms, MEMORY)


def form_upload_on_disk(terms: Terms) -> Row:
    return form_upload(terms, DISK)


def put(terms: Terms, place: Path) -> Row:
    """Run the row of the large PUT on the file system of `place`."""
    on_disk = place == DISK
    outcome = race(
        [OURS, NGINX, RCLONE, COPYPARTY, DISCARD],
        lambda contender, server: big_upload_turn(
            contender, server, terms.big_file, by_form=False, synced=on_disk
        ),
        place=place,
        rounds=terms.rounds,
    )
    return Row(
        f"One PUT of {terms.big_bytes // MIB} MiB, {'disk' if on_disk else 'tmpfs'}",
        (WALL, CPU, DURABLE) if on_disk else (WALL, CPU),
        outcome.samples,
        outcome.absent,
        (Ratio(WALL, NGINX.name, 0.7), Ratio(WALL, COPYPARTY.name, 1), Ratio(WALL, RCLONE.name, 1)),
        (
            "fileservice hashes (sha256) and syncs before it answers; nginx and rclone do neither.",
            *((ON_DISK,) if on_disk else ()),
        ),
    )


def put_in_memory(terms: Terms) -> Row:
    return put(terms, MEMORY)


def put_on_disk(terms: Terms) -> Row:
    return put(terms, DISK)


def small_uploads(terms: Terms) -> Row:
    def turn(contender: Contender, server: Server) -> Sample:
        os.sync()
        assert contender.form is not None  # noqa: S101  all of this row have one
        cpu = server.cpu_seconds()
        start = time.monotonic()
        rate = small_posts(
            server,
            contender.form,
            size=SMALL_BYTES,
            connections=CONNECTIONS,
            seconds=terms.seconds,
        )
        done = rate * (time.monotonic() - start)
        sample = {RATE.name: rate, CPU_EACH.name: (server.cpu_seconds() - cpu) / done * 1000}
        clear(server)
        return sample

    outcome = race(
        [OURS, BLOG, FASTAPI, FASTAPI_THREAD, COPYPARTY, DISCARD],
        turn,
        place=DISK,
        rounds=terms.rounds,
    )
    return Row(
        f"Form uploads of 10 KB, {CONNECTIONS} at once, disk",
        (RATE, CPU_EACH),
        outcome.samples,
        outcome.absent,
        (Ratio(RATE, FASTAPI.name, 1), Ratio(RATE, COPYPARTY.name, 1.3), Ratio(RATE, BLOG.name, 2)),
        ("fileservice syncs file, folder and row before it answers; nobody else syncs anything.",),
    )
