"""
The process that reads a template: it has little memory, little time, and nothing worth stealing.

The template comes on standard input. On standard output goes one line with a word, and then what
belongs to it: `compiled` and the plan, or the code of an error and its sentence.
"""

import resource
import signal
import sys
from typing import BinaryIO

import pikepdf

from fileservice.errors import Unprocessable
from fileservice.pdf.compiling import MAX_FILE_BYTES, plan_template
from fileservice.pdf.errors import OverLimits
from fileservice.pdf.fonts import shipped_fonts

MEMORY_BYTES = 640 << 20
CPU_SECONDS = 10
WALL_SECONDS = 15
OPEN_FILES = 64
STREAM_BYTES = 32 << 20
COMPILED = b"compiled"


def limit_this_process() -> None:
    """Give up what reading a template does not need; for good, and before a byte of it is read."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Who started us may be gone by then.
    signal.alarm(WALL_SECONDS)


def limit_qpdf() -> None:
    """Bound what qpdf unpacks and nests: 2 KB can otherwise become 2 GB. For the whole process."""
    pikepdf.settings.set_qpdf_limits(
        doc_max_warnings=100,
        parser_max_nesting=100,
        parser_max_container_size=100_000,
        max_stream_filters=8,
        dct_max_memory=STREAM_BYTES,
        flate_max_memory=STREAM_BYTES,
        png_max_memory=STREAM_BYTES,
        run_length_max_memory=STREAM_BYTES,
        tiff_max_memory=STREAM_BYTES,
    )


def answer(source: BinaryIO, target: BinaryIO) -> None:
    """Compile what `source` holds and write the answer to `target`."""
    content = source.read(MAX_FILE_BYTES + 1)
    try:
        word, text = COMPILED, plan_template(content, shipped_fonts()).to_bytes()
    except Unprocessable as error:
        word, text = error.code.encode(), error.detail.encode("utf-8", "replace")
    except (MemoryError, RecursionError):
        word = OverLimits.code.encode()
        text = b"The template needs more memory to be read than is given; simplify it."
    target.write(word + b"\n" + text)
    target.flush()


if __name__ == "__main__":
    limit_this_process()
    limit_qpdf()
    answer(sys.stdin.buffer, sys.stdout.buffer)
