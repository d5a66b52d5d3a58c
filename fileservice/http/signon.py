"""Logins by an OpenID Connect provider, and second factors; only where the extra is used."""

import base64
import hashlib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, cast

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as ReauthenticateCodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect import views
from allauth.socialaccount.signals import social_account_added
from cryptography.fernet import Fernet, MultiFernet
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fileservice import attempts
from fileservice.actors import Actor
from fileservice.attempts import TooManyAttempts
from fileservice.audit import Entry, record
from fileservice.http.logins import actor_of_user, log
from fileservice.http.people import View, own_page
from fileservice.http.visitors import is_foreign
from fileservice.signon import PROVIDER, SignOn

ANSWER_SECONDS: Final = 10
LARGEST_ANSWER_BYTES: Final = 1 << 20
CONNECTING = "signon_connecting"


class BoundedSession(requests.Session):
    """Asks the provider: no redirect, no proxy or password of the environment, an end to all."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = ssl.get_default_verify_paths().cafile or True

    def request(self, method: Any, url: Any, **more: Any) -> requests.Response:  # type: ignore[override]  # what is used of it
        """
        Send a request and read its answer.

        Raises:
            OAuth2Error: there is none that can be used, or not in time.
        """
        ends = time.monotonic() + ANSWER_SECONDS
        more |= {"allow_redirects": False, "stream": True, "timeout": ANSWER_SECONDS}
        try:
            with super().request(method, url, **more) as response:
                body = bytearray()
                while block := response.raw.read1(1 << 16, decode_content=True):
                    body += block
                    if len(body) > LARGEST_ANSWER_BYTES or time.monotonic() > ends:
                        raise OAuth2Error(f"{url} sends too much, or too slowly")
                response._content = bytes(body)
        except (requests.RequestException, OSError, ValueError) as error:
            raise OAuth2Error(f"{url} does not answer: {error}") from error
        if method.upper() == "GET":
            check_document(response)
        return response


def check_document(response: requests.Response) -> None:
    """
    Check that the provider said something of what was asked for.

    Raises:
        OAuth2Error: it did not.
    """
    try:
        document = response.json()
    except requests.JSONDecodeError as error:
        raise OAuth2Error(f"{response.url} sends no JSON") from error
    if response.status_code != HTTPStatus.OK or not isinstance(document, dict):
        raise OAuth2Error(f"{response.url} answers {response.status_code}")


class Accounts(DefaultAccountAdapter):
    """What is ours of logins."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account by themselves."""
        return False

    def add_message(self, *args: Any, **more: Any) -> None:
        """Say nothing of logins: pages show who is logged in."""


class Strangers(DefaultSocialAccountAdapter):
    """Who may come in by the provider, and how it is asked."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Tell whether who has no account gets one."""
        return the_provider().new_people

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """
        Refuse who is not of the group, at each login.

        Raises:
            ImmediateHttpResponse: the page that says so.
            OAuth2Error: the provider speaks of two (OpenID Connect Core 5.3.2).
        """
        claims = sociallogin.account.extra_data
        if claims["userinfo"].get("sub") != claims["id_token"].get("sub"):
            raise OAuth2Error("the token is of somebody else than the claims")
        group = the_provider().group
        if group and group not in groups_in(claims):
            log.warning("A login by the provider: not of the group.")
            raise ImmediateHttpResponse(render(request, "account/signup_closed.html", status=403))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make an account, and tell of it at once."""
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form)
            record(Entry(actor_of_user(request, user), "user.make", str(user.pk), user.username))
        return user

    def get_requests_session(self) -> BoundedSession:
        """Return what asks the provider."""
        return BoundedSession()


def groups_in(claims: dict[str, Any]) -> list[str]:
    """Return the groups that the provider says somebody is of."""
    found: list[str] = []
    for document in (claims.get("userinfo", {}), claims.get("id_token", {})):
        groups = document.get("groups", [])
        found += [groups] if isinstance(groups, str) else map(str, groups)
    return found


def the_provider() -> SignOn:
    """Return the provider; without one nothing of its asks."""
    return cast("SignOn", settings.OPTIONS.sign_on)


class SecondFactors(DefaultMFAAdapter):
    """Keeps the secrets of second factors encrypted with the secret key."""

    def encrypt(self, text: str) -> str:
        """Return what the database holds."""
        return fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret."""
        return fernet().decrypt(encrypted_text.encode()).decode()


def fernet() -> MultiFernet:
    """Return the cipher of the secret key, which reads what the one before it wrote."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = [hashlib.sha256(f"fileservice.second-factor:{key}".encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


@contextmanager
def counted(user: User) -> Iterator[None]:
    """
    Count what is shown in the block as an attempt, unless it is right; for all workers together.

    Raises:
        ValidationError: there were too many.
    """
    limits = attempts.by_person(user.pk)
    try:
        attempts.take(limits, datetime.now(UTC))
    except TooManyAttempts as error:
        raise forms.ValidationError("Too many attempts. Try again in some minutes.") from error
    yield
    attempts.give_back(limits)


class CodeForm(AuthenticateForm):
    """Asks for the code of a second factor, so many times."""

    def clean_code(self) -> str:
        """Check the code."""
        with counted(self.user):
            return str(super().clean_code())


class CodeAgainForm(ReauthenticateCodeForm):
    """Asks for it again before something that matters."""

    def clean_code(self) -> str:
        """Check the code."""
        with counted(self.user):
            return str(super().clean_code())


class PasswordAgainForm(ReauthenticateForm):
    """Asks for the password again before something that matters."""

    def clean_password(self) -> str:
        """Check the password."""
        with counted(self.user):
            return str(super().clean_password())


def begin_session(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Log in who showed the right password, after the second factor where there is one."""
    login = Login(user=user, redirect_url=target)
    response: HttpResponse = perform_password_login(request, {"username": user.username}, login)
    return response


@own_page
@require_GET
def sign_on(request: ASGIRequest, provider_id: str) -> HttpResponseBase:
    """
    GET /accounts/oidc/sso/login/ leads to the provider.

    By GET, since a form may lead to our own pages only (form-action). What connects an account
    needs a form of ours before it: a page of another site could connect its own identity.
    """
    connects = request.GET.get("process", "login") != "login"
    if is_foreign(request) or (connects and not request.session.pop(CONNECTING, False)):
        return redirect("login")
    return asked(views.login, request, provider_id)


@own_page
@require_GET
def come_back(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """GET /accounts/oidc/sso/callback/ is where the provider sends people."""
    return asked(views.callback, request, provider_id)


def asked(view: View, request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Return a view's answer, or that the provider does not say what it has to."""
    try:
        return view(request, provider_id)
    except (OAuth2Error, KeyError) as error:
        log.warning("The provider does not say what it has to: %r", error)
        return render(request, "socialaccount/authentication_error.html", status=502)


@own_page
@require_POST
@login_required
def connect(request: HttpRequest) -> HttpResponse:
    """POST /accounts/oidc/connect lets one connect one's account with the provider, once."""
    request.session[CONNECTING] = True
    context = {"sign_on": settings.OPTIONS.sign_on, "provider": PROVIDER}
    return render(request, "registration/connect.html", context)


@receiver(social_account_added)
def tell_connection(request: HttpRequest, sociallogin: SocialLogin, **rest: Any) -> None:
    """Record that somebody may come in by the provider from now on."""
    user = sociallogin.user
    with transaction.atomic():
        record(Entry(actor_of_user(request, user), "user.connect", str(user.pk), user.username))


@receiver(authenticator_added)
def tell_added(request: HttpRequest, user: User, authenticator: Authenticator, **rest: Any) -> None:
    """Record a second factor."""
    tell(actor_of_user(request, user), "second_factor.add", user, authenticator)


@receiver(authenticator_removed)
def tell_removed(
    request: HttpRequest, user: User, authenticator: Authenticator, **rest: Any
) -> None:
    """Record that a second factor is no more."""
    tell(actor_of_user(request, user), "second_factor.remove", user, authenticator)


@receiver(authentication_failed)
def tell_failure(
    request: HttpRequest, user: User, authenticator: Authenticator, **rest: Any
) -> None:
    """Record and log a wrong code."""
    by = Actor(address=request.META.get("REMOTE_ADDR", ""))
    tell(by, "user.login_failed", user, authenticator)
    log.warning("A second factor of %s from %s failed.", user.username, by.address)


def tell(by: Actor, act: str, user: User, authenticator: Authenticator) -> None:
    """Record something about a second factor."""
    with transaction.atomic():
        record(Entry(by, act, str(user.pk), f"{user.username} ({authenticator.type})"))
