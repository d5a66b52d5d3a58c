"""Answers in the shape the client asked for: a page, JSON, or a line for a terminal."""

import json
import re
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Literal

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from fileservice.errors import FileserviceError, MethodNotAllowed

Shape = Literal["page", "json", "text"]
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]

QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
SHAPES: dict[str, Shape] = {
    "text/html": "page",
    "application/json": "json",
    "application/problem+json": "json",
    "text/plain": "text",
    "*/*": "text",
}

# Pages run no script and load nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def shape_of(request: ASGIRequest, otherwise: Shape = "text") -> Shape:
    """
    Return what `Accept` asks for.

    A browser names text/html, a program application/json; `*/*`, as curl sends, or nothing
    is a terminal, or what is `otherwise` to be expected.
    """
    accept = request.META.get("HTTP_ACCEPT", "*/*")
    if accept == "*/*":
        return otherwise
    if accept in SHAPES:
        return SHAPES[accept]
    preferred = sorted(map(preference, accept.split(",")))
    return next(
        (SHAPES[kind] for rank, _, kind in preferred if rank < 0 and kind in SHAPES), "text"
    )


def preference(accepted: str) -> tuple[float, bool, str]:
    """Return how a media range sorts: by falling quality, wild cards last (RFC 9110 12.5.1)."""
    kind, *parameters = accepted.lower().split(";")
    qualities = [value.strip()[2:] for value in parameters if value.strip().startswith("q=")]
    quality = float(qualities[0]) if qualities and QUALITY.fullmatch(qualities[0]) else 1.0
    return -quality, "*" in kind, kind.strip()


def text(content: str, status: int = 200) -> HttpResponse:
    """Answer with one or more lines for a terminal."""
    return HttpResponse(f"{content}\n", status=status, content_type="text/plain; charset=utf-8")


def document(
    content: object, status: int = 200, media_type: str = "application/json"
) -> HttpResponse:
    """Answer with JSON."""
    body = json.dumps(content, ensure_ascii=False, indent=2)
    return HttpResponse(f"{body}\n", status=status, content_type=media_type)


def page(template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Answer with a page."""
    response = HttpResponse(render_to_string(f"fileservice/{template}", context), status=status)
    response["Content-Security-Policy"] = PAGE_POLICY
    # Under no-referrer a browser says `Origin: null` of the page's own forms (Fetch, "append a
    # request Origin header"), and they would be refused as another site's.
    response["Referrer-Policy"] = "same-origin"
    return response


def problem(
    request: ASGIRequest, error: FileserviceError, otherwise: Shape = "text"
) -> HttpResponse:
    """Answer with what went wrong: RFC 9457, a page, or one line."""
    shape = shape_of(request, otherwise)
    if shape == "json":
        content = {
            # Relative, as RFC 9457 3.1.1 allows: a problem may be that the Host is not ours.
            "type": f"/problems/{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            **error.extensions,
        }
        response = document(content, error.status, "application/problem+json")
    elif shape == "page":
        response = page("problem.html", {"error": error}, error.status)
    else:
        response = text(f"{error.title}: {error.detail}", error.status)
    for name, value in error.headers.items():
        response[name] = value
    response["Vary"] = "Accept"
    response["Cache-Control"] = "no-store"
    return response


def methods(
    *allowed: str, options: Callable[[ASGIRequest], dict[str, str]] | None = None
) -> Callable[[View], View]:
    """
    Let `allowed` methods through; OPTIONS is answered here, any other with 405.

    `options` returns further fields of the answer to OPTIONS.
    """
    allow = ", ".join((*allowed, "OPTIONS"))

    def decorate(view: View) -> View:
        @wraps(view)
        async def checked(request: ASGIRequest, *args: str, **kwargs: str) -> HttpResponseBase:
            if request.method in allowed:
                return await view(request, *args, **kwargs)
            if request.method == "OPTIONS":
                more = options(request) if options else {}
                return HttpResponse(status=204, headers={"Allow": allow, **more})
            raise MethodNotAllowed(
                f"{request.method} is not known here; {allow} are.", headers={"Allow": allow}
            )

        return checked

    return decorate


def answering(view: View) -> View:
    """Answer what a view of the standard lane raises; in the native lane middleware does."""

    @wraps(view)
    async def answered(request: ASGIRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except FileserviceError as error:
            return problem(request, error)

    return answered
