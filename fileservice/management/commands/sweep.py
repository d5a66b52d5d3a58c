"""`manage.py sweep`: remove what killed uploads left, as the service does every hour."""

import asyncio
from datetime import UTC, datetime

from django.conf import settings
from django.core.management.base import BaseCommand

from fileservice.http.lifespan import open_resources
from fileservice.sweeping import sweep


class Command(BaseCommand):
    """Sweep once."""

    help = "Remove drafts and bytes without a row that are older than a day."

    def handle(self, *args: object, **options: object) -> None:
        """Sweep and say how much went."""
        self.stdout.write(f"{asyncio.run(sweep_once())} leftovers removed.")


async def sweep_once() -> int:
    """Open what a worker has, sweep, close."""
    async with open_resources(settings.OPTIONS) as resources:
        return await sweep(resources.ledger, resources.storage, now=datetime.now(UTC))
