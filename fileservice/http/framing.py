"""What the head of a request must be before anything else looks at it (RFC 9112)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

MAX_LENGTH: Final = 2**63 - 1  # the largest file offset there is, signed 64 bit
MAX_LENGTH_DIGITS: Final = 20  # of 2**63 - 1 and a zero; int() refuses more than 4300

ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
END_OF_HEAD: Final = b"\r\n\r\n"

HTTP_VERSIONS: Final = frozenset({"1.1", "1.0"})
DECISIVE_FIELDS: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
DEFAULT_PORTS: Final = {"http": b":80", "https": b":443"}

# RFC 3986 3.2.2 without the punctuation that no DNS name has (RFC 952, and "_" as in the wild):
# quotes, commas and the like in a Host have only ever served to poison caches and links.
AUTHORITY: Final = re.compile(rb"(?:[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
ABSOLUTE_FORM: Final = re.compile(rb"([A-Za-z][0-9A-Za-z+.-]*)://([^/?]*)([^?]*)\??(.*)")

# What the parser says is wrong, where 400 is not the best answer to it.
PARSER_STATUS: Final = {
    "Content-Length overflow": 413,
    "Invalid HTTP version": 505,
    "Pause on PRI/Upgrade": 505,  # the preface of HTTP/2 (RFC 9113 3.4)
}

# Where a request goes: path, query, and the host where the URL names one (RFC 9112 3.2).
type Target = tuple[bytes, bytes, bytes]
type Fields = Sequence[tuple[bytes, bytes]]


class Refused(Exception):
    """
    A request that is refused before the application sees it, or while its body arrives.

    Attributes:
        status: the HTTP status it is answered with.
        detail: what is wrong with it, in one line for whoever sent it.
        fields: header fields that belong to the answer.
    """

    def __init__(self, status: int, detail: str, fields: Fields = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fields = fields


class Framing(NamedTuple):
    """How a request's body is told from the next request, and whether to ask for it."""

    length: int
    chunked: bool
    waits_for_continue: bool


def end_of_head(before: bytes, data: bytes) -> int:
    """
    Return how many bytes of `data` belong to the head, all of them if it does not end here.

    Args:
        before: the last three bytes of the head that came earlier, or fewer.
        data: what came now.
    """
    if before:
        seam = (before + data[:3]).find(END_OF_HEAD)
        if seam >= 0:
            return seam + len(END_OF_HEAD) - len(before)
    end = data.find(END_OF_HEAD)
    return len(data) if end < 0 else end + len(END_OF_HEAD)


def refused_by_parser(reason: str) -> Refused:
    """Return the refusal for what the HTTP parser raised, `reason` being its words."""
    return Refused(PARSER_STATUS.get(reason, 400), f"This is not HTTP as we speak it: {reason}")


def is_http_0_9(head: bytes) -> bool:
    """Tell whether `head` begins with a whole request line that names no version (RFC 1945)."""
    line, newline, _ = head.lstrip(b"\r\n").partition(b"\n")
    return bool(newline) and b" HTTP/" not in line


def check_version(version: str) -> None:
    """
    Let HTTP/1.0 and 1.1 pass.

    Raises:
        Refused: 400 for HTTP/0.9, which has no status to answer with; 505 for another major.
    """
    if version in HTTP_VERSIONS:
        return
    if version == "0.9":
        raise Refused(400, "HTTP/0.9 is not spoken here")
    raise Refused(505, f"HTTP/{version} is not spoken here")


def read_target(method: str, url: bytes, scheme: str) -> Target:
    """
    Take the request target apart (RFC 9112 3.2).

    Args:
        method: upper case, as it came.
        url: printable ASCII, which the parser has seen to.
        scheme: "http" or "https", of this connection.

    Raises:
        Refused: 405 for CONNECT, 421 for a URL of another scheme, 400 for no form at all.
    """
    if method == "CONNECT":
        raise Refused(405, "This is no proxy", [(b"allow", ALLOWED_METHODS)])
    if url.find(b"#") >= 0:  # ten times as fast as `in`
        raise Refused(400, "A fragment is the client's to keep")  # RFC 3986 3.5
    if url.startswith(b"/"):
        path, _, query = url.partition(b"?")
        return path, query, b""
    if url == b"*" and method == "OPTIONS":
        return url, b"", b""
    absolute = ABSOLUTE_FORM.fullmatch(url)
    if absolute is None:
        raise Refused(400, "The request target is neither a path nor a URL")
    target_scheme, authority, path, query = absolute.groups()
    if not AUTHORITY.fullmatch(authority):
        raise Refused(400, "The URL names no valid host")
    if target_scheme.lower() != scheme.encode():
        raise Refused(421, f"Only {scheme} URLs are answered on this connection")  # RFC 9110 7.4
    return path or b"/", query, authority


def check_host(version: str, hosts: Sequence[bytes], authority: bytes, scheme: str) -> None:
    """
    Let exactly one valid host pass (RFC 9112 3.2); an HTTP/1.0 request may do without.

    Args:
        version: "1.0" or "1.1".
        hosts: the values of all Host fields.
        authority: what the URL names, or empty. RFC 9112 3.2.2 lets it outweigh Host; here the
            two have to agree, since a client that sends two different hosts wants one of them
            to get past a check of the other.
        scheme: "http" or "https", which port goes without saying.
    """
    if not hosts:
        if version == "1.1":
            raise Refused(400, "The Host field is missing")
        return
    if len(hosts) > 1:
        raise Refused(400, "There are two Host fields")
    if not AUTHORITY.fullmatch(hosts[0]):
        raise Refused(400, "The Host field is not a host")
    port = DEFAULT_PORTS[scheme]
    if authority and _spelled_alike(hosts[0], port) != _spelled_alike(authority, port):
        raise Refused(400, "The URL and the Host field name two different hosts")


def _spelled_alike(authority: bytes, default_port: bytes) -> bytes:
    return authority.lower().removesuffix(default_port).removesuffix(b":")


def with_host(fields: Fields, authority: bytes) -> list[tuple[bytes, bytes]]:
    """Return `fields` with `authority`, of an absolute URL, for a host (RFC 9112 3.2.2)."""
    return [(b"host", authority), *((name, value) for name, value in fields if name != b"host")]


def read_length(lengths: Sequence[bytes]) -> int:
    """Return the body's size in bytes, 0 when no Content-Length says one; never over 2^63 - 1."""
    if not lengths:
        return 0
    if len(lengths[0]) > MAX_LENGTH_DIGITS or int(lengths[0]) > MAX_LENGTH:
        raise Refused(413, "The Content-Length is larger than any file")
    return int(lengths[0])


def read_coding(version: str, codings: Sequence[bytes]) -> bool:
    """
    Tell whether the body comes in chunks (RFC 9112 6.1).

    Raises:
        Refused: 501 for a coding before the chunks, 400 when the end of the body is not certain.
    """
    if not codings:
        return False
    if len(codings) > 1:
        raise Refused(400, "There are two Transfer-Encoding fields")
    if version == "1.0":
        raise Refused(400, "HTTP/1.0 has no Transfer-Encoding")
    coding = codings[0].lower()
    if coding == b"chunked":
        return True
    if re.split(rb"[\t ,]+", coding)[-1] == b"chunked":
        raise Refused(501, "Of the transfer codings only chunked is known here")
    raise Refused(400, "The Transfer-Encoding does not end with chunked")


def read_expectation(version: str, expectations: Sequence[bytes]) -> bool:
    """Tell whether the client waits for 100 Continue (RFC 9110 10.1.1); refuse other wishes."""
    if not expectations or version == "1.0":
        return False
    if len(expectations) == 1 and expectations[0].lower() == b"100-continue":
        return True
    raise Refused(417, "Of the expectations only 100-continue is known here")


@lru_cache(maxsize=64)  # without a body nearly all requests are alike, and it is 0.8 microseconds
def read_fields(
    version: str, scheme: str, authority: bytes, fields: tuple[tuple[bytes, bytes], ...]
) -> Framing:
    """
    Read the fields that decide whom a request is for and where it ends.

    Args:
        version: the HTTP version as the parser read it.
        scheme: "http" or "https", of this connection.
        authority: the host that the URL names, or empty.
        fields: those of DECISIVE_FIELDS, names in lower case, values without white space around.

    Raises:
        Refused: as each of the functions above.
    """
    check_version(version)
    check_host(version, [value for name, value in fields if name == b"host"], authority, scheme)
    return Framing(
        length=read_length([value for name, value in fields if name == b"content-length"]),
        chunked=read_coding(version, [v for name, v in fields if name == b"transfer-encoding"]),
        waits_for_continue=read_expectation(version, [v for n, v in fields if n == b"expect"]),
    )
