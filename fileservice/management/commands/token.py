"""`manage.py token`: make a token for a user, list a user's tokens, revoke one."""

import asyncio
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from fileservice.actors import SCOPES, THE_OPERATOR
from fileservice.errors import FileserviceError
from fileservice.http.lifespan import CannotStart, open_ledger
from fileservice.issuing import expiry
from fileservice.ledger import Ledger
from fileservice.tokens import KnownToken, Tokens

NOT_ADMIN = [scope for scope in SCOPES if scope != "admin"]


class Command(BaseCommand):
    """Make, list, revoke."""

    help = "Make a token that speaks for a user, list a user's tokens, or revoke one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of three words."""
        words = parser.add_subparsers(dest="word", required=True)
        make = words.add_parser("make", help="print a new token, which is not shown again")
        make.add_argument("user", help="by name")
        make.add_argument("--name", required=True, help="what it is for")
        make.add_argument(
            "--scopes", nargs="+", choices=SCOPES, default=NOT_ADMIN, help="(default: %(default)s)"
        )
        make.add_argument("--expires-at", default="", help="a day or a moment, ISO 8601")
        words.add_parser("list", help="tell what is known of a user's tokens").add_argument("user")
        words.add_parser("revoke", help="end one").add_argument("id", type=int, help="see `list`")

    def handle(self, *args: object, **options: Any) -> None:
        """Do as the word says."""
        if options["word"] == "make":
            self._make(options)
        elif options["word"] == "list":
            id = id_of(options["user"])
            for known in asked(lambda ledger: Tokens(ledger).of(id)):
                self.stdout.write(line_of(known, datetime.now(UTC)))
        else:
            self._revoke(options["id"])

    def _make(self, options: Any) -> None:
        id, now = id_of(options["user"]), datetime.now(UTC)

        async def make(ledger: Ledger) -> str:
            ends = expiry(options["expires_at"], ZoneInfo("UTC"), now=now)
            name, scopes = options["name"], options["scopes"]
            token, _ = await Tokens(ledger).make(
                THE_OPERATOR, name, scopes, user_id=id, now=now, expires_at=ends
            )
            return token

        self.stdout.write(asked(make))

    def _revoke(self, id: int) -> None:
        now = datetime.now(UTC)
        if not asked(lambda ledger: Tokens(ledger).revoke(THE_OPERATOR, id, now=now)):
            raise CommandError("There is no such token, or it is revoked already.")


def id_of(name: str) -> int:
    """
    Return the id of a user.

    Raises:
        CommandError: there is none of this name.
    """
    id = User.objects.filter(username=name).values_list("id", flat=True).first()
    if id is None:
        raise CommandError(f"There is no user {name!r}.")
    return id


def asked[T](ask: Callable[[Ledger], Awaitable[T]]) -> T:
    """
    Return what `ask` gets from the rows of this service.

    Raises:
        CommandError: it is refused, or the database is not ready.
    """

    async def opened() -> T:
        with ThreadPoolExecutor(1) as rows:
            ledger = open_ledger(settings.OPTIONS, rows)
            try:
                return await ask(ledger)
            finally:
                await ledger.close()

    try:
        return asyncio.run(opened())
    except CannotStart as error:
        raise CommandError(str(error)) from error
    except FileserviceError as error:
        raise CommandError(error.detail) from error


def line_of(known: KnownToken, now: datetime) -> str:
    """Return what is known of a token, the id first; nothing of it could be shown as one."""
    state = "revoked" if known.revoked_at else "good" if known.is_good(now) else "not good"
    return "\t".join(
        [
            str(known.id),
            f"{known.hint}...",
            state,
            " ".join(known.scopes),
            f"expires {told(known.expires_at)}",
            f"used {told(known.used_at)}",
            known.name,
        ]
    )


def told(moment: datetime | None) -> str:
    """Return a time to the minute."""
    return moment.isoformat(timespec="minutes") if moment else "never"
