"""What a thread does to the disk."""

import fcntl
import io
import os
from collections.abc import Buffer, Iterable
from datetime import datetime
from pathlib import Path

PRIVATE_FILE = 0o600


class WholeFile(io.FileIO):
    """A file for its owner only, new unless `flags` say otherwise; it writes all it is given."""

    def __init__(self, path: str, flags: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL) -> None:
        mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "rb+"}[flags & os.O_ACCMODE]
        super().__init__(os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE), mode)

    def writelines(self, chunks: Iterable[Buffer]) -> None:
        """Append `chunks`; `FileIO.writelines` would pass over a write that was cut short."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self.write(rest) :]


def claimed(path: str) -> WholeFile:
    """
    Make a new file and lock it: until it is closed, whoever sweeps can tell that it is in use.

    Raises:
        FileExistsError: it is there.
    """
    while True:
        file = WholeFile(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # swept between the making and the locking


def seized(*paths: str) -> WholeFile | None:
    """
    Lock the first of `paths` that is there, and return it; None where none is.

    Raises:
        BlockingIOError: somebody who is alive has it open to write.
    """
    for path in paths:
        try:
            file = WholeFile(path, os.O_RDWR)  # NFS locks only what may be written to
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            file.close()
            raise
        return file
    return None


def unchanged(folder: Path, before: datetime) -> list[Path]:
    """Return the files of `folder` that were last written before a moment."""
    moment = before.timestamp()
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if is_unchanged(entry, moment)]


def is_unchanged(entry: os.DirEntry[str], moment: float) -> bool:
    """Tell whether an entry is a file, still there, that was last written before a moment."""
    try:
        return (
            entry.is_file(follow_symlinks=False)
            and entry.stat(follow_symlinks=False).st_mtime < moment
        )
    except FileNotFoundError:  # since its folder was read
        return False


def remove(path: Path) -> None:
    """Remove a blob for good."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(str(path.parent))


def sync_folder(folder: str) -> None:
    """Make names in `folder` durable: fsync of a file does not cover its name."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def open_at(path: str, start: int) -> io.FileIO:
    """Open a file with its position at `start`."""
    file = io.FileIO(path)
    file.seek(start)
    return file


def read_block(file: io.FileIO, size: int) -> bytes:
    """Read up to `size` bytes, at least one."""
    block = file.read(size)
    if not block:
        raise OSError(f"{file.name} ends before its row says")
    return block


def read_whole(file: io.FileIO, size: int) -> bytes:
    """Read `size` bytes."""
    blocks = []
    left = size
    while left:
        blocks.append(read_block(file, left))
        left -= len(blocks[-1])
    return b"".join(blocks)
