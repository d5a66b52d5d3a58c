"""What is told of files to who has sent them: their links, and what became of them."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.http.answers import document, shape_of, text
from fileservice.http.visitors import origin_of
from fileservice.ledger import StoredFile
from fileservice.resumables import Resumable


def links(request: ASGIRequest, stored: StoredFile | Resumable) -> tuple[str, str]:
    """Return the link to give away and the link to keep."""
    origin = origin_of(request)
    return (
        f"{origin}/files/{stored.id}/{quote(stored.name, safe='')}",
        f"{origin}/uploads/{stored.key}",
    )


def described(request: ASGIRequest, stored: StoredFile) -> dict[str, object]:
    """Return the JSON of a file, for who holds the link to keep."""
    url, manage_url = links(request, stored)
    return {
        "id": stored.id,
        "name": stored.name,
        "name_changed": stored.name_changed,
        "size": stored.size,
        "sha256": stored.sha256,
        "media_type": stored.media_type,
        "state": stored.state,
        "finding": stored.finding,
        "url": url,
        "manage_url": manage_url,
        "created_at": stored.created_at.isoformat(),
        "expires_at": stored.expires_at.isoformat() if stored.expires_at else None,
        "restricted": stored.restricted,
    }


def described_upload(request: ASGIRequest, upload: Resumable) -> dict[str, object]:
    """Return the JSON of an upload that is no file yet, for who holds the link to keep."""
    url, manage_url = links(request, upload)
    return {
        "id": upload.id,
        "name": upload.name,
        "name_changed": upload.name_changed,
        "state": upload.state,
        "offset": upload.offset,
        "length": upload.length,
        "url": None if upload.kind == "part" else url,
        "manage_url": manage_url,
        "created_at": upload.created_at.isoformat(),
        "expires_at": upload.expires_at.isoformat(),
    }


def link_for(stored: StoredFile) -> int:
    """Return which of the links is told first: who put it into a box may not download it."""
    return 0 if stored.drop_id is None else 1


def created(request: ASGIRequest, stored: Sequence[StoredFile]) -> HttpResponseBase:
    """Answer a creation with the links to what was created."""
    response: HttpResponseBase
    if shape_of(request) == "json":
        content = {"files": [described(request, one) for one in stored]}
        response = document(content, HTTPStatus.CREATED)
    else:
        urls = (links(request, one)[link_for(one)] for one in stored)
        response = text("\n".join(urls), HTTPStatus.CREATED)
    if len(stored) == 1:
        response["Location"] = links(request, stored[0])[link_for(stored[0])]
        manage_url = links(request, stored[0])[1]
        response["Link"] = f'<{manage_url}>; rel="edit"'
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response
