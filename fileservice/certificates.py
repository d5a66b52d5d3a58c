"""Certificates: which template, compiled when, filled with what."""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fileservice.errors import BadValue, NotFound
from fileservice.pdf.errors import TemplateError
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, shipped_fonts
from fileservice.pdf.plans import ENGINE_VERSION, Plan
from fileservice.pdf.sandbox import compile_apart

DEFAULT_TEMPLATE = "certificate"
TEMPLATE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
LONGEST_ZONE_NAME = 64  # the longest today has 32 characters
COMPILED_FOLDER = ".compiled"
# Crockford's base 32: no letter that looks like a digit. 26 of them are 130 random bits.
NUMBER_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 26


class Stamp(NamedTuple):
    """What changes when a file does."""

    path: str
    modified_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What a template file came to, as of `stamp`."""

    stamp: Stamp
    outcome: CompiledTemplate | TemplateError


class Templates:
    """
    The folder of templates; each is compiled when first asked for, and again when its file changes.

    Attributes:
        folder: where the operator's templates are, as `<name>.pdf`; what is compiled is kept below
            it, for all workers.
        shipped: the folder of those that come with the package, for names that `folder` lacks.
    """

    def __init__(self, folder: Path, shipped: Path) -> None:
        self.folder = folder
        self.shipped = shipped
        self.fonts: FontSet = shipped_fonts()
        self._kept: dict[str, Kept] = {}
        self._compiling: dict[Stamp, asyncio.Task[Kept]] = {}

    async def close(self) -> None:
        """Stop what is being compiled; its child process is ended."""
        tasks = list(self._compiling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def get(self, name: str) -> CompiledTemplate:
        """
        Return the template `name`.

        Raises:
            NotFound: there is none of this name.
            TemplateError: its file cannot be filled.
        """
        stamp = self._stamp(name)
        kept = self._kept.get(name)
        if kept is None or kept.stamp != stamp:
            kept = self._kept[name] = await self._compiled_once(stamp)
        if isinstance(kept.outcome, TemplateError):
            raise type(kept.outcome)(kept.outcome.detail)
        return kept.outcome

    def _stamp(self, name: str) -> Stamp:
        if not TEMPLATE_NAME.fullmatch(name):
            raise NotFound(f"No template can have the name {name!r}.")
        # No hop to a thread, no Path: a stat of a file in use takes 2 microseconds, a hop 60.
        for path in (f"{self.folder}/{name}.pdf", f"{self.shipped}/{name}.pdf"):
            try:
                status = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
            return Stamp(path, status.st_mtime_ns, status.st_size, status.st_ino)
        raise NotFound(f"There is no template {name!r}.")

    async def _compiled_once(self, stamp: Stamp) -> Kept:
        """Compile for all who wait: one who leaves stops nobody."""
        task = self._compiling.get(stamp)
        if task is None:
            task = self._compiling[stamp] = asyncio.create_task(self._compile(stamp))
            task.add_done_callback(lambda _: self._compiling.pop(stamp))
        return await asyncio.shield(task)

    async def _compile(self, stamp: Stamp) -> Kept:
        content = await asyncio.to_thread(Path(stamp.path).read_bytes)
        digest = hashlib.sha256(content).hexdigest()
        name = f"{digest}-{ENGINE_VERSION}-{self.fonts.fingerprint}"
        file = self.folder / COMPILED_FOLDER / name
        try:
            plan = await asyncio.to_thread(_read_plan, file)
            if plan is None:
                plan = await compile_apart(content)
                await asyncio.to_thread(_write_plan, file, plan)
            return Kept(stamp, CompiledTemplate(plan, self.fonts))
        except TemplateError as error:
            return Kept(stamp, error)


async def render(
    templates: Templates, name: str, values: Mapping[str, str], *, now: datetime, zone: ZoneInfo
) -> bytes:
    """
    Return a certificate from the template `name`, dated `now` as clocks in `zone` show it.

    Nothing of it is stored; where the template asks for `%id%` it gets a number of its own.

    Raises:
        NotFound, TemplateError: as `Templates.get`.
        BadValue: a value is missing, unknown, cannot be drawn or does not fit.
    """
    template = await templates.get(name)
    if "id" in values:
        raise BadValue("The number cannot be given: each certificate gets one of its own.")
    if "id" in template.fields:
        values = {**values, "id": new_number()}
    return template.fill(values, issued_at=now.astimezone(zone))


def new_number() -> str:
    """Return the number of a new certificate, which nobody can guess."""
    return "".join(secrets.choice(NUMBER_LETTERS) for _ in range(NUMBER_LENGTH))


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """
    Return the time zone that IANA calls `name`.

    Raises:
        BadValue: there is none.
    """
    unknown = BadValue(f"There is no time zone {name!r}; use a name such as UTC or Europe/Berlin.")
    # tzdata looks for the name as a file, and a file system refuses one that is too long.
    if len(name) > LONGEST_ZONE_NAME or not ZONE_NAME.fullmatch(name):
        raise unknown
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, IsADirectoryError, ValueError) as error:
        raise unknown from error


def _read_plan(file: Path) -> Plan | None:
    """Return the plan that some worker kept; None when there is none, or it is not whole."""
    try:
        return Plan.from_bytes(file.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with it, it can be made anew from the template.
        return None


def _write_plan(file: Path, plan: Plan) -> None:
    """Keep `plan` for other workers and the next start, where there is a folder and room for it."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    # A folder that is read-only or full costs the next worker a tenth of a second, and nobody more.
    with suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        draft.write_bytes(plan.to_bytes())
        draft.replace(file)
