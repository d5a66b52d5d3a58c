"""The pages of people: login, logout, account, password, and the first administrator's."""

import logging
import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as begin_session
from django.contrib.auth import views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UserCreationForm
from django.contrib.auth.models import User
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from fileservice import attempts, people, sessions
from fileservice.attempts import TooManyAttempts
from fileservice.audit import Entry, record
from fileservice.errors import NotFound
from fileservice.http.answers import PAGE_POLICY
from fileservice.http.cookies import are_secure
from fileservice.http.logins import actor_of_user

log = logging.getLogger("fileservice.people")

KNOWN = "fileservice_known"
KNOWN_SECONDS = 180 * 24 * 3600
KNOWN_SIGNER = TimestampSigner(salt="fileservice.known")
BY_PASSWORD = "django.contrib.auth.backends.ModelBackend"  # noqa: S105 - a path

View = Callable[..., HttpResponseBase]

POLICY = {
    name: words for name, *words in (directive.split() for directive in PAGE_POLICY.split(";"))
}


def own_page(view: View) -> View:
    """Give a view the policy of our own pages, which run no script, and keep it out of caches."""
    return never_cache(csp_override(POLICY)(view))


def too_many(request: HttpRequest, error: TooManyAttempts) -> HttpResponse:
    """Answer that the attempts are used up, and when there are new ones."""
    seconds = max(1, math.ceil((error.until - datetime.now(UTC)).total_seconds()))
    log.warning("Too many attempts from %s.", request.META.get("REMOTE_ADDR", ""))
    context = {"minutes": math.ceil(seconds / 60)}
    response = render(request, "registration/too_many.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


class LoginForm(AuthenticationForm):
    """Asks for name and password, so many times."""

    request: HttpRequest

    def clean(self) -> dict[str, object]:
        """
        Look the two up, if there are attempts left.

        Raises:
            TooManyAttempts: there are none.
        """
        name = self.cleaned_data.get("username")
        self.counted: dict[str, int] = {}
        if name and self.cleaned_data.get("password"):
            self.counted = counted_as(self.request, name)
            attempts.take(self.counted, datetime.now(UTC))
        return super().clean()


def counted_as(request: HttpRequest, name: str) -> dict[str, int]:
    """Return as whose an attempt counts."""
    if browser := known_browser(request, name):
        return attempts.by_browser(browser)
    return attempts.by_stranger(name, request.META.get("REMOTE_ADDR", ""))


def known_browser(request: HttpRequest, name: str) -> str | None:
    """Return the id of a browser in which this name has logged in before."""
    try:
        value = KNOWN_SIGNER.unsign(request.COOKIES.get(KNOWN, ""), max_age=KNOWN_SECONDS)
    except BadSignature:
        return None
    browser, _, owner = value.partition(".")
    return browser if constant_time_compare(owner, attempts.subject("name", name)) else None


def remember_browser(request: HttpRequest, response: HttpResponseBase, name: str) -> None:
    """Know a browser again in which somebody has logged in."""
    response.set_cookie(
        KNOWN,
        KNOWN_SIGNER.sign(f"{secrets.token_urlsafe(16)}.{attempts.subject('name', name)}"),
        max_age=KNOWN_SECONDS,
        path=settings.LOGIN_URL,
        secure=are_secure(request),
        httponly=True,
        samesite="Lax",
    )


@method_decorator(own_page, name="dispatch")
class Login(views.LoginView):
    """GET and POST /accounts/login/."""

    form_class = LoginForm
    extra_context = {"sign_on": settings.OPTIONS.sign_on}

    def post(self, request: HttpRequest, *args: str, **kwargs: object) -> HttpResponse:
        """Log in."""
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as error:
            return too_many(request, error)

    def form_valid(self, form: LoginForm) -> HttpResponse:  # type: ignore[override]  # is form_class
        """Begin the session of who showed the right password."""
        attempts.give_back(form.counted)
        user = form.get_user()
        if settings.OPTIONS.uses_allauth:
            from fileservice.http import signon

            response = signon.begin_session(self.request, user, self.get_success_url())
        else:
            begin_session(self.request, user, BY_PASSWORD)
            response = HttpResponseRedirect(self.get_success_url())
        remember_browser(self.request, response, user.get_username())
        return response


@method_decorator(own_page, name="dispatch")
class Logout(views.LogoutView):
    """POST /accounts/logout/ ends the session, here and not only in the browser."""

    def post(self, request: HttpRequest, *args: str, **kwargs: object) -> HttpResponse:
        """Log out; what is told of it is written with it."""
        with transaction.atomic():
            return super().post(request, *args, **kwargs)


class PasswordForm(PasswordChangeForm):
    """Asks for the old password, so many times, and for a new one."""

    user: User

    def clean_old_password(self) -> str:
        """
        Check the old password.

        Raises:
            TooManyAttempts: it was tried too often.
        """
        counted = attempts.by_person(self.user.pk)
        attempts.take(counted, datetime.now(UTC))
        password: str = super().clean_old_password()
        attempts.give_back(counted)
        return password


@method_decorator(own_page, name="dispatch")
class PasswordChange(views.PasswordChangeView):
    """GET and POST /accounts/password/; a new one ends all other sessions."""

    form_class = PasswordForm
    template_name = "registration/password.html"
    success_url = reverse_lazy("account")

    def post(self, request: HttpRequest, *args: str, **kwargs: object) -> HttpResponse:
        """Change it."""
        try:
            return super().post(request, *args, **kwargs)
        except TooManyAttempts as error:
            return too_many(request, error)

    def form_valid(self, form: PasswordForm) -> HttpResponse:  # type: ignore[override]  # is form_class
        """Write the password, end what was begun with the old one, and tell of it, at once."""
        request, user = self.request, form.user
        with transaction.atomic():
            response = super().form_valid(form)
            request.session.save()
            sessions.end_others(user, request.session.session_key)
            record(
                Entry(actor_of_user(request, user), "user.password", str(user.pk), user.username)
            )
        messages.success(request, "The password is changed. All other sessions have ended.")
        return response


@own_page
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """GET /accounts/ shows who is logged in, where else, and what can be done about it."""
    user = cast("User", request.user)
    context = {
        "sessions": sessions.of_user(user, datetime.now(UTC)),
        "this": sessions.id_of(request.session.session_key),
        "options": settings.OPTIONS,
    }
    return render(request, "registration/account.html", context)


@own_page
@require_POST
@login_required
def end_session(request: HttpRequest, id: str) -> HttpResponse:
    """POST /accounts/sessions/<id>/end ends one of one's sessions."""
    user = cast("User", request.user)
    with transaction.atomic():
        if not sessions.end(user, id):
            raise Http404
        record(Entry(actor_of_user(request, user), "session.end", id, user.username))
    if id == sessions.id_of(request.session.session_key):
        request.session.flush()
        return redirect(settings.LOGOUT_REDIRECT_URL)
    messages.success(request, "The session has ended.")
    return redirect("account")


@own_page
@require_POST
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    """POST /accounts/sessions/end ends all of one's sessions but this one."""
    user = cast("User", request.user)
    with transaction.atomic():
        ended = sessions.end_others(user, request.session.session_key)
        record(Entry(actor_of_user(request, user), "session.end", "", user.username))
    messages.success(request, f"Sessions that have ended: {ended}.")
    return redirect("account")


@own_page
@sensitive_post_parameters()
def first(request: HttpRequest, secret: str) -> HttpResponse:
    """GET and POST /accounts/first/<secret> make the first administrator, once."""
    if settings.OPTIONS.access != "private" or not people.is_first_secret(secret):
        raise Http404
    form: UserCreationForm[User] = UserCreationForm(request.POST or None)
    if not form.is_valid():
        return render(request, "registration/first.html", {"form": form})
    user = form.save(commit=False)
    try:
        people.make_first(user, secret, request.META.get("REMOTE_ADDR", ""))
    except NotFound as error:
        raise Http404 from error
    begin_session(request, user, BY_PASSWORD)
    response = redirect("account")
    remember_browser(request, response, user.get_username())
    return response
