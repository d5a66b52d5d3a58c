"""Resumable uploads by tus 1.0.0 (tus.io): creation at /files/, the rest at /uploads/<key>."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from fileservice.errors import (
    BadRequest,
    FileserviceError,
    Forbidden,
    MethodNotAllowed,
    PreconditionFailed,
    UnsupportedRequest,
)
from fileservice.http.downloading import absent
from fileservice.http.entering import (
    KEEPING,
    Enter,
    Entrance,
    admit_to,
    by_right,
    into,
    kept,
    kept_parcel,
)
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import UNNAMED
from fileservice.http.requests import NativeRequest
from fileservice.http.resuming import (
    append,
    append_of,
    bounded_chunks,
    new_resumable,
    path_of,
    resumable,
)
from fileservice.http.visitors import check_origin
from fileservice.resumables import Kind, Resumable
from fileservice.sharing import is_by
from fileservice.tusfields import (
    ALGORITHMS,
    UploadChecksum,
    parse_checksum,
    parse_metadata,
    parse_number,
)

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,"
    "termination,expiration,checksum,concatenation"
)
CONTENT_TYPE = "application/offset+octet-stream"
CREATING = ("HTTP_UPLOAD_LENGTH", "HTTP_UPLOAD_DEFER_LENGTH", "HTTP_UPLOAD_CONCAT")
FINAL = "final;"
# What comes whole with its creation and is no larger cannot be gone on with, and costs half.
SMALL = 64 << 10
OVERRIDES = ("PATCH", "DELETE", "HEAD")


def is_spoken(request: ASGIRequest) -> bool:
    """Tell whether a request to create is one of tus; Upload-Length alone may be the IETF's."""
    if "HTTP_TUS_RESUMABLE" in request.META:
        return True
    return "HTTP_UPLOAD_COMPLETE" not in request.META and any(
        name in request.META for name in CREATING
    )


def is_appended(request: ASGIRequest) -> bool:
    """Tell whether a PATCH is one of tus."""
    return "HTTP_TUS_RESUMABLE" in request.META or request.META.get("CONTENT_TYPE") == CONTENT_TYPE


def options(request: ASGIRequest) -> dict[str, str]:
    """Return what an answer to OPTIONS says of tus."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(resources_of(request).options.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


async def create(request: NativeRequest, enter: Enter = by_right) -> HttpResponseBase:
    """POST /files/ begins an upload, and takes its first bytes where they come with it."""
    check_version(request)
    entrance = await enter(request)
    check_origin(request)
    has_body = not request.stream.complete
    if has_body and request.META.get("CONTENT_TYPE") != CONTENT_TYPE:
        raise wrong_type()
    resources = resources_of(request)
    pairs = parse_metadata(request.META.get("HTTP_UPLOAD_METADATA", ""))
    entrance = into_named_parcel(request, entrance, pairs)
    entrance = replace(entrance, to=kept(entrance.to, keeping_in(pairs)))
    wanted = wanted_of(request, entrance, pairs)
    if has_body and wanted.kind == "final":
        raise BadRequest("A final upload has no bytes but those of its parts.")
    checksum = checksum_of(request)
    if checksum is None and is_small(request, wanted):
        return await created(request, wanted, entrance)
    begun = await resources.resuming.start(wanted, entrance.limits, entrance.to)
    response = HttpResponse(status=HTTPStatus.CREATED, headers={"Location": path_of(begun)})
    if has_body:
        begun = await first_bytes(request, begun, checksum)
    tell(response, begun)
    return response


def is_small(request: NativeRequest, wanted: Resumable) -> bool:
    """Tell whether an upload comes whole with its creation, and is sent again in no time."""
    declared = request.stream.declared or 0
    return wanted.kind == "whole" and wanted.length == declared and 0 < declared <= SMALL


async def created(
    request: NativeRequest, wanted: Resumable, entrance: Entrance
) -> HttpResponseBase:
    """Store an upload that comes whole."""
    resources = resources_of(request)
    chunks = bounded_chunks(request, "nothing was stored")
    upload = await resources.resuming.store(
        wanted, chunks, entrance.limits, entrance.by, entrance.to
    )
    response = HttpResponse(status=HTTPStatus.CREATED, headers={"Location": path_of(upload)})
    tell(response, upload)
    return response


async def first_bytes(
    request: NativeRequest, begun: Resumable, checksum: UploadChecksum | None
) -> Resumable:
    """Append what came with the creation; an error tells where to go on."""
    try:
        return await append(request, begun, append_of(request, 0, verification=checksum))
    except FileserviceError as error:
        error.headers["Location"] = path_of(begun)
        raise


def into_named_parcel(
    request: ASGIRequest, entrance: Entrance, pairs: Mapping[str, bytes]
) -> Entrance:
    """
    Return what is decided of an upload that may name its parcel; neither parts nor boxes have one.

    Raises:
        NotFound: there is no such parcel.
    """
    if entrance.to.drop_id is not None:
        return entrance
    if request.META.get("HTTP_UPLOAD_CONCAT") == "partial":
        return replace(entrance, to=replace(entrance.to, parcel_id=None))
    key = pairs.get("parcel")
    return into(entrance, kept_parcel(request, key.decode(errors="replace"))) if key else entrance


def path_in(pairs: Mapping[str, bytes]) -> bytes:
    """Return the path that is told; Uppy says `null` of a file that was not in a folder."""
    relative = pairs.get("relativePath", b"")
    return pairs.get("path") or (b"" if relative == b"null" else relative)


def keeping_in(pairs: Mapping[str, bytes]) -> dict[str, str]:
    """Return what metadata say of how a file is kept; what is no text cannot be what is meant."""
    return {name: pairs[name].decode(errors="replace") for name in KEEPING if name in pairs}


def wanted_of(request: ASGIRequest, entrance: Entrance, pairs: Mapping[str, bytes]) -> Resumable:
    """Return the upload that a request asks for, by `pairs` of metadata."""
    concat = request.META.get("HTTP_UPLOAD_CONCAT")
    metadata = request.META.get("HTTP_UPLOAD_METADATA", "")
    name = pairs.get("filename") or pairs.get("name") or UNNAMED
    if entrance.to.parcel_id is not None:
        name = path_in(pairs) or name
    if concat is not None and concat.startswith(FINAL):
        parts = [part_of(request, url, entrance) for url in concat.removeprefix(FINAL).split()]
        if not parts or length_of(request) is not None:
            raise BadRequest("A final upload names its parts, and no length.")
        return new_resumable(
            name,
            to=entrance.to,
            kind="final",
            length=sum(part.offset for part in parts),
            metadata=metadata,
            concat=concat,
            parts=[part.id for part in parts],
        )
    if concat not in (None, "partial"):
        raise BadRequest("Upload-Concat reads `partial` or `final;/uploads/<key> ...`.")
    defers = request.META.get("HTTP_UPLOAD_DEFER_LENGTH")
    length = length_of(request)
    if (length is None) == (defers is None) or defers not in (None, "1"):
        raise BadRequest("Either Upload-Length or `Upload-Defer-Length: 1` is needed.")
    kind: Kind = "part" if concat else "whole"
    return new_resumable(
        name, to=entrance.to, kind=kind, length=length, metadata=metadata, concat=concat or ""
    )


def length_of(request: ASGIRequest) -> int | None:
    """Return Upload-Length; None without it."""
    field = request.META.get("HTTP_UPLOAD_LENGTH")
    return None if field is None else parse_number("Upload-Length", field)


def checksum_of(request: ASGIRequest) -> UploadChecksum | None:
    """Return what Upload-Checksum asks for; None without it."""
    field = request.META.get("HTTP_UPLOAD_CHECKSUM")
    return None if field is None else parse_checksum(field)


def part_of(request: ASGIRequest, url: str, entrance: Entrance) -> Resumable:
    """
    Return a part that a final upload names.

    Raises:
        BadRequest: it is not finished, or no link of ours.
        NotFound: there is no such part, or somebody else sent it.
    """
    link = urlsplit(url)
    head, _, key = link.path.rpartition("/")
    if link.netloc not in ("", request.get_host()) or head != "/uploads":
        raise BadRequest("The parts of a final upload are named by their links to keep.")
    part = resources_of(request).resuming.find(key)
    if part is None or part.kind != "part" or not is_with(part, entrance):
        raise absent()
    return part


def is_with(part: Resumable, entrance: Entrance) -> bool:
    """Tell whether a part came from who joins it now; of a box, from the same guest."""
    to = entrance.to
    if to.drop_id is not None:
        return (part.drop_id, part.sender) == (to.drop_id, to.sender)
    return part.drop_id is None and is_by(entrance.by, part)


async def patch(request: NativeRequest, key: str) -> HttpResponseBase:
    """PATCH /uploads/<key> appends."""
    check_version(request)
    await admit_to(request, key)
    check_origin(request)
    found = resumable(request, key)
    if found.kind == "final":
        raise Forbidden("A final upload has no bytes but those of its parts.")
    if request.META.get("CONTENT_TYPE") != CONTENT_TYPE:
        raise wrong_type()
    offset = parse_number("Upload-Offset", request.META.get("HTTP_UPLOAD_OFFSET"))
    appended = append_of(
        request, offset, length=length_of(request), verification=checksum_of(request)
    )
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    tell(response, await append(request, found, appended))
    return response


def tell(response: HttpResponseBase, upload: Resumable) -> None:
    """Say where an upload stands, after something was done to it."""
    response["Tus-Resumable"] = VERSION
    response["Cache-Control"] = "no-store"
    response["Upload-Offset"] = str(upload.offset)
    if upload.is_open or upload.kind == "part":
        response["Upload-Expires"] = http_date(upload.expires_at.timestamp())


def tell_all(response: HttpResponseBase, upload: Resumable) -> None:
    """Say all that is known of an upload, as HEAD asks for."""
    tell(response, upload)
    if upload.length is None:
        response["Upload-Defer-Length"] = "1"
    else:
        response["Upload-Length"] = str(upload.length)
    if upload.metadata:
        response["Upload-Metadata"] = upload.metadata
    if upload.concat:
        response["Upload-Concat"] = upload.concat


def method_of(request: ASGIRequest) -> str:
    """
    Return the method that is meant: some networks let none pass but GET and POST.

    Raises:
        MethodNotAllowed: POST in its own name, or for a method that is none of an upload.
    """
    if request.method != "POST":
        return request.method or ""
    method: str = request.META.get("HTTP_X_HTTP_METHOD_OVERRIDE", "")
    if method not in OVERRIDES:
        raise MethodNotAllowed(
            f"POST needs X-HTTP-Method-Override here, one of {OVERRIDES}.",
            headers={"Allow": "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS"},
        )
    return method


def check_spoken(request: ASGIRequest) -> None:
    """
    Refuse another version of tus where a request names one; a plain DELETE need not.

    Raises:
        PreconditionFailed: as tus 1.0.0 wants it.
    """
    if "HTTP_TUS_RESUMABLE" in request.META:
        check_version(request)


def check_version(request: ASGIRequest) -> None:
    """
    Refuse another version of tus, or none.

    Raises:
        PreconditionFailed: as tus 1.0.0 wants it.
    """
    if request.META.get("HTTP_TUS_RESUMABLE") != VERSION:
        raise PreconditionFailed(
            f"Send Tus-Resumable: {VERSION}; no other version is spoken.",
            headers={"Tus-Version": VERSION, "Tus-Resumable": VERSION},
        )


def wrong_type() -> UnsupportedRequest:
    """Return the refusal of a body that is not said to be bytes of an upload."""
    return UnsupportedRequest(f"The bytes of an upload come as {CONTENT_TYPE}.")
