"""The operations on shares: links of their own to what is here, with terms of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from fileservice.actors import Scope
from fileservice.errors import NotFound
from fileservice.http import shares as links
from fileservice.http.api import files
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Listed, Moment, Next, of_whom, page_of, place_of
from fileservice.http.api.moments import TermsExpiry
from fileservice.http.lifespan import resources_of
from fileservice.http.offers import subject_of
from fileservice.http.requests import NativeRequest
from fileservice.shares import Changes, KnownShare, Subject, Terms
from fileservice.sharing import may
from fileservice.terms import MAX_COUNT, MAX_NOTE_CHARACTERS, note_of

LONGEST_PASSWORD = 1000

router = Router(tags=["shares"])

Id = Annotated[str, Field(description="of the share")]


class Share(Schema):
    """A link of its own to a file or a parcel, with terms of its own."""

    id: str
    url: str
    state: Literal["open", "revoked", "expired", "used up"]
    file: str | None = Field(description="the id of what is shared")
    parcel: str | None = Field(description="the id of what is shared")
    note: str = Field(description="for who shares")
    has_password: bool
    max_downloads: int | None = Field(description="null for any number")
    downloads: int = Field(description="that were begun")
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None


class ShareList(Schema):
    """Shares, the newest first."""

    shares: list[Share]
    next: Next


class SharesOfFile(Schema):
    """The shares of a file, the newest first; of those that ended, some."""

    shares: list[Share]


class ShareTerms(Body):
    """On which terms something is shared; of a change, what is not there stays."""

    password: str = Field(
        default_factory=str, max_length=LONGEST_PASSWORD, description="empty for none"
    )
    max_downloads: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        default_factory=lambda: None, description="null for any number"
    )
    expires_at: TermsExpiry = Field(default_factory=lambda: None)
    note: str = Field(
        default_factory=str, max_length=MAX_NOTE_CHARACTERS, description="for who shares"
    )


@router.get("/shares", response=ShareList, operation_id="list_shares", **needs("read"))
async def list_shares(request: NativeRequest, listed: Query[Listed]) -> Mapping[str, object]:
    """The shares that one made, the newest first; administrators see everybody's."""
    resources = resources_of(request)
    whose, after = of_whom(resources, request.auth, listed), place_of(listed.cursor)
    page = resources.shares.listing.page(whose, limit=listed.limit, after=after)
    return page_of(page, "shares", [shown(request, one) for one in page.rows])


@router.get(
    "/files/{id}/shares", response=SharesOfFile, operation_id="list_shares_of_file", **needs("read")
)
async def list_shares_of_file(request: NativeRequest, id: files.Id) -> Mapping[str, object]:
    """The shares of a file."""
    known = await resources_of(request).shares.of(subject_of(files.mine(request, id, "read")))
    return {"shares": [shown(request, one) for one in known]}


@router.post(
    "/files/{id}/shares", response={201: Share}, operation_id="share_file", **needs("upload")
)
async def share_file(
    request: NativeRequest, id: files.Id, sent: ShareTerms, response: HttpResponse
) -> Mapping[str, object]:
    """Share a file by a link of its own."""
    subject = subject_of(files.mine(request, id, "upload"))
    terms = Terms(**await changes_of(request, sent))
    made = await resources_of(request).shares.make(
        request.auth, subject, terms, now=datetime.now(UTC)
    )
    content = shown(request, made)
    response["Location"] = str(content["url"])
    return content


@router.get("/shares/{id}", response=Share, operation_id="get_share", **needs("read"))
async def get_share(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What is known of a share."""
    share, _ = mine(request, id, "read")
    return shown(request, share)


@router.patch("/shares/{id}", response=Share, operation_id="change_share", **needs("upload"))
async def change_share(request: NativeRequest, id: Id, sent: ShareTerms) -> Mapping[str, object]:
    """Give a share other terms."""
    share, subject = mine(request, id, "upload")
    changes = await changes_of(request, sent)
    changed = await resources_of(request).shares.change(request.auth, share, subject, changes)
    if changed is None:
        raise absent()
    return shown(request, changed)


@router.delete("/shares/{id}", response={204: None}, operation_id="revoke_share", **needs("upload"))
async def revoke_share(request: NativeRequest, id: Id) -> Status[None]:
    """End a share; its link leads nowhere then."""
    share, subject = mine(request, id, "upload")
    now = datetime.now(UTC)
    if not await resources_of(request).shares.revoke(request.auth, share, subject, now=now):
        raise absent()
    return Status(204, None)


def mine(request: NativeRequest, id: str, scope: Scope) -> tuple[KnownShare, Subject]:
    """
    Return a share of what is the asker's, and what it shares.

    Raises:
        NotFound: it is somebody else's, or there is none.
    """
    resources = resources_of(request)
    share = resources.shares.find(id)
    file = resources.ledger.find(share.file_id) if share and share.file_id else None
    if share is None or file is None or not may(request.auth, scope, file):
        raise absent()
    return share, subject_of(file)


def absent() -> NotFound:
    """Return the answer for a share that is not there, or not for who asks."""
    return NotFound("There is no such share.")


async def changes_of(request: NativeRequest, sent: ShareTerms) -> Changes:
    """
    Return the terms that a body speaks of.

    Raises:
        BadRequest: the note is no text.
        ServiceUnavailable: too many passwords are being looked at.
    """
    changes: Changes = {}
    if "expires_at" in sent.model_fields_set:
        changes["expires_at"] = sent.expires_at
    if "max_downloads" in sent.model_fields_set:
        changes["max_downloads"] = sent.max_downloads
    if "note" in sent.model_fields_set:
        changes["note"] = note_of(sent.note)
    if "password" in sent.model_fields_set:
        passwords = resources_of(request).passwords
        changes["password"] = await passwords.hash(sent.password) if sent.password else ""
    return changes


def shown(request: NativeRequest, share: KnownShare) -> dict[str, object]:
    """Return the JSON of a share."""
    described = links.described(request, share, "")
    del described["manage_url"]
    return {**described, "file": share.file_id, "parcel": share.parcel_id}
