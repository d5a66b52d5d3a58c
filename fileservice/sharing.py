"""Who may do what with what is here; nowhere else is that decided."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from fileservice.actors import Actor, Scope
from fileservice.errors import BeingScanned, Infected, Withheld

# Most files are scanned within it; who asks again too soon is told the same.
SCANNED_WITHIN_SECONDS = 5
# For who has put the wrong file into somebody's box.
GUESTS_DELETE_WITHIN = timedelta(hours=1)


class Owned(Protocol):
    """
    What has an owner.

    Attributes:
        user_id: the owner; None where nobody had said who it was.
        sender: the browser that it came from then; may be empty.
    """

    @property
    def user_id(self) -> int | None:
        """See above."""

    @property
    def sender(self) -> str:
        """See above."""


class Restrictable(Owned, Protocol):
    """
    What may be for its owner only.

    Attributes:
        restricted: whether the link alone gives no right to it.
    """

    @property
    def restricted(self) -> bool:
        """See above."""


class PutIn(Owned, Protocol):
    """
    What may have been put into another's box.

    Attributes:
        drop_id: the box; None where there was none.
        created_at: aware, UTC; of what has come by a box, when it had come.
    """

    @property
    def drop_id(self) -> str | None:
        """See above."""

    @property
    def created_at(self) -> datetime:
        """See above."""


class Judged(Protocol):
    """
    What may have to stay here.

    Attributes:
        state: ready, unscanned, infected or withheld.
    """

    @property
    def state(self) -> str:
        """See above."""


def owns(actor: Actor, thing: Owned) -> bool:
    """Tell whether something is the actor's own; what nobody owns is its browser's."""
    if thing.user_id is not None:
        return actor.user_id == thing.user_id
    return actor.user_id is None and actor.sender != "" and actor.sender == thing.sender


def may(actor: Actor, scope: Scope, thing: Owned) -> bool:
    """Tell whether an actor may do something to `thing` without a link that gives the right."""
    return actor.is_admin or (scope in actor.scopes and owns(actor, thing))


def may_download(actor: Actor, thing: Restrictable) -> bool:
    """Tell whether who has the link of `thing` may have its content."""
    return not thing.restricted or may(actor, "read", thing)


def may_manage(actor: Actor, thing: PutIn) -> bool:
    """
    Tell whether who has the link to keep may do all that its owner may.

    Who put something into a box may not: it has become another's.
    """
    return thing.drop_id is None or may(actor, "upload", thing)


def may_delete(actor: Actor, thing: PutIn, *, is_open: bool, now: datetime) -> bool:
    """Tell whether who has the link to keep may delete; guests what has not arrived, or just."""
    return may_manage(actor, thing) or is_open or now - thing.created_at < GUESTS_DELETE_WITHIN


def is_given_out(file: Judged) -> bool:
    """Tell whether the content of a file leaves the service at all, whoever asks for it."""
    return file.state == "ready"


def check_given_out(file: Judged) -> None:
    """
    Require that the content of a file may leave the service.

    Raises:
        BeingScanned: that is not known yet.
        Infected, Withheld: it never leaves, or not until an administrator says otherwise.
    """
    if is_given_out(file):
        return
    if file.state == "unscanned":
        raise BeingScanned(
            "This file is given out once a scanner has found nothing in it.",
            headers={"Retry-After": str(SCANNED_WITHIN_SECONDS)},
        )
    if file.state == "infected":
        raise Infected("A scanner found malware in this file; it is given to nobody.")
    raise Withheld("This file is withheld by who runs the service.")


def is_by(actor: Actor, thing: Owned) -> bool:
    """Tell whether something came from the actor; those whom nobody knows are not told apart."""
    if actor.user_id is None and thing.user_id is None:
        return actor.sender == thing.sender
    return actor.user_id == thing.user_id


def grantable(actor: Actor) -> frozenset[Scope]:
    """Return what an actor may let a token do: what it may do itself."""
    return actor.scopes if actor.is_admin else actor.scopes - {"admin"}


def may_have_tokens_of(actor: Actor, user_id: int) -> bool:
    """Tell whether an actor may make tokens that speak for a user."""
    return actor.is_admin or actor.user_id == user_id


def may_revoke(actor: Actor, user_id: int, scopes: Iterable[str]) -> bool:
    """Tell whether an actor may end a token; by one that leaked only those are that may no more."""
    if not may_have_tokens_of(actor, user_id):
        return False
    return actor.is_admin or actor.token_id is None or grantable(actor).issuperset(scopes)
