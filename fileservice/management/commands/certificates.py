"""`manage.py certificates issue`: a list of people in, certificates out, each of them kept."""

import asyncio
import os
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiofiles
import aiofiles.os
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fileservice import backlog
from fileservice.actors import THE_SERVICE
from fileservice.backlog import LEASE, Lease, LeaseLost, Ordered
from fileservice.batches import gathering
from fileservice.batches.ordering import BatchOrder, bad_list
from fileservice.certificates import DEFAULT_TEMPLATE
from fileservice.errors import FileserviceError
from fileservice.http.lifespan import Resources, open_resources
from fileservice.management.commands.batch import work_here

BAR = 40  # characters
FORMATS = (".zip", ".pdf")


class Command(BaseCommand):
    """Issue a certificate for each line of a list."""

    help = "Issue a certificate for each line of a CSV or JSON Lines file."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what is issued to whom."""
        commands = parser.add_subparsers(required=True, metavar="issue")
        issue = commands.add_parser("issue", help="issue, keep, and write into one file")
        issue.add_argument("list", type=Path, help="the list: .csv with a line of names, or .jsonl")
        issue.add_argument(
            "--out", type=Path, required=True, help="the .zip, or the .pdf to be printed, to write"
        )
        issue.add_argument("--template", default=DEFAULT_TEMPLATE, help="(default: %(default)s)")
        issue.add_argument("--tz", default="UTC", help="time zone (default: %(default)s)")
        issue.add_argument("--expires-at", default="", help="a day or a moment, ISO 8601")
        issue.add_argument(
            "--origin", default="", help="under which others reach the service: https://..."
        )
        issue.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="(default: one each core)"
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Issue all, or say which lines are in the way and issue nothing."""
        out: Path = options["out"]
        if options["processes"] < 1:
            raise CommandError("--processes must be 1 or more.")
        if out.suffix not in FORMATS:
            raise CommandError(f"--out must end in {' or '.join(FORMATS)}.")
        if not out.parent.is_dir():
            raise CommandError(f"There is no folder {str(out.parent)!r}.")
        try:
            ordered = asyncio.run(order(options))
            work_here(Lease(ordered.id, 0), processes=options["processes"], tell=self.tell)
            ordered = ended(ordered)
            asyncio.run(write(ordered, out))
        except LeaseLost as error:
            raise CommandError("The batch was stopped.") from error
        except (FileserviceError, OSError) as error:
            raise CommandError(getattr(error, "detail", str(error))) from error
        self.stdout.write(f"{ordered.done} certificates are issued; they are in {out}.")
        self.stdout.write(f"The service tells of them at /batches/{ordered.key}")

    def tell(self, doing: str, done: int, total: int) -> None:
        """Draw on a terminal how far it is."""
        if sys.stderr.isatty():
            bar = "#" * (BAR * done // total)
            end = "\n" if done == total else "\r"
            self.stderr.write(f"{doing:8} [{bar:{BAR}}] {done:,} of {total:,}", ending=end)
            self.stderr.flush()


async def order(options: dict[str, Any]) -> Ordered:
    """
    Order the batch, and leave it to this program.

    Raises:
        OSError: the list cannot be read.
        FileserviceError: as `Desk.order`.
    """
    path: Path = options["list"]
    wanted = BatchOrder(
        content=await asyncio.to_thread(path.read_bytes),
        kind="jsonl" if path.suffix == ".jsonl" else "csv",
        template=options["template"],
        zone=options["tz"],
        expires_at=options["expires_at"],
        origin=options["origin"].rstrip("/"),
    )
    async with open_resources(settings.OPTIONS) as resources:
        return await resources.desk.order(wanted, by=THE_SERVICE, now=datetime.now(UTC), held=LEASE)


def ended(ordered: Ordered) -> Ordered:
    """
    Return the batch as it ended.

    Raises:
        BadList: lines cannot be issued.
        CommandError: it was stopped, or has to go on later.
    """
    found = backlog.find(ordered.id)
    if found.complaints:
        raise bad_list(found.complaints)
    if found.state != "done":
        raise CommandError(f"{found.done} of {found.total} are issued. {found.trouble}")
    return found


async def write(ordered: Ordered, out: Path) -> None:
    """Write the file of a batch, which is there when it is whole."""
    draft = out.with_name(f".{out.name}.part")
    try:
        async with open_resources(settings.OPTIONS) as resources:
            await save(await content(resources, ordered, out.suffix), draft)
        await aiofiles.os.replace(draft, out)
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)


async def save(chunks: AsyncGenerator[bytes], path: Path) -> None:
    """Write what comes."""
    async with aclosing(chunks), aiofiles.open(path, "wb") as file:
        async for chunk in chunks:
            await file.write(chunk)


async def content(resources: Resources, ordered: Ordered, suffix: str) -> AsyncGenerator[bytes]:
    """Return what is to be written."""
    rows = await gathering.held(resources.registry, ordered.id)
    if suffix == ".zip":
        return gathering.archive(resources.issuing, ordered, rows)
    return gathering.merged(resources.issuing, ordered, rows)
