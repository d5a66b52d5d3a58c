"""QR codes (ISO/IEC 18004) as operators of a page's program: one path, crisp at every size."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import segno

from fileservice.errors import BadValue
from fileservice.pdf.geometry import Matrix, numbers

QUIET_ZONE = 4  # modules, ISO/IEC 18004 6.3.8
CACHED_CODES = 256
MAX_TEXT_BYTES = 330  # version 14 at the most; finer would be no code for paper
# The standard lets the writer look for the fairest of eight; a reader takes any. To look costs
# 3.2 ms a code, not to look 0.8 ms.
MASK = 3


def qr_program(text: str, square: Matrix) -> bytes:
    """
    Return operators that draw `text` as a QR code of level M, its quiet zone included.

    It fills what `square` makes of the unit square. The zone is made white: the code can be read
    on any background. The same inputs give the same bytes, and the graphics state is left as it
    was.

    Raises:
        BadValue: `text` is longer than MAX_TEXT_BYTES.
    """
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise BadValue(f"A QR code holds at most {MAX_TEXT_BYTES} bytes; the address is too long.")
    size, path = _path(text)
    # Rows are counted from the top, and one module is one unit.
    modules = Matrix(1 / size, 0.0, 0.0, -1 / size, 0.0, 1.0).then(square)
    return b"q %s cm 1 g 0 0 %d %d re f 0 g %sf Q " % (numbers(modules), size, size, path)


def alternative(text: str) -> str:
    """Return what is said to those who do not see the code."""
    return f"QR code: {text}"


@lru_cache(maxsize=CACHED_CODES)
def _path(text: str) -> tuple[int, bytes]:
    """Return the side in modules with the quiet zone, and a rectangle for each run of dark ones."""
    code = segno.make_qr(text, error="m", mask=MASK, boost_error=False)
    rows = [_runs(row, at) for at, row in enumerate(code.matrix, QUIET_ZONE)]
    return len(code.matrix) + 2 * QUIET_ZONE, b"".join(rows)


def _runs(row: Sequence[int], y: int) -> bytes:
    pieces, x = [], QUIET_ZONE
    for module, run in groupby(row):
        length = len(list(run))
        if module & 1:
            pieces.append(b"%d %d %d 1 re " % (x, y, length))
        x += length
    return b"".join(pieces)
