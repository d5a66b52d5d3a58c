"""
Our own service with a watch on its loop, read and reset by `GET /longest-block`.

`python -m bench.peers.watched serve ...` is `manage.py serve ...` with that one more address.
"""

import asyncio
import os
import sys
from typing import Any

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fileservice.settings")

from fileservice import asgi  # the settings must be named first

STEP_SECONDS = 0.002


class Watched:
    """
    Our program, and the longest time its loop ran nothing else.

    A short sleep is late by the time that the loop was not free to end it.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.longest_seconds = 0.0
        self.watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the one extra address, and pass on everything else."""
        if self.watching is None:
            self.watching = asyncio.create_task(self.watch())
        if scope["type"] != "http" or scope["path"] != "/longest-block":
            await self.inner(scope, receive, send)
            return
        body = f"{self.longest_seconds:.6f}".encode()
        self.longest_seconds = 0.0
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def watch(self) -> None:
        """Watch until the loop ends."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(STEP_SECONDS)
            late = loop.time() - before - STEP_SECONDS
            self.longest_seconds = max(self.longest_seconds, late)


if __name__ == "__main__":
    asgi.application = Watched(asgi.application)
    execute_from_command_line(["manage.py", *sys.argv[1:]])
