"""
The modules of QR codes (ISO/IEC 18004): byte mode, level M, one mask for all.

Which modules a version has for data is learned from segno, once for each version; to have it make
each code takes 0.8 ms, and this way it takes a tenth.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, zip_longest
from operator import itemgetter
from typing import NamedTuple

import segno

# The standard lets the writer look for the fairest of eight masks; a reader takes any.
MASK = 3
BYTE_MODE = 0b0100
PADDING = (0xEC, 0x11)
FIELD = 0x11D  # x^8 + x^4 + x^3 + x^2 + 1, which the Galois field is made with
# By version, from 1: the codewords for correction in each block, and the data in its blocks
# (table 9, level M). A code finer than version 14 would be none for paper.
BLOCKS: tuple[tuple[int, Sequence[int]], ...] = (
    (10, (16,)),
    (16, (28,)),
    (26, (44,)),
    (18, (32,) * 2),
    (24, (43,) * 2),
    (16, (27,) * 4),
    (18, (31,) * 4),
    (22, (38,) * 2 + (39,) * 2),
    (22, (36,) * 3 + (37,) * 2),
    (26, (43,) * 4 + (44,)),
    (30, (50,) + (51,) * 4),
    (22, (36,) * 6 + (37,) * 2),
    (22, (37,) * 8 + (38,)),
    (24, (40,) * 4 + (41,) * 5),
)
# From this version on the number of bytes has 16 bits.
FIRST_LONG_VERSION = 10
DATA = (segno.consts.TYPE_DATA_DARK, segno.consts.TYPE_DATA_LIGHT)
DARK, LIGHT, END = "1", "0", "\n"


class Layout(NamedTuple):
    """
    What all codes of a version share.

    Attributes:
        size: modules on a side.
        mask: what the bits of the codewords are changed by, in their order.
        bits: how many those are, with the few that are left over.
        place: from those bits and DARK, LIGHT, END behind them takes the modules, row by row.
    """

    size: int
    mask: int
    bits: int
    place: Callable[[str], Iterable[str]]


def modules_of(text: bytes) -> tuple[int, str]:
    """
    Return the modules on a side, and all of them: DARK and LIGHT, END behind each row.

    Raises:
        ValueError: `text` does not fit into any version there is a row of BLOCKS for.
    """
    version = _version_for(len(text))
    layout = _layout(version)
    stream = _codewords(text, version)
    # The few bits that are left over are nought before they are masked.
    bits = int.from_bytes(stream) << (layout.bits - 8 * len(stream))
    written = f"{bits ^ layout.mask:0{layout.bits}b}" + DARK + LIGHT + END
    return layout.size, "".join(layout.place(written))


def _version_for(size: int) -> int:
    for version, (_, blocks) in enumerate(BLOCKS, 1):
        if size + (3 if version >= FIRST_LONG_VERSION else 2) <= sum(blocks):
            return version
    raise ValueError(f"no QR code for {size} bytes")


def _codewords(text: bytes, version: int) -> bytes:
    """Return data and correction in the order that they are written in (7.6)."""
    correction, sizes = BLOCKS[version - 1]
    data, blocks, at = _data(text, version, sum(sizes)), [], 0
    for size in sizes:
        blocks.append(data[at : at + size])
        at += size
    checks = [_remainder(block, correction) for block in blocks]
    columns = chain(zip_longest(*blocks), zip(*checks, strict=True))
    return bytes(word for column in columns for word in column if word is not None)


def _data(text: bytes, version: int, capacity: int) -> bytes:
    """Return the mode, the length and the bytes, filled up to `capacity` bytes (7.4)."""
    length = 16 if version >= FIRST_LONG_VERSION else 8
    head = BYTE_MODE << length | len(text)
    # Four bits end it, which with the four of the mode make it whole bytes.
    written = (head << 8 * len(text) | int.from_bytes(text)) << 4
    data = written.to_bytes(len(text) + length // 8 + 1)
    missing = capacity - len(data)
    return data + bytes(PADDING * (missing // 2 + 1))[:missing]


def _remainder(block: bytes, size: int) -> bytes:
    """Return the `size` codewords that correct a block (7.5.2)."""
    table, rest = _multiples(size), 0
    top, kept = 8 * (size - 1), (1 << 8 * (size - 1)) - 1
    for word in block:
        rest = (rest & kept) << 8 ^ table[rest >> top ^ word]
    return rest.to_bytes(size)


@cache
def _multiples(size: int) -> list[int]:
    """Return what each byte takes the generator of that degree times, without its first term."""
    generator = [1]
    root = 1
    for _ in range(size):
        shifted, scaled = [*generator, 0], [0, *(_product(each, root) for each in generator)]
        generator = [one ^ other for one, other in zip(shifted, scaled, strict=True)]
        root = _product(root, 2)
    return [
        int.from_bytes(bytes(_product(factor, each) for each in generator[1:]))
        for factor in range(256)
    ]


def _product(one: int, other: int) -> int:
    """Multiply in the Galois field of 256 elements."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one <<= 1
        if one & 0x100:
            one ^= FIELD
        other >>= 1
    return product


@cache
def _layout(version: int) -> Layout:
    code = segno.make_qr(b"-", version=version, error="m", mask=MASK, boost_error=False)
    kinds = [list(row) for row in code.matrix_iter(verbose=True, border=0)]
    size = len(kinds)
    # segno 1.6 takes this one, left of the format information, for a part of it.
    kinds[8][size - 9] = segno.consts.TYPE_DATA_LIGHT
    places = [(row, column) for row, column in _zigzag(size) if kinds[row][column] in DATA]
    dark, light, end = range(len(places), len(places) + 3)
    order = {place: at for at, place in enumerate(places)}
    rows = [
        [order.get((y, x), dark if code.matrix[y][x] else light) for x in range(size)] + [end]
        for y in range(size)
    ]
    mask = "".join(DARK if (row + column) % 3 == 0 else LIGHT for row, column in places)
    return Layout(size, int(mask, 2), len(places), itemgetter(*chain.from_iterable(rows)))


def _zigzag(size: int) -> Iterator[tuple[int, int]]:
    """Yield rows and columns in the order that bits are written in (7.7.3)."""
    is_upward = True
    for right in range(size - 1, 0, -2):
        # Column 6 tells the rows; there the pairs shift.
        first = right if right > 6 else right - 1
        for row in range(size - 1, -1, -1) if is_upward else range(size):
            yield from ((row, first), (row, first - 1))
        is_upward = not is_upward
