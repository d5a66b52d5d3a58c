"""Shares of a file or a parcel: made, listed, changed and revoked by who holds its link to keep."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.errors import BadRequest, NotFound
from fileservice.http.answers import document, methods, shape_of, text
from fileservice.http.auth import actor_of
from fileservice.http.certificates import parameters_of
from fileservice.http.downloading import absent
from fileservice.http.lifespan import resources_of
from fileservice.http.offers import subject_of, subject_of_parcel
from fileservice.http.orders import fields_of, text_of, whole
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import TOKEN_FIELD, check_own_origin, origin_of
from fileservice.shares import Changes, KnownShare, Subject, Terms
from fileservice.sharing import may_manage
from fileservice.terms import count_of, expiry_of, note_of

MEMBERS = ("expires", "password", "max_downloads", "note")


@methods("GET", "HEAD", "POST")
async def shares(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /uploads/<key>/shares lists the shares of a file or a parcel, POST makes one."""
    subject = await subject_by_key(request, key)
    manage_url = f"{origin_of(request)}/uploads/{key}"
    if request.method == "POST":
        return await make(request, subject, manage_url)
    if shape_of(request) == "page":
        return told(back(subject, key))
    content = {"shares": await listed(request, subject, manage_url)}
    return told(document(content) if shape_of(request) == "json" else text(lines_of(content)))


@methods("GET", "HEAD", "PATCH", "POST", "DELETE")
async def share(request: NativeRequest, key: str, id: str) -> HttpResponseBase:
    """GET, PATCH (POST for a form) and DELETE /uploads/<key>/shares/<id>."""
    subject = await subject_by_key(request, key)
    known = share_of(request, subject, id)
    manage_url = f"{origin_of(request)}/uploads/{key}"
    if request.method == "DELETE":
        check_own_origin(request)
        await revoke(request, known, subject)
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    if request.method in ("PATCH", "POST"):
        known = await change(request, known, subject)
        if shape_of(request) == "page":
            return back(subject, key)
    return told(document(described(request, known, manage_url)))


@methods("POST")
async def revoke_form(request: NativeRequest, key: str, id: str) -> HttpResponseBase:
    """POST /uploads/<key>/shares/<id>/revoke is DELETE for a form."""
    check_own_origin(request)
    subject = await subject_by_key(request, key)
    await revoke(request, share_of(request, subject, id), subject)
    return back(subject, key)


def back(subject: Subject, key: str) -> HttpResponseRedirect:
    """Lead a browser back to the page of what is shared."""
    kind = "parcels" if subject.kind == "parcel" else "uploads"
    return HttpResponseRedirect(f"/{kind}/{key}#shares", status=HTTPStatus.SEE_OTHER)


async def subject_by_key(request: ASGIRequest, key: str) -> Subject:
    """Return what is behind a link to keep; guests of a box share nothing."""
    resources = resources_of(request)
    if parcel := resources.parcels.find_by_key(key, datetime.now(UTC)):
        return subject_of_parcel(parcel)
    file = resources.ledger.find_by_key(key)
    if file is None or not may_manage(await actor_of(request), file):
        raise absent()
    return subject_of(file)


def share_of(request: ASGIRequest, subject: Subject, id: str) -> KnownShare:
    """Return a share of this, and of nothing else."""
    known = resources_of(request).shares.find(id)
    if known is None or subject.id not in (known.file_id, known.parcel_id):
        raise NotFound("There is no such share.")
    return known


async def make(request: NativeRequest, subject: Subject, manage_url: str) -> HttpResponseBase:
    """
    Share something on the terms that the body has; an empty one has none.

    A browser gets back to the page of what it shares, a program the link.
    """
    check_own_origin(request)
    by = await actor_of(request)
    changes = await changes_of(request)
    now = datetime.now(UTC)
    known = await resources_of(request).shares.make(by, subject, Terms(**changes), now=now)
    content = described(request, known, manage_url)
    shape = shape_of(request)
    if shape == "page":
        return back(subject, manage_url.rpartition("/")[2])
    if shape == "json":
        response = document(content, HTTPStatus.CREATED)
    else:
        response = text(str(content["url"]), HTTPStatus.CREATED)
    response["Location"] = str(content["url"])
    response["Link"] = f'<{content["manage_url"]}>; rel="edit"'
    return told(response)


async def change(request: NativeRequest, known: KnownShare, subject: Subject) -> KnownShare:
    """Give a share the terms that the body has; the others stay."""
    check_own_origin(request)
    by = await actor_of(request)
    changes = await changes_of(request)
    changed = await resources_of(request).shares.change(by, known, subject, changes)
    if changed is None:
        raise NotFound("There is no such share.")
    return changed


async def revoke(request: ASGIRequest, known: KnownShare, subject: Subject) -> None:
    """End a share; one that was ended stays so."""
    by = await actor_of(request)
    await resources_of(request).shares.revoke(by, known, subject, now=datetime.now(UTC))


async def listed(
    request: ASGIRequest, subject: Subject, manage_url: str
) -> list[dict[str, object]]:
    """Return what is known of the shares of something, the newest first."""
    known = await resources_of(request).shares.of(subject)
    return [described(request, one, manage_url) for one in known]


def described(request: ASGIRequest, share: KnownShare, manage_url: str) -> dict[str, object]:
    """Return the JSON of a share, for who may manage what is shared."""
    now = datetime.now(UTC)
    return {
        "id": share.id,
        "url": f"{origin_of(request)}/s/{resources_of(request).shares.code(share)}",
        "manage_url": f"{manage_url}/shares/{share.id}",
        "state": share.state(now),
        "note": share.note,
        "has_password": share.password != "",
        "max_downloads": share.max_downloads,
        "downloads": share.downloads,
        "created_at": share.created_at.isoformat(),
        "expires_at": share.expires_at.isoformat() if share.expires_at else None,
        "revoked_at": share.revoked_at.isoformat() if share.revoked_at else None,
    }


def lines_of(content: Mapping[str, list[dict[str, object]]]) -> str:
    """Return a share a line: its link, its state and how often it was used."""
    return "\n".join(
        f"{one['url']} {one['state']}, downloads: {one['downloads']}" for one in content["shares"]
    )


async def changes_of(request: NativeRequest) -> Changes:
    """
    Return the terms that a body speaks of, as members of `Terms`.

    Raises:
        BadRequest: it says something else, or what no term can be.
        ServiceUnavailable: too many passwords are being looked at.
    """
    sent = await sent_terms(request)
    unknown = sent.keys() - set(MEMBERS)
    if unknown:
        raise BadRequest(f"A share has no term {min(unknown)!r}; it has {', '.join(MEMBERS)}.")
    changes: Changes = {}
    if "expires" in sent:
        changes["expires_at"] = expiry_of(sent["expires"], now=datetime.now(UTC))
    if "max_downloads" in sent:
        changes["max_downloads"] = count_of(sent["max_downloads"], "The number of downloads")
    if "note" in sent:
        changes["note"] = note_of(sent["note"])
    if "password" in sent:
        password = sent["password"]
        passwords = resources_of(request).passwords
        changes["password"] = await passwords.hash(password) if password else ""
    return changes


async def sent_terms(request: NativeRequest) -> dict[str, str]:
    """Return the members of a body, a form or JSON, as texts; none is empty."""
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        fields = await fields_of(request)
    elif media_type == "application/json":
        fields = members_of(text_of(await whole(request)))
    else:
        fields = parameters_of(text_of(await whole(request)))
    fields.pop(TOKEN_FIELD, None)
    return fields


def members_of(body: str) -> dict[str, str]:
    """
    Return the members of a JSON object as a form would have them.

    Raises:
        BadRequest: it is none, or one of them is neither text, number nor null.
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(sent, dict):
        raise BadRequest("The body is no JSON object.")
    fields = {}
    for name, value in sent.items():
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise BadRequest(f"The member {name!r} is neither text, nor number, nor null.")
        fields[name] = "" if value is None else str(value)
    return fields


def told(response: HttpResponse) -> HttpResponse:
    """Return an answer that nobody keeps."""
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response
