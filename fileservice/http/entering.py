"""Who may bring something, whose it becomes, and within what limits: asked before its body."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fileservice.actors import Actor
from fileservice.http.auth import admit
from fileservice.http.lifespan import Resources, resources_of
from fileservice.http.requests import NativeRequest
from fileservice.recipients import Recipient
from fileservice.uploads import Limits


@dataclass(frozen=True, slots=True)
class Entrance:
    """
    What is decided of an upload before it begins.

    Attributes:
        by: who brings it.
        to: whose it becomes.
        limits: of its size.
    """

    by: Actor
    to: Recipient
    limits: Limits


type Enter = Callable[[NativeRequest], Awaitable[Entrance]]


async def by_right(request: NativeRequest) -> Entrance:
    """
    Let in who may upload here; what is brought becomes its sender's own.

    Raises:
        FileserviceError: see `admit`.
    """
    by = await admit(request, "upload")
    resources = resources_of(request)
    return Entrance(by, resources.quotas.recipient(by), limits_of(resources))


def limits_of(resources: Resources) -> Limits:
    """Return what one upload may take."""
    options = resources.options
    most = options.max_upload_bytes
    return Limits(request_bytes=most, file_bytes=most, free_bytes=options.min_free_bytes)
