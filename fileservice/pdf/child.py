"""
The process that reads a template: it has little memory, little time, and nothing worth stealing.

The template comes on standard input, and the answer (`answers`) goes out with the plan. The
arguments are the file beside it in hexadecimal, the fingerprint of the fonts that values will be
drawn with, and the operator's folders of fonts.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pikepdf

from fileservice.pdf.answers import answer, limit_this_process
from fileservice.pdf.compiling import plan_template
from fileservice.pdf.errors import TemplateError
from fileservice.pdf.fonts import open_fonts
from fileservice.pdf.packing import pack

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


def plan(content: bytes, side: bytes, fingerprint: str, folders: Sequence[Path]) -> bytes:
    """
    Return the plan of a template in its form for pipes.

    Raises:
        TemplateError: it cannot be filled, or not with the fonts of `fingerprint`.
    """
    fonts = open_fonts(folders)
    if fonts.fingerprint != fingerprint:
        raise TemplateError("The service's fonts were changed; it has to be started again.")
    return pack(plan_template(content, fonts, side))


if __name__ == "__main__":
    limit_this_process()
    limit_qpdf()
    side, fingerprint, *folders = sys.argv[1:]
    answer(
        lambda content: plan(content, bytes.fromhex(side), fingerprint, list(map(Path, folders))),
        sys.stdin.buffer,
        sys.stdout.buffer,
    )
