"""Parcels: several files with one link, made, filled, looked at, removed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.actors import Actor
from fileservice.entries import absent
from fileservice.errors import NoFile
from fileservice.http import shares, tus
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import actor_of
from fileservice.http.creations import created
from fileservice.http.downloading import absent as no_such_file
from fileservice.http.entering import by_right, into, into_parcel, kept_parcel
from fileservice.http.lifespan import resources_of
from fileservice.http.offers import subject_of_parcel
from fileservice.http.parcelfiles import ZIP, archived, shown_entries
from fileservice.http.parcelorders import Order, order_of, terms_of
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest
from fileservice.http.uploading import put, raw_name
from fileservice.http.visitors import (
    TOKEN_FIELD,
    browser_of,
    check_origin,
    form_token,
    origin_of,
)
from fileservice.ledger import StoredFile
from fileservice.parcels import Entry, StoredParcel
from fileservice.sharing import may_download
from fileservice.uploads import delete, finish, unguessable

LISTED = 200  # files of a parcel in one answer


@methods("POST")
async def parcels(request: NativeRequest) -> HttpResponseBase:
    """POST /parcels/ makes a parcel, of files that come with it or are here, or of none yet."""
    entrance = await by_right(request)
    check_origin(request)
    refuse_encoded(request)
    to, now = entrance.to, datetime.now(UTC)
    parcel = StoredParcel(
        unguessable(), unguessable(), "", now, sender=to.sender, user_id=to.user_id
    )
    entrance = into(entrance, parcel)
    async with AsyncExitStack() as stack:
        order = await order_of(request, entrance, stack)
        parcel = replace(parcel, **terms_of(order.fields, now)._asdict())
        make = partial(resources_of(request).parcels.make, parcel, order.keys)
        await filed(request, order, entrance.by, make)
    if shape_of(request) == "page":
        return HttpResponseRedirect(links(request, parcel)[1], status=HTTPStatus.SEE_OTHER)
    return await told_created(request, parcel)


async def filed(
    request: NativeRequest, order: Order, by: Actor, act: Callable[..., Awaitable[None]]
) -> list[StoredFile]:
    """Make files of what came, by an act that takes them, who brought them, and what counts."""
    room = order.room

    async def add(files: Sequence[StoredFile], by: Actor) -> None:
        await act(files, by, *([room.counting(files)] if room else []))
        if room is not None:
            room.settled = True

    return await finish(resources_of(request).ledger, order.uploads, by, add)


async def told_created(request: NativeRequest, parcel: StoredParcel) -> HttpResponseBase:
    """Answer the making of a parcel."""
    url, manage_url = links(request, parcel)
    response: HttpResponseBase
    if shape_of(request) == "json":
        entries = await resources_of(request).parcels.entries(parcel)
        content = described(request, parcel, entries, after="", is_kept=True)
        response = document(content, HTTPStatus.CREATED)
    else:
        response = text(url, HTTPStatus.CREATED)
    response["Location"] = url
    response["Link"] = f'<{manage_url}>; rel="edit"'
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response


@methods("GET", "HEAD", "POST", "DELETE")
async def parcel(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /parcels/<id> lists a parcel; POST to /parcels/<key> fills it, DELETE removes it."""
    if request.method == "POST":
        return await fill(request, key)
    if request.method == "DELETE":
        await remove(request, kept_parcel(request, key))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return await show(request, key)


@methods("GET", "HEAD", "PUT", "POST", "DELETE")
async def within(request: NativeRequest, key: str, rest: str) -> HttpResponseBase:
    """
    GET /parcels/<id>/<name>.zip gives all out; PUT and DELETE /parcels/<key>/<path> are of a file.

    POST /parcels/<key>/delete is DELETE of the parcel for a form.
    """
    if request.method == "PUT":
        path = raw_name(request, rest, f"/parcels/{key}/".encode())
        return await put(request, path, into_parcel(key))
    if request.method == "DELETE":
        return await remove_entry(request, kept_parcel(request, key), rest)
    if request.method == "POST":
        if rest != "delete":
            raise absent()
        await remove(request, kept_parcel(request, key))
        return HttpResponseRedirect("/", status=HTTPStatus.SEE_OTHER)
    if "/" in rest or not rest.endswith(ZIP):
        raise no_such_file()
    found, is_kept = await known(request, key)
    return await archived(request, found, sees_all=is_kept)


async def fill(request: NativeRequest, key: str) -> HttpResponseBase:
    """Put the files of a form, or files that are here, into a parcel: all of them, or none."""
    if tus.is_spoken(request):
        return await tus.create(request, into_parcel(key))
    entrance = await into_parcel(key)(request)
    parcel = kept_parcel(request, key)
    check_origin(request)
    refuse_encoded(request)
    resources = resources_of(request)
    async with AsyncExitStack() as stack:
        order = await order_of(request, entrance, stack)
        if not order.uploads and not order.keys:
            raise NoFile("The form holds no file; send one as the field `file`.")
        add = partial(resources.parcels.add, parcel, order.keys)
        stored = await filed(request, order, entrance.by, add)
    if shape_of(request) == "page":
        return HttpResponseRedirect(links(request, parcel)[1], status=HTTPStatus.SEE_OTHER)
    moved = [file for key in order.keys if (file := resources.ledger.find_by_key(key))]
    return created(request, [*stored, *moved])


async def remove(request: NativeRequest, parcel: StoredParcel) -> None:
    """Delete a parcel with its files; who comes second finds nothing."""
    check_origin(request)
    if not await resources_of(request).parcels.delete(parcel, await actor_of(request)):
        raise absent()


async def remove_entry(request: NativeRequest, parcel: StoredParcel, path: str) -> HttpResponseBase:
    """Delete one file of a parcel."""
    check_origin(request)
    resources = resources_of(request)
    file = await resources.parcels.entry(parcel, path)
    by = await actor_of(request)
    if file is None or not await delete(resources.ledger, resources.storage, file, by):
        raise no_such_file()
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


async def known(request: ASGIRequest, code: str) -> tuple[StoredParcel, bool]:
    """
    Return the parcel of a link to give away, or to keep, and whether it is the latter.

    Raises:
        NotFound: there is none, or not for who asks.
    """
    resources, now = resources_of(request), datetime.now(UTC)
    parcel = resources.parcels.find(code, now)
    if parcel is None:
        return kept_parcel(request, code), True
    if parcel.restricted and not may_download(await actor_of(request), parcel):
        raise absent()
    return parcel, False


async def show(request: NativeRequest, code: str) -> HttpResponseBase:
    """List what is in a parcel; who has the link to keep sees all of it, and how to change it."""
    parcel, is_kept = await known(request, code)
    resources = resources_of(request)
    entries = await resources.parcels.entries(parcel)
    if not is_kept:
        entries = await shown_entries(request, entries)
    after = request.GET.get("after", "")
    content = described(request, parcel, entries, after=after, is_kept=is_kept)
    shape = shape_of(request)
    response: HttpResponseBase
    if shape == "page":
        token = {"token": form_token(browser_of(request)), "token_field": TOKEN_FIELD}
        more = {**token, **(await sharing_of(request, parcel) if is_kept else {})}
        context = {**content, **more, "parcel": parcel, "kept": is_kept}
        # To write so many lines takes longer than the loop may stand still.
        response = await asyncio.to_thread(page, "parcel.html", context)
    elif shape == "json":
        response = document(content)
    else:
        response = text(lines_of(content))
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Cookie, Authorization"
    return response


async def sharing_of(request: ASGIRequest, parcel: StoredParcel) -> dict[str, object]:
    """Return what a page has of the shares of a parcel, for who has the link to keep."""
    shared_at = f"{origin_of(request)}/uploads/{parcel.key}"
    made = await shares.listed(request, subject_of_parcel(parcel), shared_at)
    return {"shares": made, "shared_at": shared_at}


def links(request: ASGIRequest, parcel: StoredParcel) -> tuple[str, str]:
    """Return the link to give away and the link to keep."""
    origin = origin_of(request)
    return f"{origin}/parcels/{parcel.id}", f"{origin}/parcels/{parcel.key}"


def described(
    request: ASGIRequest,
    parcel: StoredParcel,
    entries: list[Entry],
    *,
    after: str,
    is_kept: bool,
) -> dict[str, object]:
    """Return the JSON of a parcel, with as many of its files as fit into one answer."""
    url, manage_url = links(request, parcel)
    rest = [entry for entry in entries if entry.path > after]
    listed = rest[:LISTED]
    here = manage_url if is_kept else url
    more = f"{here}?after={quote(listed[-1].path, safe='')}" if len(rest) > LISTED else None
    content: dict[str, object] = {
        "id": parcel.id,
        "name": parcel.name,
        "url": url,
        "zip_url": f"{url}/{quote(parcel.name, safe='')}{ZIP}",
        "created_at": parcel.created_at.isoformat(),
        "expires_at": parcel.expires_at.isoformat() if parcel.expires_at else None,
        "restricted": parcel.restricted,
        "count": len(entries),
        "size": sum(entry.size for entry in entries),
        "files": [described_entry(request, entry, is_kept=is_kept) for entry in listed],
        "next": more,
    }
    return {**content, "manage_url": manage_url} if is_kept else content


def described_entry(request: ASGIRequest, entry: Entry, *, is_kept: bool) -> dict[str, object]:
    """Return the JSON of a file of a parcel."""
    origin = origin_of(request)
    name = quote(entry.path.rpartition("/")[2], safe="")
    content = {
        "id": entry.id,
        "path": entry.path,
        "size": entry.size,
        "sha256": entry.sha256,
        "media_type": entry.media_type,
        "url": f"{origin}/files/{entry.id}/{name}",
    }
    if not is_kept:
        return content
    return {**content, "state": entry.state, "manage_url": f"{origin}/uploads/{entry.key}"}


def lines_of(content: dict[str, object]) -> str:
    """Return a parcel a line a fact, then a line for each file."""
    files = content["files"]
    assert isinstance(files, list)  # noqa: S101 - by `described`
    facts = [
        f"{name}: {value}"
        for name, value in content.items()
        if name != "files" and value not in (None, False)
    ]
    return "\n".join([*facts, *(f"{file['url']} {file['size']} {file['path']}" for file in files)])
