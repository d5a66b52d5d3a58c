"""The templates that lie in a folder of this machine."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fileservice.compilation import Compiler
from fileservice.errors import NotFound
from fileservice.options import TEMPLATE_NAME
from fileservice.pdf.errors import TemplateError
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.sidefiles import MAX_SIDE_FILE_BYTES
from fileservice.tasks import Flights

# Of files with one name the first comes first.
SUFFIXES = (".pdf", ".html", ".typ")


class Stamp(NamedTuple):
    """What changes when a template's file does, or the one beside it."""

    path: str
    modified_ns: int
    size: int
    inode: int
    side: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a template file came to, as of `stamp`."""

    stamp: Stamp
    outcome: CompiledTemplate | TemplateError


class LocalTemplates:
    """
    The folder of templates; each is compiled when first asked for, and again when its file changes.

    Attributes:
        folder: where the operator's templates are: `<name>.pdf`, `<name>.html` or `<name>.typ`.
        shipped: the folder of those that come with the package, for names that `folder` lacks.
    """

    def __init__(self, folder: Path, shipped: Path, compiler: Compiler) -> None:
        self.folder = folder
        self.shipped = shipped
        self.compiler = compiler
        self._kept: dict[str, Kept] = {}
        self._flights: Flights[Stamp, Kept] = Flights()

    async def close(self) -> None:
        """Stop what is being compiled; its child process is ended."""
        await self._flights.close()

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
            kept = self._kept[name] = await self._flights.join(stamp, lambda: self._compile(stamp))
        if isinstance(kept.outcome, TemplateError):
            raise type(kept.outcome)(kept.outcome.detail)
        return kept.outcome

    async def names(self) -> list[str]:
        """Return the names of the templates in the two folders, in the order of the alphabet."""
        return await asyncio.to_thread(self._names)

    def _names(self) -> list[str]:
        found = [
            *(path for kind in SUFFIXES for path in self.folder.glob(f"*{kind}")),
            *self.shipped.glob("*.pdf"),
        ]
        return sorted({path.stem for path in found if TEMPLATE_NAME.fullmatch(path.stem)})

    def _stamp(self, name: str) -> Stamp:
        if not TEMPLATE_NAME.fullmatch(name):
            raise NotFound(f"No template can have the name {name!r}.")
        # No hop to a thread, no Path: a stat of a file in use takes 2 microseconds, a hop 60.
        for path in (
            *(f"{self.folder}/{name}{kind}" for kind in SUFFIXES),
            f"{self.shipped}/{name}.pdf",
        ):
            try:
                status = os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
            side = _stat(side_file(path))
            return Stamp(path, status.st_mtime_ns, status.st_size, status.st_ino, side)
        raise NotFound(f"There is no template {name!r}.")

    async def _compile(self, stamp: Stamp) -> Kept:
        content = await asyncio.to_thread(Path(stamp.path).read_bytes)
        side = await asyncio.to_thread(read_side, stamp.path)
        try:
            if stamp.path.endswith(".html"):
                return Kept(stamp, await self.compiler.author(content, "html", self.folder, side))
            if stamp.path.endswith(".typ"):
                return Kept(stamp, await self.compiler.author(content, "typ", self.folder, side))
            return Kept(stamp, await self.compiler.compile(content, keep=True, side=side))
        except TemplateError as error:
            return Kept(stamp, error)


def side_file(path: str) -> str:
    """Return the path of the file that says how the values of a template are set."""
    return f"{path.rpartition('.')[0]}.template.json"


def read_side(path: str) -> bytes:
    """Return what stands beside the template at `path`; nothing, when there is nothing."""
    try:
        with Path(side_file(path)).open("rb") as file:
            return file.read(MAX_SIDE_FILE_BYTES + 1)
    except FileNotFoundError:
        return b""


def _stat(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116  # as above
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
