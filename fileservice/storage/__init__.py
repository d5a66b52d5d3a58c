"""The bytes: who may do what with a blob is decided above, how it stays whole is decided here."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fileservice.storage.writing import Checksum


class Incoming(Protocol):
    """
    A blob while it is written: a context that leaves nothing behind unless it was finished.

    One task uses it at a time.
    """

    size: int
    """Bytes written so far."""

    counts_all: bool
    """Whether the CRC-32 is computed of a large blob, too; to be set before the first byte."""

    async def write(self, chunk: bytes | memoryview) -> None:
        """
        Append `chunk`, which the caller no longer changes.

        Returns when the chunk is taken, before it is on the disk; an error of the disk is
        raised by a later call.
        """

    @property
    def crc32(self) -> int | None:
        """The CRC-32 of what was finished; None where it is large and not `counts_all`."""

    async def finish(self) -> str:
        """
        Make the blob durable under its id and return the SHA-256 of its bytes in hexadecimal.

        When this returns a power cut no longer harms the blob.

        Raises:
            OSError: the disk failed; the blob is lost and must not be told as stored.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...


class Draft(Protocol):
    """
    A blob that comes in several pieces, open for one of them.

    A context in which nobody else writes to it, in any process; what was written stays after it.
    Entering raises `BlockingIOError` where somebody does, and `EOFError` where bytes are missing
    that were durable. One task uses it at a time.
    """

    size: int
    """Bytes written so far."""

    checksum: Checksum | None
    """Is fed every byte that is written from now on."""

    counts_all: bool
    """See `Incoming.counts_all`; to be the same in each context."""

    @property
    def crc32(self) -> int | None:
        """The CRC-32 of what was finished; None where it is large and not `counts_all`."""

    @property
    def is_whole(self) -> bool:
        """Whether it was finished before, by somebody who could not say so any more."""

    async def write(self, chunk: bytes | memoryview) -> None:
        """Append; see `Incoming.write`."""

    async def trim(self) -> None:
        """Forget what came after `size` before the context was entered; do so before you write."""

    async def flush(self) -> None:
        """Hand over to the disk what was written until now."""

    async def sync(self) -> None:
        """Make durable what was flushed; may run beside `write`."""

    async def rewind(self) -> None:
        """Forget what was written since the context was entered."""

    def keep_digest(self) -> None:
        """Keep the SHA-256 of what was flushed for who goes on: it is noted that it came so far."""

    async def splice(self, ids: Sequence[str]) -> None:
        """
        Append the bytes of other drafts, which stay.

        Raises:
            EOFError: one of them is gone.
        """

    async def finish(self, expected: str = "") -> str:
        """
        Make it a blob, durably, and return the SHA-256 of its bytes in hexadecimal.

        Where that is not `expected`, it stays a draft.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...


class Storage(Protocol):
    """Blobs by id; an id is made by us, never by a client."""

    def create(self, id: str) -> Incoming:
        """Begin a blob; nobody knows `id` until it is finished."""

    def reopen(self, id: str, size: int) -> Draft:
        """Open the draft `id` for what comes after `size`, new where that is 0."""

    async def is_written_to(self, id: str) -> bool:
        """Tell whether somebody who is alive has the draft open."""

    def unheld(self, id: str) -> AbstractAsyncContextManager[bool]:
        """
        Keep a draft or a blob from who may want to write to it, until the context ends.

        It is False where somebody who is alive has it open: an `Incoming` or a `Draft` has until
        its own context ends.
        """

    async def discard_draft(self, id: str) -> None:
        """Remove a draft; one that is not there is no error."""

    def peek(self, id: str, start: int, stop: int) -> bytes | None:
        """
        Return bytes `start` up to, not including, `stop` where that takes no waiting, else None.

        Of a draft too; one that just becomes a blob may be missed.

        Raises:
            FileNotFoundError: no such blob.
        """

    async def fetch(self, id: str, start: int, stop: int) -> bytes:
        """
        Return bytes `start` up to, not including, `stop`, held in memory at once.

        Of a draft it can be asked, as `read` can, for what was told to be durable.

        Raises:
            FileNotFoundError: no such blob.
            OSError: the blob is shorter than `stop`.
        """

    def read(self, id: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """
        Yield bytes `start` up to, not including, `stop` in blocks.

        Raises:
            FileNotFoundError: no such blob; raised by the first step.
            OSError: the blob is shorter than `stop`; raised where it ends.
        """

    def path(self, id: str) -> Path:
        """Return where a server that sends files by itself finds the blob."""

    async def delete(self, id: str) -> None:
        """Remove the blob; one that is not there is no error."""

    def free_bytes(self) -> int:
        """Return how many more bytes the storage can take."""

    async def drafts(self, before: datetime) -> list[str]:
        """Return the ids of drafts that nobody wrote to since `before`."""

    def ids(self, before: datetime) -> AsyncGenerator[list[str]]:
        """Yield the ids of blobs that were there `before`, some at a time."""
