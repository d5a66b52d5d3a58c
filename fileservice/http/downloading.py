"""Requests for stored files."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from functools import partial as partial_of
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from fileservice.conditions import Conditions, Version
from fileservice.digests import format_sha256, weigh_sha256
from fileservice.disposition import format_attachment
from fileservice.downloads import Asked, Decision, decide, may_show
from fileservice.errors import NotFound
from fileservice.http.content import SMALL_BYTES, ContentResponse, Piece, collect, read, size_of
from fileservice.http.lifespan import resources_of
from fileservice.ledger import StoredFile
from fileservice.ranges import Span, frame_parts
from fileservice.sharing import check_given_out
from fileservice.storage import Storage

# A browser may keep a copy, but asks about it each time, since a file can be deleted; nobody in
# between may keep one, since the link is the right to the file, nor change it, since its digest
# goes with it (docs/decisions/0006).
CACHE_CONTROL = "private, no-cache, no-transform"
# The fields of a 304 replace those of the kept copy, so the policy must be the same again.
IN_304 = {"ETag", "Cache-Control", "Content-Security-Policy"}
# Around a sound or a film a browser builds a page that loads it once more, by our policy and not
# from the origin "null" of a sandbox (seen in Chromium 156). Scripts stay off by both directives.
MEDIA_POLICY = (
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; "
    "sandbox allow-same-origin; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with content, before any of it is read."""

    status: int
    headers: dict[str, str]
    pieces: Sequence[Piece]


async def download(request: ASGIRequest, file: StoredFile) -> HttpResponseBase:
    """
    Give a file out; `?inline=1` shows what may be shown instead of having it saved.

    Raises:
        BeingScanned, Infected, Withheld: see `sharing.check_given_out`.
    """
    check_given_out(file)
    resources = resources_of(request)
    inline = is_inline(request, file.media_type, file.name)
    reply = reply_to(asked_by(request), file, headers_of(request, file, inline=inline))
    if isinstance(reply, HttpResponse):
        return reply
    try:
        return await respond(request, resources.storage, file, reply)
    except FileNotFoundError:
        if resources.ledger.find(file.id) is None:  # deleted since it was looked up
            raise absent() from None
        raise


def is_inline(request: ASGIRequest, media_type: str, name: str) -> bool:
    """Tell whether a file is to be shown in place: that is asked for, and harmless."""
    return request.GET.get("inline") == "1" and may_show(media_type, name)


def absent() -> NotFound:
    """Return the answer for what never was and for what was deleted; they are the same."""
    return NotFound("There is no such file.")


def asked_by(request: ASGIRequest) -> Asked:
    """Return what the fields of `request` ask for."""
    field = request.META.get
    return Asked(
        method=request.method or "",
        range=field("HTTP_RANGE", ""),
        if_range=field("HTTP_IF_RANGE", ""),
        conditions=Conditions(
            if_match=field("HTTP_IF_MATCH"),
            if_unmodified_since=field("HTTP_IF_UNMODIFIED_SINCE"),
            if_none_match=field("HTTP_IF_NONE_MATCH"),
            if_modified_since=field("HTTP_IF_MODIFIED_SINCE"),
        ),
    )


def reply_to(asked: Asked, file: StoredFile, headers: dict[str, str]) -> Reply | HttpResponse:
    """
    Return what is to be sent of `file`, or the answer itself where that is nothing.

    `headers` are the fields of a 200.
    """
    decision = decide(asked, Version(etag_of(file), file.created_at), file.size)
    return reply_with(decision, asked, file.size, headers)


def reply_with(
    decision: Decision, asked: Asked, size: int, headers: dict[str, str]
) -> Reply | HttpResponse:
    """Return what was decided to be sent of a file of `size`; see `reply_to`."""
    if decision.status == HTTPStatus.NOT_MODIFIED:
        return not_modified(headers)
    if decision.status == HTTPStatus.PARTIAL_CONTENT:
        reply = partial(asked, size, decision.spans, headers)
    else:
        reply = Reply(decision.status, headers, decision.spans)
    headers["Content-Length"] = str(size_of(reply.pieces))
    return HttpResponse(headers=headers) if asked.method == "HEAD" else reply


def etag_of(file: StoredFile) -> str:
    """Return the entity tag: strong, since equal bytes have the same and no others have it."""
    return f'"{file.sha256}"'


def headers_of(request: ASGIRequest, file: StoredFile, *, inline: bool) -> dict[str, str]:
    """Return the fields of a 200; what makes content harmless, every answer gets by middleware."""
    headers = dict(fields_of(file, inline=inline))
    if weigh_sha256(request.META.get("HTTP_WANT_REPR_DIGEST", "")) == 0:
        del headers["Repr-Digest"]
    return headers


@lru_cache(maxsize=1024)
def fields_of(file: StoredFile, *, inline: bool) -> Mapping[str, str]:
    """Return what the answers about a file, which never changes, have in common; 1 KB of memory."""
    return {
        **described_fields(file.media_type, file.name, inline=inline),
        "ETag": etag_of(file),
        "Last-Modified": http_date(file.created_at.timestamp()),
        "Cache-Control": CACHE_CONTROL,
        "Repr-Digest": format_sha256(file.sha256),
    }


def described_fields(media_type: str, name: str, *, inline: bool) -> dict[str, str]:
    """Return the fields that say what a content is, and what may be done with it."""
    charset = "; charset=utf-8" if inline and media_type == "text/plain" else ""
    fields = {
        "Content-Type": f"{media_type}{charset}",
        "Content-Disposition": format_attachment(name, inline=inline),
        "Accept-Ranges": "bytes",
    }
    if inline and media_type.startswith(("audio/", "video/")):
        fields["Content-Security-Policy"] = MEDIA_POLICY
    return fields


def not_modified(headers: dict[str, str]) -> HttpResponse:
    """Answer 304 with what RFC 9110 15.4.5 wants of `headers`, and nothing about a content."""
    kept = {name: value for name, value in headers.items() if name in IN_304}
    return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=kept)


def partial(asked: Asked, size: int, spans: tuple[Span, ...], headers: dict[str, str]) -> Reply:
    """Reply with `spans` of a file of `size`; `headers` become those of a 206 (RFC 9110 15.3.7)."""
    if asked.if_range:
        # Who sent it has the fields of the file already, and 15.3.7 wants them left out. Those
        # stay that keep content harmless, and the digest, which checks what was put together.
        headers.pop("Last-Modified", None)
    if len(spans) == 1:
        headers["Content-Range"] = spans[0].content_range(size)
        return Reply(HTTPStatus.PARTIAL_CONTENT, headers, spans)
    boundary = secrets.token_hex(16)
    media_type = headers["Content-Type"]
    pieces = frame_parts(spans, size=size, media_type=media_type, boundary=boundary)
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return Reply(HTTPStatus.PARTIAL_CONTENT, headers, pieces)


async def respond(
    request: ASGIRequest, storage: Storage, file: StoredFile, reply: Reply
) -> HttpResponseBase:
    """
    Answer with a small content whole, with a large one as a stream.

    Content-Digest is there on request, but for a large part of a file: no one knows it before
    the part was read, which is after the head was sent.
    """
    headers = reply.headers
    wants_digest = weigh_sha256(request.META.get("HTTP_WANT_CONTENT_DIGEST", ""))
    if wants_digest and reply.status == HTTPStatus.OK:
        headers["Content-Digest"] = format_sha256(file.sha256)
    if size_of(reply.pieces) > SMALL_BYTES:
        return await stream(storage, file, reply)
    content = await collect(storage, file.id, reply.pieces)
    if wants_digest and reply.status == HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Digest"] = format_sha256(hashlib.sha256(content).hexdigest())
    return HttpResponse(content, status=reply.status, headers=headers)


async def stream(storage: Storage, file: StoredFile, reply: Reply) -> ContentResponse:
    """Answer with a content that is read while it is sent."""
    # A blob that is missing or short is a 500 now; once the head is out, only a cut connection.
    await collect(storage, file.id, [Span(file.size - 1, file.size)])
    whole = reply.status == HTTPStatus.OK
    return ContentResponse(
        read(partial_of(storage.read, file.id), reply.pieces),
        status=reply.status,
        headers=reply.headers,
        path=storage.path(file.id) if whole else None,
    )
