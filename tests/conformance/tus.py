"""A client of tus 1.0.0."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

from tests.client import Answer
from tests.conformance.target import BUSY, Target, eventually, offset_of, patiently
from tests.conformance.wire import Connection, Headers

VERSION = {"Tus-Resumable": "1.0.0"}
CONTENT_TYPE = {"Content-Type": "application/offset+octet-stream"}
# What known clients send, so that some servers take nothing without it.
NAMED = {"Upload-Metadata": "filename Y29uZm9ybWFuY2UuYmlu,filetype dGV4dC9wbGFpbg=="}
NAMELESS = {"Upload-Metadata": ""}


class Tus:
    """The client: each request but the raw ones names the version."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def max_size(self) -> int:
        return int(self.target.options["tus-max-size"])

    def ask(
        self, method: str, url: str, headers: Headers | None = None, body: bytes | None = None
    ) -> Answer:
        return self.target.ask(method, url, {**VERSION, **(headers or {})}, body)

    def post(self, headers: Headers, body: bytes = b"") -> Answer:
        """Ask for a creation with these headers, and a name, which need not succeed."""
        told = NAMED | dict(headers)
        if not told["Upload-Metadata"]:
            del told["Upload-Metadata"]
        answer = self.ask("POST", self.target.url, told, body)
        if answer.status == 201 and "location" in answer.headers:
            self.target.located(answer)
        return answer

    def create(self, length: int | None, headers: Headers | None = None) -> str:
        """Create an upload of so many bytes, of deferred length if None; return its URL."""
        told = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        return self.created(self.post({**told, **(headers or {})}))

    def created(self, answer: Answer) -> str:
        """Return the URL of what this answer says was created."""
        assert answer.status == 201, answer
        return urljoin(self.target.url, answer.headers["location"])

    def unknown(self) -> str:
        """Return the URL of an upload like the others, that is not there."""
        url = self.create(5)
        return url[:-1] + ("b" if url.endswith("a") else "a")

    def filled(self, content: bytes, headers: Headers | None = None) -> str:
        """Return the URL of a finished upload of `content`."""
        url = self.create(len(content), headers)
        answer = self.patch(url, 0, content)
        assert answer.status == 204, answer
        return url

    def joined(self, *parts: str, headers: Headers | None = None) -> Answer:
        """Ask for a final upload of these partial ones."""
        return self.post({"Upload-Concat": f"final;{' '.join(parts)}", **(headers or {})})

    def head(self, url: str) -> Answer:
        return patiently(lambda: self.ask("HEAD", url))

    def patch(self, url: str, offset: int, body: bytes, headers: Headers | None = None) -> Answer:
        told = {**CONTENT_TYPE, "Upload-Offset": str(offset), **(headers or {})}
        return patiently(lambda: self.ask("PATCH", url, told, body))

    @contextmanager
    def patching(self, url: str, offset: int, headers: Headers) -> Iterator[Connection]:
        """Send the head of a PATCH, and let the block do the rest."""
        told = {**VERSION, **CONTENT_TYPE, "Upload-Offset": str(offset), **headers}
        with self.target.sending("PATCH", url, told) as connection:
            yield connection

    def offset(self, url: str) -> int:
        return offset_of(self.head(url))

    def resume(self, url: str, length: int) -> Answer:
        """Go on where the server says, as clients do, until it takes the rest or refuses."""

        def attempt() -> Answer:
            at = self.offset(url)
            return self.patch(url, at, bytes(length - at))

        return patiently(attempt, BUSY | {409})

    def settles(self, url: str, least: int) -> int:
        """Return the offset when it is that far, or when it does not come so far."""
        return eventually(lambda: self.offset(url), lambda offset: offset >= least)


def metadata(**pairs: bytes) -> dict[str, str]:
    """Return the header of these pairs, beside a name and a type."""
    found = {"filename": b"conformance.bin", "filetype": b"text/plain", **pairs}
    told = [f"{key} {b64encode(value).decode()}" for key, value in found.items()]
    return {"Upload-Metadata": ",".join(told)}
