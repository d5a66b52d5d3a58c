"""`manage.py batch`: works on one batch; the service starts it, and nobody else has to."""

import asyncio
import os
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from fileservice import backlog
from fileservice.backlog import Lease, LeaseLost
from fileservice.batches.watch import NICENESS
from fileservice.batches.work import Tools, give_up, work
from fileservice.errors import FileserviceError
from fileservice.http.lifespan import open_resources, open_signing


class Orphaned(Exception):
    """The service that began this has ended."""


class Command(BaseCommand):
    """Work on a batch."""

    help = "Work on a batch, with a lease on it. The service starts this by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say which batch, and which lease."""
        parser.add_argument("id")
        parser.add_argument("fence", type=int)

    def handle(self, *args: object, **options: Any) -> None:
        """Work until the batch has ended, was stopped, or the service has."""
        os.nice(NICENESS)
        parent = os.getppid()

        def tell(doing: str, done: int, total: int) -> None:
            if os.getppid() != parent:
                raise Orphaned(f"{doing}: {done} of {total}")

        lease = Lease(options["id"], options["fence"])
        with suppress(LeaseLost):
            try:
                work_here(lease, processes=os.cpu_count() or 1, tell=tell)
            except Orphaned:
                backlog.release(lease, datetime.now(UTC))


def work_here(lease: Lease, *, processes: int, tell: Callable[[str, int, int], None]) -> None:
    """
    Work on a batch in this process and some others; it may have no threads yet.

    Raises:
        LeaseLost: another works on it, or it was stopped.
    """
    try:
        tools = asyncio.run(tools_for(lease, processes=processes, tell=tell))
    except FileserviceError as error:
        give_up(lease, error)
        return
    work(lease, tools)


async def tools_for(
    lease: Lease, *, processes: int, tell: Callable[[str, int, int], None]
) -> Tools:
    """
    Open what a worker has, and close it: what is left has no threads.

    Raises:
        FileserviceError: the template cannot be had.
    """
    options = settings.OPTIONS
    async with open_resources(options) as resources:
        ordered, _ = await resources.ledger.run(backlog.read, lease)
        return Tools(
            template=await resources.templates.get(ordered.template),
            engine=resources.issuing.engine,
            blocks=resources.issuing.blocks,
            signing=partial(open_signing, options),
            stamped=options.timestamp_url is not None,
            processes=processes,
            tell=tell,
        )
