"""Files in: by form and by PUT."""

from collections.abc import AsyncIterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.errors import (
    BadForm,
    BadRequest,
    Forbidden,
    InconsistentLength,
    NoFile,
    UnsupportedRequest,
)
from fileservice.http import resumption, tus
from fileservice.http.answers import methods, shape_of
from fileservice.http.arriving import give_out
from fileservice.http.creations import created
from fileservice.http.entering import Enter, Entrance, by_right, kept
from fileservice.http.forms import Form, Part, boundary_of
from fileservice.http.lifespan import resources_of
from fileservice.http.managing import protocols
from fileservice.http.representation import (
    UNNAMED,
    expected_sha256,
    is_form,
    refuse_encoded,
)
from fileservice.http.requests import NativeRequest
from fileservice.http.uploadfields import completeness
from fileservice.http.visitors import (
    TOKEN_FIELD,
    check_origin,
    is_form_token,
    needs_form_token,
)
from fileservice.ledger import StoredFile
from fileservice.names import CleanName, clean_name
from fileservice.paths import clean_path
from fileservice.quotas import Room, add_of
from fileservice.recipients import Recipient
from fileservice.uploads import Upload, check_room, finish, unguessable

FORM_OVERHEAD = 1 << 20  # what a form may have beside its largest file


@methods("POST", "PUT", options=protocols)
async def files(request: NativeRequest) -> HttpResponseBase:
    """
    POST /files/ takes a form, or begins an upload that can be gone on with.

    PUT /files/ takes a body without a name, as `curl -T -` sends it.
    """
    if request.method == "PUT":
        return await put(request)
    if tus.is_spoken(request):
        return await tus.create(request)
    complete = completeness(request)
    if complete is None or (complete and is_form(request)):
        return await post_form(request)
    return await resumption.create(request, take)


@methods("GET", "HEAD", "PUT", options=protocols)
async def file(request: NativeRequest, rest: str) -> HttpResponseBase:
    """GET /files/<id>[/<name>] gives a file out, PUT /files/<name> takes one in."""
    if request.method == "PUT":
        return await put(request, raw_name(request, rest, b"/files/"))
    return await give_out(request, *rest.split("/", 1))


def raw_name(request: NativeRequest, rest: str, before: bytes) -> bytes:
    """
    Return the name in the path, behind `before`, as the client's bytes.

    `scope["path"]` is decoded, and what is not UTF-8 is lost there.
    """
    raw_path = request.scope.get("raw_path")
    if not raw_path:
        return rest.encode()
    return unquote_to_bytes(raw_path.partition(before)[2])


async def put(
    request: NativeRequest, name: bytes | None = None, enter: Enter = by_right
) -> HttpResponseBase:
    """Take a raw body as one file, or as the first bytes of one."""
    if completeness(request) is not None:
        return await resumption.create(request, take, name, enter)
    return created(request, [await take(request, name or UNNAMED, enter=enter)])


async def take(
    request: NativeRequest, name: bytes, length: int | None = None, enter: Enter = by_right
) -> StoredFile:
    """
    Take a raw body as one file, which has to have `length` bytes where that is told.

    Raises:
        InconsistentLength: it has not.
    """
    entrance = await enter(request)
    check_origin(request)
    refuse_encoded(request)
    if "HTTP_CONTENT_RANGE" in request.META:
        # RFC 9110 14.5: to ignore the field would store a part as if it were the whole.
        raise BadRequest(
            "A part of a file is sent to the link of an upload, begun by `Upload-Complete: ?0`."
        )
    if is_form(request):
        raise UnsupportedRequest("Send a form by POST to /files/, or the bare file by PUT.")
    resources = resources_of(request)
    limits = entrance.limits
    upload = new_upload(request, name, entrance.to)
    expected = expected_sha256(request)
    declared = request.stream.declared
    check_length(declared, length)
    check_room(resources.storage, limits, declared or length or 0)
    size = length if declared is None else declared
    async with upload, resources.quotas.room(upload.id, entrance.to, size) as room:
        chunks = request.stream.chunks(resources.pace)
        await upload.append(chunks, limits, room.take if room else None)
        check_length(upload.size, length)
        await upload.seal(expected)
        [stored] = await finish(resources.ledger, [upload], entrance.by, add_of(room))
    return stored


def check_length(size: int | None, length: int | None) -> None:
    """
    Refuse a body of another size than was told, where both are known.

    Raises:
        InconsistentLength: they differ.
    """
    if None not in (size, length) and size != length:
        raise InconsistentLength(f"The body has {size} bytes; {length} were told.")


async def post_form(request: NativeRequest, enter: Enter = by_right) -> HttpResponseBase:
    """Take the files of a form: all of them, or none."""
    entrance = await enter(request)
    check_origin(request)
    refuse_encoded(request)
    boundary = boundary_of(request.content_types)
    resources = resources_of(request)
    least = max(0, (request.stream.declared or 0) - FORM_OVERHEAD)
    check_room(resources.storage, entrance.limits, least)
    form = Form(request.stream.chunks(resources.pace), boundary)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(
            resources.quotas.room(unguessable(), entrance.to, least)
        )
        uploads = await receive(request, form, entrance, room, stack)
        if not uploads:
            raise NoFile("The form holds no file; send one as the field `file`.")
        stored = await finish(resources.ledger, uploads, entrance.by, add_of(room))
    if shape_of(request) == "page":
        return HttpResponseRedirect(entrance.back, status=HTTPStatus.SEE_OTHER)
    return created(request, stored)


def new_upload(request: NativeRequest, name: bytes, to: Recipient) -> Upload:
    """Begin an upload under the client's `name`, for whom it is; a path, where for a parcel."""
    storage, now = resources_of(request).storage, datetime.now(UTC)
    if to.parcel_id is None:
        return Upload(storage, clean_name(name), to=to, now=now)
    path = clean_path(name)
    return Upload(storage, CleanName(path.name, path.changed), to=to, now=now, path=path.text)


async def receive(
    request: NativeRequest,
    form: Form,
    entrance: Entrance,
    room: Room | None,
    stack: AsyncExitStack,
) -> list[Upload]:
    """Return the sealed uploads of a form; `stack` takes back what does not become a file."""
    uploads: list[Upload] = []
    limits, to = entrance.limits, entrance.to
    token_needed = needs_form_token(request)
    async for part in form.parts():
        if part.filename is None:
            value = await form.text()
            if part.name == TOKEN_FIELD and is_form_token(request, value):
                token_needed = False
            to = kept(to, {part.name: value})
            continue
        if token_needed:
            raise Forbidden(f"The form's first field must be its own {TOKEN_FIELD}.")
        if not part.filename:
            await refuse_bytes_without_name(form.content())
            continue
        upload = await stack.enter_async_context(new_upload(request, part.filename, to))
        if room is not None:
            await room.one_more(at_most(request, part))
        await upload.append(form.content(), limits, room.take if room else None)
        limits = replace(limits, file_bytes=limits.file_bytes - upload.size)
        await upload.seal()
        uploads.append(upload)
    for upload in uploads:  # a field may stand behind the files
        upload.to = to
    return uploads


def at_most(request: NativeRequest, part: Part) -> int:
    """Return how many bytes a part may have, were it the last; none where that is not known."""
    return max(0, (request.stream.declared or 0) - part.start - part.closing)


async def refuse_bytes_without_name(content: AsyncIterable[memoryview]) -> None:
    """Pass over an empty file field; one with bytes but no name is a broken client's."""
    async for _ in content:
        raise BadForm("A file came without a name.")
