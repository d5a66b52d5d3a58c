"""An archive whose size is known before it is written, and what stands in lists of certificates."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fileservice.batches.archives import Archive, Item, name_of, size_of
from fileservice.spreadsheets import harmless

NOW = datetime(2026, 11, 21, 8, 30, 6, tzinfo=UTC)
GIB = 1 << 30


def written(files: Sequence[tuple[bytes, bytes]]) -> bytes:
    archive = Archive(NOW)
    return b"".join([*(archive.add(*file) for file in files), archive.end()])


def test_what_is_written_is_as_long_as_was_said_and_can_be_read() -> None:
    files = [("Żółć.pdf".encode(), b"one"), (b"2.pdf", b""), (b"3.pdf", b"x" * 70_000)]

    content = written(files)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert [(each.encode(), archive.read(each)) for each in archive.namelist()] == files
        assert {info.date_time for info in archive.infolist()} == {(2026, 11, 21, 8, 30, 6)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
    assert len(content) == size_of(Item(name, len(each)) for name, each in files)


@pytest.mark.parametrize("count", [0, 0xFFFE, 0xFFFF, 0x10001])
def test_any_number_of_files_goes_in(count: int) -> None:
    files = [(b"%05d" % at, b"x") for at in range(count)]

    content = written(files)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == count
        if count:
            assert archive.read(archive.namelist()[-1]) == b"x"
    assert len(content) == size_of(Item(name, 1) for name, _ in files)


class Hole(Archive):
    """An archive that begins behind a hole, as if much had been written."""

    def __init__(self, size: int) -> None:
        super().__init__(NOW)
        self._size = size


@pytest.mark.parametrize("size", [4 * GIB - 40, 4 * GIB - 1, 4 * GIB, 9 * GIB])
def test_more_than_four_gigabytes_go_in(tmp_path: Path, size: int) -> None:
    archive, path = Hole(size), tmp_path / "a.zip"
    tail = archive.add(b"a", b"first") + archive.add(b"b", b"second") + archive.end()

    with path.open("wb") as file:
        file.seek(size)
        file.write(tail)

    with zipfile.ZipFile(path) as opened:
        assert opened.read("a") == b"first"
        assert opened.read("b") == b"second"


def test_the_size_of_a_large_archive_counts_what_far_places_take() -> None:
    near = size_of([Item(b"a", 1), Item(b"b", 1), Item(b"c", 1)])

    far = size_of([Item(b"a", 2 * GIB), Item(b"b", 2 * GIB), Item(b"c", 1)])

    # 12 bytes for the place of the third, 76 for the end of the directory.
    assert far - near == 4 * GIB - 2 + 12 + 76


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"name": "Ada"}, "000007 Ada.pdf"),
        ({"full_name": "\u5f20\u4f1f"}, "000007 \u5f20\u4f1f.pdf"),
        ({"course": "x"}, "000007.pdf"),
        ({"name": " "}, "000007.pdf"),
        ({"name": "\x00"}, "000007.pdf"),
        ({"name": "a / b"}, "000007 a b.pdf"),
        ({"name": "a" * 200}, f"000007 {'a' * 80}.pdf"),
        ({"name": "../../etc"}, "000007 _.. .. etc.pdf"),
    ],
)
def test_a_file_is_named_by_its_line_and_whose_it_is(values: dict[str, str], name: str) -> None:
    assert name_of(7, values) == name


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Ada", "Ada"),
        ("", ""),
        ("1-2", "1-2"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
    ],
)
def test_a_cell_is_no_formula(text: str, cell: str) -> None:
    assert harmless(text) == cell
