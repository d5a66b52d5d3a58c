"""
The process that reads a template: it has little memory, little time, and nothing worth stealing.

The template comes on standard input, and the answer (`answers`) goes out with the plan.
"""

import sys

import pikepdf

from fileservice.pdf.answers import answer, limit_this_process
from fileservice.pdf.compiling import plan_template
from fileservice.pdf.fonts import shipped_fonts

STREAM_BYTES = 32 << 20


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


def plan(content: bytes) -> bytes:
    """Return the plan of a template in its form for pipes."""
    return plan_template(content, shipped_fonts()).to_bytes()


if __name__ == "__main__":
    limit_this_process()
    limit_qpdf()
    answer(plan, sys.stdin.buffer, sys.stdout.buffer)
