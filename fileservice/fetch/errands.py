"""A URL that is to be fetched, and how far it may lead."""

from dataclasses import dataclass, replace
from typing import Self

from fileservice.addresses import Reach
from fileservice.errors import BadUrl, UrlRefused
from fileservice.remoteurls import (
    DEFAULT_PORTS,
    RemoteUrl,
    join_remote_url,
    parse_remote_url,
)


@dataclass(frozen=True, slots=True)
class Errand:
    """
    A URL, and what its redirects and its names may lead to.

    Attributes:
        reach: which addresses its host may have.
        hosts: the hosts, with their ports, that it and its redirects may name; None for any.
    """

    url: RemoteUrl
    reach: Reach
    hosts: frozenset[tuple[str, int]] | None

    @classmethod
    def of_operator(cls, url: RemoteUrl) -> Self:
        """Return the errand of a URL from the settings: any host and port, also a private one."""
        return cls(url, "private", None)

    @classmethod
    def of_request(cls, raw: str, hosts: frozenset[tuple[str, int]]) -> Self:
        """
        Return the errand of a URL that came with a request: https, a listed host, a public address.

        Raises:
            BadUrl, UrlRefused.
        """
        url = parse_remote_url(raw)
        if url.scheme != "https":
            raise BadUrl("A URL in a request must begin with https://.")
        return cls(url, "public", hosts)._checked()

    def redirected(self, location: str) -> Self:
        """
        Return the errand that the answer of this one leads to.

        The right to private addresses is that of the host the operator named; where it leads
        elsewhere, it leads to the public internet and the usual ports.

        Raises:
            BadUrl, UrlRefused.
        """
        url = join_remote_url(self.url, location)
        if self.url.scheme == "https" and url.scheme == "http":
            raise UrlRefused(f"{self.url.host} leads from https to http.")
        if self.hosts is not None or _is_same_host(self.url, url):
            return replace(self, url=url)._checked()
        if url.port != DEFAULT_PORTS[url.scheme]:
            raise UrlRefused(f"{self.url.host} leads to port {url.port} of another host.")
        return replace(self, url=url, reach="public")

    def _checked(self) -> Self:
        if self.hosts is not None and (self.url.host, self.url.port) not in self.hosts:
            raise UrlRefused(f"Nothing is fetched from {self.url.authority}: it is not listed.")
        return self


def _is_same_host(url: RemoteUrl, other: RemoteUrl) -> bool:
    """Tell whether the two are one server, or the step from its http to its https."""
    if url.host != other.host:
        return False
    usual = all(each.port == DEFAULT_PORTS[each.scheme] for each in (url, other))
    return url.port == other.port or usual
