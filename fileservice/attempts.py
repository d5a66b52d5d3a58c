"""
How often somebody may try a password.

An attempt is counted before the password is looked at, so that many at once are no way around,
and given back if the password was right. The counts are rows: all workers share them.
"""

import hashlib
import ipaddress
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from fileservice.models import LoginAttempts

WINDOW = timedelta(minutes=15)
# An address alone cannot use up those of a name.
FOR_NAME = 50
FOR_ADDRESS = 20
FOR_BROWSER = 10
FOR_PERSON = 10  # of somebody who is logged in
NETWORK_BITS = 64  # of IPv6: who has one address has all of its network


class TooManyAttempts(Exception):
    """
    The attempts are used up.

    Attributes:
        until: when there are new ones.
    """

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until}")
        self.until = until


def by_stranger(name: str, address: str) -> dict[str, int]:
    """Return whose attempts one counts as, and how many they have."""
    return {
        subject("name", name): FOR_NAME,
        subject("address", network_of(address)): FOR_ADDRESS,
    }


def by_browser(browser: str) -> dict[str, int]:
    """
    Return as whose an attempt counts of a browser from where this name has logged in before.

    What others try is not counted against it: they could keep a person out for ever.
    """
    return {subject("browser", browser): FOR_BROWSER}


def by_person(user_id: int) -> dict[str, int]:
    """Return as whose an attempt counts of somebody who is logged in."""
    return {subject("person", str(user_id)): FOR_PERSON}


def subject(kind: str, value: str) -> str:
    """Return the name of a row; of one length, whatever somebody types."""
    return hashlib.sha256(f"{kind}\0{value}".encode()).hexdigest()


def network_of(address: str) -> str:
    """Return what addresses of one client have in common."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # of a Unix socket
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, NETWORK_BITS), strict=False))
    return str(parsed)


def take(limits: Mapping[str, int], now: datetime) -> None:
    """
    Count an attempt for each of the subjects.

    Raises:
        TooManyAttempts: one of them has no more; it was counted for none.
    """
    with transaction.atomic():
        LoginAttempts.objects.filter(subject__in=limits, until__lte=now).delete()
        rows = {row.subject: row for row in LoginAttempts.objects.filter(subject__in=limits)}
        over = [row.until for row in rows.values() if row.count >= limits[row.subject]]
        if over:
            raise TooManyAttempts(max(over))
        LoginAttempts.objects.filter(subject__in=rows).update(count=F("count") + 1)
        LoginAttempts.objects.bulk_create(
            LoginAttempts(subject=each, count=1, until=now + WINDOW)
            for each in limits
            if each not in rows
        )


def give_back(subjects: Collection[str]) -> None:
    """Count one attempt less: the password was right."""
    LoginAttempts.objects.filter(subject__in=subjects, count__gt=0).update(count=F("count") - 1)


def forget_expired(now: datetime, limit: int) -> int:
    """Remove counts that no longer hold, and return how many."""
    rows = LoginAttempts.objects.filter(until__lte=now).order_by()
    ids = list(rows.values_list("subject", flat=True)[:limit])
    return LoginAttempts.objects.filter(subject__in=ids).delete()[0]
