"""The program: lifespan outermost, then one of two lanes."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fileservice.settings")
django.setup(set_prefix=False)

from django.core.handlers.asgi import ASGIHandler  # noqa: E402 - needs the apps

from fileservice.http.lifespan import lifespan  # noqa: E402
from fileservice.http.messages import Receive, Scope, Send  # noqa: E402
from fileservice.http.native import NativeLane  # noqa: E402
from fileservice.http.standard import StandardLane  # noqa: E402
from fileservice.urls import STANDARD_PREFIXES  # noqa: E402

native = NativeLane()
standard = StandardLane(ASGIHandler())


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """
    Serve ASGI.

    What no route knows goes to the native lane: there a 404 reads no body.
    """
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "http":
        lane = standard if scope["path"].startswith(STANDARD_PREFIXES) else native
        await lane(scope, receive, send)
