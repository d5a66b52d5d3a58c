"""What a parcel is to be, and what is put into it: as a form with files, or as JSON."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from fileservice.errors import (
    BadForm,
    BadRequest,
    BadValue,
    Forbidden,
    UnsupportedRequest,
)
from fileservice.http.entering import Entrance
from fileservice.http.forms import Form, Part, boundary_of
from fileservice.http.lifespan import resources_of
from fileservice.http.orders import whole
from fileservice.http.requests import NativeRequest
from fileservice.http.uploading import (
    FORM_OVERHEAD,
    at_most,
    new_upload,
    refuse_bytes_without_name,
)
from fileservice.http.visitors import (
    TOKEN_FIELD,
    check_form_token,
    is_form_token,
    needs_form_token,
)
from fileservice.names import clean_name
from fileservice.quotas import Room
from fileservice.uploads import Upload, check_room, unguessable

# With a `path` each half as many files: every one is open until all of them are stored.
LARGEST_PARCEL_PARTS = 512
MAX_LINKS = 10_000
ACCEPTED = "multipart/form-data, application/x-www-form-urlencoded, application/json"
FIELDS = ("name", "expires_at", "restricted")
UNNAMED = "files"
WORDS = {"": False, "0": False, "false": False, "1": True, "true": True, "on": True}


@dataclass(slots=True)
class Order:
    """
    What a request brings.

    Attributes:
        fields: by name, of `FIELDS`.
        keys: of files that are here.
        uploads: of files that came with it, sealed.
        room: that was reserved for them.
    """

    fields: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    room: Room | None = None


class Terms(NamedTuple):
    """What a parcel is called, until when it is there, and for whom."""

    name: str
    expires_at: datetime | None
    restricted: bool


async def order_of(request: NativeRequest, entrance: Entrance, stack: AsyncExitStack) -> Order:
    """
    Read the body of `request`; `stack` takes back what does not become a file.

    Raises:
        BadRequest, BadForm: it is not what its type says.
        TooLarge, TooManyParts: it is more than may come at once.
        UnsupportedRequest: it is of another type.
    """
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await Reading(request, entrance, stack).order()
    if media_type == "application/json":
        return order_of_json(request, await whole(request))
    if media_type == "application/x-www-form-urlencoded":
        return order_of_pairs(request, await whole(request))
    raise UnsupportedRequest(
        "Send files as a form, or their links as a form or as JSON.",
        headers={"Accept-Post": ACCEPTED},
    )


class Reading:
    """A form that is read part by part."""

    def __init__(self, request: NativeRequest, entrance: Entrance, stack: AsyncExitStack) -> None:
        self._request = request
        self._to = entrance.to
        self._limits = entrance.limits
        self._stack = stack
        self._order = Order()
        self._path = b""
        self._token_needed = needs_form_token(request)

    async def order(self) -> Order:
        """Return what the form brings, once all of it came."""
        request, resources = self._request, resources_of(self._request)
        boundary = boundary_of(request.content_types)
        least = max(0, (request.stream.declared or 0) - FORM_OVERHEAD)
        check_room(resources.storage, self._limits, least)
        reserving = resources.quotas.room(unguessable(), self._to, least)
        self._order.room = await self._stack.enter_async_context(reserving)
        form = Form(request.stream.chunks(resources.pace), boundary, LARGEST_PARCEL_PARTS)
        async for part in form.parts():
            if part.filename is None:
                self._take_field(part.name, await form.text())
            elif self._token_needed:
                raise Forbidden(f"The form's first field must be its own {TOKEN_FIELD}.")
            elif part.filename:
                await self._take_file(part, part.filename, form)
            else:
                await refuse_bytes_without_name(form.content())
        if self._token_needed:
            check_form_token(request, "")
        return self._order

    def _take_field(self, name: str, value: str) -> None:
        order = self._order
        if name == TOKEN_FIELD:
            self._token_needed = self._token_needed and not is_form_token(self._request, value)
        elif name == "path":
            self._path = value.encode()
        elif name == "file":
            order.keys.append(key_in(self._request, value))
        elif name in order.fields:
            raise BadForm(f"The form says {name} twice.")
        elif name in FIELDS:
            order.fields[name] = value

    async def _take_file(self, part: Part, filename: bytes, form: Form) -> None:
        # A browser sends the folders of what was chosen as a folder in the name.
        path, self._path = self._path or filename, b""
        begun = new_upload(self._request, path, self._to)
        upload = await self._stack.enter_async_context(begun)
        room = self._order.room
        if room is not None:
            await room.one_more(at_most(self._request, part))
        await upload.append(form.content(), self._limits, room.take if room else None)
        rest = self._limits.file_bytes - upload.size
        self._limits = replace(self._limits, file_bytes=rest)
        await upload.seal()
        self._order.uploads.append(upload)


def order_of_json(request: NativeRequest, body: bytes) -> Order:
    """
    Return the order in a JSON object.

    Raises:
        BadRequest: it is none, or has other members or values.
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(sent, dict) or sent.keys() - {*FIELDS, "files"}:
        raise BadRequest(f"A parcel is an object with {', '.join(FIELDS)} and files, or some.")
    files = sent.pop("files", [])
    restricted = sent.pop("restricted", False)
    known = {name: value for name, value in sent.items() if value is not None}
    if not isinstance(restricted, bool) or not all(isinstance(v, str) for v in known.values()):
        raise BadRequest("`name` and `expires_at` are texts, `restricted` is true or false.")
    if not isinstance(files, list) or not all(isinstance(link, str) for link in files):
        raise BadRequest("`files` is a list of links to keep.")
    keys = [key_in(request, link) for link in files]
    return Order({**known, "restricted": str(restricted).lower()}, keys)


def order_of_pairs(request: NativeRequest, body: bytes) -> Order:
    """
    Return the order in a form without files.

    Raises:
        BadRequest: it cannot be read, or says something twice.
    """
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_LINKS + len(FIELDS) + 1,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadRequest("The form cannot be read, or has too many fields.") from error
    order = Order(keys=[key_in(request, value) for name, value in pairs if name == "file"])
    rest = [(name, value) for name, value in pairs if name != "file"]
    order.fields = dict(rest)
    if len(order.fields) < len(rest):
        raise BadRequest("A field of the form is there twice.")
    check_form_token(request, order.fields.pop(TOKEN_FIELD, ""))
    return order


def key_in(request: NativeRequest, link: str) -> str:
    """
    Return the key in a link to keep; the key alone will do.

    Raises:
        BadRequest: it is none of ours.
    """
    parts = urlsplit(link.strip())
    head, _, key = parts.path.rpartition("/")
    if parts.netloc not in ("", request.get_host()) or head not in ("", "/uploads") or not key:
        raise BadRequest("A file is named by its link to keep, /uploads/<key>.")
    return key


def terms_of(fields: Mapping[str, str], now: datetime) -> Terms:
    """
    Return what a parcel is called, until when it is there, and for whom.

    Raises:
        BadName: see `clean_name`.
        BadValue: its time is none, or has passed, or `restricted` is no word for yes or no.
    """
    name = fields.get("name", "").strip().removesuffix(".zip")
    restricted = WORDS.get(fields.get("restricted", "").lower())
    if restricted is None:
        raise BadValue("`restricted` is true or false.")
    expires_at = moment_of(fields.get("expires_at", ""), now)
    return Terms(clean_name((name or UNNAMED).encode()).text, expires_at, restricted)


def moment_of(text: str, now: datetime) -> datetime | None:
    """
    Return the time that a text says; None for an empty one.

    Raises:
        BadValue: it is none, has no zone, or has passed.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadValue("`expires_at` reads 2030-01-31T12:00:00Z.") from error
    if moment <= now:
        raise BadValue("`expires_at` has passed.")
    return moment
