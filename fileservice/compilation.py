"""Templates compiled by their content: one for all who ask, wherever it came from."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from fileservice.pdf.authoring import Kind
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, open_fonts
from fileservice.pdf.packing import pack, unpack
from fileservice.pdf.plans import ENGINE_VERSION, Plan
from fileservice.pdf.sandbox import author_apart, compile_apart

log = logging.getLogger("fileservice.templates")
# A child may take 640 MB and 10 s of a core, and other hosts have a say in how many are started.
MAX_CHILDREN = 2


class Compiler:
    """
    Compiles templates in child processes, a few at once.

    Attributes:
        folder: where plans are kept for other workers and the next start.
        fonts: what values are drawn with; indexed once, so that a change needs a new start.
    """

    def __init__(self, folder: Path, font_folders: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.fonts: FontSet = open_fonts(font_folders)
        self._children = asyncio.Semaphore(MAX_CHILDREN)
        self._compiled: WeakValueDictionary[str, CompiledTemplate] = WeakValueDictionary()

    async def compile(self, content: bytes, *, keep: bool, side: bytes = b"") -> CompiledTemplate:
        """
        Return the template that `content` is; `keep` says whether its plan is worth the disk.

        `side` is the file beside it, which says how its values are set.

        Raises:
            TemplateError: it cannot be filled.
        """
        name = _name(content, side)
        template = self._compiled.get(name)
        if template is None:
            plan = await self._plan(name, content, side, keep=keep)
            template = self._compiled[name] = CompiledTemplate(plan, self.fonts)
        return template

    async def author(
        self, source: bytes, kind: Kind, folder: Path, side: bytes = b""
    ) -> CompiledTemplate:
        """
        Return the template that `source` is written to be; `folder` has its pictures.

        It is not kept: what it draws depends on more than `source`.

        Raises:
            TemplateError: it cannot be made or filled.
        """
        async with self._children:
            content = await author_apart(source, kind, folder)
            return CompiledTemplate(await self._compiled_apart(content, side), self.fonts)

    def file_of(self, plan: Plan) -> Path:
        """Return where a plan is, if it is kept; pictures of its pages stand beside it."""
        return self._file(_joined(plan.digest, plan.side))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}-{ENGINE_VERSION}-{self.fonts.fingerprint}"

    async def _plan(self, name: str, content: bytes, side: bytes, *, keep: bool) -> Plan:
        file = self._file(name)
        plan = await asyncio.to_thread(_read_plan, file)
        if plan is None:
            async with self._children:
                plan = await self._compiled_apart(content, side)
            if keep:
                await asyncio.to_thread(write_whole, file, pack(plan))
        return plan

    async def _compiled_apart(self, content: bytes, side: bytes) -> Plan:
        plan = await compile_apart(content, self.fonts, side)
        for sentence in plan.lost:
            log.warning("template %s: %s", plan.digest[:12], sentence)
        return plan


def _name(content: bytes, side: bytes) -> str:
    """Return what a template and the file beside it are known by."""
    digests = [hashlib.sha256(each).hexdigest() if each else "" for each in (content, side)]
    return _joined(*digests)


def _joined(digest: str, side: str) -> str:
    return f"{digest}-{side[:16]}" if side else digest


def _read_plan(file: Path) -> Plan | None:
    """Return the plan that some worker kept; None when there is none, or it is not whole."""
    try:
        return unpack(file.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with it, it can be made anew from the template.
        return None


def write_whole(file: Path, content: bytes) -> None:
    """Keep `content` for other workers and the next start, where there is a folder and room."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    # A folder that is read-only or full costs the next worker a moment, and nobody more.
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
