"""Who visits a link with terms: known by a cookie or an address, let in by a password."""

import hashlib
import ipaddress
import logging
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import ClassVar, Protocol

from django.core.handlers.asgi import ASGIRequest
from django.core.signing import BadSignature, Signer, TimestampSigner
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare

from fileservice.actors import Actor
from fileservice.errors import FileserviceError, PasswordNeeded, TooLarge, TooManyRequests
from fileservice.http.answers import Shape, page, shape_of
from fileservice.http.auth import token_in
from fileservice.http.certificates import parameters_of
from fileservice.http.cookies import are_secure
from fileservice.http.lifespan import resources_of
from fileservice.http.orders import text_of
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import check_own_origin
from fileservice.lending import LONGEST, Visitor, id_of
from fileservice.shares import KnownShare

log = logging.getLogger("fileservice.shares")


class Guarded(Protocol):
    """
    What has a link with a password.

    Attributes:
        prefix: of the path of its link.
        password: its hash; empty for none.
    """

    prefix: ClassVar[str]

    @property
    def id(self) -> str:
        """In the link."""

    @property
    def password(self) -> str:
        """See above."""


LEASE_COOKIE = "fileservice_lease"
LEASE_SIGNER = Signer(salt="fileservice.lease")
PASSWORD_COOKIE = "fileservice_password"  # noqa: S105 - a cookie's name
PASSWORD_SIGNER = TimestampSigner(salt="fileservice.share.password")
UNLOCKED = timedelta(hours=12)
LARGEST_PASSWORD_FORM = 8 << 10
CHALLENGE = {"WWW-Authenticate": 'Basic realm="share", charset="UTF-8"'}


def visitor_of(request: ASGIRequest, share: KnownShare) -> tuple[Visitor, str]:
    """
    Return who visits, and what its cookie is to hold.

    Who has no cookie is known by its address: programs have none. A browser is so only where it
    goes on with what it has begun, since behind one address there may be many people.
    """
    token = shown_lease(request)
    if token:
        return Visitor(id_of(share, token), None, is_known_by_address=False), token
    token = secrets.token_urlsafe(16)
    by_browser = "HTTP_SEC_FETCH_MODE" in request.META or shape_of(request) == "page"
    goes_on = "HTTP_RANGE" in request.META and "HTTP_IF_RANGE" in request.META
    known = not by_browser or goes_on
    return Visitor(id_of(share, token), address_of(request), is_known_by_address=known), token


def shown_lease(request: ASGIRequest) -> str:
    """Return what the cookie holds; empty where there is none, or one we did not sign."""
    try:
        token: str = LEASE_SIGNER.unsign(request.COOKIES.get(LEASE_COOKIE, ""))
    except BadSignature:
        return ""
    return token


def shows_lease(request: ASGIRequest) -> bool:
    """Tell whether a visitor has its cookie already."""
    return shown_lease(request) != ""


def remember_lease(request: ASGIRequest, response: HttpResponseBase, code: str, token: str) -> None:
    """Give a visitor what it is known by."""
    set_cookie(
        request,
        response,
        f"{KnownShare.prefix}{code}",
        LEASE_COOKIE,
        LEASE_SIGNER.sign(token),
        LONGEST,
    )


def set_cookie(
    request: ASGIRequest,
    response: HttpResponseBase,
    path: str,
    name: str,
    value: str,
    age: timedelta,
) -> None:
    """Set a cookie that is sent to one link only."""
    response.set_cookie(
        name,
        value,
        max_age=age,
        path=path,
        secure=are_secure(request),
        httponly=True,
        samesite="Lax",
    )


def address_of(request: ASGIRequest) -> str | None:
    """Return the address of a client as rows have it; None of a socket file."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def anybody(request: ASGIRequest) -> Actor:
    """Return who asks where that is nobody's business: to a share Basic shows its own password."""
    return Actor(address=request.META.get("REMOTE_ADDR", ""), request=getattr(request, "name", ""))


async def is_unlocked(request: ASGIRequest, guarded: Guarded) -> bool:
    """
    Tell whether who asks has shown the password, if there is one.

    Raises:
        PasswordNeeded: it has shown another.
        TooManyRequests, ServiceUnavailable: it was not looked at.
    """
    if not guarded.password or has_unlocked(request, guarded):
        return True
    password = shown_password(request)
    if not password:
        return False
    refused = await refusal(request, guarded, password)
    if refused is not None:
        raise refused
    return True


def has_unlocked(request: ASGIRequest, guarded: Guarded) -> bool:
    """Tell whether a browser has shown the password that the link has now."""
    try:
        cookie = request.COOKIES.get(PASSWORD_COOKIE, "")
        shown = PASSWORD_SIGNER.unsign(cookie, max_age=UNLOCKED)
    except BadSignature:
        return False
    return constant_time_compare(shown, proof_of(guarded))


def proof_of(guarded: Guarded) -> str:
    """Return what a cookie says of a password that was right; of another password it is other."""
    return hashlib.sha256(f"{guarded.id}{guarded.password}".encode()).hexdigest()


def shown_password(request: ASGIRequest) -> str:
    """Return the password of Basic; empty without one."""
    field: str = request.META.get("HTTP_AUTHORIZATION", "")
    return token_in(field) if field.lower().startswith("basic ") else ""


async def is_right(request: ASGIRequest, guarded: Guarded, password: str) -> bool:
    """Compare a password, and log that it was wrong."""
    passwords, address = resources_of(request).passwords, request.META.get("REMOTE_ADDR", "")
    right = await passwords.check(
        password, guarded.password, link=f"{guarded.prefix}{guarded.id}", address=address
    )
    if not right:
        log.info("A wrong password for %s from %s.", guarded.prefix + guarded.id, address or "-")
    return right


def password_needed(path: str, shape: Shape) -> HttpResponseBase:
    """
    Ask a browser for the password by a page, which tells nothing of what is shared.

    Raises:
        PasswordNeeded: it is no browser.
    """
    if shape == "page":
        return password_page(path)
    raise PasswordNeeded(
        "This link has a password: send it by Basic, as `curl -u :PASSWORD`.", headers=CHALLENGE
    )


def password_page(path: str, refused: FileserviceError | None = None) -> HttpResponseBase:
    """Answer with the form that takes the password."""
    status: int = HTTPStatus.OK
    if refused is not None:
        # Not 401, which needs a challenge, and that would bring up a dialog over the form.
        is_wrong = isinstance(refused, PasswordNeeded)
        status = HTTPStatus.FORBIDDEN if is_wrong else refused.status
    response = page("password.html", {"action": path, "refused": refused}, status)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    if refused is not None and "Retry-After" in refused.headers:
        response["Retry-After"] = refused.headers["Retry-After"]
    return response


async def unlock(request: NativeRequest, guarded: Guarded, path: str) -> HttpResponseBase:
    """
    Take the password of a form; a browser that showed the right one is remembered for a while.

    Raises:
        Forbidden: another site sent it.
        PasswordNeeded, TooManyRequests, ServiceUnavailable: as `is_unlocked`; a browser gets the
            form again instead of the first two.
    """
    check_own_origin(request)
    fields = parameters_of(text_of(await small_form(request)))
    refused = await refusal(request, guarded, fields.get("password", ""))
    if refused is not None and shape_of(request) == "page":
        return password_page(path, refused)
    if refused is not None:
        raise refused
    response = HttpResponseRedirect(path, status=HTTPStatus.SEE_OTHER)
    shown = PASSWORD_SIGNER.sign(proof_of(guarded))
    set_cookie(request, response, path, PASSWORD_COOKIE, shown, UNLOCKED)
    return response


async def refusal(request: ASGIRequest, guarded: Guarded, password: str) -> FileserviceError | None:
    """Return why a password lets nobody in; None where it does."""
    try:
        if not guarded.password or await is_right(request, guarded, password):
            return None
    except TooManyRequests as refused:
        return refused
    return PasswordNeeded("That is not the password of this link.", headers=CHALLENGE)


async def small_form(request: NativeRequest) -> bytes:
    """Return the body of a form with a password in it."""
    refusal = TooLarge(f"This form may have {LARGEST_PASSWORD_FORM:,} bytes.")
    pace = resources_of(request).pace
    body = bytearray()
    async for chunk in request.stream.at_most(LARGEST_PASSWORD_FORM, pace, refusal):
        body += chunk
    return bytes(body)
