"""The layout of a ZIP file, read by what did not write it."""

import io
import random
import subprocess
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.ziplayout import Content, Layout, Member, Piece, dos_time, size_of
from tests.conftest import need_program

NOW = datetime(2026, 11, 21, 8, 30, 7, tzinfo=UTC)
GIB = 1 << 30
LIMIT = 0xFFFFFFFF

type File = tuple[str, bytes]


def layout_of(files: Sequence[File]) -> Layout:
    return Layout([Member(name.encode(), len(b), zlib.crc32(b), NOW) for name, b in files])


def filled(pieces: Iterable[Piece], files: Sequence[File]) -> bytes:
    return b"".join(
        files[piece.member][1][piece.start : piece.stop] if isinstance(piece, Content) else piece
        for piece in pieces
    )


def whole(layout: Layout, files: Sequence[File]) -> bytes:
    return filled(layout.pieces(0, layout.size), files)


FILES = [("Żółć.txt", b"one"), ("a/b/empty", b""), ("a/c", b"x" * 70_000), ("z", b"last")]


def test_an_archive_is_as_long_as_was_said_and_is_read() -> None:
    layout = layout_of(FILES)

    content = whole(layout, FILES)

    assert len(content) == layout.size
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == FILES
        assert {info.date_time for info in archive.infolist()} == {(2026, 11, 21, 8, 30, 6)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
        assert {info.extract_version for info in archive.infolist()} == {20}


def test_an_archive_of_nothing_is_one() -> None:
    layout = Layout([])

    content = whole(layout, [])

    assert len(content) == layout.size == 22
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == []


@given(
    st.lists(
        st.tuples(st.text("abc/é", min_size=1, max_size=9), st.binary(max_size=40)), max_size=5
    ),
    st.data(),
)
def test_any_part_is_that_of_the_whole(files: list[File], data: st.DataObject) -> None:
    layout = layout_of(files)
    content = whole(layout, files)
    start = data.draw(st.integers(0, layout.size))
    stop = data.draw(st.integers(start, layout.size))

    pieces = list(layout.pieces(start, stop))

    assert filled(pieces, files) == content[start:stop]
    assert all(size_of(piece) for piece in pieces)


@pytest.mark.parametrize("count", [0xFFFE, 0xFFFF, 0x10001])
def test_any_number_of_files_goes_in(count: int) -> None:
    files = [(f"{at:05}", b"x") for at in range(count)]
    layout = layout_of(files)

    content = whole(layout, files)

    assert len(content) == layout.size
    assert (b"PK\6\6" in content[-98:]) == (count >= 0xFFFF)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == count
        assert archive.read(archive.namelist()[-1]) == b"x"


def crc32_of_zeros(size: int) -> int:
    """Return the CRC-32 of so many zeros, which take no room where a file has a hole."""
    crc = 0
    block = bytes(1 << 24)
    for _ in range(size >> 24):
        crc = zlib.crc32(block, crc)
    return zlib.crc32(bytes(size % (1 << 24)), crc)


def sparse(path: Path, layout: Layout, tail: bytes) -> None:
    """Write an archive whose members are zeros but for the last."""
    with path.open("wb") as file:
        for piece in layout.pieces(0, layout.size):
            if not isinstance(piece, Content):
                file.write(piece)
            elif piece.member == len(layout.members) - 1:
                file.write(tail)
            else:
                file.seek(size_of(piece), io.SEEK_CUR)


# Sizes of the members before the last, and how many of the three need 64 bits.
LARGE = [
    ([LIMIT - 1], 0, 1),  # the second begins behind four gigabytes
    ([LIMIT], 1, 1),
    ([4 * GIB], 1, 1),
    ([3 * GIB, GIB - 200], 0, 0),  # all of it is smaller by a hair
    ([3 * GIB, GIB], 0, 1),
]


@pytest.mark.parametrize(("sizes", "far_sizes", "far_places"), LARGE)
def test_four_gigabytes_and_more_are_read(
    tmp_path: Path, sizes: list[int], far_sizes: int, far_places: int
) -> None:
    members = [Member(b"%d" % at, size, 0, NOW) for at, size in enumerate(sizes)]
    layout = Layout([*members, Member(b"z", 4, zlib.crc32(b"last"), NOW)])
    path = tmp_path / "a.zip"

    sparse(path, layout, b"last")

    assert path.stat().st_size == layout.size
    with zipfile.ZipFile(path) as archive:
        assert archive.read("z") == b"last"
        assert [info.file_size for info in archive.infolist()] == [*sizes, 4]
        versions = [info.extract_version for info in archive.infolist()]
    assert versions.count(45) == far_sizes + far_places
    with path.open("rb") as file:
        file.seek(-120, io.SEEK_END)
        assert (b"PK\6\6" in file.read()) == (far_places > 0)


@pytest.mark.long
# Not of 2^32 - 1 itself: unzip 6.0 then takes the entry behind it for one with such a size, too.
@pytest.mark.parametrize("sizes", [[LIMIT - 1], [LIMIT + 1]])
def test_other_programs_find_nothing_wrong_with_large_archives(
    tmp_path: Path, sizes: list[int]
) -> None:
    members = [Member(b"%d" % at, size, crc32_of_zeros(size), NOW) for at, size in enumerate(sizes)]
    layout = Layout([*members, Member(b"z", 4, zlib.crc32(b"last"), NOW)])
    path = tmp_path / "a.zip"
    sparse(path, layout, b"last")

    done = subprocess.run(
        [need_program("unzip"), "-tq", str(path)], capture_output=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("program", [["unzip", "-tq"], ["zip", "-T"], ["zip", "-FF"]])
def test_other_programs_find_nothing_wrong(tmp_path: Path, program: list[str]) -> None:
    layout, path = layout_of(FILES), tmp_path / "a.zip"
    path.write_bytes(whole(layout, FILES))
    out = ["--out", str(tmp_path / "b.zip")] if "-FF" in program else []

    done = subprocess.run(
        [need_program(program[0]), *program[1:], str(path), *out], capture_output=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_another_name_size_content_or_time_is_another_digest() -> None:
    base = [Member(b"a", 1, 2, NOW), Member(b"b", 1, 2, NOW)]
    others = [
        base[:1],
        base[::-1],
        [base[0]._replace(name=b"c"), base[1]],
        [base[0]._replace(size=2), base[1]],
        [base[0]._replace(crc32=3), base[1]],
        [base[0]._replace(made_at=NOW + timedelta(seconds=2)), base[1]],
    ]
    digests = {Layout(members).digest(["00"] * len(members)) for members in [base, *others]}
    digests.add(Layout(base).digest(["00", "01"]))

    assert len(digests) == len(others) + 2
    assert Layout(base).digest(["00", "00"]) in digests


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(1980, 1, 1, 0, 0, 3, tzinfo=UTC), (1980, 1, 1, 0, 0, 2)),
        (datetime(2107, 12, 31, 23, 59, 59, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime(2400, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime(2026, 1, 2, 3, 4, 6, tzinfo=timezone(timedelta(hours=5))), (2026, 1, 2, 3, 4, 6)),
    ],
)
def test_times_are_the_nearest_that_there_are(
    moment: datetime, shown: tuple[int, int, int, int, int, int]
) -> None:
    time, date = dos_time(moment)

    assert shown == (
        *((date >> 9) + 1980, date >> 5 & 15, date & 31),
        *(time >> 11, time >> 5 & 63, (time & 31) * 2),
    )


def test_a_part_of_an_archive_of_many_is_found_at_once() -> None:
    generator = random.Random(7)  # noqa: S311 - places to look at
    members = [Member(b"%06d" % at, 1 << 40, 1, NOW) for at in range(100_000)]
    layout = Layout(members)

    for _ in range(100):
        start = generator.randrange(layout.size - 10)
        assert sum(map(size_of, layout.pieces(start, start + 10))) == 10
