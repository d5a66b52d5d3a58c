"""The program with two more views, which treat the worker's session as an added view may."""

import logging
import os

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from fileservice.asgi import application as program
from fileservice.fetch.session import SharedSession
from fileservice.http.lifespan import session_of
from fileservice.http.messages import Message, Receive, Scope, Send
from fileservice.urls import urlpatterns

log = logging.getLogger("fileservice.calling")

# Not FILESERVICE_*: what the program does not know stops its start.
URL = "CALLING_URL"


async def calling(request: ASGIRequest) -> HttpResponseBase:
    async with session_of(request).get(os.environ[URL]) as answer:
        return HttpResponse(await answer.read(), status=answer.status)


async def closing(request: ASGIRequest) -> HttpResponseBase:
    await session_of(request).close()
    return HttpResponse()


urlpatterns += [path("calling", calling), path("closing", closing)]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve, and log at the end whether the session is closed: the exit would hide an open one."""
    if scope["type"] != "lifespan":
        await program(scope, receive, send)
        return
    found: list[SharedSession] = []

    async def noting(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            # Not later: granian empties the state before it tells of the shutdown.
            found.append(scope["state"]["resources"].session)
        elif message["type"] == "lifespan.shutdown.complete":
            [session] = [shared._session for shared in found]
            assert session is not None
            log.info("at the end the session is %s", "closed" if session.closed else "open")
        await send(message)

    await program(scope, receive, noting)
