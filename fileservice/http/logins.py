"""Logins and logouts, by whatever page they come about: the session's facts, log, audit."""

import logging
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from fileservice import sessions
from fileservice.actors import EVERYTHING, Actor
from fileservice.audit import Entry, record

log = logging.getLogger("fileservice.logins")


@receiver(user_logged_in)
def begin(request: HttpRequest, user: User, **rest: Any) -> None:
    """Write the session of a login, with its end, in one transaction with what is told of it."""
    now = datetime.now(UTC)
    by = actor_of_user(request, user)
    request.session[sessions.ADDRESS] = by.address
    agent = request.META.get("HTTP_USER_AGENT", "")
    request.session[sessions.AGENT] = agent[: sessions.LONGEST_AGENT]
    request.session[sessions.BEGAN_AT] = now.isoformat()
    request.session.set_expiry(now + sessions.LOGIN)
    with transaction.atomic():
        request.session.save()
        record(Entry(by, "user.login", str(user.pk), user.username))
    log.info("%s logged in from %s.", user.username, by.address)


@receiver(user_logged_out)
def end(request: HttpRequest, user: User | None, **rest: Any) -> None:
    """Tell of a logout, in the transaction of who calls; the session is removed after this."""
    if user is not None:
        by = actor_of_user(request, user)
        record(Entry(by, "user.logout", str(user.pk), user.username))
        log.info("%s logged out.", user.username)


@receiver(user_login_failed)
def fail(credentials: dict[str, Any], request: HttpRequest | None = None, **rest: Any) -> None:
    """
    Tell of a login that failed.

    A name that nobody has is not written down: it is a password now and then.
    """
    user = User.objects.filter(username=credentials.get("username", "")).first()
    id, name = (str(user.pk), user.username) if user else ("", "")
    address = request.META.get("REMOTE_ADDR", "") if request else ""
    with transaction.atomic():
        record(Entry(Actor(address=address), "user.login_failed", id, name))
    log.warning("A login from %s as %s failed.", address, name or "somebody unknown")


def actor_of_user(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Return who asks in the standard lane, where Django has found out the user."""
    address = request.META.get("REMOTE_ADDR", "")
    if not isinstance(user, User):
        return Actor(address=address)
    return Actor(
        user_id=user.pk,
        name=user.username,
        is_superuser=user.is_superuser,
        scopes=EVERYTHING,
        address=address,
    )
