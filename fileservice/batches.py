"""A batch of certificates: many of one template, filled by several processes."""

import re
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from multiprocessing import get_context
from pathlib import Path

from fileservice.certificates import fill, new_number
from fileservice.errors import BadName, Unprocessable
from fileservice.names import clean_name
from fileservice.pdf.filling import CompiledTemplate
from fileservice.rosters import Complaint, Entry

CHUNK = 100
# What waits to be written is bounded: a chunk of certificates can be 10 MB.
CHUNKS_AHEAD = 2
# Of what a person is called, for the name of a file.
NAMING = ("name", "full_name", "recipient", "whom")
UNFIT = re.compile(r"[/\\%&;]+")

# The template of a process that fills; set once, when the process begins.
_templates: list[CompiledTemplate] = []


@dataclass(frozen=True, slots=True)
class Filled:
    """One certificate, and the number it has."""

    entry: Entry
    number: str
    content: bytes

    @property
    def name(self) -> str:
        """A name for its file: the line it came from, and whose it is."""
        whose = next((self.entry.values[name] for name in NAMING if name in self.entry.values), "")
        try:
            cleaned = clean_name(UNFIT.sub(" ", whose).encode()).text if whose.strip() else ""
        except BadName:
            cleaned = ""
        return f"{self.entry.line:06} {cleaned[:80]}".strip() + ".pdf"


def fill_batch(
    template: CompiledTemplate, entries: Sequence[Entry], *, issued_at: datetime, processes: int
) -> Iterator[Filled | Complaint]:
    """
    Yield the certificate of each entry, or what is wrong with it, in their order.

    It forks: call it before there are threads.
    """
    waiting: deque[Future[list[Filled | Complaint]]] = deque()
    with ProcessPoolExecutor(
        processes,
        mp_context=get_context("fork"),
        initializer=_templates.append,
        initargs=(template,),
    ) as pool:
        for chunk in batched(entries, CHUNK):
            waiting.append(pool.submit(_fill_chunk, chunk, issued_at))
            if len(waiting) > processes * CHUNKS_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _fill_chunk(entries: Sequence[Entry], issued_at: datetime) -> list[Filled | Complaint]:
    return [_fill_entry(_templates[0], entry, issued_at) for entry in entries]


def _fill_entry(
    template: CompiledTemplate, entry: Entry, issued_at: datetime
) -> Filled | Complaint:
    number = new_number()
    # An empty cell is no value: the template's default holds.
    values = {name: text for name, text in entry.values.items() if text}
    try:
        content = fill(template, values, number=number, issued_at=issued_at)
    except Unprocessable as error:
        return Complaint(entry.line, error.detail)
    return Filled(entry, number, content)


class Archive:
    """
    A ZIP file of certificates, which is there when it is whole.

    They are stored as they are: what is large in them is compressed already.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.with_name(f".{path.name}.part")
        self._file = zipfile.ZipFile(self._draft, "w", zipfile.ZIP_STORED)

    def add(self, filled: Filled, *, issued_at: datetime) -> None:
        """Write one certificate."""
        info = zipfile.ZipInfo(filled.name, issued_at.timetuple()[:6])
        info.external_attr = 0o644 << 16
        self._file.writestr(info, filled.content)

    def keep(self) -> None:
        """Give the file its name, over one that was there."""
        self._file.close()
        self._draft.replace(self.path)

    def drop(self) -> None:
        """Leave nothing behind; what was there before stays."""
        self._file.close()
        self._draft.unlink()
