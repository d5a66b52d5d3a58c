"""What all leases of rows have in common: who holds one, and since when nobody does."""

import os
import platform
from datetime import UTC, datetime
from typing import Final

# Until when a lease that nobody has is held.
FREE: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_OWNER: Final = 255  # of the column


def this_process(*more: str) -> str:
    """Return the name under which this process holds leases: its host, its number, and `more`."""
    return ":".join((platform.node(), str(os.getpid()), *more))[-LONGEST_OWNER:]
