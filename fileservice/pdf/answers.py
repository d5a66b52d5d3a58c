"""
What the processes apart have in common: the limits they set themselves, and how they answer.

An answer is one line with a word, and then what belongs to it: `made` and what was made, or the
code of an error and its sentence.
"""

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from fileservice.errors import Unprocessable
from fileservice.pdf.errors import OverLimits

MAX_FILE_BYTES = 20 << 20
MEMORY_BYTES = 640 << 20
CPU_SECONDS = 10
WALL_SECONDS = 15
OPEN_FILES = 64
MADE = b"made"


def limit_this_process() -> None:
    """Give up what is not needed; for good, and before a byte of a template is read."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A network of its own, without any way out; where a process may not have one, as under
    # systemd's RestrictNamespaces, it keeps ours.
    with suppress(OSError):
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
    # Who started us may be gone by then.
    signal.alarm(WALL_SECONDS)


def answer(make: Callable[[bytes], bytes], source: BinaryIO, target: BinaryIO) -> None:
    """Write to `target` what `make` makes of what `source` holds, or why it does not."""
    content = source.read(MAX_FILE_BYTES + 1)
    try:
        word, made = MADE, make(content)
    except Unprocessable as error:
        word, made = error.code.encode(), error.detail.encode("utf-8", "replace")
    except (MemoryError, RecursionError):
        word = OverLimits.code.encode()
        made = b"The template needs more memory to be read than is given; simplify it."
    target.write(word + b"\n" + made)
    target.flush()
