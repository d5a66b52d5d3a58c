"""
What requests and answers say in the IETF's resumable uploads: fields, limits, types of problems.

Of draft-ietf-httpbis-resumable-upload, interop version 8.
"""

from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.errors import (
    CompletedUpload,
    FileserviceError,
    InconsistentLength,
    LengthExceeded,
    OffsetMismatch,
)
from fileservice.http.answers import View, problem
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.resumables import Resumable
from fileservice.structured import format_counts, parse_boolean, parse_count

CONTENT_TYPE = "application/partial-upload"
VERSION_FIELD = "Upload-Draft-Interop-Version"
# Of draft-05, which calls one limit by another name, to draft-12; their fields are the same.
VERSIONS = ("6", "7", "8")
PROBLEMS = "https://iana.org/assignments/http-problem-types#"
PROBLEM_TYPES: dict[type[FileserviceError], str] = {
    OffsetMismatch: f"{PROBLEMS}mismatching-upload-offset",
    InconsistentLength: f"{PROBLEMS}inconsistent-upload-length",
    CompletedUpload: f"{PROBLEMS}completed-upload",
}


def completeness(request: ASGIRequest) -> bool | None:
    """Return whether the body is the rest of the whole; None where the request does not say."""
    return parse_boolean(request.META.get("HTTP_UPLOAD_COMPLETE", ""))


def told_length(request: ASGIRequest) -> int | None:
    """Return how many bytes the whole is said to have."""
    return parse_count(request.META.get("HTTP_UPLOAD_LENGTH", ""))


def options(request: ASGIRequest) -> dict[str, str]:
    """Return what an answer to OPTIONS says of this protocol."""
    return {"Upload-Limit": limit(request, resources_of(request).options.resume_seconds)}


def limit(request: ASGIRequest, seconds: float | None = None) -> str:
    """Return an Upload-Limit: the largest file, and for how long an upload can be gone on with."""
    limits = {"max-size": resources_of(request).options.max_upload_bytes}
    if seconds is not None:
        limits["max-age"] = max(0, int(seconds))
    return format_counts(limits)


def in_its_terms(view: View) -> View:
    """Answer what the view raises as problems of this protocol's types."""

    @wraps(view)
    async def answered(request: NativeRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            response = await view(request, *args, **kwargs)
        except LengthExceeded as error:
            response = refusal(request, InconsistentLength(error.detail))
        except FileserviceError as error:
            response = refusal(request, error)
        version = request.META.get("HTTP_UPLOAD_DRAFT_INTEROP_VERSION")
        if version in VERSIONS:
            response[VERSION_FIELD] = version
        return response

    return answered


def refusal(request: ASGIRequest, error: FileserviceError) -> HttpResponse:
    """
    Answer with what went wrong.

    `Upload-Complete: ?1` says that everything came, and then something was wrong with it.
    """
    error.headers.setdefault("Upload-Complete", "?0")
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        error.headers["Upload-Limit"] = limit(request)
    if type(error) in PROBLEM_TYPES:
        error.extensions["type"] = PROBLEM_TYPES[type(error)]
    return problem(request, error, otherwise="json")


def tell(request: ASGIRequest, response: HttpResponseBase, upload: Resumable) -> None:
    """Say where an upload stands."""
    response["Cache-Control"] = "no-store"
    response["Upload-Offset"] = str(upload.offset)
    response["Upload-Complete"] = "?0" if upload.is_open else "?1"
    if upload.length is not None:
        response["Upload-Length"] = str(upload.length)
    left = (upload.expires_at - datetime.now(UTC)).total_seconds() if upload.is_open else None
    response["Upload-Limit"] = limit(request, left)
