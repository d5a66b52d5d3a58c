"""The operations on tokens: a person's own, and what those make."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from fileservice.actors import SCOPES, Scope
from fileservice.errors import NotFound
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Moment
from fileservice.http.api.moments import Expiry
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.tokens import MAX_NAME_CHARACTERS, KnownToken

LARGEST_ID = (1 << 63) - 1

router = Router(tags=["tokens"])

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Token(Schema):
    """What is known of a token; what it is, nobody can tell again."""

    id: int
    name: str = Field(description="what it is for")
    hint: str = Field(description="how it begins")
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    used_at: Moment | None = Field(description="when it was last shown, to the minute")
    is_good: bool


class NewToken(Token):
    """A token that was just made."""

    token: str = Field(description="shown this once")


class TokenList(Schema):
    """The newest tokens of a person; all that are good are among them."""

    tokens: list[Token]


class TokenOrder(Body):
    """What a token is to be."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARACTERS, description="what it is for")
    scopes: list[Scope] = Field(min_length=1, max_length=len(SCOPES))
    expires_at: Expiry = None


@router.get("/tokens", response=TokenList, operation_id="list_tokens", **needs(None))
async def list_tokens(request: NativeRequest) -> Mapping[str, object]:
    """One's own tokens, the newest first."""
    known = await resources_of(request).tokens.of(person(request))
    return {"tokens": [shown(one) for one in known]}


@router.post("/tokens", response={201: NewToken}, operation_id="make_token", **needs(None))
async def make_token(
    request: NativeRequest, sent: TokenOrder, response: HttpResponse
) -> Mapping[str, object]:
    """Make a token, which may do no more, and for no longer, than who asks."""
    token, known = await resources_of(request).tokens.make(
        request.auth,
        sent.name,
        sent.scopes,
        user_id=person(request),
        now=datetime.now(UTC),
        expires_at=sent.expires_at,
    )
    return {**shown(known), "token": token}


@router.delete("/tokens/{int:id}", response={204: None}, operation_id="revoke_token", **needs(None))
async def revoke_token(request: NativeRequest, id: Id) -> Status[None]:
    """Revoke a token; from the next request on it is good for nothing."""
    if not await resources_of(request).tokens.revoke(request.auth, id, now=datetime.now(UTC)):
        raise NotFound("There is no such token that is good.")
    return Status(204, None)


def person(request: NativeRequest) -> int:
    """Return the id of who asks, who has an account."""
    assert request.auth.user_id is not None  # noqa: S101  # see `admit_person`
    return request.auth.user_id


def shown(known: KnownToken) -> dict[str, object]:
    """Return the JSON of a token."""
    times = {
        name: moment and moment.isoformat()
        for name in ("created_at", "expires_at", "revoked_at", "used_at")
        for moment in [getattr(known, name)]
    }
    return {
        "id": known.id,
        "name": known.name,
        "hint": known.hint,
        "scopes": known.scopes,
        "is_good": known.is_good(datetime.now(UTC)),
        **times,
    }
