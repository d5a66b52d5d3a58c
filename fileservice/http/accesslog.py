"""A line for every request, handed to `logging` some at a time."""

import asyncio
import itertools
import logging
import secrets
from datetime import UTC, datetime

log = logging.getLogger("fileservice.access")

# One call of `logging` and one write for each line cost a fifth of a small download's time.
HOLD_SECONDS = 0.1


class AccessLog:
    """
    Lines of one worker; at most `HOLD_SECONDS` of them are lost where it is killed.

    Attributes:
        worker: what the names of its requests begin with.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.worker = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_name(self) -> str:
        """Return a name for a request, which the answer and the log both carry."""
        return f"{self.worker}-{next(self._numbers):x}"

    def add(self, line: str) -> None:
        """Write `line` soon, after the time of day."""
        if not self._lines:
            asyncio.get_running_loop().call_later(HOLD_SECONDS, self.flush)
        self._lines.append(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}")

    def flush(self) -> None:
        """Write what is held."""
        lines, self._lines = self._lines, []
        if lines:
            log.info("%s", "\n".join(lines))
