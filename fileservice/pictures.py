"""Pictures of templates' pages, made by child processes, each once for all who look."""

import asyncio
import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from fileservice.compilation import Compiler, write_whole
from fileservice.errors import NotFound, ServiceUnavailable
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.overlays import overlay
from fileservice.pdf.proofs import proof
from fileservice.pdf.sandbox import draw_apart
from fileservice.tasks import Flights

# Each may take 640 MB and 10 s of a core.
MAX_CHILDREN = 2
# Of those who wait for one, each for a second as a rule.
MAX_WAITING = 32
RETRY_SECONDS = 5
# Of templates that are not kept on the disk; 8 MB at most each, 0.3 as a rule.
MAX_HELD = 8


class Picture(NamedTuple):
    """
    A PNG.

    Attributes:
        sha256: in hexadecimal.
        made_at: when, as far as is known.
    """

    content: bytes
    sha256: str
    made_at: datetime


class Pictures:
    """
    Makes the pictures, a few at once.

    Attributes:
        compiler: whose folder has the pictures too, beside the plans, of what is kept there.
    """

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self._children = asyncio.Semaphore(MAX_CHILDREN)
        self._waiting = 0
        self._held: OrderedDict[Path, Picture] = OrderedDict()
        self._flights: Flights[Path, Picture] = Flights()

    async def close(self) -> None:
        """Stop what is being made; its child process is ended."""
        await self._flights.close()

    async def preview(self, template: CompiledTemplate, page: int) -> Picture:
        """
        Return a page, from 1, with its placeholders boxed.

        Raises:
            NotFound: the template has no such page.
            NotDrawn: no picture can be made of it.
            ServiceUnavailable: too many are being made.
        """
        check_page(template, page)
        plan = self.compiler.file_of(template.plan)
        file = plan.with_name(f"{plan.name}-{page}.png")
        picture = self._held.get(file) or await asyncio.to_thread(_read_picture, file)
        if picture is not None:
            return picture
        return await self._flights.join(file, lambda: self._make(template, page, file))

    async def filled(self, template: CompiledTemplate, content: bytes, page: int) -> bytes:
        """
        Return a page of `content`, a certificate made with `template`; it is not kept.

        Raises:
            NotFound, NotDrawn, ServiceUnavailable: as `preview`.
        """
        check_page(template, page)
        return await self._drawn(content, page)

    async def _make(self, template: CompiledTemplate, page: int, file: Path) -> Picture:
        placements = template.plan.placements
        before = sum(each.page < page for each in placements)
        here = [each for each in placements if each.page == page]
        boxes = overlay(template.plan.sheets[page - 1], here, before + 1)
        content = await self._drawn(proof(template), page, boxes)
        if await asyncio.to_thread(self.compiler.file_of(template.plan).exists):
            await asyncio.to_thread(write_whole, file, content)
            return _picture(content, datetime.now(UTC))
        self._held[file] = _picture(content, datetime.now(UTC))
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        return self._held[file]

    async def _drawn(self, content: bytes, page: int, boxes: bytes = b"") -> bytes:
        if self._waiting >= MAX_WAITING:
            raise ServiceUnavailable(
                "Too many pictures are being made; try again soon.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        self._waiting += 1
        try:
            async with self._children:
                return await draw_apart(content, page, boxes)
        finally:
            self._waiting -= 1


def check_page(template: CompiledTemplate, page: int) -> None:
    """
    See that a template has a page.

    Raises:
        NotFound: it does not.
    """
    if not 1 <= page <= len(template.plan.sheets):
        raise NotFound(f"The template has no page {page}.")


def _picture(content: bytes, made_at: datetime) -> Picture:
    return Picture(content, hashlib.sha256(content).hexdigest(), made_at)


def _read_picture(file: Path) -> Picture | None:
    """Return the picture that some worker kept; None when there is none."""
    try:
        made_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return _picture(file.read_bytes(), made_at)
    except OSError:
        return None
