"""Whether bytes are DER (X.690) that may be shown to a library: of bounded depth and number."""

MAX_DEPTH = 32
MAX_ELEMENTS = 4096
MAX_SIMPLE_BYTES = 64  # of an object identifier or a time; longer ones cost the square
SIMPLE = (0x06, 0x17, 0x18)
CONSTRUCTED, HIGH_TAG, LONG_LENGTH = 0x20, 0x1F, 0x80


class NotDer(Exception):
    """The bytes are something else, or more of it than is read."""


def measure(encoded: bytes) -> int:
    """
    Return how many bytes the first element has, all of whose parts have lengths that fit.

    Raises:
        NotDer: they do not, or there are too many, or too deep.
    """
    at, ends, size = 0, [len(encoded)], len(encoded)
    for _ in range(MAX_ELEMENTS):
        at, stop, nested = _element(encoded, at, ends[-1])
        if len(ends) == 1:
            size = ends[0] = stop
        if nested:
            ends.append(stop)
        else:
            at = stop
        while at == ends[-1]:
            ends.pop()
            if not ends:
                return size
        if len(ends) > MAX_DEPTH:
            break
    raise NotDer


def _element(encoded: bytes, at: int, end: int) -> tuple[int, int, bool]:
    """Return where the content of the element at `at` begins and ends, and whether it has parts."""
    head = encoded[at : min(at + 6, end)]
    if len(head) < 2 or head[0] & HIGH_TAG == HIGH_TAG:
        raise NotDer
    size, start = head[1], at + 2
    if size & LONG_LENGTH:
        count = size & ~LONG_LENGTH
        if not 1 <= count <= len(head) - 2:
            raise NotDer
        size, start = int.from_bytes(head[2 : 2 + count]), start + count
    if start + size > end or (head[0] in SIMPLE and size > MAX_SIMPLE_BYTES):
        raise NotDer
    return start, start + size, bool(head[0] & CONSTRUCTED)
