"""The link of a box: guests without an account put files into it, by any door."""

from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.drops import Brought, KnownDrop
from fileservice.errors import Forbidden, NotFound
from fileservice.http import resumption, tus
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import reached_on_loopback
from fileservice.http.entering import Enter, Entrance, guest_of, limits_in, limits_of
from fileservice.http.guests import is_unlocked, password_needed, unlock
from fileservice.http.lifespan import resources_of
from fileservice.http.managing import protocols
from fileservice.http.rates import check_rate
from fileservice.http.representation import is_form, told_name
from fileservice.http.requests import NativeRequest
from fileservice.http.uploadfields import completeness
from fileservice.http.uploading import post_form, put, raw_name, take
from fileservice.http.visitors import (
    TOKEN_FIELD,
    browser_of,
    form_token,
    new_browser,
    origin_of,
    remember_browser,
    sender_of,
)
from fileservice.names import clean_name
from fileservice.tusfields import parse_metadata


@methods("GET", "HEAD", "POST")
async def drop(request: NativeRequest, code: str) -> HttpResponseBase:
    """GET /d/<code> shows a box, and what this browser brought; POST takes its password."""
    known = found(request, code)
    path = f"{known.prefix}{code}"
    if request.method == "POST":
        return await unlock(request, known, path)
    shape = shape_of(request)
    if not await is_unlocked(request, known):
        return password_needed(path, shape)
    browser = browser_of(request) or new_browser()
    if shape == "page":
        brought = await resources_of(request).drops.brought(known, sender_of(browser))
        response = page("drop.html", context_of(request, known, code, browser, brought))
        remember_browser(request, response, browser)
    elif shape == "json":
        response = document(facts(request, known))
    else:
        response = text(manual(request, known, code))
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    response["Vary"] = "Accept, Cookie, Authorization"
    return response


@methods("GET", "HEAD", "POST", "PUT", options=protocols)
async def brought(request: NativeRequest, code: str, rest: str) -> HttpResponseBase:
    """
    POST /d/<code>/ takes a form, or begins an upload that can be gone on with.

    PUT /d/<code>/<name> takes a body, as `curl -T` sends it.
    """
    if request.method in ("GET", "HEAD"):
        return await drop(request, code)
    name = raw_name(request, rest, b"/d/" + code.encode() + b"/") if rest else None
    enter = through(code, name)
    if request.method == "PUT":
        return await put(request, name, enter)
    if rest:
        raise NotFound("There is nothing at this address.")
    if tus.is_spoken(request):
        return await tus.create(request, enter)
    complete = completeness(request)
    if complete is None or (complete and is_form(request)):
        return await post_form(request, enter)
    return await resumption.create(request, take, None, enter)


def found(request: ASGIRequest, code: str) -> KnownDrop:
    """Return the box of a link."""
    known = resources_of(request).drops.find_by_code(code)
    if known is None:
        raise NotFound("There is no such box.")
    return known


def through(code: str, name: bytes | None) -> Enter:
    """Return what lets guests in who have the link of a box, and its password."""

    async def enter(request: NativeRequest) -> Entrance:
        known, resources = found(request, code), resources_of(request)
        if resources.options.access is None and not reached_on_loopback(request):
            raise Forbidden("Nobody chose who may use this service here.")
        known.check_open(datetime.now(UTC))
        path = f"{known.prefix}{code}"
        if not await is_unlocked(request, known):
            password_needed(path, "text")
        told = name or name_of(request)
        if told:
            known.check_name(clean_name(told).text)
        by = request.actor = guest_of(request)
        await check_rate(request, by, "uploads")
        to = resources.quotas.of_drop(by, known.id, known.user_id, known.media_types)
        return Entrance(by, to, limits_in(known, limits_of(resources)), path)

    return enter


def name_of(request: ASGIRequest) -> bytes:
    """Return the name that a request tells before its body; empty where it does not."""
    if tus.is_spoken(request):
        pairs = parse_metadata(request.META.get("HTTP_UPLOAD_METADATA", ""))
        return pairs.get("filename") or pairs.get("name") or b""
    return told_name(request) if completeness(request) is not None else b""


def facts(request: ASGIRequest, known: KnownDrop) -> dict[str, object]:
    """Return what guests may know of a box."""
    limits = limits_in(known, limits_of(resources_of(request)))
    return {
        "title": known.title,
        "note": known.note,
        "state": known.state(datetime.now(UTC)),
        "max_file_bytes": limits.file_bytes,
        "bytes_left": left(known.max_bytes, known.used_bytes),
        "files_left": left(known.max_files, known.used_files),
        "media_types": known.media_types,
        "expires_at": known.expires_at.isoformat() if known.expires_at else None,
    }


def left(most: int | None, used: int) -> int | None:
    """Return how much more may come; None for any."""
    return None if most is None else max(0, most - used)


def manual(request: ASGIRequest, known: KnownDrop, code: str) -> str:
    """Return what a terminal is told of a box."""
    told = facts(request, known)
    link = f"{origin_of(request)}{known.prefix}{code}/"
    types = " ".join(known.media_types)
    lines = [f"{name}: {value}" for name, value in {**told, "media_types": types}.items() if value]
    return "\n".join([*lines, "", f"  curl -T FILE {link}"])


def context_of(
    request: ASGIRequest, known: KnownDrop, code: str, browser: str, brought: list[Brought]
) -> dict[str, object]:
    """Return what the page of a box shows."""
    return {
        **facts(request, known),
        "drop": known,
        "action": f"{known.prefix}{code}/",
        "link": f"{origin_of(request)}{known.prefix}{code}/",
        "accept": ",".join(known.media_types),
        "brought": brought,
        "token": form_token(browser),
        "token_field": TOKEN_FIELD,
    }
