"""Who may bring something, whose it becomes, and within what limits: asked before its body."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest

from fileservice.actors import Actor
from fileservice.drops import KnownDrop
from fileservice.entries import absent as no_such_parcel
from fileservice.errors import BadRequest, Unauthorized
from fileservice.http.auth import admit
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.rates import check_rate
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import browser_of, sender_of
from fileservice.parcels import StoredParcel
from fileservice.recipients import Recipient
from fileservice.resumables import Resumable
from fileservice.terms import expiry_of
from fileservice.uploads import Limits

# By which an upload says how its file is kept: in the query, in a form, in the metadata of tus.
RESTRICTED = "restricted"
EXPIRES = "expires"
KEEPING = (RESTRICTED, EXPIRES)


@dataclass(frozen=True, slots=True)
class Entrance:
    """
    What is decided of an upload before it begins.

    Attributes:
        by: who brings it.
        to: whose it becomes.
        limits: of its size.
        back: where a browser goes when its form was taken.
    """

    by: Actor
    to: Recipient
    limits: Limits
    back: str = "/"


type Enter = Callable[[NativeRequest], Awaitable[Entrance]]


async def by_right(request: NativeRequest) -> Entrance:
    """
    Let in who may upload here; what is brought becomes its sender's own.

    Raises:
        FileserviceError: see `admit`.
    """
    by = await admit(request, "upload")
    await check_rate(request, by, "uploads")
    resources = resources_of(request)
    to = resources.quotas.recipient(by)
    if request.META["QUERY_STRING"]:
        to = kept(to, request.GET.dict())
    return Entrance(by, to, limits_of(resources))


def kept(to: Recipient, said: Mapping[str, str]) -> Recipient:
    """
    Return whose an upload becomes, kept as whoever brings it says.

    Of what is put into somebody's box, that person has said it before.

    Raises:
        BadRequest: what is said cannot be.
    """
    if to.drop_id is not None:
        return to
    if RESTRICTED in said:
        # In a parcel that is restricted, all is.
        to = replace(to, restricted=restriction_of(said[RESTRICTED]) or to.restricted)
    if EXPIRES in said:
        to = replace(to, expires_at=expiry_of(said[EXPIRES], now=datetime.now(UTC)))
    return to


def restriction_of(text: str) -> bool:
    """
    Return whether something is restricted.

    Raises:
        BadRequest: it is not said.
    """
    if text not in ("0", "1"):
        raise BadRequest(f"`{RESTRICTED}` is 1, for its owner and by shares only, or 0.")
    return text == "1"


async def admit_to(request: NativeRequest, key: str) -> None:
    """
    Let in who may go on with an upload: who may upload here, and guests with what a box takes.

    Raises:
        FileserviceError: see `admit`.
    """
    try:
        await admit(request, "upload")
    except Unauthorized:
        if resources_of(request).resuming.drop_of(key) is None:
            raise
        request.actor = guest_of(request)


def guest_of(request: NativeRequest) -> Actor:
    """Return who asks where that is nobody's business: at a box Basic shows the box's password."""
    return Actor(
        sender=sender_of(browser_of(request)),
        address=request.META.get("REMOTE_ADDR", ""),
        request=request.name,
    )


def limits_for(resources: Resources, found: Resumable) -> Limits:
    """
    Return what an upload that was begun may take.

    Raises:
        DropClosed: the box that it is for was taken back.
    """
    limits = limits_of(resources)
    drop = resources.drops.find(found.drop_id) if found.drop_id is not None else None
    if drop is None:
        return limits
    if found.is_open:
        drop.check_going_on()
    return limits_in(drop, limits)


def limits_in(drop: KnownDrop, limits: Limits) -> Limits:
    """Return what one upload into a box may take."""
    most = drop.max_file_bytes
    if most is None or most >= limits.file_bytes:
        return limits
    return replace(limits, request_bytes=most, file_bytes=most, set_by="a limit of this box")


def into_parcel(key: str) -> Enter:
    """Return what lets in who may upload here, for the parcel of a link to keep."""

    async def enter(request: NativeRequest) -> Entrance:
        return into(await by_right(request), kept_parcel(request, key))

    return enter


def into(entrance: Entrance, parcel: StoredParcel) -> Entrance:
    """Return what is decided of an upload that becomes part of a parcel."""
    restricted = entrance.to.restricted or parcel.restricted
    return replace(entrance, to=replace(entrance.to, parcel_id=parcel.id, restricted=restricted))


def kept_parcel(request: ASGIRequest, key: str) -> StoredParcel:
    """
    Return the parcel of a link to keep.

    Raises:
        NotFound: there is none.
    """
    found = resources_of(request).parcels.find_by_key(key, datetime.now(UTC))
    if found is None:
        raise no_such_parcel()
    return found


def limits_of(resources: Resources) -> Limits:
    """Return what one upload may take."""
    options = resources.options
    most = options.max_upload_bytes
    return Limits(request_bytes=most, file_bytes=most, free_bytes=options.min_free_bytes)
