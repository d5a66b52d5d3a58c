"""One's own boxes: made, listed and taken back, by a login or a token."""

from datetime import UTC, datetime
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.actors import Actor
from fileservice.drops import (
    DropTerms,
    KnownDrop,
    bytes_of,
    media_types_of,
    note_of,
    title_of,
)
from fileservice.errors import BadRequest, Forbidden, NotFound
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import admit
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.shares import sent_terms
from fileservice.http.visitors import (
    TOKEN_FIELD,
    browser_of,
    check_own_origin,
    form_token,
    new_browser,
    origin_of,
    remember_browser,
)
from fileservice.terms import count_of, expiry_of

PATH = "/drops/"
MEMBERS = (
    "title",
    "note",
    "password",
    "max_file_bytes",
    "max_bytes",
    "max_files",
    "media_types",
    "expires",
)


@methods("GET", "HEAD", "POST")
async def boxes(request: NativeRequest) -> HttpResponseBase:
    """GET /drops/ lists one's own boxes, POST makes one."""
    by, user_id = await owner(request)
    if request.method == "POST":
        return await make(request, by, user_id)
    known = [described(request, one) for one in await resources_of(request).drops.of(user_id)]
    shape = shape_of(request)
    if shape == "json":
        return told(document({"drops": known}))
    if shape == "text":
        return told(text("\n".join(f"{one['url']} {one['state']}" for one in known)))
    browser = browser_of(request) or new_browser()
    context = {"drops": known, "token": form_token(browser), "token_field": TOKEN_FIELD}
    response = told(page("drops.html", context))
    remember_browser(request, response, browser)
    return response


@methods("GET", "HEAD", "DELETE")
async def box(request: NativeRequest, id: str) -> HttpResponseBase:
    """GET /drops/<id> says what is known of a box, DELETE takes it back."""
    by, _ = await owner(request)
    known = own(request, by, id)
    if request.method == "DELETE":
        check_own_origin(request)
        await resources_of(request).drops.revoke(by, known, now=datetime.now(UTC))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return told(document(described(request, known)))


@methods("POST")
async def revoke_form(request: NativeRequest, id: str) -> HttpResponseBase:
    """POST /drops/<id>/revoke is DELETE for a form."""
    check_own_origin(request)
    by, _ = await owner(request)
    await resources_of(request).drops.revoke(by, own(request, by, id), now=datetime.now(UTC))
    return HttpResponseRedirect(PATH, status=HTTPStatus.SEE_OTHER)


async def owner(request: NativeRequest) -> tuple[Actor, int]:
    """
    Return who asks, and whose the boxes are.

    Raises:
        Forbidden: it is no user's token and no login.
    """
    by = await admit(request, "upload")
    if by.user_id is None:
        raise Forbidden("A box is a user's: log in, or send a token of a user.")
    return by, by.user_id


def own(request: ASGIRequest, by: Actor, id: str) -> KnownDrop:
    """Return a box of who asks."""
    known = resources_of(request).drops.find(id)
    if known is None or not (by.is_admin or by.user_id == known.user_id):
        raise NotFound("There is no such box.")
    return known


async def make(request: NativeRequest, by: Actor, user_id: int) -> HttpResponseBase:
    """Make a box; a browser gets back to its list, a program the link."""
    check_own_origin(request)
    terms = await terms_of(request)
    drops = resources_of(request).drops
    known = await drops.make(by, terms, user_id=user_id, now=datetime.now(UTC))
    content = described(request, known)
    shape = shape_of(request)
    if shape == "page":
        return HttpResponseRedirect(PATH, status=HTTPStatus.SEE_OTHER)
    if shape == "json":
        response = document(content, HTTPStatus.CREATED)
    else:
        response = text(str(content["url"]), HTTPStatus.CREATED)
    response["Location"] = str(content["url"])
    return told(response)


async def terms_of(request: NativeRequest) -> DropTerms:
    """
    Return what a body says may be put into a box.

    Raises:
        BadRequest: it says something else, or what cannot be.
        ServiceUnavailable: too many passwords are being looked at.
    """
    sent = await sent_terms(request)
    unknown = sent.keys() - set(MEMBERS)
    if unknown:
        raise BadRequest(f"A box has no member {min(unknown)!r}; it has {', '.join(MEMBERS)}.")
    said = sent.get
    password = said("password", "")
    return DropTerms(
        title=title_of(said("title", "")),
        note=note_of(said("note", "")),
        max_file_bytes=bytes_of(said("max_file_bytes", ""), "The largest file"),
        max_bytes=bytes_of(said("max_bytes", ""), "What all files may have"),
        max_files=count_of(said("max_files", ""), "The number of files"),
        media_types=media_types_of(said("media_types", "")),
        expires_at=expiry_of(said("expires", ""), now=datetime.now(UTC)),
        password=await resources_of(request).passwords.hash(password) if password else "",
    )


def described(request: ASGIRequest, known: KnownDrop) -> dict[str, object]:
    """Return the JSON of a box, for its owner."""
    return {
        "id": known.id,
        "url": f"{origin_of(request)}{known.prefix}{resources_of(request).drops.code(known)}",
        "manage_url": f"{origin_of(request)}{PATH}{known.id}",
        "state": known.state(datetime.now(UTC)),
        "title": known.title,
        "note": known.note,
        "has_password": known.password != "",
        "max_file_bytes": known.max_file_bytes,
        "max_bytes": known.max_bytes,
        "max_files": known.max_files,
        "media_types": known.media_types,
        "used_bytes": known.used_bytes,
        "used_files": known.used_files,
        "created_at": known.created_at.isoformat(),
        "expires_at": known.expires_at.isoformat() if known.expires_at else None,
        "revoked_at": known.revoked_at.isoformat() if known.revoked_at else None,
    }


def told(response: HttpResponse) -> HttpResponse:
    """Return an answer that nobody keeps."""
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Cookie, Authorization"
    return response
