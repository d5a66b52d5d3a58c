"""The server under test."""

import re
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.client import Answer
from tests.conformance.wire import WAIT_SECONDS, Connection, Headers, ask

BUSY = {423, 503}
PAUSE_SECONDS = 0.1
NUMBER = re.compile(r"0|[1-9][0-9]*")
ASKED_HEADERS = "content-type,tus-resumable,upload-length,upload-metadata,upload-offset"


@dataclass(slots=True)
class Target:
    """
    A server.

    Attributes:
        url: where uploads are created.
        headers: sent with each request, to be let in.
        origin: of a page that the server lets upload.
        announced: extensions of tus, and "tus", "ietf", "cors", "max-size".
        options: headers of its answer to OPTIONS.
        made: the uploads that were created.
    """

    url: str
    headers: Headers
    origin: str
    announced: frozenset[str] = frozenset()
    options: Headers = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def ask(
        self, method: str, url: str, headers: Headers | None = None, body: bytes | None = None
    ) -> Answer:
        """Send a request on a connection of its own."""
        return ask(method, url, body, {**self.headers, **(headers or {})})

    @contextmanager
    def sending(self, method: str, url: str, headers: Headers) -> Iterator[Connection]:
        """Send the head of a request, and let the block do the rest."""
        with Connection(url) as connection:
            connection.start(method, url, {**self.headers, **headers})
            yield connection

    def located(self, answer: Answer) -> str:
        """Return the absolute URL of what was created."""
        url = urljoin(self.url, answer.headers["location"])
        self.made.append(url)
        return url

    def preflight(self, url: str, method: str) -> Answer:
        """Ask as a browser does for a page of another origin: without any credentials."""
        headers = {
            "Origin": self.origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": ASKED_HEADERS,
        }
        return ask("OPTIONS", url, None, headers)

    def discover(self) -> None:
        """Learn from OPTIONS what the server announces."""
        self.options = self.ask("OPTIONS", self.url).headers
        found = set(words(self.options.get("tus-extension", "")))
        if "1.0.0" in words(self.options.get("tus-version", "")):
            found.add("tus")
        if "tus-max-size" in self.options:
            found.add("max-size")
        if "application/partial-upload" in self.options.get("accept-patch", ""):
            found.add("ietf")
        if "upload-limit" in self.options:
            found.add("ietf")
        if "access-control-allow-origin" in self.preflight(self.url, "POST").headers:
            found.add("cors")
        self.announced = frozenset(found)

    def remove_all(self) -> None:
        """Remove what was made, as far as the server knows how and is still there."""
        with suppress(OSError):
            for url in self.made:
                self.ask("DELETE", url, {"Tus-Resumable": "1.0.0"})


def words(value: str) -> list[str]:
    """Return the members of a comma-separated list."""
    return [word for part in value.split(",") if (word := part.strip())]


def offset_of(answer: Answer) -> int:
    """Return the offset that a successful answer tells."""
    assert 200 <= answer.status < 300, answer
    told = answer.headers["upload-offset"]
    assert NUMBER.fullmatch(told), told
    return int(told)


def patiently(attempt: Callable[[], Answer], transient: Container[int] = BUSY) -> Answer:
    """Try until the server is not busy with another request for the same upload."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (answer := attempt()).status in transient and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return answer


def eventually(reading: Callable[[], int], wanted: Callable[[int], bool]) -> int:
    """Read until it is what is wanted, or for WAIT_SECONDS; return what was read last."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not wanted(found := reading()) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return found
