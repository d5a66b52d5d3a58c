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


def links(request: ASGIRequest, stored: StoredFile | Resumable) -> tuple[str, str]:
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


def described_upload(request: ASGIRequest, upload: Resumable) -> dict[str, object]:
    """Return the JSON of an upload that is no file yet, for who holds the link to keep."""
    url, manage_url = links(request, upload)
    return {
        "id": upload.id,
        "name": upload.name,
        "name_changed": upload.name_changed,
        "state": upload.state,
        "offset": upload.offset,
        "length": upload.length,
        "url": None if upload.kind == "part" else url,
        "manage_url": manage_url,
        "created_at": upload.created_at.isoformat(),
        "expires_at": upload.expires_at.isoformat(),
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
    return show(request, key)


async def standing(request: NativeRequest, key: str) -> HttpResponseBase:
    """Answer with how much of an upload is here; who still writes to it is asked to let go."""
    upload = await resources_of(request).resuming.settle(resumable(request, key))
    response = HttpResponse()
    tus.tell_all(response, upload)
    return response


def show(request: ASGIRequest, key: str) -> HttpResponseBase:
    """Answer with what is known of a file, or of an upload; nobody who writes is disturbed."""
    stored = resources_of(request).ledger.find_by_key(key)
    if stored is not None:
        return told(request, described(request, stored), "file.html", file=stored)
    upload = resumable(request, key)
    return told(request, described_upload(request, upload), "upload.html", upload=upload)


def told(
    request: ASGIRequest, content: dict[str, object], template: str, **more: object
) -> HttpResponseBase:
    """Answer with `content` in the shape that is asked for; a page knows `more`."""
    shape = shape_of(request)
    if shape == "page":
        token = form_token(browser_of(request))
        response = page(template, {**content, **more, "token": token})
    elif shape == "json":
        response = document(content)
    else:
        known = {name: value for name, value in content.items() if value is not None}
        response = text("\n".join(f"{name}: {value}" for name, value in known.items()))
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
