"""`manage.py webhook`: who is told of what happens to a user's files and certificates."""

from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.management.base import BaseCommand

from fileservice.actors import THE_OPERATOR
from fileservice.events import EVENTS
from fileservice.management.commands.token import asked, id_of
from fileservice.webhooks import Hook, Sent, Webhooks

CHANGES: dict[str, str] = {
    "pause": "tell it nothing for now",
    "resume": "tell it again",
    "rotate": "print a new secret; for a day the old one signs too",
    "remove": "remove it, and what waits for it",
    "test": "send it an event that says nothing",
    "sent": "tell what became of the last deliveries",
}


class Command(BaseCommand):
    """Make, list, change."""

    help = "Have another host told of what happens to a user's files and certificates."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one word."""
        words = parser.add_subparsers(dest="word", required=True)
        make = words.add_parser("make", help="print the secret, which is not shown again")
        make.add_argument("user", help="by name")
        make.add_argument("url")
        make.add_argument(
            "--events", nargs="+", choices=EVENTS, default=EVENTS, help="(default: all)"
        )
        words.add_parser("list", help="tell what hooks a user has").add_argument("user")
        for word, what in CHANGES.items():
            words.add_parser(word, help=what).add_argument("id", type=int, help="see `list`")

    def handle(self, *args: object, **options: Any) -> None:
        """Do as the word says."""
        for line in told(options["word"], options):
            self.stdout.write(line)


def told(word: str, options: Any) -> list[str]:
    """Return the lines to print."""
    if word == "make":
        user, url, events = id_of(options["user"]), options["url"], options["events"]
        return [
            with_hooks(lambda hooks: hooks.make(THE_OPERATOR, url, events, user_id=user)).secret
        ]
    if word == "list":
        user = id_of(options["user"])
        return [line_of(hook) for hook in with_hooks(lambda hooks: hooks.of(user))]
    id = options["id"]
    done: Any = with_hooks(lambda hooks: getattr(hooks, word)(THE_OPERATOR, id))
    if word == "sent":
        return [line_of_sent(each) for each in done]
    return [done.secret] if word == "rotate" else []


def with_hooks[T](ask: Callable[[Webhooks], Awaitable[T]]) -> T:
    """
    Return what the hooks of this service answer.

    Raises:
        CommandError: they refuse, or the database is not ready.
    """
    return asked(lambda ledger: ask(Webhooks(ledger)))


def line_of(hook: Hook) -> str:
    """Return what is known of a hook, the id first, without its secret."""
    state = "paused" if hook.paused_at else "told"
    return "\t".join([str(hook.id), state, hook.url, " ".join(hook.events)])


def line_of_sent(sent: Sent) -> str:
    """Return what became of a delivery."""
    at = sent.created_at.isoformat(timespec="seconds")
    return "\t".join([f"msg_{sent.id}", at, sent.event, sent.state, sent.trouble])
