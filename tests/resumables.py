"""The domain of resumable uploads without HTTP: workers of one service, each in this process."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connections
from pytest_django import DjangoDbBlocker

from fileservice.appending import Append
from fileservice.drops import Drops
from fileservice.errors import ChecksumMismatch
from fileservice.following import Following
from fileservice.ledger import Ledger, StoredFile
from fileservice.options import DATABASE
from fileservice.quotas import Quotas
from fileservice.resumables import Kind, Resumable, Resumables
from fileservice.resuming import Resuming
from fileservice.storage.local import LocalStorage
from fileservice.uploads import Limits, unguessable
from tests.client import WAIT_SECONDS

ROOMY = Limits(request_bytes=1 << 40, file_bytes=1 << 40, free_bytes=0)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker has for resumable uploads."""

    storage: LocalStorage
    ledger: Ledger
    resumables: Resumables
    resuming: Resuming
    following: Following

    async def start(self, length: int | None, **more: Any) -> Resumable:
        return await self.resuming.start(new(length, **more), ROOMY)

    async def append(self, upload: Resumable, *chunks: bytes, **more: Any) -> Resumable:
        """Append to an upload where it stands now."""
        more = {"offset": self.now(upload).offset} | more
        return await self.resuming.append(upload, bringing(*chunks, **more), ROOMY)

    async def settle(self, upload: Resumable) -> Resumable:
        """Return the upload as HEAD tells it."""
        return await self.resuming.settle(self.now(upload))

    def now(self, upload: Resumable) -> Resumable:
        found = self.resuming.find(upload.key)
        assert found is not None
        return found

    def file(self, upload: Resumable) -> StoredFile:
        file = self.ledger.find(upload.id)
        assert file is not None
        return file

    def content(self, upload: Resumable) -> bytes:
        return self.storage.path(upload.id).read_bytes()

    def draft(self, upload: Resumable) -> Path:
        return self.storage.root / "incoming" / upload.id

    def files(self) -> list[Path]:
        return [path for path in self.storage.root.rglob("*") if path.is_file()]


@dataclass(slots=True)
class Stall:
    """
    Where a body stops until its client goes on, or hangs up, or another request comes.

    Attributes:
        reached: what came before was taken.
        over: it goes on.
        error: what the body then fails with.
    """

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    def end(self, error: Exception | None = None) -> None:
        self.error = error
        self.over.set()


@dataclass(slots=True)
class Checked:
    """A client's word on what its bytes are."""

    expected: bytes
    seen: bytes = b""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self.seen += bytes(data)

    def verify(self) -> None:
        if self.seen != self.expected:
            raise ChecksumMismatch("The bytes are others.")


def new(length: int | None, kind: Kind = "whole", **more: Any) -> Resumable:
    """Return an upload that is still to be started."""
    now = datetime.now(UTC)
    resumable = Resumable(
        id=unguessable(),
        key=unguessable(),
        name="a.txt",
        name_changed=False,
        kind=kind,
        state="open",
        length=length,
        offset=0,
        sha256="",
        metadata="",
        concat="",
        parts=(),
        created_at=now,
        expires_at=now,
        sender="",
    )
    return replace(resumable, **more)


def bringing(
    *chunks: bytes,
    offset: int,
    error: BaseException | None = None,
    stall: Stall | None = None,
    interrupt: Callable[[], None] | None = None,
    **more: Any,
) -> Append:
    """Return the append of a body that ends with `error`, after `stall`."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if stall is not None:
            stall.reached.set()
            await stall.over.wait()
            if stall.error is not None:
                raise stall.error
        if error is not None:
            raise error

    return Append(chunks=body(), interrupt=interrupt or ignored, offset=offset, **more)


def ignored() -> None:
    """Let nobody else write."""


@dataclass(slots=True)
class Service:
    """One database and one folder, for any number of workers."""

    root: Path
    lifetime: timedelta = WEEK
    max_bytes: int = 0
    max_files: int = 0

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """Open what a worker has, as the lifespan does."""
        with ThreadPoolExecutor(4) as disk, ThreadPoolExecutor(1) as rows:
            storage = LocalStorage(self.root / "uploads", disk, disk)
            storage.prepare()
            ledger = Ledger(self.root / DATABASE, rows)
            try:
                resumables = Resumables(ledger)
                following = Following(storage, resumables, wait_seconds=WAIT_SECONDS)
                quotas = Quotas(ledger, max_bytes=self.max_bytes, max_files=self.max_files)
                drops = Drops(ledger, ("secret",))
                resuming = Resuming(
                    storage, ledger, resumables, following, quotas, drops, lifetime=self.lifetime
                )
                async with resuming.watching():
                    yield Worker(storage, ledger, resumables, resuming, following)
            finally:
                await ledger.close()


@contextmanager
def service_in(root: Path, migrated: Path, blocker: DjangoDbBlocker) -> Iterator[Service]:
    """Make a service in `root`, whose database Django's connections open until the block ends."""
    shutil.copy(migrated / DATABASE, root)
    database = connections.settings["default"]
    usual = database["NAME"]
    database["NAME"] = root / DATABASE
    try:
        with blocker.unblock():
            yield Service(root)
    finally:
        database["NAME"] = usual


async def done_within(seconds: float, event: asyncio.Event) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()
