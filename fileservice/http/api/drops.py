"""The operations on boxes that people without an account put files into."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from fileservice.drops import (
    MAX_MEDIA_TYPES,
    MAX_NOTE_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    DropTerms,
    media_types_of,
    note_of,
    title_of,
)
from fileservice.errors import Forbidden, NotFound
from fileservice.http import boxes
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Moment
from fileservice.http.api.moments import TermsExpiry
from fileservice.http.api.shares import LONGEST_PASSWORD
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.terms import MAX_COUNT

MOST_BYTES = 10**15 - 1
LONGEST_MEDIA_TYPE = 191

router = Router(tags=["drops"])

Id = Annotated[str, Field(description="of the box")]
Bytes = Annotated[int, Field(ge=1, le=MOST_BYTES)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class Drop(Schema):
    """A box that people without an account put files into."""

    id: str
    url: str = Field(description="for guests")
    state: Literal["open", "revoked", "expired", "full"]
    title: str
    note: str
    has_password: bool
    max_file_bytes: int | None
    max_bytes: int | None = Field(description="of all files")
    max_files: int | None
    media_types: list[str] = Field(description="that may come; empty for all")
    used_bytes: int = Field(description="with what is on its way")
    used_files: int = Field(description="with what is on its way")
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None


class DropList(Schema):
    """One's own boxes, the newest first; all that are open are among them."""

    drops: list[Drop]


class DropOrder(Body):
    """What a box is to be; null is without a limit."""

    title: str = Field(min_length=1, max_length=MAX_TITLE_CHARACTERS)
    note: str = Field("", max_length=MAX_NOTE_CHARACTERS, description="for guests")
    password: str = Field("", max_length=LONGEST_PASSWORD, description="empty for none")
    max_file_bytes: Bytes | None = None
    max_bytes: Bytes | None = Field(None, description="of all files")
    max_files: Count | None = None
    media_types: list[Annotated[str, Field(max_length=LONGEST_MEDIA_TYPE)]] = Field(
        default_factory=list, max_length=MAX_MEDIA_TYPES, description="as image/*; empty for all"
    )
    expires_at: TermsExpiry = None


@router.get("/drops", response=DropList, operation_id="list_drops", **needs("read"))
async def list_drops(request: NativeRequest) -> Mapping[str, object]:
    """One's own boxes."""
    user_id = request.auth.user_id
    known = await resources_of(request).drops.of(user_id) if user_id is not None else []
    return {"drops": [boxes.described(request, one) for one in known]}


@router.post("/drops", response={201: Drop}, operation_id="make_drop", **needs("upload"))
async def make_drop(
    request: NativeRequest, sent: DropOrder, response: HttpResponse
) -> Mapping[str, object]:
    """Make a box; what guests put into it becomes one's own."""
    by = request.auth
    if by.user_id is None:
        raise Forbidden("A box is a user's: log in, or send a token of a user.")
    passwords = resources_of(request).passwords
    terms = DropTerms(
        title=title_of(sent.title),
        note=note_of(sent.note),
        max_file_bytes=sent.max_file_bytes,
        max_bytes=sent.max_bytes,
        max_files=sent.max_files,
        media_types=media_types_of(" ".join(sent.media_types)),
        expires_at=sent.expires_at,
        password=await passwords.hash(sent.password) if sent.password else "",
    )
    drops = resources_of(request).drops
    known = await drops.make(by, terms, user_id=by.user_id, now=datetime.now(UTC))
    content = boxes.described(request, known)
    response["Location"] = str(content["url"])
    return content


@router.get("/drops/{id}", response=Drop, operation_id="get_drop", **needs("read"))
async def get_drop(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What is known of a box."""
    return boxes.described(request, boxes.own(request, request.auth, id))


@router.delete("/drops/{id}", response={204: None}, operation_id="revoke_drop", **needs("upload"))
async def revoke_drop(request: NativeRequest, id: Id) -> Status[None]:
    """Take a box back; what is in it stays."""
    by = request.auth
    known = boxes.own(request, by, id)
    if not await resources_of(request).drops.revoke(by, known, now=datetime.now(UTC)):
        raise NotFound("This box was taken back before.")
    return Status(204, None)
