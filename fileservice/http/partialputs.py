"""Plain curl goes on with an upload: PUT of its link to keep, with Content-Range (RFC 9110 14)."""

from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.appending import Append
from fileservice.errors import BadRequest, OffsetMismatch
from fileservice.http.answers import document, shape_of, text
from fileservice.http.creations import created, described_upload, links
from fileservice.http.entering import limits_for
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import content_digest
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import append_of, appendable, file_of, resumable
from fileservice.ranges import parse_content_range
from fileservice.resumables import Resumable


async def put(request: NativeRequest, key: str) -> HttpResponseBase:
    """PUT /uploads/<key> brings the whole, or with Content-Range what is next of it."""
    found = await appendable(request, key)
    brought = brought_by(request)
    if not found.is_open:
        return told_again(request, found, brought)
    resources = resources_of(request)
    try:
        upload = await resources.resuming.append(found, brought, limits_for(resources, found))
    except OffsetMismatch as error:
        raise elsewhere(request, resumable(request, key), brought) from error
    if upload.is_open:
        return under_way(request, upload)
    if not request.stream.complete:  # another request has completed it meanwhile
        return told_again(request, upload, brought)
    return created(request, [file_of(request, upload)])


def brought_by(request: NativeRequest) -> Append:
    """
    Return what a request brings, and where it belongs.

    Raises:
        BadRequest: Content-Range is malformed, or not that of the content.
    """
    verification = content_digest(request)
    field = request.META.get("HTTP_CONTENT_RANGE")
    if field is None:
        return append_of(request, 0, is_last=True, verification=verification)
    piece = parse_content_range(field)
    span = piece.span
    declared = 0 if request.stream.complete else request.stream.declared
    if declared != (span.size if span else 0):
        raise BadRequest("The content needs a Content-Length, and has to be what is in the range.")
    if span is None:
        assert piece.size is not None  # noqa: S101 - see `Piece`
        return append_of(request, piece.size, length=piece.size)
    return append_of(request, span.start, length=piece.size, verification=verification)


def told_again(request: ASGIRequest, upload: Resumable, brought: Append) -> HttpResponseBase:
    """
    Answer the command that completed an upload, when it is repeated, as it was answered then.

    Raises:
        OffsetMismatch: it is not that command.
    """
    end = brought.offset + (brought.declared or 0) if brought.length is None else brought.length
    if end != upload.offset:
        raise elsewhere(request, upload, brought)
    response = created(request, [file_of(request, upload)])
    response.status_code = HTTPStatus.OK
    return response


def under_way(request: ASGIRequest, upload: Resumable) -> HttpResponseBase:
    """Answer that more is awaited."""
    if shape_of(request) == "json":
        response = document(described_upload(request, upload), HTTPStatus.ACCEPTED)
    else:
        response = text(next_command(request, upload), HTTPStatus.ACCEPTED)
    response["Upload-Offset"] = str(upload.offset)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response


def elsewhere(request: ASGIRequest, upload: Resumable, brought: Append) -> OffsetMismatch:
    """Return the refusal of bytes that do not come next, with the command that sends those."""
    return OffsetMismatch(
        next_command(request, upload),
        headers={"Upload-Offset": str(upload.offset)},
        extensions={"expected-offset": upload.offset, "provided-offset": brought.offset},
    )


def next_command(request: ASGIRequest, upload: Resumable) -> str:
    """Return what to type next."""
    url, manage_url = links(request, upload)
    if not upload.is_open:
        return f"all {upload.offset} bytes are here, at {url}"
    place = f"-C {upload.offset} " if upload.offset else ""
    return f"{upload.offset} bytes are here; go on with: curl {place}-T FILE {manage_url}"
