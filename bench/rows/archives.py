"""How fast several files go out as one ZIP file, which one side has to make and the other has."""

import os
import zipfile
from pathlib import Path

from bench.contenders import NGINX, OURS, Contender
from bench.figures import Measure, Ratio, Row, Sample
from bench.load import curl_get, form_for_address
from bench.race import DISK, MIB, Terms, folder_below, race
from bench.rows.downloads import Addresses
from bench.servers import Server

WALL = Measure("wall", "s")
CPU = Measure("server CPU", "s")
MANY = 100


def archive_of_many(terms: Terms) -> Row:
    return archive(terms, MANY, MIB, f"A ZIP file of {MANY} files of 1 MiB")


def archive_of_one(terms: Terms) -> Row:
    size = terms.big_bytes
    return archive(terms, 1, size, f"A ZIP file of one file of {size // MIB} MiB")


def archive(terms: Terms, count: int, size: int, title: str) -> Row:
    with folder_below(DISK) as folder:
        files = [folder / f"{at:03}.bin" for at in range(count)]
        for file in files:
            file.write_bytes(os.urandom(MIB) * (size // MIB))
        packed = folder / "archive.zip"
        with zipfile.ZipFile(packed, "w") as opened:
            for file in files:
                opened.write(file, file.name)
        addresses = Addresses(packed)

        def lay_out(contender: Contender, server: Server) -> None:
            if contender is NGINX:
                addresses.lay_out(contender, server)
                return
            parcel = form_for_address(server.url("/parcels/"), files)
            addresses.by_contender[contender.name] = f"{parcel}/archive.zip"

        def turn(contender: Contender, server: Server) -> Sample:
            cpu = server.cpu_seconds()
            wall = curl_get(addresses.by_contender[contender.name], length(packed))
            return {WALL.name: wall, CPU.name: server.cpu_seconds() - cpu}

        outcome = race([OURS, NGINX], turn, place=DISK, rounds=terms.rounds, prepare=lay_out)
    return Row(
        title,
        (WALL, CPU),
        outcome.samples,
        outcome.absent,
        (Ratio(WALL, NGINX.name, 0.7),),
        ("nginx gives out an archive of the same size that lies on its disk; ours is laid out.",),
    )


def length(file: Path) -> int:
    return file.stat().st_size
