"""Answers for machines that watch the service."""

import sqlite3

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.http.answers import document, methods, text
from fileservice.http.lifespan import Resources, resources_of


@methods("GET", "HEAD")
async def livez(request: ASGIRequest) -> HttpResponseBase:
    """GET /livez answers while the loop turns; it looks at nothing."""
    return text("ok")


@methods("GET", "HEAD")
async def readyz(request: ASGIRequest) -> HttpResponseBase:
    """
    GET /readyz tells whether uploads and downloads can work now: 200 or 503, and which part.

    A template that serves from an old copy is told too, and a scanner that is down; that stops
    nothing.
    """
    resources = resources_of(request)
    states = {"database": database_state(request), "disk": disk_state(resources)}
    ready = all(state == "ok" for state in states.values())
    told = {"templates": resources.templates.remote.troubles() or "ok"}
    if resources.scanning is not None:
        told["scanner"] = resources.scanning.trouble or "ok"
    return document({"ready": ready, **states, **told}, status=200 if ready else 503)


def database_state(request: ASGIRequest) -> str:
    """Say whether rows can be read."""
    try:
        resources_of(request).ledger.find("")
    except sqlite3.Error as error:
        return str(error)
    return "ok"


def disk_state(resources: Resources) -> str:
    """Say whether the disk has the room that has to stay free."""
    try:
        free = resources.storage.free_bytes()
    except OSError as error:
        return str(error)
    least = resources.options.min_free_bytes
    return "ok" if free >= least else f"{free:,} bytes free, {least:,} are to stay free"
