"""Files in: by form and by PUT."""

from collections.abc import AsyncIterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase

from fileservice.digests import parse_digests
from fileservice.errors import BadForm, BadRequest, Forbidden, NoFile, UnsupportedRequest
from fileservice.http import tus
from fileservice.http.answers import document, methods, shape_of, text
from fileservice.http.arriving import give_out
from fileservice.http.forms import Form, boundary_of
from fileservice.http.lifespan import resources_of
from fileservice.http.managing import described, links
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import limits_of
from fileservice.http.visitors import (
    TOKEN_FIELD,
    admit,
    browser_of,
    check_origin,
    is_form_token,
    needs_form_token,
    sender_of,
)
from fileservice.ledger import StoredFile
from fileservice.names import clean_name
from fileservice.uploads import Limits, Upload, check_room, finish

UNNAMED = b"unnamed"  # for a body that came without a name, as from a pipe
FORM_OVERHEAD = 1 << 20  # what a form may have beside its largest file


@methods("POST", "PUT", options=tus.options)
async def files(request: NativeRequest) -> HttpResponseBase:
    """
    POST /files/ takes a form, or begins an upload that can be gone on with.

    PUT /files/ takes a body without a name, as `curl -T -` sends it.
    """
    if request.method == "PUT":
        return await put(request, UNNAMED)
    if tus.is_spoken(request):
        return await tus.create(request)
    return await post_form(request)


@methods("GET", "HEAD", "PUT")
async def file(request: NativeRequest, rest: str) -> HttpResponseBase:
    """GET /files/<id>[/<name>] gives a file out, PUT /files/<name> takes one in."""
    if request.method == "PUT":
        return await put(request, raw_name(request, rest))
    return await give_out(request, *rest.split("/", 1))


def raw_name(request: NativeRequest, rest: str) -> bytes:
    """
    Return the name in the path as the client's bytes.

    `scope["path"]` is decoded, and what is not UTF-8 is lost there.
    """
    raw_path = request.scope.get("raw_path")
    if not raw_path:
        return rest.encode()
    return unquote_to_bytes(raw_path.partition(b"/files/")[2])


async def put(request: NativeRequest, name: bytes) -> HttpResponseBase:
    """Take a raw body as one file."""
    await admit(request)
    check_origin(request)
    refuse_encoded(request)
    if "HTTP_CONTENT_RANGE" in request.META:
        # RFC 9110 14.5: to ignore the field would store a part as if it were the whole.
        raise BadRequest("A part of a file cannot be sent by PUT here.")
    if request.META.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
        raise UnsupportedRequest("Send a form by POST to /files/, or the bare file by PUT.")
    resources = resources_of(request)
    limits = limits_of(resources)
    upload = new_upload(request, name)
    expected = expected_sha256(request)
    check_room(resources.storage, limits, request.stream.declared or 0)
    async with upload:
        await upload.append(request.stream.chunks(resources.pace), limits)
        await upload.seal(expected)
        stored = await finish(resources.ledger, [upload])
    return created(request, stored)


async def post_form(request: NativeRequest) -> HttpResponseBase:
    """Take the files of a form: all of them, or none."""
    await admit(request)
    check_origin(request)
    refuse_encoded(request)
    boundary = boundary_of(request.content_types)
    resources = resources_of(request)
    limits = limits_of(resources)
    check_room(resources.storage, limits, max(0, (request.stream.declared or 0) - FORM_OVERHEAD))
    form = Form(request.stream.chunks(resources.pace), boundary)
    async with AsyncExitStack() as stack:
        uploads = await receive(request, form, limits, stack)
        if not uploads:
            raise NoFile("The form holds no file; send one as the field `file`.")
        stored = await finish(resources.ledger, uploads)
    return created(request, stored)


def new_upload(request: NativeRequest, name: bytes) -> Upload:
    """Begin an upload under the client's `name`, for the browser that sends it."""
    return Upload(
        resources_of(request).storage,
        clean_name(name),
        sender=sender_of(browser_of(request)),
        now=datetime.now(UTC),
    )


async def receive(
    request: NativeRequest, form: Form, limits: Limits, stack: AsyncExitStack
) -> list[Upload]:
    """Return the sealed uploads of a form; `stack` takes back what does not become a file."""
    uploads: list[Upload] = []
    token_needed = needs_form_token(request)
    async for part in form.parts():
        if part.filename is None:
            value = await form.text()
            if part.name == TOKEN_FIELD and is_form_token(request, value):
                token_needed = False
            continue
        if token_needed:
            raise Forbidden(f"The form's first field must be its own {TOKEN_FIELD}.")
        if not part.filename:
            await refuse_bytes_without_name(form.content())
            continue
        upload = await stack.enter_async_context(new_upload(request, part.filename))
        await upload.append(form.content(), limits)
        limits = replace(limits, file_bytes=limits.file_bytes - upload.size)
        await upload.seal()
        uploads.append(upload)
    return uploads


async def refuse_bytes_without_name(content: AsyncIterable[memoryview]) -> None:
    """Pass over an empty file field; one with bytes but no name is a broken client's."""
    async for _ in content:
        raise BadForm("A file came without a name.")


def refuse_encoded(request: NativeRequest) -> None:
    """Refuse a compressed body: it would be stored compressed, or be a bomb to unpack."""
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise UnsupportedRequest(
            "Send the body without Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )


def expected_sha256(request: NativeRequest) -> bytes | None:
    """Return the SHA-256 the client says the file has (RFC 9530), if it says so."""
    for header in ("HTTP_REPR_DIGEST", "HTTP_CONTENT_DIGEST"):
        if field := request.META.get(header):
            return parse_digests(field).get("sha-256")
    return None


def created(request: NativeRequest, stored: list[StoredFile]) -> HttpResponseBase:
    """Answer a creation: a browser goes home, a program gets 201."""
    shape = shape_of(request)
    if shape == "page":
        return HttpResponseRedirect("/", status=HTTPStatus.SEE_OTHER)
    if shape == "json":
        content = {"files": [described(request, one) for one in stored]}
        response = document(content, HTTPStatus.CREATED)
    else:
        urls = (links(request, one)[0] for one in stored)
        response = text("\n".join(urls), HTTPStatus.CREATED)
    if len(stored) == 1:
        response["Location"], manage_url = links(request, stored[0])
        response["Link"] = f'<{manage_url}>; rel="edit"'
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response
