"""Who asks, and whether a browser's request was meant: access, cookie, forged forms."""

import base64
import binascii
import hashlib
import ipaddress
import secrets

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.asgi import ASGIRequest
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from fileservice.errors import Forbidden, Unauthorized
from fileservice.http.answers import shape_of
from fileservice.http.lifespan import resources_of
from fileservice.options import ANY_ORIGIN

COOKIE = "fileservice_browser"
COOKIE_SECONDS = 400 * 24 * 3600  # the most a browser keeps
TOKEN_FIELD = "csrf_token"  # noqa: S105 - a field's name
SIGNER = Signer(salt="fileservice.browser")


async def admit(request: ASGIRequest) -> None:
    """
    Let pass who may upload and make certificates.

    Raises:
        Unauthorized: a token or a login is needed.
        Forbidden: nobody chose who may, and this is not a loopback address.
    """
    options = resources_of(request).options
    if options.access == "open":
        return
    if options.access is None:
        if reached_on_loopback(request):
            return
        raise Forbidden(
            "Nobody chose who may use this service here: set FILESERVICE_ACCESS to open or private."
        )
    if options.token and constant_time_compare(presented_token(request), options.token):
        return
    if await logged_in(request):
        return
    # A page leads to the login; the dialog that Basic brings up would hide it.
    challenge = 'Bearer realm="fileservice"'
    if shape_of(request) != "page":
        challenge += ', Basic realm="fileservice", charset="UTF-8"'
    raise Unauthorized(
        "This needs a login, or the token as `Authorization: Bearer` or as Basic password.",
        headers={"WWW-Authenticate": challenge},
    )


def reached_on_loopback(request: ASGIRequest) -> bool:
    """Tell whether the connection came to a loopback address of this machine."""
    server = request.scope.get("server")
    try:
        return server is not None and ipaddress.ip_address(server[0]).is_loopback
    except ValueError:
        return False


def presented_token(request: ASGIRequest) -> str:
    """Return the token of `Authorization`: Bearer's, or Basic's password; empty without one."""
    field: str = request.META.get("HTTP_AUTHORIZATION", "")
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


async def logged_in(request: ASGIRequest) -> bool:
    """Tell whether the request carries the session of an active user."""
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return bool(key) and await resources_of(request).ledger.run(has_user, key)


def has_user(session_key: str) -> bool:
    """Tell whether a session is that of an active user; runs in the ledger's thread."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    return bool(get_user(request).is_active)


def browser_of(request: ASGIRequest) -> str:
    """Return the id this browser was given; empty where it has none, or one we did not sign."""
    try:
        browser: str = SIGNER.unsign(request.COOKIES.get(COOKIE, ""))
    except BadSignature:
        return ""
    return browser


def remember_browser(request: ASGIRequest, response: HttpResponseBase, browser: str) -> None:
    """Give the browser its id, or keep it for longer."""
    response.set_cookie(
        COOKIE,
        SIGNER.sign(browser),
        max_age=COOKIE_SECONDS,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def new_browser() -> str:
    """Return an id for a browser that has none."""
    return secrets.token_urlsafe(16)


def sender_of(browser: str) -> str:
    """Return what a row keeps of a browser: enough to find its files, not enough to be it."""
    return hashlib.sha256(browser.encode()).hexdigest() if browser else ""


def form_token(browser: str) -> str:
    """Return the token that this browser's forms carry."""
    return salted_hmac("fileservice.form", browser, algorithm="sha256").hexdigest()


def check_own_origin(request: ASGIRequest) -> None:
    """
    Refuse what a page that is not ours made a browser send; costs no byte of the body.

    Raises:
        Forbidden: Sec-Fetch-Site or Origin names another site.
    """
    if is_foreign(request):
        raise Forbidden("This was sent from another site.")


def check_origin(request: ASGIRequest) -> None:
    """
    Refuse what another site made a browser send, unless the operator lets it send files.

    Raises:
        Forbidden: Sec-Fetch-Site or Origin names another site, and it is not let in, or not with
            what the browser adds by itself.
    """
    if not is_foreign(request) or is_let_in(request):
        return
    if ANY_ORIGIN in resources_of(request).options.cors_origins:
        raise Forbidden("Pages of any site may send files, but without cookies and Basic.")
    raise Forbidden("This was sent from another site.")


def is_foreign(request: ASGIRequest) -> bool:
    """Tell whether a browser says that a page which is not ours made it send this."""
    site = request.META.get("HTTP_SEC_FETCH_SITE", "none")
    origin = request.META.get("HTTP_ORIGIN")
    return site not in ("same-origin", "none") or origin not in (None, origin_of(request))


def is_let_in(request: ASGIRequest) -> bool:
    """
    Tell whether the operator lets the site in that made a browser send this.

    A listed origin acts with all that the browser knows of us. Where any is let in, none acts
    with what a browser adds by itself, since that is its owner's and not the page's.
    """
    origins = resources_of(request).options.cors_origins
    if ANY_ORIGIN not in origins:
        return request.META.get("HTTP_ORIGIN") in origins
    scheme = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0]
    return not has_cookies(request) and scheme.lower() in ("", "bearer")


def has_cookies(request: ASGIRequest) -> bool:
    """Tell whether the request carries a cookie of ours."""
    return COOKIE in request.COOKIES or settings.SESSION_COOKIE_NAME in request.COOKIES


def origin_of(request: ASGIRequest) -> str:
    """Return the origin under which the client reaches this service (RFC 6454)."""
    return f"{request.scheme}://{request.get_host()}"


def needs_form_token(request: ASGIRequest) -> bool:
    """
    Tell whether a form still has to show its token.

    A request without cookies and without a browser's fields carries nobody's authority: it is
    a script, and no foreign page can make one. A page of an origin that is let in has no token,
    and need not have: its origin is its proof.
    """
    by_browser = (
        has_cookies(request)
        or "HTTP_ORIGIN" in request.META
        or "HTTP_SEC_FETCH_SITE" in request.META
    )
    if not by_browser or (is_foreign(request) and is_let_in(request)):
        return False
    return not is_form_token(request, request.META.get("HTTP_X_CSRFTOKEN", ""))


def check_form_token(request: ASGIRequest, token: str) -> None:
    """
    Refuse a form of a browser that did not get it from us.

    Raises:
        Forbidden: `token` is not its own, and the request has none.
    """
    if needs_form_token(request) and not is_form_token(request, token):
        raise Forbidden(f"The form needs its own {TOKEN_FIELD}, or the request X-CSRFToken.")


def is_form_token(request: ASGIRequest, token: str) -> bool:
    """Tell whether `token` is that of the browser that sends it."""
    browser = browser_of(request)
    return bool(browser) and constant_time_compare(token, form_token(browser))
