"""The routes that carry bytes, described; what runs them is no operation of the API."""

from typing import Any, Final

from fileservice.actors import Scope

Described = dict[str, Any]

BYTES: Final = {"type": "string", "format": "binary"}
TEXT: Final = {"type": "string"}
ANYTHING: Final = {"application/octet-stream": {"schema": BYTES}}
PDF: Final = {"application/pdf": {"schema": BYTES}}
JSON_OBJECT: Final = {"application/json": {"schema": {"type": "object"}}}
PLAIN: Final = {"text/plain": {"schema": TEXT}}
TOLD: Final = {**JSON_OBJECT, **PLAIN, "text/html": {"schema": TEXT}}
TEXT_OR_PAGE: Final = {**PLAIN, "text/html": {"schema": TEXT}}
# What went wrong: as JSON, a line or a page, as `Accept` wants it.
WRONG: Final = {
    "description": "What went wrong, as `Accept` wants it told",
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        "text/plain": {"schema": TEXT},
        "text/html": {"schema": TEXT},
    },
}
CREATED_FILES: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["files"],
            "properties": {
                "files": {"type": "array", "items": {"$ref": "#/components/schemas/CreatedFile"}}
            },
        }
    },
    "text/plain": {"schema": {"type": "string", "description": "a link to give away each line"}},
}
CREATED_FILE: Final = {
    "type": "object",
    "title": "CreatedFile",
    "description": "A file, as who sent it is told of it.",
    "required": ["id", "name", "size", "sha256", "media_type", "url", "manage_url", "created_at"],
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "name_changed": {"type": "boolean"},
        "size": {"type": "integer"},
        "sha256": TEXT,
        "media_type": TEXT,
        "url": {"type": "string", "description": "the link to give away"},
        "manage_url": {"type": "string", "description": "the link to keep"},
        "created_at": {"type": "string", "format": "date-time"},
        "expires_at": {"type": ["string", "null"], "format": "date-time"},
        "restricted": {"type": "boolean", "description": "for its owner and by shares only"},
    },
}


def route(
    summary: str,
    tag: str,
    answers: dict[int, Described | None],
    *parameters: Described,
    scope: Scope | None = None,
    body: Described | None = None,
    description: str = "",
) -> Described:
    """Return the description of one method of a route; `scope` where a link is not enough."""
    schemes = [{"bearer": [scope]}, {"basic": [scope]}, {"session": []}] if scope else []
    responses = {str(status): answered(status, content) for status, content in answers.items()}
    found = {
        "summary": summary,
        "tags": [tag],
        "parameters": list(parameters),
        "responses": {**responses, "default": WRONG},
        "security": schemes,
    }
    if description:
        found["description"] = description
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    return found


def answered(status: int, content: Described | None) -> Described:
    """Return the description of an answer; None where it has no content."""
    meaning = MEANINGS[status]
    return (
        {"description": meaning}
        if content is None
        else {
            "description": meaning,
            "content": content,
        }
    )


MEANINGS: Final = {
    200: "What was asked for",
    201: "It is here",
    202: "What came is kept; more is to come",
    204: "Done",
    206: "The parts that were asked for",
    303: "To the page about it",
    304: "The copy is still good",
}


def in_path(name: str, description: str) -> Described:
    """Return a parameter of a path."""
    return {
        "in": "path",
        "name": name,
        "required": True,
        "description": description,
        "schema": TEXT,
    }


def in_query(name: str, description: str) -> Described:
    """Return a parameter that may be in a query."""
    return {"in": "query", "name": name, "description": description, "schema": TEXT}


def field(name: str, description: str, pattern: str = "") -> Described:
    """Return a field that may be in the head of a request."""
    schema = {"type": "string", "pattern": pattern} if pattern else TEXT
    return {"in": "header", "name": name, "description": description, "schema": schema}


ID: Final = in_path("id", "in the link to give away")
KEY: Final = in_path("key", "in the link to keep")
RANGE: Final = field("Range", "the bytes that are wanted, also several ranges")
IF_NONE_MATCH: Final = field("If-None-Match", "the entity tag of a copy")
INLINE: Final = in_query("inline", "1 to be shown in place, where that is harmless")
DIGEST: Final = field("Repr-Digest", "SHA-256 that the whole must have (RFC 9530)")
COMPLETE: Final = field("Upload-Complete", "IETF: whether this is the rest", r"^\?[01]$")
OFFSET: Final = field("Upload-Offset", "bytes that are here", "^[0-9]{1,15}$")
LENGTH: Final = field("Upload-Length", "bytes of the whole", "^[0-9]{1,15}$")
TUS: Final = field("Tus-Resumable", "tus: the version", r"^1\.0\.0$")
METADATA: Final = field("Upload-Metadata", "tus: filename and its name in base64")
FORM_OF_FILES: Final = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "array", "items": BYTES}},
        }
    }
}
LIST_OF_PEOPLE: Final = {
    "text/csv": {"schema": TEXT},
    "application/jsonl": {"schema": TEXT},
    "multipart/form-data": {
        "schema": {"type": "object", "properties": {"list": BYTES, "template": TEXT}}
    },
}


def given_out(what: str, tag: str, content: Described, *parameters: Described) -> Described:
    """Return the description of a download."""
    asked = (*parameters, RANGE, IF_NONE_MATCH)
    several = {**content, "multipart/byteranges": {"schema": BYTES}}
    return {
        "get": route(f"Have {what}", tag, {200: content, 206: several, 304: None}, *asked),
        "head": route(f"What is known of {what}", tag, {200: None, 304: None}, *asked),
    }


def made(what: str, media_type: str) -> Described:
    """Return the description of what is made of a list of certificates."""
    content = {media_type: {"schema": BYTES}}
    return {"get": route(f"Have {what}", "certificates by the list", {200: content}, KEY)}


FILES = "files"
UPLOADS = "resumable uploads"
CERTIFICATES = "certificates"

BYTE_ROUTES: Final[Described] = {
    "/files/": {
        "put": route(
            "Send a bare file without a name",
            FILES,
            {201: CREATED_FILES},
            *(DIGEST, COMPLETE, LENGTH),
            scope="upload",
            body=ANYTHING,
        ),
        "post": route(
            "Send files by a form, or begin a resumable upload",
            FILES,
            {201: CREATED_FILES, 303: None},
            *(TUS, LENGTH, METADATA, COMPLETE, DIGEST),
            scope="upload",
            body=FORM_OF_FILES,
            description=(
                "With `Tus-Resumable` (tus 1.0.0) or `Upload-Complete` (IETF) it begins an upload"
                " that comes in several requests: `Location` is its link to keep."
            ),
        ),
    },
    "/files/{name}": {
        "put": route(
            "Send a bare file",
            FILES,
            {201: CREATED_FILES},
            in_path("name", "of the file, percent-encoded UTF-8"),
            *(DIGEST, COMPLETE, LENGTH),
            scope="upload",
            body=ANYTHING,
            description="With `Upload-Complete: ?0` it begins a resumable upload (IETF).",
        ),
    },
    "/files/{id}": given_out("a file", FILES, {"*/*": {"schema": BYTES}}, ID, INLINE),
    "/parcels/{id}/{name}.zip": given_out(
        "all files of a parcel as one archive",
        "parcels",
        {"application/zip": {"schema": BYTES}},
        ID,
        in_path("name", "any; that of the parcel is for people"),
    ),
    "/s/{code}/{name}": given_out(
        "what a share gives",
        "shares",
        {"*/*": {"schema": BYTES}},
        in_path("code", "of the link"),
        in_path("name", "any; that of the file is for people"),
    ),
    "/d/{code}/{name}": {
        "put": route(
            "Put a bare file into a box",
            "drops",
            {201: CREATED_FILES},
            in_path("code", "of the link"),
            in_path("name", "of the file, percent-encoded UTF-8"),
            body=ANYTHING,
            description="`POST /d/{code}/` takes a form, and begins resumable uploads.",
        ),
    },
    "/uploads/{key}": {
        "get": route("What is known of a file or an upload", UPLOADS, {200: TOLD}, KEY),
        "head": route("How much of it is here", UPLOADS, {200: None}, KEY, TUS),
        "patch": route(
            "Go on with an upload",
            UPLOADS,
            {200: TOLD, 201: CREATED_FILES, 202: PLAIN, 204: None},
            *(KEY, OFFSET, TUS, COMPLETE, LENGTH),
            scope="upload",
            body={
                "application/offset+octet-stream": {"schema": BYTES},
                "application/partial-upload": {"schema": BYTES},
            },
            description="The first type of body is that of tus, the second that of the IETF.",
        ),
        "put": route(
            "Go on with an upload, as `curl -C` does",
            UPLOADS,
            {200: CREATED_FILES, 201: CREATED_FILES, 202: PLAIN},
            KEY,
            field("Content-Range", "which bytes of how many these are"),
            scope="upload",
            body=ANYTHING,
        ),
        "delete": route("Delete a file, or end an upload", UPLOADS, {204: None}, KEY),
    },
    "/certificate": {
        "get": route(
            "Make a certificate, which is not kept",
            CERTIFICATES,
            {200: PDF},
            in_query("template", "its name, or its URL where its host is listed"),
            in_query("name", "and every other value that the template asks for, by its name"),
            in_query("tz", "the zone of the time it shows"),
            scope="issue",
        ),
    },
    "/certificates/": {
        "post": route(
            "Issue a certificate, as `POST /api/v1/certificates` does",
            CERTIFICATES,
            {201: {**JSON_OBJECT, **PLAIN}, 303: None},
            scope="issue",
            body={
                **JSON_OBJECT,
                "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
                "multipart/form-data": {"schema": {"type": "object"}},
            },
        ),
    },
    "/certificates/{id}": given_out("a certificate", CERTIFICATES, PDF, ID, INLINE),
    "/verify/": {
        "get": route("How to verify a certificate", CERTIFICATES, {200: TEXT_OR_PAGE}),
        "post": route(
            "Say whether a file is a certificate of this service",
            CERTIFICATES,
            {200: TOLD},
            body={**PDF, "multipart/form-data": {"schema": {"type": "object"}}},
        ),
    },
    "/batches/": {
        "post": route(
            "Issue a certificate for each line of a list",
            "certificates by the list",
            {201: {**JSON_OBJECT, **PLAIN}, 303: None},
            scope="issue",
            body=LIST_OF_PEOPLE,
        ),
    },
    "/batches/{key}/certificates.zip": made("all certificates as a ZIP file", "application/zip"),
    "/batches/{key}/certificates.pdf": made("all certificates as one PDF", "application/pdf"),
    "/batches/{key}/certificates.csv": made("a list of all certificates", "text/csv"),
    "/batches/{key}/certificates.jsonl": made("a list of all certificates", "application/jsonl"),
}
