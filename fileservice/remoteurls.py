"""The URL of something on another host, read strictly: nothing in it has two readings."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urljoin

from fileservice.errors import BadUrl

MAX_URL_CHARACTERS = 2048
MAX_HOST_CHARACTERS = 253  # RFC 1035 2.3.4, written with dots
DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 3986 without user, fragment and white space. Only ASCII: libraries turn "①②⑦.⓪.⓪.①" and
# "127。0。0。1" into addresses, and a backslash into a slash.
URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)",
    re.ASCII | re.IGNORECASE,  # without ASCII, [a-z] would match a long s
)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # RFC 3986 3.1
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A host that ends in a number is an address for some reader (WHATWG URL, "ends in a number").
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """
    An absolute http or https URL.

    Attributes:
        host: a name in lower case, or an address; an IPv6 address without its brackets.
        target: path and query as written, beginning with a slash.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host as a URL has it, with its port if that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def public(self) -> str:
        """The URL without its query, which may hold a key."""
        return str(self).partition("?")[0]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_remote_url(raw: str) -> RemoteUrl:
    """
    Read a URL.

    Raises:
        BadUrl: it is not one that every program reads alike.
    """
    if len(raw) > MAX_URL_CHARACTERS:
        raise BadUrl(f"A URL may have {MAX_URL_CHARACTERS:,} characters, not {len(raw):,}.")
    found = URL.fullmatch(raw)
    if found is None:
        raise BadUrl(
            "This is not a plain http or https URL: ASCII only, no user, no fragment, no blanks,"
            " and other characters percent-encoded."
        )
    scheme = found["scheme"].lower()
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 1 << 16:
        raise BadUrl(f"There is no port {port}.")
    target = found["target"]
    if not target.startswith("/"):
        target = f"/{target}"
    return RemoteUrl(scheme, parse_host(found["host"]), port, target)


def parse_origin(raw: str) -> str:
    """
    Return an http or https origin in its one spelling, as browsers send it (RFC 6454 6.2).

    Raises:
        BadUrl: it is none, or has a path.
    """
    url = parse_remote_url(raw)
    if raw.count("/") != len("//"):
        raise BadUrl("An origin ends with its host or port, without a slash.")
    if url.target != "/":
        raise BadUrl("An origin has no query.")
    return f"{url.scheme}://{url.authority}"


def parse_host(raw: str) -> str:
    """
    Return a host of a URL in its one spelling; an IPv6 address comes in brackets and goes without.

    Raises:
        BadUrl: it is neither a name nor an address in its usual spelling.
    """
    host = raw.lower()
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        labels = host.split(".")
        if NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise BadUrl(f"{raw!r} is not an address in its usual spelling.") from error
    if len(host) > MAX_HOST_CHARACTERS or not all(map(LABEL.fullmatch, labels)):
        raise BadUrl(f"{raw!r} is not the name of a host.")
    return host


def join_remote_url(base: RemoteUrl, reference: str) -> RemoteUrl:
    """
    Return where `reference`, from a Location field (RFC 9110 10.2.2), leads from `base`.

    Raises:
        BadUrl: as `parse_remote_url`; only a fragment is let go, since it is for browsers.
    """
    absolute, _, _ = reference.partition("#")
    # What urljoin would drop or trim is refused before: it strips blanks, tabs and line breaks.
    if not absolute.isprintable() or " " in absolute:
        raise BadUrl("The Location field has characters that no URL has.")
    # urljoin gets paths only: it reads "https:///x" as one, and fails at "//[".
    if SCHEME.match(absolute):
        return parse_remote_url(absolute)
    if absolute.startswith("//"):
        return parse_remote_url(f"{base.scheme}:{absolute}")
    return parse_remote_url(urljoin(str(base), absolute))
