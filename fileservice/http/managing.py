"""The link to keep: look at a file, go on with its upload, delete it."""

from http import HTTPStatus
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.http import tus
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.downloading import absent
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import resumable
from fileservice.http.visitors import browser_of, check_origin, form_token, origin_of
from fileservice.ledger import StoredFile
from fileservice.resumables import Resumable


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


@methods("GET", "HEAD", "PATCH", "POST", "DELETE", options=tus.options)
async def managed(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET, HEAD, PATCH and DELETE /uploads/<key>; the key is the right to all of them."""
    method = tus.method_of(request)
    if method == "PATCH":
        return await tus.patch(request, key)
    if method == "HEAD":
        return await standing(request, key)
    if method == "DELETE":
        tus.check_spoken(request)
        await remove(resources_of(request), resumable(request, key))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return show(request, kept(resources_of(request), key))


async def standing(request: NativeRequest, key: str) -> HttpResponseBase:
    """Answer with how much of an upload is here; who still writes to it is asked to let go."""
    upload = await resources_of(request).resuming.settle(resumable(request, key))
    response = HttpResponse()
    tus.tell_all(response, upload)
    return response


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
    await remove(resources_of(request), resumable(request, key))
    return HttpResponseRedirect("/", status=HTTPStatus.SEE_OTHER)


async def remove(resources: Resources, upload: Resumable) -> None:
    """Delete a file, or an upload that is none yet; who comes second finds nothing."""
    if not await resources.resuming.delete(upload):
        raise absent()


def kept(resources: Resources, key: str) -> StoredFile:
    """Return the file of a link to keep."""
    stored = resources.ledger.find_by_key(key)
    if stored is None:
        raise absent()
    return stored
