"""Panels of the home page: lists of other services, of which none can harm or hold up the page."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from fileservice import panels as module
from fileservice.fetch.copies import Freshness
from fileservice.panels import (
    LARGEST_PANEL_BYTES,
    MAX_ITEMS,
    PANEL_SECONDS,
    Item,
    Panels,
    read_items,
)
from tests.conftest import Server, free_port, serving
from tests.otherhosts import fetching, give, listed, other_host

BIDI = "\u202e"

HOSTILE_ENTRIES = (
    {"title": "<script>location='/ran'</script>", "url": "javascript:location='/ran'"},
    {"title": "\"><img src=x onerror=location='/ran'>", "url": 'https://a.example/"onmouseover="x'},
    {"title": "{{ 7|add:7 }}{% debug %}", "text": "</bdi></main><h1>Mine</h1>"},
    "half \ud800",
    "W" * 10_000,
)


@pytest.mark.parametrize(
    ("entry", "item"),
    [
        ("plain", Item("plain")),
        ({"title": "a"}, Item("a")),
        (
            {"title": "a", "url": "https://a.example/b?c=d#e", "text": "f"},
            Item("a", "https://a.example/b?c=d#e", "f"),
        ),
        ({"title": "a", "url": "HTTP://a.example"}, Item("a", "HTTP://a.example")),
        (
            {"title": "a", "url": "http://[2001:db8::1]:8080/"},
            Item("a", "http://[2001:db8::1]:8080/"),
        ),
        ({"title": " a \n b\t", "text": "\u00a0"}, Item("a b")),
        ({"title": "a", "price": 3, "text": 4}, Item("a")),
        ("\u0418\u0432\u0430\u043d", Item("\u0418\u0432\u0430\u043d")),
        ("<script>alert(1)</script>", Item("<script>alert(1)</script>")),
        (f"a{BIDI}b", Item("ab")),
        ("nul\x00 esc\x1b[31m del\x7f", Item("nul esc[31m del")),
        ("half \ud800", Item("half")),
        ("x" * 301, Item("x" * 299 + "\u2026")),
        ("e" + "\u0301" * 5000, Item("\u00e9" + "\u0301" * 7)),
    ],
)
def test_an_entry_is_read(entry: object, item: Item) -> None:
    assert read_items(listed(entry)) == (item,)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//a.example/",
        "/relative",
        "relative",
        "https:a.example",
        "https:///a.example",
        "https://",
        "http://user@a.example/",
        "http://a.example\\@b.example/",
        "https://a.example/ b",
        "https://a.example/\\b",
        'https://a.example/"onmouseover="x',
        "https://a.example/<b>",
        "https://a.example/\u202eb",
        "https://\u0430.example/",
        f"https://a.example/{'b' * 2048}",
        None,
        7,
        ["https://a.example/"],
    ],
)
def test_what_is_no_plain_link_is_no_link(url: object) -> None:
    assert read_items(listed({"title": "a", "url": url})) == (Item("a"),)


@pytest.mark.parametrize(
    "entry", ["", " \n", BIDI, None, 7, [], ["a"], {}, {"title": 7}, {"a": "b"}]
)
def test_an_entry_of_another_shape_is_passed_over(entry: object) -> None:
    assert read_items(listed("a", entry, "b")) == (Item("a"), Item("b"))


def test_of_a_long_list_the_first_are_taken() -> None:
    items = read_items(listed(*map(str, range(1000))))

    assert items == tuple(Item(str(number)) for number in range(MAX_ITEMS))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"items"',
        b"{}",
        b'{"items": {}}',
        b'{"items": null}',
        b'{"items": ["a"]',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"items":' * 5_000,
        b'{"items": [' + b"9" * 10_000 + b"]}",
    ],
    ids=range(13),
)
def test_what_is_no_list_of_items_is_none(content: bytes) -> None:
    assert read_items(content) is None


async def test_panels_are_fetched_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def answer(_: web.Request) -> web.Response:
        await both.wait()
        return web.json_response({"items": ["a"]})

    async with other_host(answer) as host, fetching() as fetcher:
        panels = Panels(fetcher, {"one": host.url("/1"), "two": host.url("/2")})
        one, two = await panels.all()
        await panels.close()

    assert (one.title, two.title) == ("one", "two")
    assert one.items == two.items == (Item("a"),)


async def test_many_visitors_cause_one_fetch() -> None:
    async with other_host(give("a")) as host, fetching() as fetcher:
        panels = Panels(fetcher, {"a": host.url()})
        await asyncio.gather(*(panels.all() for _ in range(50)))
        await panels.close()

        assert len(host.requests) == 1
        assert host.requests[0].headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    ("options", "trouble"),
    [
        ({"status": 500}, "does not answer"),
        ({"content_type": "text/html"}, "does not answer"),
        ({"body": b"x" * (LARGEST_PANEL_BYTES + 1)}, "does not answer"),
        ({"headers": {"Content-Encoding": "gzip"}}, "does not answer"),
        ({"body": b"[]"}, "sent no list"),
    ],
)
async def test_a_service_that_fails_leaves_its_last_list_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    trouble: str,
) -> None:
    monkeypatch.setattr(module, "FRESHNESS", Freshness(fresh=0, old=0))
    answer = give("a")
    async with other_host(answer) as host, fetching() as fetcher:
        panels = Panels(fetcher, {"a_b": host.url()})
        [good] = await panels.all()
        answer.options = options
        [bad] = await panels.all()
        await panels.all()
        answer.options = {}
        [mended] = await panels.all()
        await panels.close()

    assert (good.title, good.items, good.trouble) == ("a b", (Item("a"),), "")
    assert (bad.items, bad.as_of) == (good.items, good.as_of)
    assert trouble in bad.trouble
    assert caplog.text.count("panel a_b") == 1
    assert mended.trouble == ""


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def page_of(server: Server) -> str:
    answer = await asyncio.to_thread(server.ask, "GET", "/", headers={"Accept": "text/html"})
    assert answer.status == 200
    return answer.text


@contextmanager
def served(migrated: Path, *panels: str, **options: str) -> Iterator[Server]:
    """Serve with these panels, each name=URL."""
    with serving(migrated, HOME_PANELS=" ".join(panels), **options) as running:
        yield running


async def test_the_home_page_shows_the_panels_in_their_order(migrated: Path) -> None:
    promotion = {"title": "Half price", "url": "https://shop.example/?a=1&b=2", "text": "Today"}
    async with other_host(give(promotion, "No link")) as host:
        with served(
            migrated, f"Spécial_offers={host.url('/1')}", f"news={host.url('/2')}"
        ) as server:
            page = await page_of(server)

    titles = re.findall(r"<h2 id=\"panel-\d\"><bdi>(.*?)</bdi></h2>", page)
    assert titles == ["Spécial offers", "news"]
    assert 'href="https://shop.example/?a=1&amp;b=2" rel="external noopener noreferrer"' in page
    assert "Half price" in page
    assert "Today" in page
    assert "<bdi>No link</bdi>" in page


async def test_a_dead_service_costs_its_own_panel_only(migrated: Path) -> None:
    async with other_host(give("All is well")) as host:
        with (
            silent_port() as silent,
            served(
                migrated,
                f"good={host.url()}",
                f"silent=http://127.0.0.1:{silent}/",
                f"refused=http://127.0.0.1:{free_port()}/",
                "nowhere=http://nowhere.invalid/",
            ) as server,
        ):
            began = monotonic()
            page = await page_of(server)
            first = monotonic() - began
            again = await page_of(server)

    assert first < 5 * PANEL_SECONDS  # one wait for all, not one for each
    assert "All is well" in page
    assert page.count("This service does not answer now.") == 3
    assert again.count("This service does not answer now.") == 3


async def test_hostile_lists_are_shown_as_harmless_text(migrated: Path) -> None:
    async with other_host(give(*HOSTILE_ENTRIES)) as host:
        with served(migrated, f"hostile={host.url()}") as server:
            page = await page_of(server)

    assert "<script" not in page
    assert "<img src=x" not in page
    assert "javascript:" not in page
    assert '"onmouseover' not in page
    assert page.count("<h1") == 1
    assert "{{ 7|add:7 }}" in page
    assert "half</bdi>" in page


async def test_strangers_to_a_private_service_see_no_panel(migrated: Path) -> None:
    async with other_host(give("Secret")) as host:
        token = {"ACCESS": "private", "TOKEN": "correct-horse-battery-staple-0123456789"}
        with served(migrated, f"internal={host.url()}", **token) as server:
            page = await page_of(server)

        assert "Secret" not in page
        assert host.requests == []


async def test_a_terminal_and_a_program_wait_for_no_panel(migrated: Path) -> None:
    async with other_host(give("Secret")) as host:
        with served(migrated, f"a={host.url()}") as server:
            for accept in ("*/*", "application/json"):
                await asyncio.to_thread(server.ask, "GET", "/", headers={"Accept": accept})

        assert host.requests == []
