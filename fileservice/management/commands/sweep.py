"""`manage.py sweep`: remove what nobody is going to use, as the service does every hour."""

import asyncio
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fileservice.duties import TurnLost
from fileservice.http.lifespan import open_resources
from fileservice.sweeping import GRACE, Swept

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


class Command(BaseCommand):
    """Sweep once."""

    help = "Remove uploads that were not finished in time, and bytes that belong to nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say how old leftovers are."""
        parser.add_argument(
            "--grace",
            type=int,
            default=int(GRACE.total_seconds()),
            help="seconds that bytes without a row are left alone (default: %(default)s)",
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Sweep and say how much went."""
        if options["grace"] < 0:
            raise CommandError("--grace must be 0 or more.")
        swept = asyncio.run(sweep_once(timedelta(seconds=options["grace"])))
        self.stdout.write(str(swept))


async def sweep_once(grace: timedelta) -> Swept:
    """
    Open what a worker has, sweep, close.

    Raises:
        CommandError: another process sweeps.
    """
    async with open_resources(settings.OPTIONS) as resources:
        sweeper = resources.sweeper
        try:
            return await sweeper.sweep(grace=grace)
        except TurnLost as error:
            who = await sweeper.holder() or "another process"
            raise CommandError(f"Not swept: {who} sweeps.", returncode=TRY_AGAIN) from error
