"""The processes that a service began."""

import os
import select
from contextlib import suppress
from pathlib import Path

from tests.conftest import START_SECONDS


def children_of(process: int) -> dict[int, str]:
    """Return the processes that a process began, with what they run."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            status = (folder / "stat").read_text().rpartition(") ")[2].split()
            if int(status[1]) == process:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def wait_until_gone(processes: list[int]) -> None:
    """Return when processes have ended that are no children of ours."""
    for process in processes:
        with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(process)) as file:
            assert select.select([file], [], [], START_SECONDS)[0]
