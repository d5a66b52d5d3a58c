"""`manage.py certificates`: a list of people in, a ZIP file of certificates out."""

import asyncio
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fileservice.batches import Archive, fill_batch
from fileservice.certificates import DEFAULT_TEMPLATE, zone_of
from fileservice.errors import FileserviceError
from fileservice.http.lifespan import open_resources
from fileservice.pdf.filling import CompiledTemplate
from fileservice.rosters import MAX_COMPLAINTS, Complaint, Entry, read_roster

PROGRESS_EACH = 100


class Command(BaseCommand):
    """Fill a template for each line of a list."""

    help = "Make a certificate for each line of a CSV or JSON Lines file, into one ZIP file."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what is filled with what."""
        parser.add_argument(
            "list", type=Path, help="the list: .csv with a line of names, or .jsonl"
        )
        parser.add_argument("--out", type=Path, required=True, help="the ZIP file to write")
        parser.add_argument("--template", default=DEFAULT_TEMPLATE, help="(default: %(default)s)")
        parser.add_argument("--tz", default="UTC", help="time zone (default: %(default)s)")
        parser.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="(default: one each core)"
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Write the file, or say which lines are in the way and write nothing."""
        if options["processes"] < 1:
            raise CommandError("--processes must be 1 or more.")
        try:
            issued_at = datetime.now(UTC).astimezone(zone_of(options["tz"]))
            entries = self.entries(options["list"])
            template = asyncio.run(template_of(options["template"]))
            archive = Archive(options["out"])
        except (FileserviceError, OSError) as error:
            raise CommandError(getattr(error, "detail", str(error))) from error
        complaints: list[Complaint] = []
        filled = fill_batch(template, entries, issued_at=issued_at, processes=options["processes"])
        try:
            for done, one in enumerate(filled, 1):
                if isinstance(one, Complaint):
                    complaints.append(one)
                else:
                    archive.add(one, issued_at=issued_at)
                self.progress(done, len(entries))
        except BaseException:
            archive.drop()
            raise
        if complaints:
            archive.drop()
            raise CommandError(said(complaints))
        archive.keep()
        self.stdout.write(f"{len(entries)} certificates are in {options['out']}.")

    def entries(self, path: Path) -> Sequence[Entry]:
        """
        Read the list.

        Raises:
            CommandError: not all of it can be read, or nothing is in it.
        """
        roster = read_roster(path.read_bytes(), "jsonl" if path.suffix == ".jsonl" else "csv")
        if roster.complaints:
            raise CommandError(said(roster.complaints))
        if not roster.entries:
            raise CommandError(f"{path} has no line for a certificate.")
        return roster.entries

    def progress(self, done: int, total: int) -> None:
        """Say on a terminal how far it is."""
        if sys.stderr.isatty() and (done % PROGRESS_EACH == 0 or done == total):
            end = "\n" if done == total else "\r"
            self.stderr.write(f"{done:,} of {total:,} ({done / total:.0%})", ending=end)


def said(complaints: Iterable[Complaint]) -> str:
    """Return complaints, one a line."""
    lines = [f"line {complaint.line}: {complaint.detail}" for complaint in complaints]
    more = len(lines) - MAX_COMPLAINTS
    if more > 0:
        lines[MAX_COMPLAINTS:] = [f"and {more} more"]
    return "Nothing was written.\n" + "\n".join(lines)


async def template_of(name: str) -> CompiledTemplate:
    """Open what a worker has, and compile the template with it."""
    async with open_resources(settings.OPTIONS) as resources:
        return await resources.templates.get(name)
