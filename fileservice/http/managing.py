"""The link to keep: look at a file, delete it."""

from http import HTTPStatus
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.downloading import absent
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import browser_of, check_origin, form_token, origin_of
from fileservice.ledger import StoredFile
from fileservice.uploads import delete


def links(request: ASGIRequest, stored: StoredFile) -> tuple[str, str]:
    """Return the link to give away and the link to keep."""
    origin = origin_of(request)
    return (
        f"{origin}/files/{stored.id}/{quote(stored.name, safe='')}",
        f"{origin}/uploads/{stored.key}",
    )


def described(request: ASGIRequest, stored: StoredFile) -> dict[str, object]:
    """Return the JSON of a file, for who holds the link to keep."""
    url, manage_url = links(request, stored)
    return {
        "id": stored.id,
        "name": stored.name,
        "name_changed": stored.name_changed,
        "size": stored.size,
        "sha256": stored.sha256,
        "media_type": stored.media_type,
        "url": url,
        "manage_url": manage_url,
        "created_at": stored.created_at.isoformat(),
    }


@methods("GET", "HEAD", "DELETE")
async def managed(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /uploads/<key> tells of a file, DELETE removes it; the key is the right to do so."""
    resources = resources_of(request)
    stored = kept(resources, key)
    if request.method == "DELETE":
        await remove(resources, stored)
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return show(request, stored)


def show(request: ASGIRequest, stored: StoredFile) -> HttpResponseBase:
    """Answer with what is known of a file."""
    shape = shape_of(request)
    described_file = described(request, stored)
    if shape == "page":
        browser = browser_of(request)
        context = {"file": stored, **described_file, "token": form_token(browser)}
        response = page("file.html", context)
    elif shape == "json":
        response = document(described_file)
    else:
        response = text("\n".join(f"{name}: {value}" for name, value in described_file.items()))
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response


@methods("POST")
async def delete_form(request: NativeRequest, key: str) -> HttpResponseBase:
    """POST /uploads/<key>/delete is DELETE for a form; whoever holds the key may."""
    check_origin(request)
    resources = resources_of(request)
    await remove(resources, kept(resources, key))
    return HttpResponseRedirect("/", status=HTTPStatus.SEE_OTHER)


async def remove(resources: Resources, stored: StoredFile) -> None:
    """Delete a file; who comes second finds nothing."""
    if not await delete(resources.ledger, resources.storage, stored):
        raise absent()


def kept(resources: Resources, key: str) -> StoredFile:
    """Return the file of a link to keep."""
    stored = resources.ledger.find_by_key(key)
    if stored is None:
        raise absent()
    return stored
