"""What all lists of the API have in common: a page, and where it goes on."""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from ninja import Schema
from pydantic import ConfigDict, Field, WithJsonSchema

from fileservice.actors import Actor
from fileservice.errors import BadField, Forbidden, NotFound
from fileservice.http.lifespan import Resources
from fileservice.listing import MAX_ROWS, Page, Place

USUAL_ROWS = 50
LONGEST_CURSOR = 120
PLACE = re.compile(r"(\S{1,40}) (?:([a-z2-7]{26})|([0-9]{1,18}))")
USER_BY_NAME = "SELECT id FROM auth_user WHERE username = ?"
NAME_OF_USER = "SELECT username FROM auth_user WHERE id = ?"

# A time in an answer, which is text already.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Limit = Annotated[int, Field(ge=1, le=MAX_ROWS, description="how many there may be in the answer")]
Cursor = Annotated[
    str,
    Field(
        max_length=LONGEST_CURSOR,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="`next` of the page before; empty for the first",
    ),
]
UserName = Annotated[
    str,
    Field(
        max_length=150,
        description="the name of whose they are; for administrators, who else see everybody's",
    ),
]
Next = Annotated[
    str | None, Field(description="`cursor` of the page that comes next; null on the last")
]


class Listed(Schema):
    """Which part of a list is asked for."""

    limit: Limit = USUAL_ROWS
    cursor: Cursor = ""
    user: UserName = ""


class Body(Schema):
    """What a body may say: these members, of these types, and no others."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


def cursor_of(place: Place | None) -> str | None:
    """Return what a client shows to go on at a place; None at the end."""
    if place is None:
        return None
    return (
        base64.urlsafe_b64encode(f"{place.at.isoformat()} {place.id}".encode()).decode().rstrip("=")
    )


def place_of(cursor: str) -> Place | None:
    """
    Return the place of a cursor; None for the first page.

    It gives no right: what it says is only where to go on in what one may see.

    Raises:
        BadField: it is none of ours.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        [(at, id, number)] = PLACE.findall(text)
        return Place(datetime.fromisoformat(at).astimezone(UTC), id or int(number))
    except (ValueError, OverflowError):
        raise bad_field("query", "cursor", "This is the `next` of no page.") from None


def bad_field(where: str, name: str, sentence: str) -> BadField:
    """Return the refusal of one value."""
    fields = [{"in": where, "name": name, "problem": sentence}]
    return BadField(f"{name}: {sentence}", extensions={"fields": fields})


def of_whom(resources: Resources, by: Actor, listed: Listed) -> Actor | None:
    """
    Return whose rows are meant; None for everybody's.

    Raises:
        Forbidden: somebody else's are, and who asks is no administrator.
        NotFound: nobody has this name.
    """
    if listed.user in ("", by.name):
        return None if by.is_admin and not listed.user else by
    if not by.is_admin:
        raise Forbidden("What others have is for administrators.")
    row = resources.ledger.row(USER_BY_NAME, listed.user)
    if row is None:
        raise NotFound("Nobody has this name.")
    return Actor(user_id=row[0])


class Names:
    """The names of users, each looked up once."""

    def __init__(self, resources: Resources) -> None:
        self._ledger = resources.ledger
        self._known: dict[int, str | None] = {}

    def of(self, user_id: int | None) -> str | None:
        """Return a user's name; None for nobody's."""
        if user_id is None:
            return None
        if user_id not in self._known:
            row = self._ledger.row(NAME_OF_USER, user_id)
            self._known[user_id] = row[0] if row else None
        return self._known[user_id]


def page_of[Row](page: Page[Row], name: str, shown: list[Any]) -> dict[str, Any]:
    """Return the JSON of a page."""
    return {name: shown, "next": cursor_of(page.end)}
