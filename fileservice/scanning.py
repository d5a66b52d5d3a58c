"""
Files that are kept back until a scanner has said that they are harmless.

A file is committed as unscanned. The worker that took it in has it scanned at once where that is
short; everything else is for who has the duty, one worker of all, also after one was killed. While
the scanner is down nothing is given out that it did not see (docs/decisions/0037).
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import aclosing
from typing import Final

from django.db import Error

from fileservice.actors import THE_SERVICE
from fileservice.audit import record
from fileservice.clamd import Clamd, ScannerDown, ScannerFailed, TooLargeToScan
from fileservice.duties import Duties, TurnLost
from fileservice.errors import FileserviceError
from fileservice.events import tell
from fileservice.ledger import (
    COLUMNS,
    FileState,
    Ledger,
    StoredFile,
    arrival_of,
    entry_of,
    event_of,
)
from fileservice.models import File
from fileservice.storage import Storage
from fileservice.tasks import beside

log = logging.getLogger("fileservice.scanning")

DUTY = "scan"
# How long an answer to an upload may wait for the scanner, and of which files.
AT_ONCE_SECONDS = 2.0
SMALL_BYTES = 16 << 20
PLACES = 4
LOOK_SECONDS = 1.0
# What may still be scanned by the worker that took it in is left to that.
GRACE_SECONDS = 2 * AT_ONCE_SECONDS
LONGEST_REST_SECONDS = 60.0
# Written as the index has it, or SQLite would read every row.
LEFT = (
    f"SELECT id, size FROM {File._meta.db_table}"  # noqa: S608 - all names are ours
    " WHERE NOT (state = 'ready') AND state = ? LIMIT 1000"
)
ACTS: Final[dict[FileState, str]] = {
    "ready": "file.scan",
    "infected": "file.infected",
    "withheld": "file.withhold",
}
TOO_LARGE = "It is too large to be scanned."


class Rests:
    """
    What is not tried again for a while, longer after each failure in a row.

    The scanner itself is one of it, as None; the others are files.
    """

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._failed: dict[str | None, tuple[int, float]] = {}

    def rests(self, what: str | None) -> bool:
        """Tell whether it is too early to try again."""
        _, until = self._failed.get(what, (0, 0.0))
        return self._clock() < until

    def failed(self, what: str | None) -> None:
        """Note a failure; those of attempts that went on side by side are one."""
        if self.rests(what):
            return
        failures = self._failed.get(what, (0, 0.0))[0] + 1
        seconds = min(2.0**failures, LONGEST_REST_SECONDS)
        self._failed[what] = failures, self._clock() + seconds

    def worked(self, *what: str | None) -> None:
        """Forget failures."""
        for each in what:
            self._failed.pop(each, None)

    def keep(self, ids: Container[str]) -> None:
        """Forget files that are none of `ids`."""
        self.worked(*[each for each in self._failed if each is not None and each not in ids])


class Scanning:
    """
    What has files scanned, for one worker.

    Attributes:
        outcomes: how many scans ended how: the state of the file, or failed.
        trouble: why the scanner cannot be reached, as far as this worker knows; else empty.
    """

    def __init__(
        self, ledger: Ledger, storage: Storage, clamd: Clamd, *, too_large: FileState
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.trouble = ""
        self._ledger = ledger
        self._storage = storage
        self._clamd = clamd
        self._too_large = too_large
        self._duties = Duties(ledger)
        self._places = asyncio.Semaphore(PLACES)
        self._rests = Rests()
        self._seen: dict[str, float] = {}
        self._clock = asyncio.get_running_loop().time

    async def look_into(self, ids: Sequence[str]) -> None:
        """Have files scanned that just came, as far as that is done soon."""
        found = [file for id in ids if (file := self._ledger.find(id)) is not None]
        small = [file for file in found if file.size <= SMALL_BYTES]
        if not small or self._rests.rests(None):
            return
        scans = [asyncio.create_task(self._scan_in_turn(file)) for file in small]
        try:
            await asyncio.wait(scans, timeout=AT_ONCE_SECONDS)
        finally:
            await ended(scans)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Have files scanned in the background until the end of the block."""
        async with beside(self._keep_looking()):
            yield

    async def _keep_looking(self) -> None:
        while True:
            try:
                if self._due():
                    with contextlib.suppress(TurnLost):
                        await self._scan_what_is_left()
            except* (sqlite3.Error, Error, FileserviceError):
                log.exception("Files that are to be scanned could not be looked for.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _scan_what_is_left(self) -> None:
        """
        Have the duty until nothing is left that can be scanned now.

        Raises:
            TurnLost: another has it.
        """
        running: dict[str, asyncio.Task[None]] = {}
        async with self._duties.turn(DUTY) as turn:
            try:
                while (due := self._due()) or running:
                    await turn.keep()
                    for id, size in due:
                        if id not in running and len(running) < PLACES:
                            running[id] = asyncio.create_task(self._scan(id, size))
                    await asyncio.wait(
                        running.values(),
                        timeout=LOOK_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    running = {id: task for id, task in running.items() if not task.done()}
            finally:
                await ended(list(running.values()))

    def _due(self) -> list[tuple[str, int]]:
        """Return ids and sizes of what nobody else has scanned, if it is time to."""
        left: list[tuple[str, int]] = self._ledger.rows(LEFT, "unscanned")
        now = self._clock()
        self._seen = {id: self._seen.get(id, now) for id, _ in left}
        self._rests.keep(self._seen)
        if self._rests.rests(None):
            return []
        return [
            (id, size)
            for id, size in left
            if (size > SMALL_BYTES or now - self._seen[id] >= GRACE_SECONDS)
            and not self._rests.rests(id)
        ]

    async def _scan_in_turn(self, file: StoredFile) -> None:
        async with self._places:
            await self._scan(file.id, file.size)

    async def _scan(self, id: str, size: int) -> None:
        """Have a file scanned and write down what came of it; where nothing did, try later."""
        try:
            state, finding = await self._verdict(id, size)
            await self._ledger.commit(settle, id, state, finding)
        except FileNotFoundError:  # it was deleted
            return
        except (ScannerFailed, OSError, FileserviceError) as error:
            if isinstance(error, ScannerDown):
                self.trouble = str(error)
            self._rests.failed(None if isinstance(error, ScannerDown) else id)
            self.outcomes["failed"] += 1
            log.warning("File %s is not scanned yet: %s.", id, error)
            return
        self.trouble = ""
        self._rests.worked(None, id)
        self.outcomes[state] += 1
        if state != "ready":
            log.warning("File %s is %s: %s", id, state, finding)

    async def _verdict(self, id: str, size: int) -> tuple[FileState, str]:
        async with aclosing(self._storage.read(id, 0, size)) as blocks:
            try:
                finding = await self._clamd.scan(blocks)
            except TooLargeToScan:
                return self._too_large, TOO_LARGE if self._too_large != "ready" else ""
        return ("infected", finding[:255]) if finding else ("ready", "")


async def ended(scans: Sequence[asyncio.Task[None]]) -> None:
    """Stop scans that still run; who comes next begins them again."""
    for scan in scans:
        scan.cancel()
    if scans:
        await asyncio.wait(scans)
    for scan in scans:
        if not scan.cancelled():
            scan.result()


def settle(id: str, state: FileState, finding: str) -> None:
    """Write down what a scanner said of a file that is still unscanned."""
    unscanned = File.objects.filter(id=id, state="unscanned")
    if not unscanned.update(state=state, finding=finding):
        return
    file = StoredFile.from_row(File.objects.values_list(*COLUMNS).get(id=id))
    record(entry_of(THE_SERVICE, ACTS[state], file))
    tell(event_of("file.infected", file) if state == "infected" else arrival_of(file))
