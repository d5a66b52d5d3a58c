"""How fast files go out."""

import os
from pathlib import Path

from bench.contenders import (
    BLOG,
    COPYPARTY,
    FASTAPI,
    NGINX,
    OURS,
    OURS_UNDER_GRANIAN,
    Contender,
)
from bench.figures import Measure, Ratio, Row, Sample
from bench.load import curl_get, put_for_address, wrk
from bench.race import DISK, MIB, Terms, folder_below, race, shelve
from bench.servers import Server

WALL = Measure("wall", "s")
CPU = Measure("server CPU", "s")
RATE = Measure("downloads", "per second", more_is_better=True)
CPU_EACH = Measure("server CPU each", "ms")

SMALL_BYTES = 10_000
CONNECTIONS = 50


class Addresses:
    """Where each contender gives the one file of a row out."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.by_contender: dict[str, str] = {}

    def lay_out(self, contender: Contender, server: Server) -> None:
        """Put the file into our service by its door, and into the folder of a peer."""
        if contender.gives is None:
            assert contender.puts is not None  # noqa: S101  every contender has one of the two
            address = put_for_address(server.url(contender.puts + self.file.name), self.file)
        else:
            shelve(contender, server, self.file)
            address = server.url(contender.gives + self.file.name)
        self.by_contender[contender.name] = address


def small_downloads(terms: Terms) -> Row:
    with folder_below(DISK) as folder:
        file = folder / "small.bin"
        file.write_bytes(os.urandom(SMALL_BYTES))
        addresses = Addresses(file)

        def turn(contender: Contender, server: Server) -> Sample:
            cpu = server.cpu_seconds()
            address = addresses.by_contender[contender.name]
            rate = wrk(address, connections=CONNECTIONS, seconds=terms.seconds)
            each = (server.cpu_seconds() - cpu) / (rate * terms.seconds) * 1000
            return {RATE.name: rate, CPU_EACH.name: each}

        outcome = race(
            [OURS, FASTAPI, BLOG, NGINX, OURS_UNDER_GRANIAN],
            turn,
            place=DISK,
            rounds=terms.rounds,
            prepare=addresses.lay_out,
        )
    return Row(
        f"Downloads of 10 KB, {CONNECTIONS} connections",
        (RATE, CPU_EACH),
        outcome.samples,
        outcome.absent,
        (Ratio(RATE, FASTAPI.name, 3), Ratio(RATE, BLOG.name, 15)),
        ("FastAPI and stock Django answer with their `FileResponse`.",),
    )


def big_download(terms: Terms) -> Row:
    addresses = Addresses(terms.big_file)

    def turn(contender: Contender, server: Server) -> Sample:
        cpu = server.cpu_seconds()
        wall = curl_get(addresses.by_contender[contender.name], terms.big_bytes)
        return {WALL.name: wall, CPU.name: server.cpu_seconds() - cpu}

    outcome = race(
        [OURS, OURS_UNDER_GRANIAN, NGINX, FASTAPI, BLOG, COPYPARTY],
        turn,
        place=DISK,
        rounds=terms.rounds,
        prepare=addresses.lay_out,
    )
    return Row(
        f"One download of {terms.big_bytes // MIB} MiB",
        (WALL, CPU),
        outcome.samples,
        outcome.absent,
        (
            Ratio(WALL, NGINX.name, 0.7),
            Ratio(WALL, NGINX.name, 1, ours=OURS_UNDER_GRANIAN.name),
        ),
        (
            "The file is in the page cache. On granian fileservice only names the file "
            "(`http.response.pathsend`); uvicorn has no such offload.",
        ),
    )
