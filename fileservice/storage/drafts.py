"""A blob that comes in several pieces: a draft that is opened again for each."""

import contextlib
import errno
import fcntl
import os
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from fileservice.storage import disk
from fileservice.storage.folders import Folders
from fileservice.storage.writing import BlockWriter, Sums, Threads

MAX_DIGESTS = 4096
# How much one call in a thread copies or hashes: a stop need not wait for longer than that.
STRIDE = 64 << 20
COPY_BLOCK = 1 << 20
NO_COPY_IN_KERNEL = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class Digests:
    """
    The sums of drafts as far as they have come, of those written to last.

    So a file that comes in many requests to one worker is hashed as it comes; of one that this
    worker saw only a part of, the draft is read once at its end.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Sums]] = OrderedDict()

    def take(self, id: str, size: int) -> Sums | None:
        """Return the sums of the first `size` bytes, if they are known; they are the caller's."""
        if size == 0:
            return Sums()
        known_size, sums = self._known.pop(id, (0, None))
        return sums if known_size == size else None

    def keep(self, id: str, size: int, sums: Sums | None) -> None:
        """Keep sums for who writes next."""
        if sums is None or size == 0:
            return
        self._known[id] = (size, sums)
        if len(self._known) > MAX_DIGESTS:
            self._known.popitem(last=False)


class LocalDraft(BlockWriter):
    """See `storage.Draft`; the kernel's lock on the file goes with the process that has it."""

    def __init__(
        self, folders: Folders, threads: Threads, digests: Digests, id: str, size: int
    ) -> None:
        super().__init__(threads)
        self.size = size
        self._folders = folders
        self._digests = digests
        self._id = id
        self._placed = False
        self._is_longer = False
        self._start = size
        self._start_sums: Sums | None = None

    async def __aenter__(self) -> Self:
        self._threads.writers += 1
        try:
            await self._do(self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._threads.writers -= 1
        await self._abandon()
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        """
        Open the draft, or the blob that it has become.

        Raises:
            BlockingIOError: somebody writes to it.
            EOFError: it has fewer bytes than `size`.
        """
        file = self._open_locked()
        there = os.fstat(file.fileno()).st_size
        if there < self.size:
            raise EOFError(f"the draft has {there} bytes, {self.size} were durable")
        if self._placed:
            self.size = there
        self._is_longer = there > self.size
        file.seek(self.size)
        self._sums = self._digests.take(self._id, self.size)
        self._start = self.size
        self._start_sums = self._sums and self._sums.copy()

    def _open_locked(self) -> disk.WholeFile:
        while True:
            self._file = file = self._open_any()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._placed or is_named(file, self._folders.draft(self._id)):
                return file
            # Who had the lock until now has given it its place, or removed it.
            file.close()

    def _open_any(self) -> disk.WholeFile:
        draft, blob = self._folders.draft(self._id), self._folders.blob(self._id)
        with contextlib.suppress(FileNotFoundError):
            return disk.WholeFile(draft, os.O_RDWR)
        with contextlib.suppress(FileNotFoundError):
            file = disk.WholeFile(blob, os.O_RDWR)
            # It was placed and its row not committed: whole, and not to be written to.
            self._placed = True
            return file
        if self.size:
            raise EOFError(f"the draft is gone, {self.size} bytes of it were durable")
        return disk.WholeFile(draft, os.O_RDWR | os.O_CREAT)

    @property
    def is_whole(self) -> bool:
        """See `storage.Draft.is_whole`."""
        return self._placed

    async def trim(self) -> None:
        """See `storage.Draft.trim`."""
        if self._is_longer:
            await self._do(self._cut)

    async def flush(self) -> None:
        """See `storage.Draft.flush`."""
        if self._chunks:
            await self._flush()
        await self._settle()

    async def sync(self) -> None:
        """See `storage.Draft.sync`."""
        await self._threads.off_loop(self._sync)

    def _sync(self) -> None:
        file = self._opened
        # See `LocalIncoming._end` on errors.
        os.fdatasync(file.fileno())
        if self._start == 0:
            disk.sync_folder(self._folders.incoming)

    async def rewind(self) -> None:
        """See `storage.Draft.rewind`."""
        await self._abandon()
        self._chunks, self._waiting, self.size = [], 0, self._start
        self._sums = self._start_sums and self._start_sums.copy()
        await self._do(self._cut)

    def _cut(self) -> None:
        self._opened.truncate(self._start)
        self._opened.seek(self._start)

    def keep_digest(self) -> None:
        """See `storage.Draft.keep_digest`."""
        self._digests.keep(self._id, self.size, self._sums)

    async def splice(self, ids: Sequence[str]) -> None:
        """See `storage.Draft.splice`."""
        self._sums = None
        for id in ids:
            await self._splice_one(id)

    async def _splice_one(self, id: str) -> None:
        try:
            part = await self._do(disk.WholeFile, self._folders.draft(id), os.O_RDONLY)
        except FileNotFoundError as error:
            raise EOFError(f"the part {id} is gone") from error
        with part:
            done = 0
            while copied := await self._do(self._copy, part, done):
                done += copied
                self.size += copied
        self._opened.seek(self.size)

    def _copy(self, part: disk.WholeFile, start: int) -> int:
        """Copy up to `STRIDE` bytes; where the file system can, it shares them instead."""
        source, target = part.fileno(), self._opened.fileno()
        try:
            return os.copy_file_range(source, target, STRIDE, start, self.size)
        except OSError as error:
            if error.errno not in NO_COPY_IN_KERNEL:
                raise
        block = os.pread(source, COPY_BLOCK, start)
        self._opened.seek(self.size)
        self._opened.writelines([block])
        return len(block)

    async def finish(self, expected: str = "") -> str:
        """See `storage.Draft.finish`."""
        if self._sums is None:
            await self._do(self._write_rest, self._opened)
            await self._sum_from_disk()
        return await self._do(self._complete, expected)

    async def _sum_from_disk(self) -> None:
        self._sums = Sums()
        done = 0
        while done < self.size:
            done += await self._do(self._sum_stride, done)

    def _sum_stride(self, start: int) -> int:
        size = min(STRIDE, self.size - start)
        for at in range(start, start + size, COPY_BLOCK):
            block = os.pread(self._opened.fileno(), min(COPY_BLOCK, start + size - at), at)
            self._digest_all([block])
            self._count([block])
        return size

    def _complete(self, expected: str) -> str:
        self._write_rest(self._opened)
        sha256 = self._whole.sha256.hexdigest()
        if self._placed:
            # Who gave it its place may have been killed before that was durable.
            disk.sync_folder(self._folders.of(self._id))
        elif expected in ("", sha256):
            os.fsync(self._opened.fileno())
            self._folders.place(self._id)
            self._placed = True
        return sha256

    @property
    def _opened(self) -> disk.WholeFile:
        assert self._file is not None  # noqa: S101 - it is open within the context
        return self._file


def is_named(file: disk.WholeFile, path: str) -> bool:
    """Tell whether `path` is still a name of an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))  # noqa: PTH116 - text
    except FileNotFoundError:
        return False
