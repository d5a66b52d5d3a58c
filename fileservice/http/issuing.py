"""Certificates that are kept: issued, told of, revoked."""

from datetime import UTC, datetime, tzinfo
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.certificates import verify_link
from fileservice.errors import NotFound
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import actor_of, admit
from fileservice.http.certificates import parameters_of
from fileservice.http.entering import limits_of
from fileservice.http.lifespan import resources_of
from fileservice.http.orders import order_of, text_of, whole
from fileservice.http.rates import check_rate
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import (
    check_form_token,
    check_own_origin,
    origin_of,
)
from fileservice.issuing import clean_reason
from fileservice.registry import Issued
from fileservice.uploads import check_room

REASON_FIELD = "reason"


@methods("POST")
async def certificates(request: NativeRequest) -> HttpResponseBase:
    """POST /certificates/ issues a certificate and keeps what it says."""
    by = await admit(request, "issue")
    await check_rate(request, by, "certificates")
    check_own_origin(request)
    refuse_encoded(request)
    resources = resources_of(request)
    check_room(resources.storage, limits_of(resources), 0)
    order, token = await order_of(request)
    check_form_token(request, token)
    issued = await resources.issuing.issue(
        order,
        by=by,
        origin=origin_of(request),
        now=datetime.now(UTC),
    )
    return created(request, issued)


def created(request: ASGIRequest, issued: Issued) -> HttpResponseBase:
    """Answer a creation: a browser gets to the link to keep, a program 201."""
    url, manage_url, _ = links(request, issued)
    shape = shape_of(request)
    if shape == "page":
        return HttpResponseRedirect(manage_url, status=HTTPStatus.SEE_OTHER)
    if shape == "json":
        response = document(described(request, issued), HTTPStatus.CREATED)
    else:
        response = text(url, HTTPStatus.CREATED)
    response["Location"] = url
    response["Link"] = f'<{manage_url}>; rel="edit"'
    return told(response)


def told(response: HttpResponse) -> HttpResponse:
    """Return an answer that nobody keeps."""
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response


def links(request: ASGIRequest, issued: Issued) -> tuple[str, str, str]:
    """Return the link to give away, the link to keep and the link to verify."""
    origin = origin_of(request)
    return (
        f"{origin}/certificates/{issued.id}/certificate.pdf",
        f"{origin}/issued/{issued.key}",
        verify_link(origin, issued.number),
    )


def described(request: ASGIRequest, issued: Issued) -> dict[str, object]:
    """Return the JSON of a certificate, for who holds the link to keep."""
    url, manage_url, verify_url = links(request, issued)
    return {
        "id": issued.id,
        "number": issued.number,
        "url": url,
        "verify_url": verify_url,
        "manage_url": manage_url,
        "template": issued.template,
        **facts(issued, datetime.now(UTC)),
    }


def facts(issued: Issued, now: datetime) -> dict[str, object]:
    """Return what everybody may know who has the certificate."""
    zone = ZoneInfo(issued.zone)
    return {
        "state": issued.state(now),
        "title": issued.title,
        "values": issued.values,
        "issued_at": shown(issued.issued_at, zone),
        "expires_at": shown(issued.expires_at, zone),
        "revoked_at": shown(issued.revoked_at, zone),
        "reason": issued.reason,
        "sha256": issued.sha256,
        "size": issued.size,
    }


def shown(moment: datetime | None, zone: tzinfo) -> str | None:
    """Return a time as the certificate shows it."""
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else None


def lines_of(content: dict[str, object]) -> str:
    """Return an object a line a member, and what is empty not at all."""
    values = content["values"]
    assert isinstance(values, dict)  # noqa: S101  # by `facts`
    flat = {**content, **{f"value of {name}": value for name, value in values.items()}}
    del flat["values"]
    return "\n".join(f"{name}: {value}" for name, value in flat.items() if value)


@methods("GET", "HEAD", "DELETE")
async def managed(request: NativeRequest, key: str) -> HttpResponseBase:
    """GET /issued/<key> tells of a certificate, DELETE revokes it; the key is the right to."""
    issued = kept(request, key)
    if request.method == "DELETE":
        check_own_origin(request)
        reason = parameters_of(request.META["QUERY_STRING"]).get(REASON_FIELD, "")
        await revoke(request, issued, reason)
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    content = described(request, issued)
    shape = shape_of(request)
    if shape == "page":
        return told(page("issued.html", {"issued_facts": content, **content}))
    return told(document(content) if shape == "json" else text(lines_of(content)))


@methods("POST")
async def revoke_form(request: NativeRequest, key: str) -> HttpResponseBase:
    """POST /issued/<key>/revoke is DELETE for a form; whoever holds the key may."""
    check_own_origin(request)
    issued = kept(request, key)
    fields = parameters_of(text_of(await whole(request)))
    await revoke(request, issued, fields.get(REASON_FIELD, ""))
    return HttpResponseRedirect(f"/issued/{key}", status=HTTPStatus.SEE_OTHER)


async def revoke(request: ASGIRequest, issued: Issued, reason: str) -> None:
    """Revoke a certificate; one that is revoked stays so since then and for that reason."""
    registry = resources_of(request).registry
    by = await actor_of(request)
    await registry.revoke(issued, clean_reason(reason), by=by, now=datetime.now(UTC))


def kept(request: ASGIRequest, key: str) -> Issued:
    """Return the certificate of a link to keep."""
    issued = resources_of(request).registry.find_by_key(key)
    if issued is None:
        raise absent()
    return issued


def absent() -> NotFound:
    """Return the answer for a certificate that never was, or that was forgotten."""
    return NotFound("There is no such certificate.")
