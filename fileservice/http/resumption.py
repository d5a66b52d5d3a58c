"""
Resumable uploads as the IETF drafts them: draft-ietf-httpbis-resumable-upload, interop version 8.

`Upload-Complete: ?0` at /files/ begins one, and PATCH of its link to keep goes on with it. What
comes whole, `?1`, is taken as any other body where its sender cannot be told the link by 104.
"""

import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.appending import Append, other_offset
from fileservice.digests import format_sha256, weigh_sha256
from fileservice.errors import (
    BadRequest,
    CompletedUpload,
    DigestMismatch,
    FileserviceError,
    InconsistentLength,
    LengthExceeded,
    Locked,
    NotFound,
    UnsupportedRequest,
)
from fileservice.http.answers import document, shape_of, text
from fileservice.http.body import ClientGone
from fileservice.http.creations import created, described_upload, links
from fileservice.http.entering import Enter, Entrance, by_right, limits_for
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import (
    ContentDigest,
    content_digest,
    is_form,
    refuse_encoded,
    told_name,
    told_sha256,
)
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import (
    append_of,
    appendable,
    file_of,
    new_resumable,
    path_of,
)
from fileservice.http.uploadfields import (
    CONTENT_TYPE,
    VERSION_FIELD,
    VERSIONS,
    completeness,
    in_its_terms,
    limit,
    tell,
    told_length,
)
from fileservice.http.visitors import check_origin
from fileservice.ledger import StoredFile
from fileservice.resumables import Resumable
from fileservice.structured import parse_count

# What proxies add to a request (RFC 7239, RFC 9110 7.6.3).
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA")

type Take = Callable[[NativeRequest, bytes, int | None, Enter], Awaitable[StoredFile]]


@in_its_terms
async def create(
    request: NativeRequest, take: Take, name: bytes | None = None, enter: Enter = by_right
) -> HttpResponseBase:
    """
    Begin an upload, or `take` one that comes whole from who could not go on with it.

    Without a `name` in the path Content-Disposition tells it.
    """
    name = told_name(request) if name is None else name
    is_last = bool(completeness(request))
    if is_last and not can_announce(request):
        return ended(request, await take(request, name, told_length(request), enter))
    entrance = await enter(request)
    check_origin(request)
    refuse_encoded(request)
    if is_form(request):
        raise UnsupportedRequest("A form cannot be gone on with: send the bare file.")
    sha256 = told_sha256(request)
    wanted = new_resumable(
        name,
        to=entrance.to,
        kind="told",
        length=told_length(request),
        sha256=sha256.hex() if sha256 else "",
    )
    upload = await first_bytes(request, wanted, entrance, is_last=is_last)
    return appended(request, upload, is_last=True) if is_last else begun(request, upload)


async def first_bytes(
    request: NativeRequest, wanted: Resumable, entrance: Entrance, *, is_last: bool
) -> Resumable:
    """
    Begin an upload with what the request brings.

    Where that goes wrong and the client could not be told its link, nothing stays.
    """
    verification = content_digest(request)
    resuming = resources_of(request).resuming
    upload = await resuming.start(wanted, entrance.limits, entrance.to)
    if can_announce(request):
        await announce(request, upload)
    if request.stream.complete and not is_last:
        return upload
    brought = append_of(request, 0, is_last=is_last, goes_on=not is_last, verification=verification)
    try:
        return await bring(request, upload, brought)
    except (FileserviceError, ClientGone):
        if not can_announce(request):
            with contextlib.suppress(NotFound, Locked):
                await resuming.delete(upload, entrance.by)
        raise


def can_announce(request: NativeRequest) -> bool:
    """
    Tell whether a client can be told its link while it sends: only of our own version.

    Not through a proxy: nginx 1.22 takes a 104 for the final answer, and what follows for its body.
    """
    version = request.META.get("HTTP_UPLOAD_DRAFT_INTEROP_VERSION")
    is_forwarded = any(field in request.META for field in FORWARDED)
    return version == VERSIONS[-1] and request.can_inform and not is_forwarded


async def announce(request: NativeRequest, upload: Resumable) -> None:
    """Send 104 (Upload Resumption Supported): a client that is cut off knows where to go on."""
    seconds = resources_of(request).options.resume_seconds
    fields = {
        "Location": path_of(upload),
        "Upload-Limit": limit(request, seconds),
        VERSION_FIELD: VERSIONS[-1],
    }
    await request.inform(104, "Upload Resumption Supported", fields)


async def bring(request: NativeRequest, upload: Resumable, brought: Append) -> Resumable:
    """
    Append to an upload and return it.

    Raises:
        LengthExceeded: more came than it was to have; nothing can be made of it any more.
        FileserviceError: see `Resuming.append`; `Upload-Complete` says whether all bytes came.
    """
    resuming = resources_of(request).resuming
    try:
        return await resuming.append(upload, brought, limits_for(resources_of(request), upload))
    except LengthExceeded:
        await resuming.fail(upload)
        raise
    except DigestMismatch as error:
        verification = brought.verification
        differs = isinstance(verification, ContentDigest) and verification.differs
        error.headers["Upload-Complete"] = "?0" if differs else "?1"
        raise


def begun(request: ASGIRequest, upload: Resumable) -> HttpResponseBase:
    """Answer with the link to keep, at which the upload goes on."""
    if shape_of(request) == "json":
        response = document(described_upload(request, upload), HTTPStatus.CREATED)
    else:
        response = text(links(request, upload)[1], HTTPStatus.CREATED)
    response["Location"] = path_of(upload)
    response["Vary"] = "Accept"
    tell(request, response, upload)
    return response


@in_its_terms
async def append(request: NativeRequest, key: str) -> HttpResponseBase:
    """PATCH /uploads/<key> goes on with an upload."""
    found = await appendable(request, key)
    offset, is_last = place_of(request)
    if not found.is_open:
        return await told_again(request, found, offset)
    verification = content_digest(request)
    brought = append_of(
        request,
        offset,
        length=told_length(request),
        is_last=is_last,
        goes_on=not is_last,
        verification=verification,
    )
    upload = await bring(request, found, brought)
    if not request.stream.complete:  # another request has completed it meanwhile
        return await told_again(request, upload, offset)
    return appended(request, upload, is_last=is_last)


def place_of(request: ASGIRequest) -> tuple[int, bool]:
    """
    Return where the bytes of a PATCH belong, and whether they are the last.

    Raises:
        UnsupportedRequest: the content is not said to be a part of an upload.
        BadRequest: Upload-Offset or Upload-Complete is missing.
    """
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0]
    if content_type.strip().lower() != CONTENT_TYPE:
        raise UnsupportedRequest(
            f"What is appended comes as {CONTENT_TYPE}.", headers={"Accept-Patch": CONTENT_TYPE}
        )
    offset = parse_count(request.META.get("HTTP_UPLOAD_OFFSET", ""))
    is_last = completeness(request)
    if offset is None or is_last is None:
        raise BadRequest("An append needs Upload-Offset, and `Upload-Complete: ?0` or `?1`.")
    return offset, is_last


def appended(request: ASGIRequest, upload: Resumable, *, is_last: bool) -> HttpResponseBase:
    """Answer an append: that more may come, or what the whole has become."""
    if not upload.is_open:
        return ended(request, file_of(request, upload))
    if is_last:
        raise InconsistentLength(
            f"{upload.offset} bytes are here; there are to be {upload.length}."
        )
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    tell(request, response, upload)
    return response


async def told_again(request: NativeRequest, upload: Resumable, offset: int) -> HttpResponseBase:
    """
    Answer an append to what is complete: with the final answer, which may have been lost.

    Raises:
        OffsetMismatch: it is not at the end.
        InconsistentLength: it brings more bytes.
        CompletedUpload: it says that there is more to come.
    """
    if offset != upload.offset:
        raise other_offset(upload, append_of(request, offset))
    if not await is_empty(request):
        raise InconsistentLength(f"This upload is complete with {upload.offset} bytes.")
    if not completeness(request):
        raise CompletedUpload(f"This upload is complete with {upload.offset} bytes.")
    return ended(request, file_of(request, upload))


async def is_empty(request: NativeRequest) -> bool:
    """Tell whether the body is empty, by as little of it as can be."""
    if request.stream.declared:
        return False
    async for _ in request.stream.chunks(resources_of(request).pace):
        return False
    return True


def ended(request: ASGIRequest, file: StoredFile) -> HttpResponseBase:
    """Answer as the creation of a file is answered."""
    response = created(request, [file])
    response["Upload-Complete"] = "?1"
    response["Upload-Offset"] = str(file.size)
    response["Upload-Length"] = str(file.size)
    if weigh_sha256(request.META.get("HTTP_WANT_REPR_DIGEST", "")) != 0:
        response["Repr-Digest"] = format_sha256(file.sha256)
    return response
