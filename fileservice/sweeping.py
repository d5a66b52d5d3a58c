"""What a killed process left behind, removed after a time of grace."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from django.db import Error

from fileservice.errors import FileserviceError
from fileservice.ledger import Ledger
from fileservice.storage import Storage
from fileservice.tasks import beside

log = logging.getLogger("fileservice.sweeping")

# Far longer than from the last byte of an upload to its row; short enough to matter on a disk.
GRACE = timedelta(hours=24)
PERIOD_SECONDS = 3600


async def sweep(ledger: Ledger, storage: Storage, *, now: datetime) -> int:
    """
    Remove drafts nobody writes to any more and blobs that have no row; return how many.

    Safe beside uploads and beside another sweep: what is younger than `GRACE` is left alone.
    """
    before = now - GRACE
    removed = 0
    drafts = await storage.drafts(before)
    for id in set(drafts) - await ledger.known(drafts):
        await storage.discard_draft(id)
        removed += 1
    async for ids in storage.ids(before):
        for id in set(ids) - await ledger.known(ids):
            await storage.delete(id)
            removed += 1
    return removed


@contextlib.asynccontextmanager
async def sweeping(ledger: Ledger, storage: Storage) -> AsyncIterator[None]:
    """Sweep in the background until the end of the block."""
    async with beside(keep_sweeping(ledger, storage)):
        yield


async def keep_sweeping(ledger: Ledger, storage: Storage) -> None:
    """Sweep now and every hour, until cancelled; a sweep that fails is tried again."""
    while True:
        try:
            removed = await sweep(ledger, storage, now=datetime.now(UTC))
        except (OSError, Error, FileserviceError):
            log.exception("A sweep failed; the next is in %d seconds.", PERIOD_SECONDS)
        else:
            if removed:
                log.warning("%d leftovers of killed uploads were removed.", removed)
        await asyncio.sleep(PERIOD_SECONDS)
