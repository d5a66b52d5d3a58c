"""The templates that lie on other hosts: fetched, compiled, kept, and asked about again."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fileservice.compilation import Compiler, write_whole
from fileservice.errors import FileserviceError, RemoteTimeout
from fileservice.fetch.copies import Copies, Freshness
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import Fetched, Fetcher, Validators, Wanted
from fileservice.pdf.filling import CompiledTemplate
from fileservice.remoteurls import RemoteUrl
from fileservice.storage.disk import unchanged

log = logging.getLogger("fileservice.templates")

LARGEST_TEMPLATE_BYTES = 10 << 20
FETCH_SECONDS = 8.0
# What a first request waits for: the fetch, and as a rule the compiling.
FIRST_SECONDS = 10.0
FRESHNESS = Freshness(fresh=60.0, old=600.0)
MAX_URLS = 32
DRAFT_AGE = timedelta(days=1)
PDF = Wanted(
    accept="application/pdf",
    media_types=frozenset({"application/pdf"}),
    beginnings=(b"%PDF-1.", b"%PDF-2."),
    most_bytes=LARGEST_TEMPLATE_BYTES,
    seconds=FETCH_SECONDS,
)


@dataclass(frozen=True, slots=True)
class RemoteTemplate:
    """
    A template as another host had it.

    Attributes:
        trouble: why there is no newer one, as a sentence; empty when it is up to date.
    """

    template: CompiledTemplate
    validators: Validators
    trouble: str = ""


class RemoteTemplates:
    """
    Templates of names that the operator gave URLs, and of URLs on hosts that the operator listed.

    Attributes:
        urls: the URL of each name.
        hosts: where requests may name templates at, with ports.
        folder: where the last good copies of the names are kept for the next start.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        compiler: Compiler,
        *,
        urls: Mapping[str, RemoteUrl],
        hosts: frozenset[tuple[str, int]],
        folder: Path,
    ) -> None:
        self.fetcher = fetcher
        self.compiler = compiler
        self.urls = urls
        self.hosts = hosts
        self.folder = folder
        # Apart, so that no request can push the copy of a name out.
        self._named = Copies(self._named_template, FRESHNESS, most=len(urls))
        self._linked = Copies(self._linked_template, FRESHNESS, most=MAX_URLS)

    async def close(self) -> None:
        """Stop what is being fetched or compiled."""
        await self._named.close()
        await self._linked.close()

    async def named(self, name: str) -> CompiledTemplate:
        """
        Return the template of a name in `urls`.

        Raises:
            RemoteFailed, RemoteTimeout: it cannot be had, and there is no copy.
            TemplateError: it cannot be filled.
        """
        return await _in_time(self._named, name, self.urls[name].authority)

    async def linked(self, url: str) -> CompiledTemplate:
        """
        Return the template at a URL that came with a request.

        Raises:
            BadUrl, UrlRefused: it may not be fetched.
            RemoteFailed, RemoteTimeout, TemplateError: as `named`.
        """
        errand = Errand.of_request(url, self.hosts)
        return await _in_time(self._linked, errand, errand.url.authority)

    def troubles(self) -> dict[str, str]:
        """Return why a copy is old, by the name of the template or the host of its URL."""
        named = [(name, kept.trouble) for name, kept in self._named.values()]
        linked = [(errand.url.authority, kept.trouble) for errand, kept in self._linked.values()]
        return {what: trouble for what, trouble in named + linked if trouble}

    def tidy(self) -> None:
        """Remove day-old copies that belong to no name any more, and drafts of dead workers."""
        ours = {self._file(url) for url in self.urls.values()}
        with suppress(FileNotFoundError):
            for file in set(unchanged(self.folder, datetime.now(UTC) - DRAFT_AGE)) - ours:
                file.unlink()

    def _file(self, url: RemoteUrl) -> Path:
        return self.folder / hashlib.sha256(str(url).encode()).hexdigest()

    async def _named_template(self, name: str, before: RemoteTemplate | None) -> RemoteTemplate:
        url = self.urls[name]
        file = self._file(url)
        if before is None:
            before = await self._from_disk(file)
        return await self._newer(Errand.of_operator(url), before, file)

    async def _linked_template(
        self, errand: Errand, before: RemoteTemplate | None
    ) -> RemoteTemplate:
        return await self._newer(errand, before, None)

    async def _newer(
        self, errand: Errand, before: RemoteTemplate | None, file: Path | None
    ) -> RemoteTemplate:
        """
        Return the template as it is now, or `before` with what is in the way of a newer one.

        A newer one is kept in `file`, for the next start.
        """
        validators = before.validators if before else Validators()
        try:
            fetched = await self.fetcher.fetch(errand, PDF, validators)
            if fetched is None:
                assert before is not None  # noqa: S101  # else nothing was asked that could hold
                return replace(before, trouble="")
            # Its plan is not kept: a host that draws its PDF anew each time would fill the disk.
            template = await self.compiler.compile(fetched.content, keep=False)
        except FileserviceError as error:
            if before is None:
                log.warning("template %s: %s", errand.url.public, error.detail)
                raise
            return _troubled(errand, before, error)
        after = RemoteTemplate(template, fetched.validators)
        if file is not None and (before is None or after != replace(before, trouble="")):
            await asyncio.to_thread(write_whole, file, _packed(fetched))
        return after

    async def _from_disk(self, file: Path) -> RemoteTemplate | None:
        """Return the last good copy of an earlier start, if it is there and whole."""
        fetched = await asyncio.to_thread(_unpacked, file)
        if fetched is None:
            return None
        try:
            template = await self.compiler.compile(fetched.content, keep=False)
        except FileserviceError:
            return None  # the engine of today does not take it
        return RemoteTemplate(template, fetched.validators)


async def _in_time[K: Hashable](
    copies: Copies[K, RemoteTemplate], key: K, host: str
) -> CompiledTemplate:
    try:
        async with asyncio.timeout(FIRST_SECONDS):
            return (await copies.get(key)).template
    except TimeoutError as error:
        raise RemoteTimeout(f"{host} or its template is too slow; try again soon.") from error


def _troubled(errand: Errand, before: RemoteTemplate, error: FileserviceError) -> RemoteTemplate:
    """Return `before` as a copy that is old since now, or since it first was."""
    if before.trouble:
        return before
    log.warning("template %s: the last good copy serves: %s", errand.url.public, error.detail)
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return replace(before, trouble=f"the last good copy serves since {since}: {error.detail}")


def _packed(fetched: Fetched) -> bytes:
    """Return what `_unpacked` reads: a line of JSON, and the content."""
    digest = hashlib.sha256(fetched.content).hexdigest()
    head = json.dumps({"sha256": digest, **asdict(fetched.validators)})
    return head.encode() + b"\n" + fetched.content


def _unpacked(file: Path) -> Fetched | None:
    """Return the copy in `file`; None when there is none, or it is not whole."""
    try:
        line, _, content = file.read_bytes().partition(b"\n")
        head = json.loads(line)
        if head["sha256"] != hashlib.sha256(content).hexdigest():
            return None
        return Fetched(content, Validators(head["etag"], head["last_modified"]))
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with it, the other host has it too.
        return None
