"""`manage.py serve`: checks first, then uvicorn as this service needs it."""

import contextlib
import ipaddress
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from fileservice.http.firstlink import TOLD, first_path, sentence
from fileservice.http.protocol import GuardedProtocol

# uvicorn's own default waits for ever for an upload that does not end.
GRACEFUL_SECONDS = 30
BACKLOG = 2048


class Command(BaseCommand):
    """Serve the program with uvicorn."""

    help = "Serve on an address or a Unix socket."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
        parser.add_argument("--uds", type=Path, help="path of a Unix socket, instead of an address")
        parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
        parser.add_argument(
            "--graceful-timeout",
            type=int,
            default=GRACEFUL_SECONDS,
            help="seconds that requests have to end at a stop (default: %(default)s)",
        )

    def handle(self, *args: object, **options: Any) -> None:
        """Serve until told to stop."""
        host, uds, workers = options["host"], options["uds"], options["workers"]
        if workers < 1:
            raise CommandError("--workers must be 1 or more.")
        refuse_unasked_exposure(host, uds)
        where = f"unix socket {uds}" if uds else f"http://{address(host)}:{options['port']}"
        self.stdout.write(f"fileservice is on {where} (stop with Ctrl+C)")
        self.tell_first_link("" if uds else where)
        self.stdout.flush()  # a pipe or a journal would see it at the end only
        uvicorn.run(
            "fileservice.asgi:application",
            host=host,
            port=options["port"],
            uds=str(uds) if uds else None,
            workers=workers,
            http=GuardedProtocol,
            ws="none",
            lifespan="on",
            backlog=BACKLOG,
            server_header=False,
            access_log=False,
            log_config=None,
            # Whoever may open the socket file is the proxy.
            forwarded_allow_ips="*" if uds else list(settings.OPTIONS.trusted_proxies),
            timeout_graceful_shutdown=options["graceful_timeout"],
        )

    def tell_first_link(self, where: str) -> None:
        """Print the link by which the first administrator is made, once for all workers."""
        os.environ[TOLD] = "yes"
        # What is wrong with the database is told where the workers open it.
        with contextlib.suppress(DatabaseError):
            if path := first_path(settings.OPTIONS):
                self.stdout.write(sentence(where + path))
        connection.close()


def refuse_unasked_exposure(host: str, uds: Path | None) -> None:
    """
    Refuse an address that others reach, unless somebody chose who may use it.

    Raises:
        CommandError: with the check id.
    """
    if settings.OPTIONS.access is None and (uds or not is_loopback(host)):
        raise CommandError(
            "fileservice.E011: this address is not a loopback address; set FILESERVICE_ACCESS to "
            "open (anyone who reaches it may upload) or private (a token or a login is needed)."
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(host: str) -> str:
    """Return `host` as a URL has it."""
    return f"[{host}]" if ":" in host else host
