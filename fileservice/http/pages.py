"""The home page and the pages that explain a problem."""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware, get_token

from fileservice.actors import Actor
from fileservice.errors import FileserviceError, NotFound, Unauthorized
from fileservice.http import batching, issuing, parcels
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import actor_of, admit
from fileservice.http.cookies import secure_cookies
from fileservice.http.creations import links
from fileservice.http.lifespan import resources_of
from fileservice.http.visitors import (
    TOKEN_FIELD,
    browser_of,
    form_token,
    new_browser,
    remember_browser,
)
from fileservice.ledger import StoredFile
from fileservice.parcels import StoredParcel

# Gives the form that logs out its token, and the browser the cookie beside it; of bodies it sees
# nothing here.
CSRF = CsrfViewMiddleware(lambda _: HttpResponse())
LISTED_FILES = 50
LISTED_CERTIFICATES = 50
LISTED_BATCHES = 10
LISTED_TEMPLATES = 20
LISTED_PARCELS = 20


@methods("GET", "HEAD")
async def home(request: ASGIRequest) -> HttpResponseBase:
    """GET / shows the forms, and the files this browser sent; a terminal gets a short manual."""
    shape = shape_of(request)
    browser = browser_of(request) or new_browser()
    if shape == "text":
        response = text(manual(request))
    elif shape == "json":
        response = document(await listed(request))
    else:
        CSRF.process_request(request)
        response = page("home.html", await home_context(request, browser))
        remember_browser(request, response, browser)
        CSRF.process_response(request, response)
        secure_cookies(request, response)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Cookie"
    return response


async def home_context(request: ASGIRequest, browser: str) -> dict[str, object]:
    """Return what the home page shows."""
    resources = resources_of(request)
    options = resources.options
    actor = await actor_of(request)
    admitted = await is_admitted(request)
    return {
        "admitted": admitted,
        "panels": await resources.panels.all() if admitted else [],
        "private": options.access == "private",
        "files": await own_files(request, actor) if admitted else [],
        "is_admin": actor.is_admin,
        "person": actor.name if actor.user_id is not None else "",
        "csrf_token": get_token(request) if actor.user_id is not None else "",
        "templates": (await resources.templates.names())[:LISTED_TEMPLATES] if admitted else [],
        "certificates": await own_certificates(request, actor) if admitted else [],
        "batches": await own_batches(request, actor) if admitted else [],
        "parcels": await own_parcels(request, actor) if admitted else [],
        "listed": LISTED_FILES,
        "listed_certificates": LISTED_CERTIFICATES,
        "token": form_token(browser),
        "token_field": TOKEN_FIELD,
        "largest": options.max_upload_bytes,
        "host": here(request),
    }


async def own_files(request: ASGIRequest, actor: Actor) -> list[tuple[StoredFile, str, str]]:
    """Return an actor's newest files, each with its link to give away and its link to keep."""
    files = await resources_of(request).ledger.own(actor, LISTED_FILES)
    return [(file, *links(request, file)) for file in files]


async def own_parcels(request: ASGIRequest, actor: Actor) -> list[tuple[StoredParcel, str, str]]:
    """Return an actor's newest parcels, each with its link to give away and its link to keep."""
    found = await resources_of(request).parcels.own(actor, LISTED_PARCELS)
    return [(parcel, *parcels.links(request, parcel)) for parcel in found]


async def own_certificates(request: ASGIRequest, actor: Actor) -> list[dict[str, object]]:
    """Return the newest certificates that an actor had issued."""
    registry = resources_of(request).registry
    issued = await registry.own(actor, LISTED_CERTIFICATES)
    return [{"issued": one, **issuing.described(request, one)} for one in issued]


async def own_batches(request: ASGIRequest, actor: Actor) -> list[dict[str, object]]:
    """Return the newest lists that an actor sent."""
    backlog = resources_of(request).backlog
    batches = await backlog.own(actor, LISTED_BATCHES)
    return [{"ordered": one, **batching.described(request, one)} for one in batches]


async def listed(request: ASGIRequest) -> dict[str, object]:
    """Return what an actor has here, for a program."""
    actor = await admit(request, "read")
    files = await own_files(request, actor)
    certificates = await own_certificates(request, actor)
    own = await own_parcels(request, actor)
    return {
        "files": [{"name": file.name, "url": url} for file, url, _ in files],
        "parcels": [{"name": parcel.name, "url": url} for parcel, url, _ in own],
        "certificates": [{"number": one["number"], "url": one["url"]} for one in certificates],
    }


async def is_admitted(request: ASGIRequest) -> bool:
    """
    Tell whether the forms are for who asks.

    Raises:
        Forbidden: nobody chose who may, and this is not a loopback address.
    """
    try:
        await admit(request, "read")
    except Unauthorized:
        return False
    else:
        return True


def here(request: ASGIRequest) -> str:
    """Return the address of the service as the client wrote it, without a slash at the end."""
    return request.build_absolute_uri("/").rstrip("/")


def manual(request: ASGIRequest) -> str:
    """Return what a terminal is told about the service."""
    address = here(request)
    return (
        "fileservice takes files in, gives them out, and makes certificate PDFs.\n\n"
        f"  curl -T report.pdf {address}/files/\n"
        f"  curl -F file=@report.pdf {address}/files/\n"
        f"  curl -F file=@report.pdf -F file=@photo.jpg {address}/parcels/\n"
        f"  curl -s {address}/put.sh | sh -s -- large.iso   # goes on by itself after a break\n"
        f"  tar c folder | curl -T - {address}/files/folder.tar\n"
        f"  curl -OJ '{address}/certificate?name=Ada+Lovelace'\n"
        f"  curl -d name='Ada Lovelace' {address}/certificates/\n"
        f"  curl {address}/templates/\n"
        f"  curl -F list=@people.csv {address}/batches/\n"
        f"  curl -T certificate.pdf -X POST {address}/verify/"
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
