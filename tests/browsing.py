"""A tab of a real browser that keeps account of what it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = playwright.expect  # waits for what it expects, as long as a page may take to come

# Playwright's own types are not there where types are checked.
type Browser = Any
type Page = Any
type Locator = Any


@dataclass
class Tab:
    """
    A page, and what it did beside being shown.

    Attributes:
        asked: every address it asked for.
        complaints: what the browser says of broken policies.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.complaints.append(message.text)

    @property
    def origins(self) -> set[str]:
        parts = [urlsplit(url) for url in self.asked]
        return {f"{part.scheme}://{part.netloc}" for part in parts if part.scheme != "data"}


@asynccontextmanager
async def opened(browser: Browser, **options: object) -> AsyncIterator[Tab]:
    """Give a tab of a profile of its own."""
    context = await browser.new_context(**options)
    tab = Tab(await context.new_page())
    context.on("request", lambda request: tab.asked.append(request.url))
    context.on("console", tab.hear)
    yield tab
    await context.close()


def named(name: str, content: bytes) -> dict[str, object]:
    """Return a file as if chosen from a disk."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def send(page: Page, url: str, *files: dict[str, object]) -> None:
    """Send files by the form of the home page."""
    await page.goto(url)
    await page.get_by_label("Choose files").set_input_files(files)
    await page.get_by_role("button", name="Send").click()


def names_on(page: Page) -> Locator:
    return page.get_by_role("heading", level=3)


def title_of(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


async def saved(page: Page, role: str, name: str) -> tuple[str, bytes]:
    """Click, and return under which name what is saved."""
    async with page.expect_download() as started:
        await page.get_by_role(role, name=name, exact=True).click()
    download = await started.value
    content = await asyncio.to_thread(Path(await download.path()).read_bytes)
    return download.suggested_filename, content
