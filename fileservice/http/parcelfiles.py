"""The files of a parcel, given out together as one ZIP file."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.archiving import Archive, FileGone, NotYet
from fileservice.conditions import Conditions, Version
from fileservice.downloads import Asked, decide
from fileservice.errors import NotFound, ServiceUnavailable
from fileservice.http.auth import actor_of
from fileservice.http.content import ContentResponse, read
from fileservice.http.downloading import (
    CACHE_CONTROL,
    Reply,
    asked_by,
    described_fields,
    reply_with,
)
from fileservice.http.lifespan import resources_of
from fileservice.http.messages import Cut
from fileservice.parcels import Entry, StoredParcel
from fileservice.sharing import is_given_out, may_download

ZIP = ".zip"
RETRY = {"Retry-After": "5"}


async def archived(
    request: ASGIRequest, parcel: StoredParcel, *, sees_all: bool = False
) -> HttpResponseBase:
    """
    Answer GET or HEAD with a parcel as a ZIP file; whether it is for who asks was decided before.

    `sees_all` says that files in it which are restricted are for them, too: who has a share of
    the parcel or the link to keep.

    Raises:
        NotFound: there is no file in it for who asks.
        ServiceUnavailable: what it needs to know of its files takes a while.
    """
    entries = await resources_of(request).parcels.entries(parcel)
    entries = await shown_entries(request, entries, sees_all=sees_all)
    if not entries:
        raise NotFound("There is no file in this parcel.")
    try:
        archive = await resources_of(request).archiving.archive(entries)
    except NotYet:
        raise ServiceUnavailable(
            "The files of this parcel are being read for the first time; ask again.", headers=RETRY
        ) from None
    except FileGone:
        raise ServiceUnavailable(
            "A file of this parcel was just deleted; ask again.", headers={"Retry-After": "1"}
        ) from None
    return await respond(request, parcel, archive)


async def shown_entries(
    request: ASGIRequest, entries: Sequence[Entry], *, sees_all: bool = False
) -> list[Entry]:
    """Return those files of a parcel that are given out, and to who asks."""
    actor, now = await actor_of(request), datetime.now(UTC)
    return [
        entry
        for entry in entries
        if is_given_out(entry)
        and (entry.expires_at is None or entry.expires_at > now)
        and (sees_all or may_download(actor, entry))
    ]


async def respond(request: ASGIRequest, parcel: StoredParcel, archive: Archive) -> HttpResponseBase:
    """Answer with an archive, or with what of it is asked for."""
    asked = without_dates(asked_by(request))
    version = Version(f'"{archive.digest}"', datetime.max.replace(tzinfo=UTC))
    headers = {
        **described_fields("application/zip", parcel.name + ZIP, inline=False),
        "ETag": version.etag,
        "Cache-Control": CACHE_CONTROL,
    }
    decision = decide(asked, version, archive.size)
    reply = reply_with(decision, asked, archive.size, headers)
    if isinstance(reply, HttpResponse):
        return reply
    body = chunks(archive, reply)
    # What is missing from the start is a 500 now, and not a cut connection.
    first = await anext(body)
    return ContentResponse(resumed(first, body), status=reply.status, headers=reply.headers)


def without_dates(asked: Asked) -> Asked:
    """Return what is asked for by tags: no date tells that a file was taken out since."""
    named = asked.conditions
    conditions = Conditions(if_match=named.if_match, if_none_match=named.if_none_match)
    return replace(asked, conditions=conditions)


async def chunks(archive: Archive, reply: Reply) -> AsyncGenerator[bytes]:
    """
    Yield the body.

    Raises:
        Cut: a file was deleted, and what is sent would no longer be what was promised.
    """
    try:
        async with aclosing(read(archive.read, reply.pieces)) as blocks:
            async for block in blocks:
                yield block
    except FileGone as error:
        raise Cut(f"the file {error} of an archive is gone") from None


async def resumed(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what was taken, and the rest."""
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk
