"""Which browser asks, and whether its request was meant: cookie, forged forms."""

import hashlib
import secrets

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.signing import BadSignature, Signer
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from fileservice.errors import Forbidden
from fileservice.http.cookies import are_secure
from fileservice.http.lifespan import resources_of
from fileservice.options import ANY_ORIGIN

COOKIE = "fileservice_browser"
COOKIE_SECONDS = 400 * 24 * 3600  # the most a browser keeps
TOKEN_FIELD = "csrf_token"  # noqa: S105 - a field's name
SIGNER = Signer(salt="fileservice.browser")


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
        secure=are_secure(request),
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
    a script, and no foreign page can make one. Beside a token cookies are nobody's authority, but
    Basic may be what a browser adds by itself. A page of an origin that is let in has no token,
    and need not have: its origin is its proof.
    """
    scheme = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower()
    by_browser = (
        (has_cookies(request) and scheme != "bearer")
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
