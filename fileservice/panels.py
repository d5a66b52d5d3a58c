"""The panels of the home page: short lists that other services have."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fileservice.errors import FileserviceError
from fileservice.fetch.copies import Copies, Freshness
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import Fetcher, Wanted
from fileservice.names import settled
from fileservice.remoteurls import RemoteUrl

log = logging.getLogger("fileservice.panels")

LARGEST_PANEL_BYTES = 1 << 16
PANEL_SECONDS = 2.0
FRESHNESS = Freshness(fresh=10.0, old=300.0)
MAX_ITEMS = 20
MAX_TEXT_CHARACTERS = 300
MAX_LINK_CHARACTERS = 2048
NEVER_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Host and port without a user, which could pass for a host; the rest as long as nothing in it is
# what a browser strips or turns (WHATWG URL 4.4) or what ends an attribute.
LINK = re.compile(
    r"https?://[A-Za-z0-9.\[\]:-]+(?:[/?#][!#-;=?-\[\]-~]*)?", re.ASCII | re.IGNORECASE
)
JSON = Wanted(
    accept="application/json",
    media_types=frozenset({"application/json", "+json"}),
    beginnings=(),
    most_bytes=LARGEST_PANEL_BYTES,
    seconds=PANEL_SECONDS,
)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a panel; `url` and `text` may be empty."""

    title: str
    url: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """
    A list of another service, as of its last good answer.

    Attributes:
        trouble: why it is not newer, as a sentence; empty while the service answers.
        as_of: when the service last gave a list; None if it never did.
    """

    title: str
    items: tuple[Item, ...] = ()
    trouble: str = ""
    as_of: datetime | None = None


class Panels:
    """
    The panels that the operator named, each fetched once for all visitors of ten seconds.

    Attributes:
        urls: where each is, by its name, in the order of the page.
    """

    def __init__(self, fetcher: Fetcher, urls: Mapping[str, RemoteUrl]) -> None:
        self.fetcher = fetcher
        self.urls = urls
        self._copies = Copies(self._panel, FRESHNESS, most=len(urls))

    async def close(self) -> None:
        """Stop what is being fetched."""
        await self._copies.close()

    async def all(self) -> list[Panel]:
        """Return every panel; one that is slow or dead says so after two seconds at most."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._copies.get(name)) for name in self.urls]
        return [task.result() for task in tasks]

    async def _panel(self, name: str, before: Panel | None) -> Panel:
        url = self.urls[name]
        before = before or Panel(name.replace("_", " "))
        try:
            fetched = await self.fetcher.fetch(Errand.of_operator(url), JSON)
        except FileserviceError as error:
            return _troubled(name, before, "This service does not answer now.", error.detail)
        assert fetched is not None  # noqa: S101  # nothing was asked that could hold
        items = read_items(fetched.content)
        if items is None:
            return _troubled(name, before, "This service sent no list.", url.public)
        return Panel(before.title, items, as_of=datetime.now(UTC))


def _troubled(name: str, before: Panel, trouble: str, why: str) -> Panel:
    if not before.trouble:
        log.warning("panel %s: %s (%s)", name, trouble, why)
    return replace(before, trouble=trouble)


def read_items(content: bytes) -> tuple[Item, ...] | None:
    """
    Read `{"items": [{"title", "url", "text"} or "title", ...]}`; None where it is something else.

    Entries of another shape are passed over, so are links but to http and https; long texts are
    cut, and of a long list only the first are taken.
    """
    try:
        sent = json.loads(content)
    except (ValueError, RecursionError):
        return None
    entries = sent.get("items") if isinstance(sent, dict) else None
    if not isinstance(entries, list):
        return None
    items = (_item(entry) for entry in entries[:MAX_ITEMS])
    return tuple(item for item in items if item is not None)


def _item(entry: object) -> Item | None:
    if isinstance(entry, str):
        entry = {"title": entry}
    if not isinstance(entry, dict):
        return None
    title = _text(entry.get("title"))
    return Item(title, _link(entry.get("url")), _text(entry.get("text"))) if title else None


def _text(value: object) -> str:
    """Return a text on one line, without what is invisible or turns the direction of others."""
    if not isinstance(value, str):
        return ""
    # JSON can spell half a character ("\ud800"), which no page can be written with.
    shown = NEVER_SHOWN.sub("", " ".join(value[: MAX_TEXT_CHARACTERS * 2].split()))
    text = settled(shown).strip()
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[: MAX_TEXT_CHARACTERS - 1].rstrip()}\u2026"


def _link(value: object) -> str:
    """Return an absolute http or https URL as it is, and anything else as no link."""
    if not isinstance(value, str) or len(value) > MAX_LINK_CHARACTERS:
        return ""
    return value if LINK.fullmatch(value) else ""
