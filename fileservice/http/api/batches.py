"""The operations on lists of certificates; a list comes in by a route of its own."""

from collections.abc import Mapping
from typing import Annotated, Literal

from ninja import Query, Router, Schema
from pydantic import Field

from fileservice.actors import Actor, Scope
from fileservice.backlog import Ordered
from fileservice.errors import NotFound
from fileservice.http import batching
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Listed, Moment, Names, Next, of_whom, page_of, place_of
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.sharing import may, owns

LINKS = ("url", "zip_url", "pdf_url", "csv_url", "jsonl_url")

router = Router(tags=["certificates by the list"])

Id = Annotated[str, Field(description="of the batch")]


class LineComplaint(Schema):
    """What is wrong with a line of a list."""

    line: int
    detail: str


class Batch(Schema):
    """A list of certificates that were ordered together; links are its owner's."""

    id: str
    state: Literal["waiting", "checking", "issuing", "done", "refused", "stopped"]
    template: str
    issued_at: Moment = Field(description="when it was ordered, which its certificates show")
    expires_at: Moment | None
    total: int = Field(description="lines")
    checked: int = Field(description="lines that were tried")
    done: int = Field(description="certificates that were issued")
    lines: list[LineComplaint] = Field(description="what is wrong with lines")
    trouble: str = Field(description="why it waits or was stopped")
    user: str | None
    url: str | None = Field(description="the link to keep")
    zip_url: str | None
    pdf_url: str | None
    csv_url: str | None
    jsonl_url: str | None


class BatchList(Schema):
    """Lists of certificates, the newest first."""

    batches: list[Batch]
    next: Next


@router.get("/batches", response=BatchList, operation_id="list_batches", **needs("read"))
async def list_batches(request: NativeRequest, listed: Query[Listed]) -> Mapping[str, object]:
    """One's own lists of certificates, the newest first; administrators see everybody's."""
    resources, by = resources_of(request), request.auth
    whose, after = of_whom(resources, by, listed), place_of(listed.cursor)
    page = resources.backlog.listing.page(whose, limit=listed.limit, after=after)
    names = Names(resources)
    return page_of(page, "batches", [shown(request, one, by, names) for one in page.rows])


@router.get("/batches/{id}", response=Batch, operation_id="get_batch", **needs("read"))
async def get_batch(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """How far a list of certificates is."""
    return shown(request, mine(request, id, "read"), request.auth, Names(resources_of(request)))


@router.post("/batches/{id}/stop", response=Batch, operation_id="stop_batch", **needs("issue"))
async def stop_batch(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """End a list where it stands; what was issued stays."""
    resources, by = resources_of(request), request.auth
    await resources.backlog.stop(mine(request, id, "issue"), by)
    return shown(request, mine(request, id, "issue"), by, Names(resources))


def mine(request: NativeRequest, id: str, scope: Scope) -> Ordered:
    """
    Return a batch with which who asks may do things of this kind.

    Raises:
        NotFound: it may not, or there is none.
    """
    ordered = resources_of(request).backlog.find(id)
    if ordered is None or not may(request.auth, scope, ordered):
        raise NotFound("There is no such batch.")
    return ordered


def shown(request: NativeRequest, ordered: Ordered, by: Actor, names: Names) -> dict[str, object]:
    """Return the JSON of a batch."""
    described = batching.described(request, ordered)
    if not owns(by, ordered):
        described |= dict.fromkeys(LINKS)
    return {**described, "id": ordered.id, "user": names.of(ordered.user_id)}
