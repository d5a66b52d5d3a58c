"""Requests for the files of certificates that were issued."""

import hashlib
from datetime import UTC

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.digests import format_sha256, weigh_sha256
from fileservice.errors import Revoked
from fileservice.http.answers import methods
from fileservice.http.downloading import Reply, asked_by, headers_of, reply_to
from fileservice.http.issuing import absent, shown
from fileservice.http.lifespan import resources_of
from fileservice.ledger import StoredFile
from fileservice.ranges import Span
from fileservice.registry import Issued

FILE_NAME = "certificate.pdf"
# Viewers of PDF do not work in a sandbox. It is a file that we made: no scripts, no links, and
# none runs on our origin, whatever a viewer makes of it.
INLINE_POLICY = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
)


@methods("GET", "HEAD")
async def certificate(request: ASGIRequest, id: str, name: str = "") -> HttpResponseBase:
    """GET /certificates/<id> and /certificates/<id>/<name> give a certificate out, as a file."""
    resources = resources_of(request)
    issued = resources.registry.find(id)
    if issued is None:
        raise absent()
    refuse_revoked(issued)
    file = as_file(issued)
    inline = request.GET.get("inline") == "1"
    headers = headers_of(request, file, inline=inline)
    if inline:
        headers["Content-Security-Policy"] = INLINE_POLICY
    reply = reply_to(asked_by(request), file, headers)
    if isinstance(reply, HttpResponse):
        return reply
    return respond(request, await resources.issuing.content(issued), reply)


def refuse_revoked(issued: Issued) -> None:
    """
    Refuse what was taken back.

    Raises:
        Revoked: with since when and why.
    """
    if issued.revoked_at is None:
        return
    since = shown(issued.revoked_at, UTC)
    why = f": {issued.reason}" if issued.reason else "."
    raise Revoked(
        f"This certificate was revoked on {since}{why}",
        extensions={"number": issued.number, "revoked_at": since, "reason": issued.reason},
    )


def as_file(issued: Issued) -> StoredFile:
    """Return the certificate as the file that it is for whoever downloads it."""
    return StoredFile(
        id=issued.id,
        key=issued.key,
        name=FILE_NAME,
        name_changed=False,
        size=issued.size,
        sha256=issued.sha256,
        media_type="application/pdf",
        created_at=issued.issued_at,
        sender=issued.sender,
        user_id=issued.user_id,
    )


def respond(request: ASGIRequest, content: bytes, reply: Reply) -> HttpResponse:
    """Answer with the pieces of `content` that are asked for."""
    body = b"".join(
        content[piece.start : piece.stop] if isinstance(piece, Span) else piece
        for piece in reply.pieces
    )
    if weigh_sha256(request.META.get("HTTP_WANT_CONTENT_DIGEST", "")):
        reply.headers["Content-Digest"] = format_sha256(hashlib.sha256(body).hexdigest())
    return HttpResponse(body, status=reply.status, headers=reply.headers)
