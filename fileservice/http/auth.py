"""Who asks: by a token, by a login, or nobody; at most one hop to the database."""

import base64
import binascii
import ipaddress
from datetime import UTC, datetime

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.utils.crypto import constant_time_compare

from fileservice.actors import ALL_BUT_ADMIN, EVERYTHING, Actor, Scope
from fileservice.errors import Forbidden, Unauthorized
from fileservice.http.answers import shape_of
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.visitors import browser_of, sender_of
from fileservice.tokens import PREFIX

OPERATORS_TOKEN = "FILESERVICE_TOKEN"  # noqa: S105 - the name of who shows it


async def admit(request: ASGIRequest, scope: Scope) -> Actor:
    """
    Let pass who may do something of this kind, and return who it is.

    Raises:
        Unauthorized: a token or a login is needed, or the token is not good.
        Forbidden: its token was not made for this; it is for administrators; or nobody chose
            who may, and this is not a loopback address.
    """
    actor = await actor_of(request)
    options = resources_of(request).options
    if options.access is None and not reached_on_loopback(request):
        raise Forbidden(
            "Nobody chose who may use this service here: set FILESERVICE_ACCESS to open or private."
        )
    if scope not in actor.scopes:
        if is_somebody(actor):
            raise Forbidden(f"The token that was shown is not for this; it needs `{scope}`.")
        raise unauthorized(request)
    if options.access == "private" and not is_somebody(actor):
        raise unauthorized(request)
    if scope == "admin" and not actor.is_admin:
        raise Forbidden("This is for administrators.")
    return actor


def is_somebody(actor: Actor) -> bool:
    """Tell whether an actor has said who it is."""
    return actor.user_id is not None or actor.name != ""


async def actor_of(request: ASGIRequest) -> Actor:
    """
    Return who asks; a request that shows a token says nothing by its cookies.

    Raises:
        Unauthorized: the token that it shows is not good.
    """
    known: Actor | None = getattr(request, "actor", None)
    if known is None:
        known = await found_actor(request)
        request.actor = known  # type: ignore[attr-defined]  # of both lanes' requests
    return known


async def found_actor(request: ASGIRequest) -> Actor:
    """Return who asks, looked up."""
    resources = resources_of(request)
    address = request.META.get("REMOTE_ADDR", "")
    name: str = getattr(request, "name", "")
    field: str = request.META.get("HTTP_AUTHORIZATION", "")
    token = token_in(field)
    if token and (actor := await actor_by_token(resources, token, address, name)) is not None:
        return actor
    if token and (token.startswith(PREFIX) or resources.options.access == "private"):
        raise unauthorized(request)
    if is_bearer(field):
        return Actor(address=address, request=name)
    # Basic with another password is meant for a proxy before an open service.
    sender = sender_of(browser_of(request))
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    now = datetime.now(UTC)
    session = resources.sessions.find(key, now=now) if key else None
    if session is None:
        return Actor(sender=sender, address=address, request=name)
    await resources.sessions.note_use(session, now=now)
    return Actor(
        user_id=session.user_id,
        name=session.username,
        is_superuser=session.is_superuser,
        scopes=EVERYTHING,
        sender=sender,
        address=address,
        request=name,
    )


async def actor_by_token(resources: Resources, token: str, address: str, name: str) -> Actor | None:
    """Return whom a token speaks for; None where it is not good."""
    shared = resources.options.token
    if shared and constant_time_compare(token, shared):
        return Actor(name=OPERATORS_TOKEN, scopes=ALL_BUT_ADMIN, address=address, request=name)
    now = datetime.now(UTC)
    known = resources.tokens.find(token, now=now)
    if known is None:
        return None
    await resources.tokens.note_use(known, now=now)
    return Actor(
        user_id=known.user_id,
        name=known.username,
        is_superuser=known.is_superuser,
        token_id=known.id,
        scopes=frozenset(known.scopes),
        address=address,
        request=name,
    )


def unauthorized(request: ASGIRequest) -> Unauthorized:
    """Return what asks who it is."""
    # A page leads to the login; the dialog that Basic brings up would hide it.
    challenge = 'Bearer realm="fileservice"'
    if shape_of(request) != "page":
        challenge += ', Basic realm="fileservice", charset="UTF-8"'
    return Unauthorized(
        "This needs a login, or a token as `Authorization: Bearer` or as Basic password.",
        headers={"WWW-Authenticate": challenge},
    )


def reached_on_loopback(request: ASGIRequest) -> bool:
    """Tell whether the connection came to a loopback address of this machine."""
    server = request.scope.get("server")
    try:
        return server is not None and ipaddress.ip_address(server[0]).is_loopback
    except ValueError:
        return False


def token_in(field: str) -> str:
    """Return the token in Authorization: Bearer's, or Basic's password; empty without one."""
    scheme, _, credentials = field.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return decoded.partition(":")[2]


def is_bearer(field: str) -> bool:
    """Tell whether Authorization is of the kind that no browser adds by itself."""
    return field.partition(" ")[0].lower() == "bearer"


def is_ours(resources: Resources, field: str) -> bool:
    """Tell whether Authorization shows a token for this service, good or not: no cookie counts."""
    token, shared = token_in(field), resources.options.token
    is_shared = bool(shared) and constant_time_compare(token, shared)
    return is_bearer(field) or token.startswith(PREFIX) or is_shared
