"""A list of certificates as it is sent: as the file of a form, or bare."""

from collections.abc import AsyncIterator

from fileservice.batches.ordering import BatchOrder
from fileservice.certificates import DEFAULT_TEMPLATE
from fileservice.errors import BadForm, BadRequest, NoFile, TooLarge, UnsupportedRequest
from fileservice.http.certificates import DEFAULT_ZONE, parameters_of
from fileservice.http.forms import Form, boundary_of
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import TOKEN_FIELD, check_form_token, origin_of
from fileservice.rosters import MAX_ROSTER_BYTES, Kind

LIST_FIELD = "list"
FORM_OVERHEAD = 1 << 20
KINDS: dict[str, Kind] = {
    "text/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
}
JSON_LINES = (b".jsonl", b".ndjson")
ACCEPTED = ", ".join((*KINDS, "multipart/form-data"))
MEMBERS = ("template", "tz", "expires_at", TOKEN_FIELD)


async def batch_order_of(request: NativeRequest) -> BatchOrder:
    """
    Read the body of `request`.

    Raises:
        BadRequest, BadForm: it is not what its type says, or says something else.
        Forbidden: it is a form without its token.
        NoFile: there is no list.
        TooLarge, TooManyParts: it is more than a list may be.
        UnsupportedRequest: it is of another type.
    """
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        content, kind, members = await of_form(request)
    elif media_type in KINDS:
        kind = KINDS[media_type]
        members = parameters_of(request.META["QUERY_STRING"])
        check_form_token(request, members.get(TOKEN_FIELD, ""))
        content = b"".join([chunk async for chunk in limited(request, MAX_ROSTER_BYTES)])
    else:
        raise UnsupportedRequest(
            "Send the list as CSV or JSON Lines, or as the file of a form.",
            headers={"Accept-Post": ACCEPTED},
        )
    unknown = members.keys() - set(MEMBERS)
    if unknown:
        raise BadRequest(f"A batch has no member {min(unknown)!r}; values are columns of the list.")
    if not content:
        raise NoFile(f"Send the list, as the field {LIST_FIELD!r} of a form or as the body.")
    # Where nothing is said, the usual.
    return BatchOrder(
        content=content,
        kind=kind,
        template=members.get("template", DEFAULT_TEMPLATE),
        zone=members.get("tz", DEFAULT_ZONE),
        expires_at=members.get("expires_at", ""),
        origin=origin_of(request),
    )


async def of_form(request: NativeRequest) -> tuple[bytes, Kind, dict[str, str]]:
    """
    Return the list of a form, and the fields beside it.

    Raises:
        NoFile: it has none.
        BadForm: it has several, or a field twice.
    """
    body = limited(request, MAX_ROSTER_BYTES + FORM_OVERHEAD)
    form = Form(body, boundary_of(request.content_types))
    members: dict[str, str] = {}
    content, kind = b"", KINDS["text/csv"]
    async for part in form.parts():
        if part.name in members or (content and part.name == LIST_FIELD):
            raise BadForm(f"The form has the field {part.name!r} twice.")
        if part.filename is None:
            members[part.name] = await form.text()
            continue
        if part.name != LIST_FIELD:
            raise BadForm(f"The list is the field {LIST_FIELD!r}; there is no other file.")
        # Before the first byte of the list is held.
        check_form_token(request, members.get(TOKEN_FIELD, ""))
        content = b"".join([bytes(chunk) async for chunk in form.content()])
        kind = "jsonl" if part.filename.lower().endswith(JSON_LINES) else "csv"
    return content, kind, members


def limited(request: NativeRequest, limit: int) -> AsyncIterator[bytes]:
    """Return a body; it is refused where it is more than `limit` bytes."""
    refusal = TooLarge(f"A list may have {MAX_ROSTER_BYTES:,} bytes.")
    return request.stream.at_most(limit, resources_of(request).pace, refusal)
