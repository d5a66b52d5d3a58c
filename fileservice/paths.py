"""Where a file stands among others that are given away with it: folders, and a name."""

from dataclasses import dataclass

from fileservice.errors import BadName
from fileservice.names import MAX_EXTENSION_BYTES, MAX_NAME_BYTES, clean_name

MAX_PATH_BYTES = 1024  # PATH_MAX of macOS; with Windows' 260 no folder of any project fits
MAX_FOLDERS = 32


@dataclass(frozen=True, slots=True)
class CleanPath:
    """
    Folders and a name, each as `clean_name` leaves it, with slashes between.

    Attributes:
        name: the last of them.
    """

    text: str
    name: str
    changed: bool


def clean_path(raw: bytes) -> CleanPath:
    """
    Return `raw`, segments with `/` between, as a path that leads nowhere but down.

    A clean path comes back unchanged.

    Raises:
        NoFile: `raw` is empty.
        BadName: a segment is none that `clean_name` lets pass, as `..` and what is empty are, or
            the path is longer or deeper than paths may be.
    """
    if len(raw) > MAX_PATH_BYTES:
        raise BadName(f"A path may have at most {MAX_PATH_BYTES:,} bytes.")
    *folders, last = raw.split(b"/")
    if len(folders) > MAX_FOLDERS:
        raise BadName(f"A path may have at most {MAX_FOLDERS} folders.")
    if folders and b"" in (*folders, last):
        raise BadName("A path names each of its folders, and begins with no slash.")
    names = [clean_name(segment) for segment in (*folders, last)]
    text = "/".join(name.text for name in names)
    return CleanPath(text, names[-1].text, changed=any(name.changed for name in names))


def numbered(name: str, number: int) -> str:
    """Return `name` with a number before its extension, as `a (2).txt`, in as many bytes."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, dot, extension = name, "", ""
    ending = f" ({number}){dot}{extension}"
    room = MAX_NAME_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def ancestors(path: str) -> list[str]:
    """Return the folders that a path leads through, the outermost first."""
    folders = path.split("/")[:-1]
    return ["/".join(folders[: depth + 1]) for depth in range(len(folders))]
