"""The operations on parcels: several files that are given away together."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from django.http import HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from fileservice.actors import Actor, Scope
from fileservice.entries import absent
from fileservice.http import parcels
from fileservice.http.api import files
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Listed, Moment, Names, Next, of_whom, page_of, place_of
from fileservice.http.api.moments import Expiry
from fileservice.http.lifespan import resources_of
from fileservice.http.parcelfiles import ZIP
from fileservice.http.requests import NativeRequest
from fileservice.ledger import FileState
from fileservice.names import clean_name
from fileservice.parcels import StoredParcel
from fileservice.paths import MAX_PATH_BYTES
from fileservice.sharing import may, owns
from fileservice.uploads import unguessable

MOST_FILES_AT_ONCE = 1000

router = Router(tags=["parcels"])

Id = Annotated[str, Field(description="in the link to give away")]
FileIds = Annotated[
    list[Annotated[str, Field(max_length=26)]],
    Field(max_length=MOST_FILES_AT_ONCE, description="ids of one's own files"),
]


class Parcel(Schema):
    """Several files that are given away together."""

    id: str
    name: str = Field(description="of the archive, without its ending")
    restricted: bool = Field(description="whether the link alone gives no right to it")
    created_at: Moment
    expires_at: Moment | None = Field(description="when it is deleted with its files")
    user: str | None
    url: str = Field(description="the link to give away")
    zip_url: str = Field(description="all files as one archive")
    manage_url: str | None = Field(description="the link to keep; null for who is not its owner")


class ParcelList(Schema):
    """Parcels, the newest first."""

    parcels: list[Parcel]
    next: Next


class ParcelFile(Schema):
    """A file of a parcel."""

    id: str
    path: str
    size: int
    sha256: str
    media_type: str
    state: FileState
    url: str


class ParcelFiles(Schema):
    """Files of a parcel, by their paths."""

    files: list[ParcelFile]
    next: Annotated[str | None, Field(description="`after` of what comes next; null at the end")]


class ParcelOrder(Body):
    """What a parcel is to be."""

    name: str = Field(min_length=1, max_length=files.LONGEST_SENT_NAME)
    files: FileIds = Field(default_factory=list)
    expires_at: Expiry = None
    restricted: bool = False


class MoreFiles(Body):
    """Files that are put into a parcel."""

    files: FileIds = Field(min_length=1)


class After(Schema):
    """From where on the files of a parcel are asked for."""

    after: Annotated[
        str, Field(max_length=MAX_PATH_BYTES, description="a path; `next` of a page")
    ] = ""


@router.get("/parcels", response=ParcelList, operation_id="list_parcels", **needs("read"))
async def list_parcels(request: NativeRequest, listed: Query[Listed]) -> Mapping[str, object]:
    """One's own parcels, the newest first; administrators see everybody's."""
    resources, by = resources_of(request), request.auth
    whose, after = of_whom(resources, by, listed), place_of(listed.cursor)
    page = resources.parcels.listing.page(whose, limit=listed.limit, after=after)
    names = Names(resources)
    return page_of(page, "parcels", [shown(request, one, by, names) for one in page.rows])


@router.post("/parcels", response={201: Parcel}, operation_id="make_parcel", **needs("upload"))
async def make_parcel(
    request: NativeRequest, sent: ParcelOrder, response: HttpResponse
) -> Mapping[str, object]:
    """Make a parcel of files that are here, or of none yet."""
    resources, by = resources_of(request), request.auth
    parcel = StoredParcel(
        unguessable(),
        unguessable(),
        clean_name(sent.name.encode()).text,
        datetime.now(UTC),
        expires_at=sent.expires_at,
        restricted=sent.restricted,
        sender=by.sender,
        user_id=by.user_id,
    )
    await resources.parcels.make(parcel, keys_of(request, sent.files), [], by)
    content = shown(request, parcel, by, Names(resources))
    response["Location"] = str(content["url"])
    return content


@router.get("/parcels/{id}", response=Parcel, operation_id="get_parcel", **needs("read"))
async def get_parcel(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What is known of a parcel."""
    return shown(request, mine(request, id, "read"), request.auth, Names(resources_of(request)))


@router.get(
    "/parcels/{id}/files", response=ParcelFiles, operation_id="list_parcel_files", **needs("read")
)
async def list_parcel_files(
    request: NativeRequest, id: Id, asked: Query[After]
) -> Mapping[str, object]:
    """The files of a parcel, by their paths."""
    parcel = mine(request, id, "read")
    entries = await resources_of(request).parcels.entries(parcel)
    rest = [entry for entry in entries if entry.path > asked.after]
    listed = rest[: parcels.LISTED]
    return {
        "files": [parcels.described_entry(request, one, is_kept=True) for one in listed],
        "next": listed[-1].path if len(rest) > len(listed) else None,
    }


@router.post(
    "/parcels/{id}/files", response={204: None}, operation_id="fill_parcel", **needs("upload")
)
async def fill_parcel(request: NativeRequest, id: Id, sent: MoreFiles) -> Status[None]:
    """Put files that are here into a parcel: all of them, or none."""
    parcel = mine(request, id, "upload")
    keys = keys_of(request, sent.files)
    await resources_of(request).parcels.add(parcel, keys, [], request.auth)
    return Status(204, None)


@router.delete(
    "/parcels/{id}", response={204: None}, operation_id="delete_parcel", **needs("upload")
)
async def delete_parcel(request: NativeRequest, id: Id) -> Status[None]:
    """Delete a parcel with its files."""
    parcel = mine(request, id, "upload")
    if not await resources_of(request).parcels.delete(parcel, request.auth):
        raise absent()
    return Status(204, None)


def mine(request: NativeRequest, id: str, scope: Scope) -> StoredParcel:
    """
    Return a parcel with which who asks may do things of this kind.

    Raises:
        NotFound: it may not, or there is none.
    """
    parcel = resources_of(request).parcels.find(id, datetime.now(UTC))
    if parcel is None or not may(request.auth, scope, parcel):
        raise absent()
    return parcel


def keys_of(request: NativeRequest, ids: list[str]) -> list[str]:
    """
    Return the keys of files, each once.

    Raises:
        NotFound: one is somebody else's, or is not there.
    """
    return [files.mine(request, id, "upload").key for id in dict.fromkeys(ids)]


def shown(
    request: NativeRequest, parcel: StoredParcel, by: Actor, names: Names
) -> dict[str, object]:
    """Return the JSON of a parcel."""
    url, manage_url = parcels.links(request, parcel)
    return {
        "id": parcel.id,
        "name": parcel.name,
        "restricted": parcel.restricted,
        "created_at": parcel.created_at.isoformat(),
        "expires_at": parcel.expires_at and parcel.expires_at.isoformat(),
        "user": names.of(parcel.user_id),
        "url": url,
        "zip_url": f"{url}/{quote(parcel.name, safe='')}{ZIP}",
        "manage_url": manage_url if owns(by, parcel) else None,
    }
