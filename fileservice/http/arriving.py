"""Requests for files that may still be on their way in."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.downloads import decide_unfinished
from fileservice.errors import BeingScanned, NotReady, ServiceUnavailable
from fileservice.following import Following, Gone, Stalled
from fileservice.http.auth import actor_of
from fileservice.http.content import ContentResponse, read
from fileservice.http.downloading import (
    Reply,
    absent,
    asked_by,
    described_fields,
    download,
    is_inline,
    reply_with,
)
from fileservice.http.lifespan import resources_of
from fileservice.http.messages import Cut
from fileservice.resumables import Resumable
from fileservice.sharing import Restrictable, may_download

# Bytes that nobody verified yet are nothing to be kept.
CACHE_CONTROL = "no-store, no-transform"
RETRY = {"Retry-After": "5"}


async def give_out(request: ASGIRequest, id: str, name: str = "") -> HttpResponseBase:
    """
    GET and HEAD /files/<id> and /files/<id>/<name> give a file out, or as much as came of it.

    The id alone says which; `name` is there for people, and for programs that call a file by the
    end of its link.
    """
    resources = resources_of(request)
    file = resources.ledger.find(id)
    if file is None:
        unfinished = resources.following.find(id)
        if unfinished is not None and unfinished.is_open:
            await check_may_download(request, unfinished)
            return await follow_in_time(request, resources.following, unfinished)
        file = resources.ledger.find(id)  # it may have become one meanwhile
    if file is None:
        raise absent()
    await check_may_download(request, file)
    return await download(request, file)


async def check_may_download(request: ASGIRequest, thing: Restrictable) -> None:
    """
    Require that who has the link may have the content; who asks is looked at only where it counts.

    Raises:
        NotFound: it is not for who asks, and nobody is told so.
        Unauthorized: see `actor_of`.
    """
    if thing.restricted and not may_download(await actor_of(request), thing):
        raise absent()


async def follow_in_time(
    request: ASGIRequest, following: Following, unfinished: Resumable
) -> HttpResponseBase:
    """
    Answer with a file as it is uploaded.

    Raises:
        BeingScanned: it is to be scanned first.
        NotFound: there is nothing of it any more.
        ServiceUnavailable: what is asked for did not come in time.
        NotReady: see `follow`.
    """
    if resources_of(request).scanning is not None:
        raise BeingScanned(
            "This file is given out once all of it came and was scanned.", headers=RETRY
        )
    try:
        return await follow(request, following, unfinished)
    except Gone:
        raise absent() from None
    except Stalled:
        raise ServiceUnavailable(
            "What is asked for of this file is not uploaded yet.", headers=RETRY
        ) from None


async def follow(
    request: ASGIRequest, following: Following, unfinished: Resumable
) -> HttpResponseBase:
    """
    Answer with a file as it is uploaded, once the first byte that is asked for can be sent.

    Raises:
        NotReady: nobody said how long it will be.
        Gone: there is nothing of it any more.
        Stalled: the first byte did not come in time.
    """
    id, size = unfinished.id, unfinished.length
    if size is None:
        raise NotReady(
            "This file is still being uploaded, and how long it will be is not known yet.",
            headers=RETRY,
        )
    asked = asked_by(request)
    decision = decide_unfinished(asked, size)
    if asked.method == "GET" and any(span.size for span in decision.spans):
        await following.reach(id, decision.spans[0].start)
    headers = await fields_of(request, following, unfinished)
    reply = reply_with(decision, asked, size, headers)
    if isinstance(reply, HttpResponse):
        return reply
    return ContentResponse(chunks(following, id, reply), status=reply.status, headers=headers)


async def fields_of(
    request: ASGIRequest, following: Following, unfinished: Resumable
) -> dict[str, str]:
    """Return the fields of a 200: none that needs to know all bytes, or outlasts a failure."""
    media_type = await following.media_type(unfinished.id)
    inline = is_inline(request, media_type, unfinished.name)
    return {
        **described_fields(media_type, unfinished.name, inline=inline),
        "Cache-Control": CACHE_CONTROL,
    }


async def chunks(following: Following, id: str, reply: Reply) -> AsyncGenerator[bytes]:
    """
    Yield the body.

    Raises:
        Cut: what is missing will not come, or did not come in time.
    """

    def span(start: int, stop: int) -> AsyncGenerator[bytes]:
        return following.read(id, start, stop)

    try:
        async with aclosing(read(span, reply.pieces)) as blocks:
            async for block in blocks:
                yield block
    except Gone:
        raise Cut(f"the upload {id} is gone") from None
    except Stalled:
        raise Cut(f"the upload {id} does not go on") from None
