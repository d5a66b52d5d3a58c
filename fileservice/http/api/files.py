"""The operations on files; their bytes come and go by routes of their own."""

from typing import Annotated

from ninja import Query, Router, Schema, Status
from pydantic import Field

from fileservice.actors import Actor, Scope
from fileservice.filing import Change
from fileservice.http import creations
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Listed, Moment, Names, Next, of_whom, page_of, place_of
from fileservice.http.api.moments import Expiry
from fileservice.http.downloading import absent
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.ledger import FileState, StoredFile
from fileservice.names import clean_name
from fileservice.sharing import may, owns
from fileservice.uploads import delete

LONGEST_SENT_NAME = 1000

router = Router(tags=["files"])

Id = Annotated[str, Field(description="in the link to give away")]


class File(Schema):
    """A file that is wholly here."""

    id: str
    name: str
    name_changed: bool = Field(description="whether the client sent another name")
    size: int = Field(description="bytes")
    sha256: str = Field(description="of the content, in hexadecimal")
    media_type: str = Field(description="told by the content")
    state: FileState = Field(description="only what is ready is given out")
    finding: str = Field(description="what a scanner found, or why it is withheld; may be empty")
    restricted: bool = Field(description="whether the link alone gives no right to it")
    created_at: Moment
    expires_at: Moment | None = Field(description="when it is deleted; null for never")
    user: str | None = Field(description="whose it is; null where nobody had said who it was")
    parcel: str | None = Field(description="of what it is a part")
    path: str = Field(description="in its parcel")
    url: str = Field(description="the link to give away")
    manage_url: str | None = Field(description="the link to keep; null for who is not its owner")


class FileList(Schema):
    """Files, the newest first."""

    files: list[File]
    next: Next


class FilesListed(Listed):
    """Which files are asked for."""

    name: Annotated[
        str,
        Field(
            max_length=255,
            description=(
                "a part of the name, letters of ASCII alike in both cases. It is looked for among"
                " 2,000 files a page: a page may have few or none, and there is a next"
            ),
        ),
    ] = ""


class FileChange(Body):
    """What is to change of a file; what is not there stays."""

    name: str = Field(
        default_factory=str,
        min_length=1,
        max_length=LONGEST_SENT_NAME,
        description="as of an upload",
    )
    expires_at: Expiry = Field(default_factory=lambda: None)
    restricted: bool = Field(
        default_factory=bool, description="whether the link alone shall give no right to it"
    )


@router.get("/files", response=FileList, operation_id="list_files", **needs("read"))
async def list_files(request: NativeRequest, listed: Query[FilesListed]) -> dict[str, object]:
    """One's own files, the newest first; administrators see everybody's."""
    resources, by = resources_of(request), request.auth
    page = resources.filing.page(
        of_whom(resources, by, listed),
        limit=listed.limit,
        after=place_of(listed.cursor),
        containing=listed.name,
    )
    names = Names(resources)
    return page_of(page, "files", [shown(request, file, by, names) for file in page.rows])


@router.get("/files/{id}", response=File, operation_id="get_file", **needs("read"))
async def get_file(request: NativeRequest, id: Id) -> dict[str, object]:
    """What is known of a file."""
    file = mine(request, id, "read")
    return shown(request, file, request.auth, Names(resources_of(request)))


@router.patch("/files/{id}", response=File, operation_id="change_file", **needs("upload"))
async def change_file(request: NativeRequest, id: Id, sent: FileChange) -> dict[str, object]:
    """Give a file another name, an end, or to its owner and by shares only."""
    resources, by = resources_of(request), request.auth
    changed = await resources.filing.change(mine(request, id, "upload"), change_of(sent), by)
    if changed is None:
        raise absent()
    return shown(request, changed, by, Names(resources))


@router.delete("/files/{id}", response={204: None}, operation_id="delete_file", **needs("upload"))
async def delete_file(request: NativeRequest, id: Id) -> Status[None]:
    """Delete a file; its links lead nowhere then."""
    resources = resources_of(request)
    file = mine(request, id, "upload")
    if not await delete(resources.ledger, resources.storage, file, request.auth):
        raise absent()
    return Status(204, None)


def mine(request: NativeRequest, id: str, scope: Scope) -> StoredFile:
    """
    Return a file with which who asks may do things of this kind.

    Raises:
        NotFound: it may not, or there is none.
    """
    file = resources_of(request).ledger.find(id)
    if file is None or not may(request.auth, scope, file):
        raise absent()
    return file


def change_of(sent: FileChange) -> Change:
    """
    Return what is to change.

    Raises:
        BadName: the name is none.
    """
    change = Change()
    if "name" in sent.model_fields_set:
        clean = clean_name(sent.name.encode())
        change["name"], change["name_changed"] = clean.text, clean.changed
    if "expires_at" in sent.model_fields_set:
        change["expires_at"] = sent.expires_at
    if "restricted" in sent.model_fields_set:
        change["restricted"] = sent.restricted
    return change


def shown(request: NativeRequest, file: StoredFile, by: Actor, names: Names) -> dict[str, object]:
    """Return the JSON of a file."""
    described = creations.described(request, file)
    if not owns(by, file):
        described["manage_url"] = None
    return {
        **described,
        "state": file.state,
        "restricted": file.restricted,
        "expires_at": file.expires_at and file.expires_at.isoformat(),
        "user": names.of(file.user_id),
        "parcel": file.parcel_id,
        "path": file.path,
    }
