"""Certificates by the list: ordered, watched, stopped."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.backlog import Ordered
from fileservice.batches.ordering import as_lines, detailed
from fileservice.errors import NotFound
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import actor_of, admit
from fileservice.http.content import ContentResponse
from fileservice.http.entering import limits_of
from fileservice.http.issuing import shown, told
from fileservice.http.lifespan import resources_of
from fileservice.http.rates import check_rate
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest
from fileservice.http.sentlists import batch_order_of
from fileservice.http.visitors import check_own_origin, origin_of
from fileservice.uploads import check_room

EVENTS = "text/event-stream"
# A server that is stopped waits for its answers; who still wants events asks again by itself.
EVENTS_SECONDS = 30
LOOK_SECONDS = 0.5
SILENT_LOOKS = 20
REFRESH_SECONDS = 2


@methods("POST")
async def batches(request: NativeRequest) -> HttpResponseBase:
    """POST /batches/ takes a list, and has a certificate issued for each line."""
    by = await admit(request, "issue")
    await check_rate(request, by, "certificates")
    check_own_origin(request)
    refuse_encoded(request)
    resources = resources_of(request)
    check_room(resources.storage, limits_of(resources), 0)
    with resources.desk.place(request.stream.declared):
        wanted = await batch_order_of(request)
        ordered = await resources.desk.order(wanted, by=by, now=datetime.now(UTC))
    resources.watch.wake()
    return created(request, ordered)


def created(request: ASGIRequest, ordered: Ordered) -> HttpResponseBase:
    """Answer an order: a browser gets to the link to keep, a program 201."""
    url = link(request, ordered)
    shape = shape_of(request)
    if shape == "page":
        return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)
    if shape == "json":
        response = document(described(request, ordered), HTTPStatus.CREATED)
    else:
        response = text(url, HTTPStatus.CREATED)
    response["Location"] = url
    return told(response)


def link(request: ASGIRequest, ordered: Ordered) -> str:
    """Return the link to keep."""
    return f"{origin_of(request)}/batches/{ordered.key}"


def described(request: ASGIRequest, ordered: Ordered) -> dict[str, object]:
    """Return the JSON of a batch."""
    url, zone = link(request, ordered), ZoneInfo(ordered.zone)
    return {
        "url": url,
        "template": ordered.template.partition("?")[0],
        "issued_at": shown(ordered.issued_at, zone),
        "expires_at": shown(ordered.expires_at, zone),
        **progress(ordered),
        "zip_url": f"{url}/certificates.zip",
        "pdf_url": f"{url}/certificates.pdf",
        "csv_url": f"{url}/certificates.csv",
        "jsonl_url": f"{url}/certificates.jsonl",
    }


def progress(ordered: Ordered) -> dict[str, object]:
    """Return what changes of a batch while it is worked on."""
    return {
        "state": ordered.state,
        "total": ordered.total,
        "checked": ordered.checked,
        "done": ordered.done,
        "lines": as_lines(ordered.complaints),
        "trouble": ordered.trouble,
    }


def text_of(content: dict[str, object], ordered: Ordered) -> str:
    """Return a batch a line a fact, and what is empty not at all."""
    facts = [f"{name}: {value}" for name, value in content.items() if value and name != "lines"]
    return "\n".join([*facts, *map(detailed, ordered.complaints)])


@methods("GET", "HEAD", "DELETE")
async def batch(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /batches/<key> tells how far a batch is, DELETE stops it; the key is the right to."""
    ordered = kept(request, key)
    if request.method == "DELETE":
        check_own_origin(request)
        await resources_of(request).backlog.stop(ordered, await actor_of(request))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    if request.method == "GET" and request.META.get("HTTP_ACCEPT", "").startswith(EVENTS):
        return events_of(request, ordered)
    content = described(request, ordered)
    shape = shape_of(request)
    if shape == "page":
        context = {**content, "is_active": ordered.is_active, "refresh": REFRESH_SECONDS}
        return told(page("batch.html", context))
    return told(document(content) if shape == "json" else text(text_of(content, ordered)))


@methods("POST")
async def stop_form(request: NativeRequest, key: str) -> HttpResponseBase:
    """POST /batches/<key>/stop is DELETE for a form; whoever holds the key may."""
    check_own_origin(request)
    await resources_of(request).backlog.stop(kept(request, key), await actor_of(request))
    return HttpResponseRedirect(f"/batches/{key}", status=HTTPStatus.SEE_OTHER)


def kept(request: ASGIRequest, key: str) -> Ordered:
    """Return the batch of a link to keep."""
    ordered = resources_of(request).backlog.find_by_key(key)
    if ordered is None:
        raise NotFound("There is no such batch.")
    return ordered


def events_of(request: ASGIRequest, ordered: Ordered) -> HttpResponseBase:
    """Answer with server-sent events."""
    headers = {"Content-Type": EVENTS, "Cache-Control": "no-store", "Vary": "Accept"}
    chunks = events(request, ordered)
    return ContentResponse(chunks, status=HTTPStatus.OK, headers=headers)


async def events(request: ASGIRequest, ordered: Ordered) -> AsyncGenerator[bytes]:
    """Yield an event whenever a batch is further, until it has ended or time is up."""
    last, silent = None, 0
    yield b"retry: 1000\n\n"
    for _ in range(int(EVENTS_SECONDS / LOOK_SECONDS)):
        now = progress(ordered)
        silent += 1
        if now != last:
            yield f"event: progress\ndata: {json.dumps(now, ensure_ascii=False)}\n\n".encode()
            last, silent = now, 0
        elif silent == SILENT_LOOKS:
            yield b": still here\n\n"
            silent = 0
        if not ordered.is_active:
            break
        await asyncio.sleep(LOOK_SECONDS)
        ordered = kept(request, ordered.key)
