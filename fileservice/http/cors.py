"""What lets pages of other origins read our answers (Fetch standard, "HTTP-CORS protocol")."""

from fileservice.http.messages import Scope
from fileservice.options import ANY_ORIGIN

# Of requests. Browsers send Accept, Content-Type of forms and the like unasked.
METHODS = "POST, HEAD, PATCH, OPTIONS, GET, DELETE, PUT"
REQUEST_FIELDS = ", ".join(
    (
        *("Authorization", "Origin", "X-Requested-With", "X-Request-ID", "X-HTTP-Method-Override"),
        *("Content-Type", "Content-Disposition", "Content-Encoding", "Content-Range"),
        *("Upload-Length", "Upload-Offset", "Tus-Resumable", "Upload-Metadata"),
        *("Upload-Defer-Length", "Upload-Concat", "Upload-Checksum", "Upload-Complete"),
        *("Upload-Incomplete", "Upload-Draft-Interop-Version", "Repr-Digest", "Content-Digest"),
        *("Want-Repr-Digest", "Want-Content-Digest", "Idempotency-Key", "X-CSRFToken", "Range"),
        *("If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"),
    )
)
# Of answers. Cache-Control, Content-Length, Content-Type and Last-Modified are read unasked.
ANSWER_FIELDS = ", ".join(
    (
        *("Location", "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length"),
        *("Upload-Concat", "Upload-Expires", "Upload-Limit", "Upload-Complete"),
        *("Upload-Incomplete", "Upload-Draft-Interop-Version", "Tus-Version", "Tus-Resumable"),
        *("Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm", "Retry-After", "ETag"),
        *("Content-Range", "Accept-Ranges", "Content-Disposition", "Repr-Digest"),
        *("Content-Digest", "Link", "X-Request-ID", "WWW-Authenticate", "Allow"),
    )
)
REMEMBERED_SECONDS = 86400  # browsers ask again sooner: Chromium after two hours


def answer_fields(origins: tuple[str, ...], origin: str | None) -> dict[str, str]:
    """
    Return what any answer to a page of `origin` has; nothing where it is not let in.

    Args:
        origins: those that the operator let in.
        origin: as the request names it, if it does.
    """
    if ANY_ORIGIN in origins:
        leave = {"Access-Control-Allow-Origin": ANY_ORIGIN}
    elif origin in origins:
        leave = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
    else:
        return {}
    return leave | {"Access-Control-Expose-Headers": ANSWER_FIELDS}


def preflight_fields(
    origins: tuple[str, ...], origin: str | None, *, private_network: bool
) -> dict[str, str]:
    """
    Return what the answer to a preflight of `origin` has; nothing where it is not let in.

    Args:
        origins: those that the operator let in.
        origin: as the request names it, if it does.
        private_network: the browser asks for a page of the internet, and we are in its network.
    """
    leave = answer_fields(origins, origin)
    if not leave:
        return {}
    del leave["Access-Control-Expose-Headers"]
    leave["Access-Control-Allow-Methods"] = METHODS
    leave["Access-Control-Allow-Headers"] = REQUEST_FIELDS
    leave["Access-Control-Max-Age"] = str(REMEMBERED_SECONDS)
    if private_network and ANY_ORIGIN not in origins:
        leave["Access-Control-Allow-Private-Network"] = "true"
    return leave


def refusal_fields(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return what an answer has that is given below the program, as far as its head was read."""
    resources = scope["state"].get("resources")
    if resources is None:  # another program's connection
        return []
    origins: tuple[str, ...] = resources.options.cors_origins
    origin = next(
        (value.decode("latin-1") for n, value in scope["headers"] if n == b"origin"), None
    )
    fields = answer_fields(origins, origin)
    if varies(origins):
        fields["Vary"] = "Origin"
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in fields.items()]


def varies(origins: tuple[str, ...]) -> bool:
    """Tell whether an answer depends on who asks, also where it has nothing of the above."""
    return bool(origins) and ANY_ORIGIN not in origins
