"""The link of a share: a page for browsers, the file itself for programs."""

import io
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import quote

import segno
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.errors import ServiceUnavailable, ShareEnded
from fileservice.http.answers import document, methods, page, shape_of
from fileservice.http.auth import actor_of
from fileservice.http.content import ContentResponse
from fileservice.http.guests import (
    anybody,
    is_unlocked,
    password_needed,
    remember_lease,
    shows_lease,
    unlock,
    visitor_of,
)
from fileservice.http.leasing import LeasedResponse, Lending
from fileservice.http.lifespan import resources_of
from fileservice.http.offers import Offer, absent, offer_of
from fileservice.http.previews import is_prefetch, is_preview
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import origin_of
from fileservice.lending import HeldLease, Visitor
from fileservice.shares import KnownShare

QR_NAMES = ("qr.png", "qr.svg")
BEGINNINGS = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


@methods("GET", "HEAD", "POST")
async def visit(request: NativeRequest, code: str) -> HttpResponseBase:
    """GET /s/<code> is a page for browsers and the file for programs; POST takes a password."""
    share = shared(request, code)
    if request.method == "POST":
        return await unlock(request, share, f"{share.prefix}{code}")
    shape = "page" if is_preview(request) or is_prefetch(request) else shape_of(request)
    if shape == "text":
        return unlisted(await give(request, share, code))
    now = datetime.now(UTC)
    visitor, token = visitor_of(request, share)
    lease = resources_of(request).leases.find(share, visitor, now=now)
    refuse_ended(share, lease, now)
    if not await is_unlocked(request, share):
        return password_needed(f"{share.prefix}{code}", shape)
    offer = offer_of(resources_of(request), share)
    if shape == "json":
        return unlisted(document(facts(request, share, offer, code)))
    response = show(request, share, offer, code, lease)
    if not shows_lease(request):
        remember_lease(request, response, code, token)
    return unlisted(response)


@methods("GET", "HEAD")
async def download(request: NativeRequest, code: str, name: str) -> HttpResponseBase:
    """GET /s/<code>/<name> is the download; `name` is there for people."""
    if is_preview(request):
        return await visit(request, code)
    return unlisted(await give(request, shared(request, code), code))


@methods("GET", "HEAD")
async def qr(request: NativeRequest, code: str, form: str) -> HttpResponseBase:
    """GET /s/<code>/qr.svg and /s/<code>/qr.png are the link as a picture."""
    shared(request, code)
    content = qr_code(link(request, code), form)
    media_type = "image/svg+xml" if form == "svg" else "image/png"
    response = HttpResponse(content, content_type=media_type)
    response["Cache-Control"] = "private, max-age=3600"
    return unlisted(response)


def shared(request: ASGIRequest, code: str) -> KnownShare:
    """Return the share of a link."""
    share = resources_of(request).shares.find_by_code(code)
    if share is None:
        raise absent()
    return share


def refuse_ended(share: KnownShare, lease: HeldLease | None, now: datetime) -> None:
    """
    Refuse who comes too late; who has begun may go on with what is only used up.

    Raises:
        ShareEnded: with why.
    """
    state = share.state(now)
    if state == "open" or (state == "used up" and lease is not None):
        return
    reasons = {
        "revoked": "It was taken back by who shared it.",
        "expired": "It was to be used until a certain time, which has passed.",
        "used up": "It was for a number of downloads, and all of them have been made.",
    }
    raise ShareEnded(f"{reasons[state]} Ask for another link.")


async def give(request: ASGIRequest, share: KnownShare, code: str) -> HttpResponseBase:
    """
    Give out what is shared, under the lease of who asks.

    Raises:
        ShareEnded, PasswordNeeded, TooManyRequests: not to who asks.
        ServiceUnavailable: nobody asked for it yet.
    """
    leases, now = resources_of(request).leases, datetime.now(UTC)
    visitor, token = visitor_of(request, share)
    lease = leases.find(share, visitor, now=now)
    refuse_ended(share, lease, now)
    if is_prefetch(request):
        raise ServiceUnavailable("No download is begun before somebody wants it.")
    if not await is_unlocked(request, share):
        return password_needed(f"{share.prefix}{code}", shape_of(request))
    if share.password:
        request.actor = anybody(request)  # type: ignore[attr-defined]  # Basic was the password
    offer = offer_of(resources_of(request), share)
    response = await offer.download(request)
    if request.method != "GET" or response.status_code not in BEGINNINGS:
        return response
    try:
        lent = await lend(request, share, offer, visitor, lease)
    except BaseException:
        if isinstance(response, ContentResponse):
            await response.chunks.aclose()
        raise
    leased = LeasedResponse(response, lent)
    if lent.lease.id == visitor.id and not shows_lease(request):
        remember_lease(request, leased, code, token)
    return leased


async def lend(
    request: ASGIRequest,
    share: KnownShare,
    offer: Offer,
    visitor: Visitor,
    lease: HeldLease | None,
) -> Lending:
    """
    Return the lease that an answer is sent under; a download is counted where there was none.

    Raises:
        ShareEnded: others were faster.
    """
    resources, by = resources_of(request), anybody(request)
    if lease is None or lease.is_fresh:
        by = await actor_of(request)
        now = datetime.now(UTC)
        lease = await resources.leases.take(share, visitor, offer.subject, by, now=now)
    if lease is None:
        refuse_ended(resources.shares.find(share.id) or share, None, datetime.now(UTC))
        raise absent()
    return Lending(resources.leases, lease, offer.subject, by)


def show(
    request: ASGIRequest, share: KnownShare, offer: Offer, code: str, lease: HeldLease | None
) -> HttpResponse:
    """Answer with the page of a share."""
    known = facts(request, share, offer, code)
    return page(
        "share.html", {**known, "link": link(request, code), "share": share, "lease": lease}
    )


def facts(request: ASGIRequest, share: KnownShare, offer: Offer, code: str) -> dict[str, object]:
    """Return what everybody may know who has the link and its password."""
    name = f"_{offer.name}" if offer.name in QR_NAMES else offer.name
    return {
        "name": offer.name,
        "size": offer.size,
        "media_type": offer.media_type,
        "sha256": offer.subject.sha256 or None,
        "expires_at": share.expires_at.isoformat() if share.expires_at else None,
        "downloads_left": share.downloads_left,
        "url": f"{link(request, code)}/{quote(name, safe='')}",
    }


def link(request: ASGIRequest, code: str) -> str:
    """Return the link of a share as the client reaches this service."""
    return f"{origin_of(request)}/s/{code}"


@lru_cache(maxsize=256)
def qr_code(url: str, form: str) -> bytes:
    """Return a URL as a picture: SVG that takes the size it is given, or PNG for a printer."""
    held = io.BytesIO()
    code = segno.make(url, error="m", micro=False)
    if form == "svg":
        code.save(held, kind="svg", omitsize=True, light="#fff", xmldecl=False)
    else:
        code.save(held, kind="png", scale=8)
    return held.getvalue()


def unlisted[Response: HttpResponseBase](response: Response) -> Response:
    """Return an answer that no search engine lists, and no cache gives to another client."""
    response["X-Robots-Tag"] = "noindex"
    if not response.has_header("Cache-Control"):
        response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, User-Agent, Cookie, Authorization"
    return response
