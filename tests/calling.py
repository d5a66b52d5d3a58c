"""The program with two more views, which treat the worker's session as an added view may."""

import os

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from fileservice.asgi import application
from fileservice.http.lifespan import session_of
from fileservice.urls import urlpatterns

__all__ = ["application"]

# Not FILESERVICE_*: what the program does not know stops its start.
URL = "CALLING_URL"


async def calling(request: ASGIRequest) -> HttpResponseBase:
    async with session_of(request).get(os.environ[URL]) as answer:
        return HttpResponse(await answer.read(), status=answer.status)


async def closing(request: ASGIRequest) -> HttpResponseBase:
    await session_of(request).close()
    return HttpResponse()


urlpatterns += [path("calling", calling), path("closing", closing)]
