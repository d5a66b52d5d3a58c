"""QR codes (ISO/IEC 18004) as operators of a page's program: one path, crisp at every size."""

import re
from functools import cache, lru_cache

from fileservice.errors import BadValue
from fileservice.pdf.geometry import Matrix, numbers
from fileservice.pdf.qrmodules import DARK, modules_of

QUIET_ZONE = 4  # modules, ISO/IEC 18004 6.3.8
CACHED_CODES = 256
MAX_TEXT_BYTES = 330  # version 14 at the most; finer would be no code for paper
RUN = re.compile(f"{DARK}+")


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


class Rectangles(dict[tuple[int, int], bytes]):
    """Operators for the runs of dark modules in codes of one size, made when they are met."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._row = size + 1  # with its end

    def __missing__(self, run: tuple[int, int]) -> bytes:
        start, stop = run
        y, x = divmod(start, self._row)
        made = self[run] = b"%d %d %d 1 re " % (x + QUIET_ZONE, y + QUIET_ZONE, stop - start)
        return made


# Of each size there are some 20,000 at the most.
rectangles_of = cache(Rectangles)


@lru_cache(maxsize=CACHED_CODES)
def _path(text: str) -> tuple[int, bytes]:
    """Return the side in modules with the quiet zone, and a rectangle for each run of dark ones."""
    size, modules = modules_of(text.encode())
    known = rectangles_of(size)
    # Some 300 of them: without a step of Python for each, half the time.
    runs = map(known.__getitem__, map(re.Match.span, RUN.finditer(modules)))
    return size + 2 * QUIET_ZONE, b"".join(runs)
