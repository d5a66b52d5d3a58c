"""The link to keep: look at a file, go on with its upload, delete it."""

from datetime import UTC, datetime
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.actors import Actor
from fileservice.errors import Forbidden, Unauthorized
from fileservice.http import partialputs, resumption, tus, uploadfields
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import actor_of
from fileservice.http.creations import described, described_upload
from fileservice.http.downloading import absent
from fileservice.http.entering import guest_of
from fileservice.http.lifespan import resources_of
from fileservice.http.offers import subject_of
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import resumable
from fileservice.http.shares import listed
from fileservice.http.visitors import browser_of, check_origin, form_token
from fileservice.resumables import Resumable
from fileservice.sharing import may_delete, may_manage


def protocols(request: ASGIRequest) -> dict[str, str]:
    """Return what an answer to OPTIONS says of resumable uploads."""
    accepted = f"{uploadfields.CONTENT_TYPE}, {tus.CONTENT_TYPE}"
    return tus.options(request) | uploadfields.options(request) | {"Accept-Patch": accepted}


@methods("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", options=protocols)
async def managed(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET, HEAD, PUT, PATCH and DELETE /uploads/<key>; the key is the right to all of them."""
    method = tus.method_of(request)
    if method == "PUT":
        return await partialputs.put(request, key)
    if method == "PATCH" and tus.is_appended(request):
        return await tus.patch(request, key)
    if method == "PATCH":
        return await resumption.append(request, key)
    if method == "HEAD":
        return await standing(request, key)
    if method == "DELETE":
        tus.check_spoken(request)
        await remove(request, resumable(request, key))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return await show(request, key)


async def standing(request: NativeRequest, key: str) -> HttpResponseBase:
    """Answer with how much of an upload is here; who still writes to it is asked to let go."""
    upload = await resources_of(request).resuming.settle(resumable(request, key))
    response = HttpResponse()
    tus.tell_all(response, upload)
    uploadfields.tell(request, response, upload)
    return response


async def show(request: NativeRequest, key: str) -> HttpResponseBase:
    """Answer with what is known of a file, or of an upload; nobody who writes is disturbed."""
    stored = resources_of(request).ledger.find_by_key(key)
    if stored is not None:
        content = described(request, stored)
        more = {}
        if shape_of(request) == "page" and may_manage(await actor_of(request), stored):
            subject, manage_url = subject_of(stored), str(content["manage_url"])
            more["shares"] = await listed(request, subject, manage_url)
        return told(request, content, "file.html", file=stored, **more)
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
    await remove(request, resumable(request, key))
    return HttpResponseRedirect("/", status=HTTPStatus.SEE_OTHER)


async def remover_of(request: NativeRequest, upload: Resumable) -> Actor:
    """
    Return who deletes.

    Raises:
        Unauthorized: it shows a token that is not good.
        Forbidden: it was put into a box, and the hour in which its guest may take it back is over.
    """
    try:
        by = await actor_of(request)
    except Unauthorized:
        if upload.drop_id is None:
            raise
        by = guest_of(request)
    thing = resources_of(request).ledger.find(upload.id) or upload
    if not may_delete(by, thing, is_open=thing is upload, now=datetime.now(UTC)):
        raise Forbidden("This was put into a box more than an hour ago: only its owner deletes it.")
    return by


async def remove(request: NativeRequest, upload: Resumable) -> None:
    """Delete a file, or an upload that is none yet; who comes second finds nothing."""
    by = await remover_of(request, upload)
    if not await resources_of(request).resuming.delete(upload, by):
        raise absent()
