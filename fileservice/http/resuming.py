"""What the protocols that resume have in common at the edge."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest

from fileservice.actors import ANYBODY
from fileservice.appending import Append, Verification, agreed
from fileservice.errors import Forbidden, ServiceUnavailable, SlowBody
from fileservice.http.downloading import absent
from fileservice.http.entering import admit_to, limits_for
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import check_origin
from fileservice.ledger import StoredFile
from fileservice.names import clean_name
from fileservice.paths import clean_path
from fileservice.recipients import Recipient
from fileservice.resumables import Kind, Resumable
from fileservice.uploads import unguessable


def new_resumable(
    name: bytes,
    *,
    to: Recipient,
    length: int | None,
    kind: Kind = "whole",
    sha256: str = "",
    metadata: str = "",
    concat: str = "",
    parts: Sequence[str] = (),
) -> Resumable:
    """
    Return an upload under the client's `name` that is still to be started.

    Where it is for a parcel, folders may come before the name.

    Raises:
        BadName: see `clean_name`.
    """
    clean = clean_name(name) if to.parcel_id is None else clean_path(name)
    now = datetime.now(UTC)
    return Resumable(
        id=unguessable(),
        key=unguessable(),
        name=clean.text.rpartition("/")[2],
        name_changed=clean.changed,
        kind=kind,
        state="open",
        length=length,
        offset=0,
        sha256=sha256,
        metadata=metadata,
        concat=concat,
        parts=tuple(parts),
        created_at=now,
        expires_at=now,
        sender=to.sender,
        user_id=to.user_id,
        restricted=to.restricted,
        file_expires_at=to.expires_at,
        drop_id=to.drop_id,
        address=to.address,
        parcel_id=to.parcel_id,
        path=clean.text if to.parcel_id else "",
    )


def resumable(request: ASGIRequest, key: str) -> Resumable:
    """
    Return the upload of a link to keep, also of a file that came in one piece.

    Raises:
        NotFound: there is none.
        Expired: it can no longer be gone on with.
    """
    resources = resources_of(request)
    found = resources.resuming.find(key)
    if found is not None:
        return found
    file = resources.ledger.find_by_key(key)
    if file is None:
        raise absent()
    return finished(file)


async def appendable(request: NativeRequest, key: str) -> Resumable:
    """
    Return the upload of a link to keep for who may go on with it, but by tus.

    Raises:
        Forbidden: it is an upload of which only tus knows what becomes.
        FileserviceError: see `admit`, `check_origin`, `refuse_encoded` and `resumable`.
    """
    await admit_to(request, key)
    check_origin(request)
    refuse_encoded(request)
    found = resumable(request, key)
    if found.kind in ("part", "final"):
        raise Forbidden("A part of a concatenation is sent by tus.")
    return found


def finished(file: StoredFile) -> Resumable:
    """Return the upload that a file came by, though it came in one piece."""
    return Resumable(
        id=file.id,
        key=file.key,
        name=file.name,
        name_changed=file.name_changed,
        kind="whole",
        state="finished",
        length=file.size,
        offset=file.size,
        sha256=file.sha256,
        metadata="",
        concat="",
        parts=(),
        created_at=file.created_at,
        expires_at=file.created_at,
        sender=file.sender,
        user_id=file.user_id,
        restricted=file.restricted,
        file_expires_at=file.expires_at,
        parcel_id=file.parcel_id,
        path=file.path,
        drop_id=file.drop_id,
        address=file.address,
    )


def file_of(request: ASGIRequest, upload: Resumable) -> StoredFile:
    """Return the file that an upload has become."""
    file = resources_of(request).ledger.find(upload.id)
    if file is None:
        raise absent()
    return file


def path_of(resumable: Resumable) -> str:
    """Return the link to keep as a path: an origin may be another behind a proxy."""
    return f"/uploads/{resumable.key}"


def append_of(
    request: NativeRequest,
    offset: int,
    *,
    length: int | None = None,
    is_last: bool = False,
    goes_on: bool = False,
    verification: Verification | None = None,
) -> Append:
    """Return the body of `request` as what is to be appended at `offset`."""
    return Append(
        chunks=bounded_chunks(request, "what came of it is kept"),
        interrupt=request.stream.interrupt,
        offset=offset,
        declared=request.stream.declared if not request.stream.complete else 0,
        length=length,
        is_last=is_last,
        goes_on=goes_on,
        verification=verification,
        by=request.actor or ANYBODY,
    )


async def append(request: NativeRequest, found: Resumable, brought: Append) -> Resumable:
    """
    Append to an upload and return it; of one that is finished, at its end, nothing is read.

    Raises:
        FileserviceError: see `Resuming.append`.
    """
    resources = resources_of(request)
    limits = limits_for(resources, found)
    if found.is_open:
        return await resources.resuming.append(found, brought, limits)
    return agreed(found, brought, limits)


async def bounded_chunks(request: NativeRequest, kept: str) -> AsyncIterator[bytes]:
    """
    Yield the body as it comes.

    Raises:
        ServiceUnavailable: it comes too slowly, and `kept` says what was kept. Clients of tus
            give up on 408.
        ClientGone, Truncated, Locked: see `Body.chunks`.
    """
    try:
        async for chunk in request.stream.chunks(resources_of(request).pace):
            yield chunk
    except SlowBody as error:
        raise ServiceUnavailable(
            f"The body came too slowly; {kept}.", headers={"Retry-After": "1"}
        ) from error
