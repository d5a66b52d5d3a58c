"""A client of draft-ietf-httpbis-resumable-upload-11."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

from tests.client import Answer
from tests.conformance.target import BUSY, Target, eventually, offset_of, patiently
from tests.conformance.wire import Connection, Headers

# Of draft-09 and of those after it.
VERSION = {"Upload-Draft-Interop-Version": "8"}
CONTENT_TYPE = {"Content-Type": "application/partial-upload"}
PROBLEM = "https://iana.org/assignments/http-problem-types#"
# RFC 9651, section 3.2, with members that are integers.
MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=(-?[0-9]{1,15})")


class Ietf:
    """The client: each request names the interop version."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def ask(
        self, method: str, url: str, headers: Headers | None = None, body: bytes | None = None
    ) -> Answer:
        return self.target.ask(method, url, {**VERSION, **(headers or {})}, body)

    def post(self, body: bytes, *, complete: bool, headers: Headers | None = None) -> Answer:
        """Ask for a creation, which need not succeed."""
        told = {**representation(complete=complete), **(headers or {})}
        answer = self.ask("POST", self.target.url, told, body)
        if answer.status < 300 and not complete:
            self.target.located(answer)
        return answer

    def create(self, body: bytes = b"", headers: Headers | None = None) -> str:
        """Create an incomplete upload; return its URL."""
        return self.created(self.post(body, complete=False, headers=headers))

    def created(self, answer: Answer) -> str:
        """Return the URL of what this answer says was created."""
        assert 200 <= answer.status < 300, answer
        return urljoin(self.target.url, answer.headers["location"])

    def head(self, url: str) -> Answer:
        return patiently(lambda: self.ask("HEAD", url))

    def append(
        self,
        url: str,
        offset: int,
        body: bytes,
        *,
        complete: bool,
        headers: Headers | None = None,
    ) -> Answer:
        told = {**continuing(offset, complete=complete), **(headers or {})}
        return patiently(lambda: self.ask("PATCH", url, told, body))

    @contextmanager
    def appending(
        self, url: str, offset: int, headers: Headers, *, complete: bool
    ) -> Iterator[Connection]:
        """Send the head of an append, and let the block do the rest."""
        told = {**VERSION, **continuing(offset, complete=complete), **headers}
        with self.target.sending("PATCH", url, told) as connection:
            yield connection

    def offset(self, url: str) -> int:
        return offset_of(self.head(url))

    def resume(self, url: str, length: int) -> Answer:
        """Go on where the server says, as clients do, until it takes the rest or refuses."""

        def attempt() -> Answer:
            at = self.offset(url)
            return self.append(url, at, bytes(length - at), complete=True)

        return patiently(attempt, BUSY | {409})

    def settles(self, url: str, least: int) -> int:
        """Return the offset when it is that far, or when it does not come so far."""
        return eventually(lambda: self.offset(url), lambda offset: offset >= least)


def representation(*, complete: bool) -> dict[str, str]:
    """Return the headers of a creation."""
    return {
        "Upload-Complete": "?1" if complete else "?0",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'inline; filename="conformance.bin"',
    }


def continuing(offset: int, *, complete: bool) -> dict[str, str]:
    """Return the headers of an append."""
    told = {"Upload-Complete": "?1" if complete else "?0", "Upload-Offset": str(offset)}
    return {**CONTENT_TYPE, **told}


def limits(answer: Answer) -> dict[str, int]:
    """Return what Upload-Limit says."""
    found = {}
    for member in answer.headers["upload-limit"].split(","):
        match = MEMBER.fullmatch(member.strip())
        assert match, member
        found[match[1]] = int(match[2])
    return found
