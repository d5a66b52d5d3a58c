"""Several processes that fill the certificates of a batch, and sign them."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import batched
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Self

from fileservice.certificates import fill, new_number, zone_of
from fileservice.errors import Unprocessable
from fileservice.issuing import Terms, issued_as
from fileservice.pdf.filling import CompiledTemplate
from fileservice.registry import Issued
from fileservice.rosters import Complaint, Entry
from fileservice.signatures import Signatures

CHUNK = 100
# An authority is asked four times at once, and each time may take ten seconds.
STAMPED_CHUNK = 16
# What waits to be written is bounded, as what waits to be filled.
CHUNKS_AHEAD = 2

type Signing = Callable[[], AbstractAsyncContextManager[Signatures | None]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    What is filled, the same for all of a batch.

    Attributes:
        origin: as for `fill`.
        signing: opens what signs, in the loop that uses it.
    """

    template: CompiledTemplate
    terms: Terms
    origin: str
    batch_id: str
    signing: Signing

    def numbered(self, entry: Entry, number: str) -> bytes:
        """
        Return the certificate of an entry, unsigned.

        Raises:
            BadValue: as `fill`.
        """
        issued_at = self.terms.issued_at.astimezone(zone_of(self.terms.zone))
        return fill(
            self.template, given(entry), number=number, issued_at=issued_at, origin=self.origin
        )

    def complaint(self, entry: Entry) -> Complaint | None:
        """Return what is wrong with an entry."""
        try:
            self.numbered(entry, new_number())
        except Unprocessable as error:
            return Complaint(entry.line, error.detail)
        return None

    async def issued(self, entry: Entry, signatures: Signatures | None) -> Issued:
        """Return the row of the certificate of an entry, signed now."""
        number = new_number()
        content = self.numbered(entry, number)
        if signatures is not None:
            content = await signatures.sign(content, now=datetime.now(UTC))
        values = given(entry)
        row = issued_as(content, self.template, self.terms, number=number, values=values)
        return replace(row, batch_id=self.batch_id, line=entry.line)

    async def all_issued(self, entries: Sequence[Entry]) -> list[Issued]:
        """Return the rows of the certificates of entries."""
        async with self.signing() as signatures:
            rows = [self.issued(entry, signatures) for entry in entries]
            return await asyncio.gather(*rows)


def given(entry: Entry) -> dict[str, str]:
    """Return the values of an entry; an empty cell is none, and the template's default holds."""
    return {name: text for name, text in entry.values.items() if text.strip()}


# The sheet of a process that fills; set once, when the process begins.
_sheets: list[Sheet] = []


class Fillers:
    """
    The processes, for the time of a block.

    They are forked: enter it before there are threads.
    """

    def __init__(self, sheet: Sheet, processes: int) -> None:
        self._processes = processes
        self._pool = ProcessPoolExecutor(
            processes, mp_context=get_context("fork"), initializer=_begin, initargs=(sheet,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def check(self, entries: Sequence[Entry]) -> Iterator[list[Complaint]]:
        """Yield what is wrong with each chunk of entries, in their order."""
        return self._each(_check, entries, CHUNK)

    def issue(self, entries: Sequence[Entry], *, stamped: bool) -> Iterator[list[Issued]]:
        """Yield the rows of each chunk of entries, in their order."""
        return self._each(_issue, entries, STAMPED_CHUNK if stamped else CHUNK)

    def _each[T](
        self, call: Callable[[Sequence[Entry]], T], entries: Sequence[Entry], size: int
    ) -> Iterator[T]:
        waiting: deque[Future[T]] = deque()
        for chunk in batched(entries, size):
            waiting.append(self._pool.submit(call, chunk))
            if len(waiting) > self._processes * CHUNKS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _begin(sheet: Sheet) -> None:
    _sheets.append(sheet)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with the one that began it, which may have been killed."""
    parent = parent_process()
    assert parent is not None  # noqa: S101  # we are its child
    parent.join()
    os._exit(1)


def _check(entries: Sequence[Entry]) -> list[Complaint]:
    return [found for entry in entries if (found := _sheets[0].complaint(entry))]


def _issue(entries: Sequence[Entry]) -> list[Issued]:
    return asyncio.run(_sheets[0].all_issued(entries))
