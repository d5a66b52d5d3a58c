"""The certificates of a batch, given out together."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.backlog import Ordered
from fileservice.batches import gathering, lists
from fileservice.conditions import Version
from fileservice.disposition import format_attachment
from fileservice.downloads import decide
from fileservice.errors import NotFound, NotReady
from fileservice.http.answers import methods
from fileservice.http.batching import kept
from fileservice.http.content import ContentResponse
from fileservice.http.downloading import CACHE_CONTROL, IN_304, asked_by
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.requests import NativeRequest
from fileservice.ranges import Span
from fileservice.registry import Glance


@methods("GET", "HEAD")
async def archived(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /batches/<key>/certificates.zip gives all out that are not revoked, a file each."""
    resources, ordered, rows = await ended(request, key)
    size = await asyncio.to_thread(gathering.archive_size, rows)
    version = await asyncio.to_thread(version_of, ordered, rows)
    headers = headers_of("certificates.zip", "application/zip", version)
    decision = decide(asked_by(request), version, size)
    if decision.status == HTTPStatus.NOT_MODIFIED:
        return not_modified(headers)
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(size)}
    status, span = HTTPStatus.OK, Span(0, size)
    # Of several ranges none: RFC 9110 14.2 lets a server send the whole.
    if decision.status == HTTPStatus.PARTIAL_CONTENT and len(decision.spans) == 1:
        status, span = HTTPStatus.PARTIAL_CONTENT, decision.spans[0]
        headers["Content-Range"] = span.content_range(size)
        headers["Content-Length"] = str(span.size)
    chunks = cut(gathering.archive(resources.issuing, ordered, rows), span)
    return await respond(request, chunks, headers, status)


@methods("GET", "HEAD")
async def merged(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /batches/<key>/certificates.pdf gives all out that are not revoked, in one file."""
    resources, ordered, rows = await ended(request, key)
    version = await asyncio.to_thread(version_of, ordered, rows)
    headers = headers_of("certificates.pdf", "application/pdf", version)
    if decide(asked_by(request), version, 0).status == HTTPStatus.NOT_MODIFIED:
        return not_modified(headers)
    chunks = gathering.merged(resources.issuing, ordered, rows)
    return await respond(request, chunks, headers)


@methods("GET", "HEAD")
async def as_csv(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /batches/<key>/certificates.csv lists what is issued; a spreadsheet computes nothing."""
    ordered = kept(request, key)
    chunks = csv_chunks(resources_of(request), ordered)
    return await respond(request, chunks, list_headers("certificates.csv", "text/csv"))


@methods("GET", "HEAD")
async def as_json_lines(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /batches/<key>/certificates.jsonl lists what is issued, an object a line."""
    ordered = kept(request, key)
    chunks = json_chunks(resources_of(request), ordered)
    return await respond(request, chunks, list_headers("certificates.jsonl", "application/jsonl"))


async def ended(request: NativeRequest, key: str) -> tuple[Resources, Ordered, list[Glance]]:
    """
    Return a batch that has ended, with its certificates.

    Raises:
        NotReady: it has not.
        NotFound: there is no such batch, or no certificate in it.
    """
    resources, ordered = resources_of(request), kept(request, key)
    if ordered.is_active:
        raise NotReady(
            f"The batch is not issued yet: {ordered.done:,} of {ordered.total:,} are.",
            headers={"Retry-After": "5"},
        )
    rows = await gathering.held(resources.registry, ordered.id)
    if not rows:
        raise NotFound("The batch has no certificate that is still good.")
    return resources, ordered, rows


def version_of(ordered: Ordered, rows: Sequence[Glance]) -> Version:
    """Return what tells these certificates from the batch before some were revoked."""
    # No date tells: a revocation has none that the rows which are left would know.
    return Version(f'"{gathering.digest_of(ordered, rows)}"', datetime.now(UTC))


def headers_of(name: str, media_type: str, version: Version) -> dict[str, str]:
    """Return the fields of a 200 with certificates."""
    return {
        "Content-Type": media_type,
        "Content-Disposition": format_attachment(name, inline=False),
        "ETag": version.etag,
        "Cache-Control": CACHE_CONTROL,
    }


def list_headers(name: str, media_type: str) -> dict[str, str]:
    """Return the fields of a list, which says how things stand now."""
    return {
        "Content-Type": f"{media_type}; charset=utf-8",
        "Content-Disposition": format_attachment(name, inline=False),
        "Cache-Control": "no-store",
    }


def not_modified(headers: dict[str, str]) -> HttpResponse:
    """Answer 304."""
    kept = {name: value for name, value in headers.items() if name in IN_304}
    return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=kept)


async def respond(
    request: NativeRequest,
    chunks: AsyncGenerator[bytes],
    headers: dict[str, str],
    status: int = HTTPStatus.OK,
) -> HttpResponseBase:
    """Answer with what is made while it is sent; what fails at once is still a 500."""
    if request.method == "HEAD":
        await chunks.aclose()
        # No HttpResponse: it would say that the length, which nobody knows yet, is 0.
        return ContentResponse(chunks, status=status, headers=headers)
    first = await anext(chunks)
    return ContentResponse(resumed(first, chunks), status=status, headers=headers)


async def resumed(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what was taken, and the rest."""
    async with aclosing(chunks):
        yield first
        async for chunk in chunks:
            yield chunk


async def cut(chunks: AsyncGenerator[bytes], span: Span) -> AsyncGenerator[bytes]:
    """Yield the bytes of `span`; the others are made and dropped."""
    at = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            piece = chunk[max(span.start - at, 0) : max(span.stop - at, 0)]
            at += len(chunk)
            if piece:
                yield piece
            if at >= span.stop:
                return


async def csv_chunks(resources: Resources, ordered: Ordered) -> AsyncGenerator[bytes]:
    """Yield the list as CSV, with a column for each name that any line has a value for."""
    names: dict[str, None] = {}
    async for rows in gathering.glances(resources.registry, ordered.id):
        names |= dict.fromkeys(name for row in rows for name in row.values)
    now = datetime.now(UTC)
    yield lists.csv_head(list(names))
    async for rows in gathering.glances(resources.registry, ordered.id):
        yield lists.csv_rows(rows, list(names), ordered.origin, now)


async def json_chunks(resources: Resources, ordered: Ordered) -> AsyncGenerator[bytes]:
    """Yield the list as JSON Lines."""
    now = datetime.now(UTC)
    yield b""
    async for rows in gathering.glances(resources.registry, ordered.id):
        yield lists.json_lines(rows, ordered.origin, now)
