"""Parcels of more than four gigabytes, whose files are holes on the disk."""

import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.conftest import Server, need_program, serving
from tests.test_parcels import JSON, changed, key_of, made, path_of

GIB = 1 << 30
SIZES = {"a.bin": 3 * GIB, "b.bin": GIB + GIB // 2, "last.txt": 4}


def resident(server: Server) -> int:
    """Return the most memory that the server ever had, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


@pytest.mark.long
def test_more_than_four_gigabytes_come_in_flat_memory_and_go_on_anywhere(
    migrated: Path, tmp_path: Path
) -> None:
    with serving(migrated, ACCESS="open") as server:
        parcel = made(server, [(name, b"last") for name in SIZES])
        for file in server.ask("GET", path_of(parcel["url"]), headers=JSON).json["files"]:
            size = SIZES[file["path"]]
            [blob] = [path for path in server.stored() if path.name == file["id"]]
            if size != blob.stat().st_size:
                with blob.open("r+b") as hole:
                    hole.truncate(0)
                    hole.truncate(size)
                sql = "UPDATE fileservice_file SET size = ?, crc32 = NULL WHERE id = ?"
                changed(server, sql, size, file["id"])
        before, target = resident(server), tmp_path / "a.zip"
        curl = [need_program("curl"), "-sf", "--retry", "30", "--retry-delay", "1"]

        # The CRC-32 of each is computed first, and 503 told until it is.
        subprocess.run([*curl, "-o", target, parcel["zip_url"]], check=True, timeout=300)

        assert target.stat().st_size > 4 * GIB + GIB // 4
        assert resident(server) - before < 32 << 20
        with zipfile.ZipFile(target) as archive:
            assert {each.filename: each.file_size for each in archive.infolist()} == SIZES
            assert archive.read("last.txt") == b"last"
            assert crc32_of_zeros(SIZES["b.bin"]) == archive.getinfo("b.bin").CRC
        whole = target.stat().st_size
        for cut in (whole - 100, 4 * GIB + 5, 3 * GIB - 7):
            with target.open("r+b") as file:
                file.seek(cut)
                rest = file.read(1 << 20)
                file.truncate(cut)

            subprocess.run([*curl, "-C", "-", "-o", target, parcel["zip_url"]], check=True)

            assert target.stat().st_size == whole
            with target.open("rb") as file:
                file.seek(cut)
                assert file.read(len(rest)) == rest
        assert server.ask("DELETE", f"/parcels/{key_of(parcel)}").status == 204


@pytest.mark.long
def test_who_waits_too_long_for_what_nobody_has_read_is_told_to_come_back(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as server:
        parcel = made(server, [("a", b"x")])
        [blob] = server.stored()
        with blob.open("r+b") as hole:
            hole.truncate(1000 * GIB)
        sql = "UPDATE fileservice_file SET size = ?, crc32 = NULL WHERE parcel_id = ?"
        changed(server, sql, 1000 * GIB, parcel["id"])

        for _ in range(2):
            answer = server.ask("GET", path_of(parcel["zip_url"]))
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")

        assert server.ask("DELETE", f"/parcels/{key_of(parcel)}").status == 204


def crc32_of_zeros(size: int) -> int:
    crc, block = 0, bytes(1 << 24)
    for _ in range(size >> 24):
        crc = zlib.crc32(block, crc)
    return crc
