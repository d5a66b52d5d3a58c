"""
Our own service with two more addresses, which hand on what another host says.

`python -m bench.peers.asking serve ...` is `manage.py serve ...` with them. They ask for the URL in
BENCH_URL: `/shared` on the session of the worker, `/anew` on a session of its own each time.
"""

import os
import sys

import aiohttp
import django
from django.core.handlers.asgi import ASGIRequest
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fileservice.settings")
django.setup(set_prefix=False)

from fileservice import urls  # noqa: E402 - needs the apps
from fileservice.http.lifespan import session_of  # noqa: E402

URL = os.environ["BENCH_URL"]


async def shared(request: ASGIRequest) -> HttpResponse:
    """Ask on the worker's one session."""
    async with session_of(request).get(URL) as answer:
        return HttpResponse(await answer.read(), status=answer.status)


async def anew(_request: ASGIRequest) -> HttpResponse:
    """Ask on a session that nobody used before or will after."""
    async with aiohttp.ClientSession() as session, session.get(URL) as answer:
        return HttpResponse(await answer.read(), status=answer.status)


if __name__ == "__main__":
    urls.urlpatterns += [path("shared", shared), path("anew", anew)]
    execute_from_command_line(["manage.py", *sys.argv[1:]])
