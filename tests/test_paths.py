"""A path in a parcel leads down, and nowhere else."""

import pytest

from fileservice.errors import BadName, NoFile
from fileservice.names import MAX_NAME_BYTES
from fileservice.paths import (
    MAX_FOLDERS,
    MAX_PATH_BYTES,
    CleanPath,
    ancestors,
    clean_path,
    numbered,
)
from tests.hostile import NAMES, Outcome


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a.txt", "a.txt"),
        (b"photos/2026/a.jpg", "photos/2026/a.jpg"),
        ("Żółć/張.txt".encode(), "Żółć/張.txt"),
        (b"/".join([b"a"] * (MAX_FOLDERS + 1)), "/".join("a" * (MAX_FOLDERS + 1))),
    ],
)
def test_a_clean_path_comes_back_unchanged(raw: bytes, text: str) -> None:
    assert clean_path(raw) == CleanPath(text, text.rpartition("/")[2], changed=False)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a:b/c", "a_b/c"),
        (b".git/config", "_.git/config"),
        (b"C:/x", "C_/x"),
        (b"a /b. ", "a/b"),
        (b"con/nul.txt", "_con/_nul.txt"),
    ],
)
def test_what_is_awkward_is_mended_in_each_folder(raw: bytes, text: str) -> None:
    assert clean_path(raw) == CleanPath(text, text.rpartition("/")[2], changed=True)


@pytest.mark.parametrize(
    "raw",
    [
        *(b"../a", b"a/../b", b"a/./b", b"/a", b"a/", b"a//b", b"//", b"a\\b", b"..\\a/b", b"a/.."),
        *(b"%2e%2e/a", b"a/%2fb", b"a/b%5cc", b"a\0/b", b"\xff/a", b"a/\xc0\xaf"),
        b"/".join([b"a"] * (MAX_FOLDERS + 2)),
        b"a/" * 20 + b"b" * MAX_PATH_BYTES,
    ],
)
def test_what_leads_elsewhere_is_refused(raw: bytes) -> None:
    with pytest.raises(BadName):
        clean_path(raw)


def test_what_no_name_may_be_no_folder_may() -> None:
    for case in NAMES:
        if case.outcome is Outcome.REFUSED:
            with pytest.raises(BadName):
                clean_path(b"a/" + case.raw.replace(b"/", b"%2f") + b"/b")


def test_no_path_is_no_file() -> None:
    with pytest.raises(NoFile):
        clean_path(b"")


@pytest.mark.parametrize(
    ("name", "number", "other"),
    [
        ("a.txt", 2, "a (2).txt"),
        ("a", 10, "a (10)"),
        ("_.profile", 2, "_ (2).profile"),
        ("a.b.c", 3, "a.b (3).c"),
        ("Dr. No, a film with a very long subtitle", 2, None),
        ("x" * 255, 2, "x" * 251 + " (2)"),
        ("\u00e9" * 125 + ".txt", 2, "\u00e9" * 123 + " (2).txt"),
    ],
)
def test_a_number_comes_before_the_extension(name: str, number: int, other: str | None) -> None:
    assert numbered(name, number) == (other or f"{name} (2)")
    assert len(numbered(name, number).encode()) <= MAX_NAME_BYTES


def test_the_folders_of_a_path_are_told() -> None:
    assert ancestors("a/b/c.txt") == ["a", "a/b"]
    assert ancestors("c.txt") == []
