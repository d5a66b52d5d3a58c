"""Every operation of the API, and how they run in the native lane."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NoReturn, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

import fileservice
from fileservice.errors import BadField, BadRequest, FileserviceError, MethodNotAllowed, NotFound
from fileservice.http.api import (
    batches,
    certificates,
    drops,
    files,
    parcels,
    quota,
    shares,
    tokens,
    webhooks,
)
from fileservice.http.api.bodies import JsonParser
from fileservice.http.requests import NativeRequest

PREFIX = "api/v1/"
LONGEST_PROBLEMS = 20

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class Program(NinjaAPI):
    """The operations; whatever they raise is answered where everything is."""

    def on_exception(self, request: HttpRequest, exc: Any) -> NoReturn:
        """Raise what ninja would answer by itself."""
        if isinstance(exc, ValidationError):
            raise bad_fields(exc) from exc
        if isinstance(exc, HttpError):
            cause = exc.__cause__
            raise cause if isinstance(cause, FileserviceError) else BadRequest(str(exc))
        raise exc


def bad_fields(error: ValidationError) -> BadField:
    """Return what was wrong with the values of a request, each with its place."""
    fields = [
        {
            "in": str(each["loc"][0]),
            "name": ".".join(str(step) for step in each["loc"][1:] if step != "sent"),
            "problem": each["msg"].removeprefix("Value error, "),
        }
        for each in error.errors[:LONGEST_PROBLEMS]
    ]
    first = fields[0]
    return BadField(
        f"{first['name'] or first['in']}: {first['problem']}", extensions={"fields": fields}
    )


program = Program(
    title="fileservice",
    version=fileservice.__version__,
    docs_url=None,
    openapi_url=None,
    parser=JsonParser(),
    urls_namespace="api",
)
for nouns in (files, shares, parcels, drops, certificates, batches, tokens, quota, webhooks):
    program.add_router("", nouns.router)


def native(view: View) -> View:
    """Run a view of ninja's as those of the native lane run."""

    async def answered(request: NativeRequest, **kwargs: str) -> HttpResponseBase:
        method = request.method
        try:
            if method == "HEAD":
                request.method = "GET"
            response = await view(request, **kwargs)
        finally:
            request.method = method
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response = other_method(request, response)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answered


def other_method(request: NativeRequest, response: HttpResponseBase) -> HttpResponseBase:
    """
    Answer OPTIONS.

    Raises:
        MethodNotAllowed: it is another one.
    """
    allowed = {method.strip() for method in response.headers["Allow"].split(",")} | {"OPTIONS"}
    if "GET" in allowed:
        allowed.add("HEAD")
    allow = ", ".join(sorted(allowed))
    if request.method == "OPTIONS":
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
    raise MethodNotAllowed(
        f"{request.method} is not known here; {allow} are.", headers={"Allow": allow}
    )


async def nothing(_request: NativeRequest, **_: str) -> NoReturn:
    """Refuse an address that no operation has."""
    raise NotFound("There is nothing at this address of the API.")


def routes() -> list[URLPattern]:
    """Return the routes of the operations."""
    views: dict[str, View] = {}
    for pattern in cast("list[URLPattern]", program.urls[0]):
        if pattern.name != "api-root":
            views.setdefault(str(pattern.pattern), pattern.callback)
    return [path(PREFIX + route, native(view)) for route, view in views.items()]
