"""The page of a person's tokens, in the standard lane: make one, shown once, and revoke one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token

from fileservice.actors import SCOPES, Actor
from fileservice.errors import FileserviceError
from fileservice.http.answers import answering, methods, page
from fileservice.http.auth import actor_of
from fileservice.http.issuing import told
from fileservice.http.lifespan import resources_of
from fileservice.http.visitors import origin_of
from fileservice.issuing import expiry
from fileservice.sharing import grantable
from fileservice.tokens import KnownToken

PATH = "/accounts/tokens/"
NOTHING_SENT = QueryDict()


@answering
@methods("GET", "HEAD", "POST")
async def tokens(request: ASGIRequest) -> HttpResponseBase:
    """GET /accounts/tokens/ lists one's own tokens, POST makes one, and its answer shows it."""
    by = await actor_of(request)
    if not is_person(by):
        return to_login()
    if request.method != "POST":
        return await listed(request, by)
    try:
        token = await made(request, by)
    except FileserviceError as error:
        return await listed(request, by, error.status, trouble=error.detail, sent=request.POST)
    return await listed(request, by, HTTPStatus.CREATED, token=token)


@answering
@methods("POST")
async def revoke(request: ASGIRequest, id: int) -> HttpResponseBase:
    """POST /accounts/tokens/<id>/revoke ends one; what is not there to be ended is passed over."""
    by = await actor_of(request)
    if not is_person(by):
        return to_login()
    await resources_of(request).tokens.revoke(by, id, now=datetime.now(UTC))
    return HttpResponseRedirect(PATH, status=HTTPStatus.SEE_OTHER)


def is_person(actor: Actor) -> bool:
    """Tell whether somebody has logged in; scripts make tokens by the API."""
    return actor.user_id is not None and actor.token_id is None


def to_login() -> HttpResponseBase:
    """Answer who has to log in first."""
    return HttpResponseRedirect(f"{settings.LOGIN_URL}?next={PATH}")


async def made(request: ASGIRequest, by: Actor) -> str:
    """
    Return a new token, as the form has it.

    Raises:
        BadValue, Forbidden: see `Tokens.make` and `expiry`.
    """
    assert by.user_id is not None  # noqa: S101 - see `is_person`
    form, now = request.POST, datetime.now(UTC)
    token, _ = await resources_of(request).tokens.make(
        by,
        form.get("name", ""),
        form.getlist("scope"),
        user_id=by.user_id,
        now=now,
        expires_at=expiry(form.get("expires_at", ""), ZoneInfo("UTC"), now=now),
    )
    return token


async def listed(
    request: ASGIRequest,
    by: Actor,
    status: int = HTTPStatus.OK,
    *,
    token: str = "",
    trouble: str = "",
    sent: QueryDict = NOTHING_SENT,
) -> HttpResponseBase:
    """Answer with the page; `sent` is what a form that was refused had in it."""
    assert by.user_id is not None  # noqa: S101 - see `is_person`
    known, now = await resources_of(request).tokens.of(by.user_id), datetime.now(UTC)
    chosen = sent.getlist("scope") if sent else ["upload", "read"]
    context = {
        "token": token,
        "trouble": trouble,
        "sent": sent,
        "scopes": [(scope, scope in chosen) for scope in SCOPES if scope in grantable(by)],
        "good": [described(one) for one in known if one.is_good(now)],
        "over": [described(one) for one in known if not one.is_good(now)],
        "csrf_token": get_token(request),
        "host": origin_of(request),
    }
    return told(page("tokens.html", context, status))


def described(known: KnownToken) -> Mapping[str, object]:
    """Return what the page shows of a token."""
    return {"known": known, "scopes": ", ".join(known.scopes), "path": f"{PATH}{known.id}/revoke"}
