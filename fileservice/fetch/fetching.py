"""The guarded fetch: one errand, its redirects, and what may come back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from weakref import WeakValueDictionary

import aiohttp

from fileservice.errors import BadUrl, FileserviceError, RemoteFailed, RemoteTimeout, UrlRefused
from fileservice.fetch.errands import Errand
from fileservice.fetch.guard import AddressRefused, reaching
from fileservice.fetch.session import SharedSession

MAX_REDIRECTS = 3
MAX_AT_ONCE = 16
MAX_AT_ONCE_PER_HOST = 4  # a slow host does not take the places of the others
BLOCK_BYTES = 1 << 16
MAX_SENT_BYTES = 1 << 16
REDIRECTS = frozenset((301, 302, 303, 307, 308))
# How it looks when a kept connection was closed just before it was used again; aiohttp itself
# then asks again, but for GET only.
CLOSED_BEFORE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What may come back.

    Attributes:
        accept: the Accept field that is sent.
        media_types: what Content-Type may say; a name that begins with + stands for all types of
            that structured syntax (RFC 6839).
        beginnings: the content begins with one of these, if there are any.
        most_bytes: largest content.
        seconds: for all of it: waiting for a place, names, redirects and content.
    """

    accept: str
    media_types: frozenset[str]
    beginnings: tuple[bytes, ...]
    most_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Validators:
    """What asks later whether a content still holds, as it was sent; empty where it was not."""

    etag: str = ""
    last_modified: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The conditions of a request (RFC 9110 13.1.2, 13.1.3)."""
        fields = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back."""

    content: bytes
    validators: Validators


NOTHING_KNOWN = Validators()


class Fetcher:
    """
    Runs errands on the shared session, a bounded number at once.

    Attributes:
        outcomes: how many errands came to which end: ok, unchanged, or the code of an error.
    """

    def __init__(self, session: SharedSession) -> None:
        self.session = session
        self.outcomes: Counter[str] = Counter()
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._places_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def fetch(
        self, errand: Errand, wanted: Wanted, validators: Validators = NOTHING_KNOWN
    ) -> Fetched | None:
        """
        Return what `errand` brings, or None where what `validators` came with still holds.

        Raises:
            UrlRefused: it leads, perhaps by a redirect, to where it must not.
            RemoteFailed: the other host cannot be reached, refuses, or sends what is not wanted.
            RemoteTimeout: it did not end within `wanted.seconds`.
        """
        async with self._counted(errand, wanted):
            fetched = await self._follow(errand, wanted, validators)
        self.outcomes["ok" if fetched else "unchanged"] += 1
        return fetched

    async def post(self, errand: Errand, wanted: Wanted, body: bytes, media_type: str) -> bytes:
        """
        Send `body`, of at most MAX_SENT_BYTES, perhaps twice, and return what is answered.

        A redirect is not followed: what was meant for one host is told to no other.

        Raises:
            UrlRefused, RemoteFailed, RemoteTimeout: as `fetch`.
        """
        if len(body) > MAX_SENT_BYTES:
            raise ValueError(f"{len(body)} bytes are more than is sent")
        headers = {"Accept": wanted.accept, "Content-Type": media_type}
        async with self._counted(errand, wanted):
            try:
                answer = await self._ask(errand, wanted, headers, body)
            except RemoteFailed as error:
                if type(error.__cause__) not in CLOSED_BEFORE:
                    raise
                answer = await self._ask(errand, wanted, headers, body)
            if not isinstance(answer, Fetched):
                raise RemoteFailed(f"{errand.url.authority} leads elsewhere.")
        self.outcomes["ok"] += 1
        return answer.content

    @asynccontextmanager
    async def _counted(self, errand: Errand, wanted: Wanted) -> AsyncIterator[None]:
        """Wait for a place, give the block its time, and count how it fails."""
        try:
            # A place at the host first: nobody holds one of all places while he waits for it.
            async with (
                asyncio.timeout(wanted.seconds),
                self._places_at(errand.url.host),
                self._places,
            ):
                yield
        except TimeoutError as error:
            self.outcomes[RemoteTimeout.code] += 1
            raise RemoteTimeout(f"{errand.url.authority} did not answer in time.") from error
        except FileserviceError as error:
            self.outcomes[error.code] += 1
            raise

    def _places_at(self, host: str) -> asyncio.Semaphore:
        places = self._places_of.get(host)
        if places is None:
            places = self._places_of[host] = asyncio.Semaphore(MAX_AT_ONCE_PER_HOST)
        return places

    async def _follow(
        self, errand: Errand, wanted: Wanted, validators: Validators
    ) -> Fetched | None:
        headers = {"Accept": wanted.accept, **validators.fields}
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(errand, wanted, headers)
            if not isinstance(answer, str):
                return answer
            try:
                errand = errand.redirected(answer)
            except BadUrl as error:
                raise RemoteFailed(
                    f"{errand.url.authority} leads to what cannot be fetched: {error.detail}"
                ) from error
        raise RemoteFailed(f"{errand.url.authority} leads on and on.")

    async def _ask(
        self, errand: Errand, wanted: Wanted, headers: Mapping[str, str], body: bytes | None = None
    ) -> Fetched | str | None:
        """Send one request: return what came, or where it leads, or None for "not modified"."""
        url = errand.url
        with failures_of(url.authority), reaching(errand.reach):
            async with self.session.get().request(
                "GET" if body is None else "POST",
                str(url),
                data=body,
                headers=headers,
                ssl=self.session.tls(errand.reach),
                allow_redirects=False,
            ) as response:
                if response.status in REDIRECTS:
                    return _location(response, url.authority)
                if response.status == HTTPStatus.NOT_MODIFIED and len(headers) > 1:
                    return None
                return await _read(response, wanted, url.authority)


@contextmanager
def failures_of(host: str) -> Iterator[None]:
    """
    Say what it means that a request to `host` failed.

    Raises:
        UrlRefused, RemoteFailed, RemoteTimeout: see `Fetcher.fetch`.
    """
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, AddressRefused):
            raise UrlRefused(f"{host} has an address that nothing is fetched from.") from error
        raise RemoteFailed(f"{host} cannot be reached.") from error
    except aiohttp.ServerTimeoutError as error:
        raise RemoteTimeout(f"{host} did not answer in time.") from error
    except (aiohttp.ClientError, ValueError) as error:
        # ValueError: what aiohttp makes of some malformed heads.
        raise RemoteFailed(f"{host} broke off or sent no proper HTTP.") from error


def _location(response: aiohttp.ClientResponse, host: str) -> str:
    location = response.headers.get("Location")
    if location is None:
        raise RemoteFailed(f"{host} leads elsewhere, and does not say where.")
    return location


async def _read(response: aiohttp.ClientResponse, wanted: Wanted, host: str) -> Fetched:
    """Return the content, after the head said that it can be what is wanted."""
    _check_head(response, wanted, host)
    content = await _content(response, wanted, host)
    headers = response.headers
    return Fetched(content, Validators(headers.get("ETag", ""), headers.get("Last-Modified", "")))


def _check_head(response: aiohttp.ClientResponse, wanted: Wanted, host: str) -> None:
    if response.status != HTTPStatus.OK:
        raise RemoteFailed(f"{host} answered {response.status}.")
    coding = response.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise RemoteFailed(f"{host} sent its content encoded, which was not asked for.")
    kind = response.content_type
    if kind not in wanted.media_types and f"+{kind.rpartition('+')[2]}" not in wanted.media_types:
        raise RemoteFailed(f"{host} sent {kind}, not {wanted.accept}.")
    if response.content_length is not None and response.content_length > wanted.most_bytes:
        raise _too_large(wanted, host)


async def _content(response: aiohttp.ClientResponse, wanted: Wanted, host: str) -> bytes:
    """Return the content; it is given up as soon as it cannot be what is wanted."""
    pieces: list[bytes] = []
    size = 0
    checked = not wanted.beginnings
    longest = max(map(len, wanted.beginnings), default=0)
    async for piece in response.content.iter_chunked(BLOCK_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > wanted.most_bytes:
            raise _too_large(wanted, host)
        if not checked and size >= longest:
            checked = True
            if not b"".join(pieces).startswith(wanted.beginnings):
                raise _rubbish(wanted, host)
    if not checked:
        raise _rubbish(wanted, host)
    return b"".join(pieces)


def _too_large(wanted: Wanted, host: str) -> RemoteFailed:
    return RemoteFailed(f"{host} sent more than {wanted.most_bytes:,} bytes.")


def _rubbish(wanted: Wanted, host: str) -> RemoteFailed:
    return RemoteFailed(f"{host} says that it sent {wanted.accept}, and did not.")
