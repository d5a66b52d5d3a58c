"""The people who have an account: the first of them, who has nobody to make it."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from fileservice.actors import Actor
from fileservice.audit import Entry, record
from fileservice.errors import NotFound
from fileservice.models import AuditEntry

FIRST = "user.first"


def first_secret() -> str | None:
    """
    Return what lets one make the first administrator; None where anybody has an account.

    It is derived from the secret key, so that all workers know the same, also after a restart,
    and nothing is kept. A link that was used is of no use again, also where all accounts are
    deleted later.
    """
    if User.objects.exists():
        return None
    used = AuditEntry.objects.filter(act=FIRST).count()
    return salted_hmac("fileservice.first", str(used), algorithm="sha256").hexdigest()


def is_first_secret(secret: str) -> bool:
    """Tell whether this is the secret of `first_secret`."""
    known = first_secret()
    return known is not None and constant_time_compare(secret, known)


def make_first(user: User, secret: str, address: str) -> None:
    """
    Make `user`, who has a name and a password, the first administrator.

    Raises:
        NotFound: the secret is none, or no longer: of two who come at once the second is late.
    """
    # One writes at a time from the beginning of a transaction (BEGIN IMMEDIATE).
    with transaction.atomic():
        if not is_first_secret(secret):
            raise NotFound("There is nothing at this address.")
        user.is_staff = user.is_superuser = True
        user.save()
        by = Actor(user.pk, user.username, is_superuser=True, address=address)
        record(Entry(by, FIRST, str(user.pk), user.username))
