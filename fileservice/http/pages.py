"""The home page and the pages that explain a problem."""

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.errors import FileserviceError, NotFound, Unauthorized
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.lifespan import resources_of
from fileservice.http.managing import links
from fileservice.http.visitors import (
    TOKEN_FIELD,
    admit,
    browser_of,
    form_token,
    new_browser,
    remember_browser,
    sender_of,
)

LISTED_FILES = 50


@methods("GET", "HEAD")
async def home(request: ASGIRequest) -> HttpResponseBase:
    """GET / shows the form, and the files this browser sent."""
    shape = shape_of(request)
    if shape == "text":
        return text(manual(request))
    resources = resources_of(request)
    browser = browser_of(request) or new_browser()
    sent = await resources.ledger.sent_by(sender_of(browser), LISTED_FILES)
    try:
        await admit(request)
        admitted = True
    except Unauthorized:
        admitted = False
    listed = [(file, *links(request, file)) for file in sent]
    if shape == "json":
        return document({"files": [{"name": f.name, "url": url} for f, url, _ in listed]})
    context = {
        "admitted": admitted,
        "files": listed,
        "token": form_token(browser),
        "token_field": TOKEN_FIELD,
        "largest": resources.options.max_upload_bytes,
        "host": request.build_absolute_uri("/").rstrip("/"),
    }
    response = page("home.html", context)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Cookie"
    remember_browser(request, response, browser)
    return response


def manual(request: ASGIRequest) -> str:
    """Return what a terminal is told about the service."""
    here = request.build_absolute_uri("/").rstrip("/")
    return (
        "fileservice takes files in, gives them out, and makes certificate PDFs.\n\n"
        f"  curl -T report.pdf {here}/files/\n"
        f"  curl -F file=@report.pdf {here}/files/\n"
        f"  tar c folder | curl -T - {here}/files/folder.tar\n"
        f"  curl -OJ {here}/certificate?name=Ada+Lovelace"
    )


def problem_titles() -> dict[str, type[FileserviceError]]:
    """Return every kind of problem by its code."""
    found = {}
    kinds = [FileserviceError]
    while kinds:
        kind = kinds.pop()
        found[kind.code] = kind
        kinds += kind.__subclasses__()
    return found


@methods("GET", "HEAD")
async def problem_kind(request: ASGIRequest, code: str) -> HttpResponseBase:
    """GET /problems/<code> explains what a problem document's `type` names (RFC 9457 3.1.1)."""
    kind = problem_titles().get(code)
    if kind is None:
        raise NotFound("There is no such kind of problem.")
    return text(f"{kind.title} (HTTP {kind.status})\n\n{(kind.__doc__ or '').strip()}")
