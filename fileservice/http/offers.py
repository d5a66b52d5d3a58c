"""What a share gives: the one place that knows which things can be shared."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.errors import NotFound
from fileservice.http.downloading import download
from fileservice.http.lifespan import Resources
from fileservice.http.parcelfiles import ZIP, archived
from fileservice.ledger import StoredFile
from fileservice.parcels import StoredParcel
from fileservice.shares import KnownShare, Subject
from fileservice.sharing import check_given_out


class Offer(NamedTuple):
    """
    What is behind the link of a share.

    Attributes:
        name: of the file that a download makes.
        size: bytes; None where that is not known before.
        download: answers GET and HEAD, with ranges, conditionals and digests.
    """

    subject: Subject
    name: str
    size: int | None
    media_type: str
    download: Callable[[ASGIRequest], Awaitable[HttpResponseBase]]


def offer_of(resources: Resources, share: KnownShare) -> Offer:
    """
    Return what a share gives.

    Raises:
        NotFound: it is gone.
        BeingScanned, Infected, Withheld: it is not given out.
    """
    if share.parcel_id is not None:
        return offer_of_parcel(resources.parcels.find(share.parcel_id, datetime.now(UTC)))
    file = resources.ledger.find(share.file_id) if share.file_id is not None else None
    if file is None:
        raise absent()
    check_given_out(file)
    give = partial(download, file=file)
    return Offer(subject_of(file), file.name, file.size, file.media_type, give)


def offer_of_parcel(parcel: StoredParcel | None) -> Offer:
    """Return what a share of a parcel gives: all files in it that are given out, as a ZIP file."""
    if parcel is None:
        raise absent()
    give = partial(archived, parcel=parcel, sees_all=True)
    return Offer(subject_of_parcel(parcel), parcel.name + ZIP, None, "application/zip", give)


def subject_of(file: StoredFile) -> Subject:
    """Return a file as something that can be shared."""
    return Subject("file", file.id, file.name, file.sha256)


def subject_of_parcel(parcel: StoredParcel) -> Subject:
    """Return a parcel as something that can be shared."""
    return Subject("parcel", parcel.id, parcel.name)


def absent() -> NotFound:
    """Return the answer for what never was shared, and for what is no longer there."""
    return NotFound("There is nothing behind this link; it may have been copied in part.")
