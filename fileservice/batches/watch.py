"""Who sees that batches are worked on: one task in each worker, and a program for each batch."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from django.db import Error

import fileservice
from fileservice.backlog import Backlog, Lease
from fileservice.errors import FileserviceError
from fileservice.leases import this_process
from fileservice.tasks import beside

log = logging.getLogger("fileservice.batches")

# A batch that comes to this worker is begun at once; this is for what another one left.
LOOK_SECONDS = 5
END_SECONDS = 5
# What is served comes before what can wait.
NICENESS = 10
BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from django.core.management import execute_from_command_line;"
    " execute_from_command_line(sys.argv)"
)


class Watch:
    """Takes batches that wait, one at a time, and has each worked on by a program of its own."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._awake = asyncio.Event()
        self._owner = this_process()

    def wake(self) -> None:
        """Look at once."""
        self._awake.set()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch in the background until the end of the block; what is under work is left then."""
        async with beside(self._keep_watching()):
            yield

    async def _keep_watching(self) -> None:
        while True:
            self._awake.clear()
            try:
                while self._backlog.has_ready(datetime.now(UTC)):
                    await self._work_on_one()
            except (OSError, Error, sqlite3.Error, FileserviceError):
                log.exception("A batch was left; the next look is in %d seconds.", LOOK_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._awake.wait()

    async def _work_on_one(self) -> None:
        lease = await self._backlog.take(self._owner, now=datetime.now(UTC))
        if lease is None:
            return
        try:
            await work_apart(lease)
        finally:
            # It has no effect where the batch has ended, or another has the lease.
            await self._backlog.release(lease, now=datetime.now(UTC))


async def work_apart(lease: Lease) -> None:
    """Have a program work on a batch; when this is cancelled, it is ended."""
    package = Path(fileservice.__file__).parent.parent
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BOOT, str(package), "batch", lease.batch_id, str(lease.fence)),
        stdin=asyncio.subprocess.DEVNULL,
        env={"DJANGO_SETTINGS_MODULE": "fileservice.settings", **os.environ},
        # Ctrl+C in a terminal is for the service, which ends it in its own time.
        start_new_session=True,
    )
    try:
        status = await process.wait()
    finally:
        await ended(process)
    if status:
        log.error("The work on batch %s ended with status %d.", lease.batch_id, status)


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a program, if it still runs."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
