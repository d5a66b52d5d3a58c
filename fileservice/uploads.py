"""How a file comes in: start, append, seal, finish; the same for every door."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from django.db import Error

from fileservice import entries
from fileservice.actors import Actor
from fileservice.errors import (
    DigestMismatch,
    FileserviceError,
    InsufficientStorage,
    ServiceUnavailable,
    TooLarge,
)
from fileservice.ledger import FileState, Ledger, StoredFile
from fileservice.mediatypes import HEAD_BYTES, check_type, media_type
from fileservice.names import CleanName
from fileservice.recipients import Recipient
from fileservice.storage import Incoming, Storage

LOOK_EVERY = 64 << 20  # bytes between two looks at how much room the disk still has
# For each byte one of the 32 letters of RFC 4648 6, in lower case; all are as likely.
LETTERS = b"abcdefghijklmnopqrstuvwxyz234567" * 8

type Add = Callable[[Sequence[StoredFile], Actor], Awaitable[None]]
type Take = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one upload may take.

    Attributes:
        request_bytes: of the files of one request together.
        file_bytes: of this file; less than `request_bytes` where others came before it.
        free_bytes: what must stay free on the disk.
        set_by: the setting, or whatever else says so.
    """

    request_bytes: int
    file_bytes: int
    free_bytes: int
    set_by: str = "FILESERVICE_MAX_UPLOAD_BYTES"


class Upload:
    """
    A file on its way in: a context that leaves nothing behind unless it was finished.

    Attributes:
        id: for the link to give away.
        key: for the link to keep.
        size: bytes so far.
        to: whose it becomes.
        path: in its parcel, where it becomes part of one.
    """

    def __init__(
        self, storage: Storage, name: CleanName, *, to: Recipient, now: datetime, path: str = ""
    ) -> None:
        self.id = unguessable()
        self.key = unguessable()
        self.name = name
        self.to = to
        self.path = path
        self.created_at = now
        self.sha256 = ""
        self._head = b""
        self._storage = storage
        self._incoming: Incoming = storage.create(self.id)
        self._incoming.counts_all = to.parcel_id is not None
        self._may_have_row = False

    async def __aenter__(self) -> Self:
        await self._incoming.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._incoming.__aexit__(kind, error, at)
        if self.sha256 and not self._may_have_row:
            await self._storage.delete(self.id)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._incoming.size

    async def append(
        self,
        chunks: AsyncIterable[bytes | memoryview],
        limits: Limits,
        take: Take | None = None,
    ) -> None:
        """
        Take `chunks`, and for each the room that it needs.

        Raises:
            TooLarge: more bytes came than a file may have, or than `take` has room for.
            InsufficientStorage: the disk has no more room, or would have too little.
            ServiceUnavailable: see `disk_errors`.
        """
        incoming, limit = self._incoming, limits.file_bytes
        look_at = LOOK_EVERY
        async for chunk in chunks:
            if len(self._head) < HEAD_BYTES:
                self._head += bytes(chunk[: HEAD_BYTES - len(self._head)])
                if len(self._head) == HEAD_BYTES:
                    self.check_type()
            if incoming.size + len(chunk) > limit:
                raise too_large(limits)
            if take is not None:
                await take(len(chunk))
            with disk_errors():
                await incoming.write(chunk)
            if incoming.size >= look_at:
                # Nobody knows the end of a chunked body, and others fill the disk, too.
                check_room(self._storage, limits, 0)
                look_at += LOOK_EVERY

    def check_type(self) -> None:
        """
        Refuse a content that may not come, as far as it is here.

        Raises:
            UnsupportedRequest: it is of no type that may.
        """
        if self.to.media_types:
            check_type(media_type(self._head, self.name.text), self.to.media_types)

    async def seal(self, expected: bytes | None = None) -> None:
        """
        Make the bytes durable; the file is still not to be seen.

        Raises:
            DigestMismatch: `expected`, a SHA-256, is not that of the bytes.
            UnsupportedRequest: see `check_type`.
        """
        self.check_type()
        with disk_errors():
            self.sha256 = await self._incoming.finish()
        if expected is not None and expected.hex() != self.sha256:
            raise DigestMismatch(
                f"The bytes that arrived have the SHA-256 {self.sha256}; nothing was stored."
            )

    def stored(self, state: FileState) -> StoredFile:
        """Return the row of a sealed upload."""
        return StoredFile(
            id=self.id,
            key=self.key,
            name=self.name.text,
            name_changed=self.name.changed,
            size=self.size,
            sha256=self.sha256,
            media_type=media_type(self._head, self.name.text),
            created_at=self.created_at,
            sender=self.to.sender,
            user_id=self.to.user_id,
            restricted=self.to.restricted,
            expires_at=self.to.expires_at,
            drop_id=self.to.drop_id,
            address=self.to.address,
            parcel_id=self.to.parcel_id,
            path=self.path,
            crc32=self._incoming.crc32,
            state=state,
        )

    def keep(self, *, keep: bool = True) -> None:
        """Note that there may be a row, so that the bytes stay; or that there surely is none."""
        self._may_have_row = keep


async def finish(
    ledger: Ledger, uploads: Sequence[Upload], by: Actor, add: Add | None = None
) -> list[StoredFile]:
    """
    Make sealed `uploads` files, all or none, and return their rows.

    Who has more to commit with them does it by an `add` of the same `ledger`.

    Raises:
        ServiceUnavailable: the database is busy; no file was made.
        FileserviceError: what commits them refuses them; no file was made.
    """
    files = [upload.stored(ledger.arrival_state) for upload in uploads]
    # Where the wait is cancelled the commit goes on: better bytes without a row, which are
    # swept, than a row without bytes. Until it has ended, the bytes stay open and are not.
    for upload in uploads:
        upload.keep()
    try:
        await (add or adding(ledger, files))(files, by)
    except asyncio.CancelledError:
        await ledger.settle()
        raise
    except (Error, FileserviceError):
        for upload in uploads:
            upload.keep(keep=False)
        raise
    await ledger.arrived(*(file.id for file in files))
    if ledger.quarantine or is_for_parcel(files):
        return [ledger.find(file.id) or file for file in files]
    return files


def is_for_parcel(files: Sequence[StoredFile]) -> bool:
    """Tell whether files become part of a parcel, where they may get other names."""
    return any(file.parcel_id for file in files)


def adding(ledger: Ledger, files: Sequence[StoredFile]) -> Add:
    """Return what commits files that nobody counts."""
    if not is_for_parcel(files):
        return ledger.add

    async def add(files: Sequence[StoredFile], by: Actor) -> None:
        # Not with the files of others: it may be refused.
        await ledger.commit(entries.insert, [(file, by) for file in files])

    return add


async def delete(ledger: Ledger, storage: Storage, file: StoredFile, by: Actor) -> bool:
    """
    Delete a file and return whether this call was the one that did.

    The row goes first: bytes without a row are swept later, a row without bytes would be a
    broken promise.
    """
    if not await ledger.remove(file, by):
        return False
    await storage.delete(file.id)
    return True


def check_room(storage: Storage, limits: Limits, declared: int) -> None:
    """
    Refuse `declared` bytes that cannot be taken, before the first of them is read.

    Raises:
        TooLarge: more than one file may have.
        InsufficientStorage: the disk would have less than `limits.free_bytes` left.
    """
    if declared > limits.file_bytes:
        raise too_large(limits)
    if storage.free_bytes() - declared < limits.free_bytes:
        raise InsufficientStorage("The disk has no room for this file.")


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """
    Turn an error of the disk that will pass into one the client can act on.

    Raises:
        InsufficientStorage: the disk or the quota is full.
        ServiceUnavailable: too many files are open.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientStorage("The disk is full.") from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise ServiceUnavailable(
                "Too many files are open.", headers={"Retry-After": "5"}
            ) from error
        raise


def too_large(limits: Limits) -> TooLarge:
    """Return the refusal of more bytes than one request may bring."""
    return TooLarge(
        f"A file, or all files of a form together, may have at most {limits.request_bytes:,} bytes"
        f" ({limits.set_by}).",
        extensions={"limit_bytes": limits.request_bytes},
    )


def unguessable() -> str:
    """Return 130 random bits as 26 lower-case characters that are safe in a URL and a file name."""
    return os.urandom(26).translate(LETTERS).decode()
