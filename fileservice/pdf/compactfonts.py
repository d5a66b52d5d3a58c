"""What a compact font program says of its codes (CFF, Adobe Technical Note 5176)."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from fileservice.pdf.encodings import STANDARD, UNREADABLE, character_of, tables

# Operators of a Top DICT (section 9); those of two bytes are 1,200 and the second.
CHARSET, ENCODING, CHAR_STRINGS, ROS = 15, 16, 17, 1230
TWO_BYTE_OPERATOR, WIDE_OPERATORS = 12, 1200
# The numbers of the encodings and charsets that have no table (section 12 and 13).
STANDARD_ENCODING, EXPERT_ENCODING = 0, 1
ISO_CHARSET, EXPERT_CHARSETS = 0, (1, 2)
# Appendix A: strings 1 to 149 are those of the standard encoding in its order, then come these,
# and a font's own begin with 391.
LATIN_STRINGS = (
    "¹¬µ™Ð½±Þ¼÷¦°þ¾²®−ð×³©"  # noqa: RUF001  # a minus and a multiplication sign
    "ÁÂÄÀÅÃÇÉÊËÈÍÎÏÌÑÓÔÖÒÕŠÚÛÜÙÝŸŽ"
    "áâäàåãçéêëèíîïìñóôöòõšúûüùýÿž"
)
FIRST_OWN = 391
LIGATURES = {266: "ff", 267: "ffi", 268: "ffl"}
SUPPLEMENT = 0x80
MAX_NAME = 127


def compact_texts(program: bytes) -> Mapping[int, str]:
    """Return code -> text as the CFF font `program` has it; nothing when it does not say."""
    _, names_end = _index(program, _number(program, 2, 1))
    dictionaries, tops_end = _index(program, names_end)
    own, _ = _index(program, tops_end)
    top = _operators(program[slice(*dictionaries[0])]) if dictionaries else {}
    encoding, charset = top.get(ENCODING, STANDARD_ENCODING), top.get(CHARSET, ISO_CHARSET)
    if ROS in top or CHAR_STRINGS not in top or encoding == EXPERT_ENCODING:
        return {}
    if encoding == STANDARD_ENCODING:
        return tables().encodings[STANDARD]
    if charset in EXPERT_CHARSETS:
        return {}
    glyphs = [0, *_charset(program, charset, _number(program, top[CHAR_STRINGS], 2))]
    named = {code: glyphs[at] for code, at in _encoding(program, encoding) if at < len(glyphs)}
    named.update(_supplement(program, encoding))
    return {code: _text(program, string, own) for code, string in named.items()}


def _number(program: bytes, at: int, size: int) -> int:
    return int.from_bytes(program[at : at + size]) if at >= 0 else 0


def _index(program: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    """Return where the objects of the INDEX at `at` begin and end (section 5), and it."""
    count = _number(program, at, 2)
    if not count:
        return [], at + 2
    size = _number(program, at + 2, 1)
    base = at + 2 + (count + 1) * size
    ends = [base + _number(program, at + 3 + each * size, size) for each in range(count + 1)]
    return list(pairwise(ends)), ends[-1]


def _operators(dictionary: bytes) -> dict[int, int]:
    """Return operator -> its last operand, of those that are whole numbers (section 4)."""
    found: dict[int, int] = {}
    at = operand = 0
    while at < len(dictionary):
        first = dictionary[at]
        at += 1
        if first == TWO_BYTE_OPERATOR:
            found[WIDE_OPERATORS + _number(dictionary, at, 1)] = operand
            at += 1
        elif first <= 21:
            found[first] = operand
        elif first == 30:
            at = _past_real(dictionary, at)
        else:
            operand, at = _operand(dictionary, first, at)
    return found


def _operand(dictionary: bytes, first: int, at: int) -> tuple[int, int]:
    """Return the whole number that begins with the byte `first` before `at`, and what follows."""
    if first in (28, 29):
        size = 2 if first == 28 else 4
        return int.from_bytes(dictionary[at : at + size], signed=True), at + size
    if 247 <= first <= 250:
        return (first - 247) * 256 + _number(dictionary, at, 1) + 108, at + 1
    if 251 <= first <= 254:
        return (251 - first) * 256 - _number(dictionary, at, 1) - 108, at + 1
    return first - 139, at


def _past_real(dictionary: bytes, at: int) -> int:
    while at < len(dictionary) and dictionary[at] & 0xF != 0xF:
        at += 1
    return at + 1


def _charset(program: bytes, at: int, count: int) -> Iterator[int]:
    """Yield the strings that name the glyphs from 1 on, `count` - 1 of them (section 13)."""
    if at == ISO_CHARSET:
        yield from range(1, count)
        return
    kind, at, left = _number(program, at, 1), at + 1, count - 1
    rest = {1: 1, 2: 2}.get(kind, 0)
    while left > 0:
        first, more = _number(program, at, 2), min(_number(program, at + 2, rest), left - 1)
        yield from range(first, first + more + 1)
        left -= more + 1
        at += 2 + rest


def _encoding(program: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield the codes and the glyphs they mean (section 12)."""
    is_ranges = bool(_number(program, at, 1) & ~SUPPLEMENT)
    glyph = 1
    for each in range(_number(program, at + 1, 1)):
        if not is_ranges:
            yield _number(program, at + 2 + each, 1), each + 1
            continue
        first, more = (_number(program, at + 2 + 2 * each + step, 1) for step in (0, 1))
        for code in range(first, first + more + 1):
            yield code, glyph
            glyph += 1


def _supplement(program: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield more codes, and the strings that name what they mean."""
    kind, count = _number(program, at, 1), _number(program, at + 1, 1)
    if not kind & SUPPLEMENT:
        return
    at += 2 + count * (2 if kind & ~SUPPLEMENT else 1)
    for each in range(_number(program, at, 1)):
        yield _number(program, at + 1 + 3 * each, 1), _number(program, at + 2 + 3 * each, 2)


def _text(program: bytes, string: int, own: list[tuple[int, int]]) -> str:
    if 0 <= string - FIRST_OWN < len(own):
        start, stop = own[string - FIRST_OWN]
        name = program[start : min(stop, start + MAX_NAME)].decode("latin-1")
        return character_of(name) or UNREADABLE
    return _latin_strings().get(string, UNREADABLE)


@cache
def _latin_strings() -> Mapping[int, str]:
    standard = [character for _, character in sorted(tables().encodings[STANDARD].items())]
    return {**dict(enumerate([*standard, *LATIN_STRINGS], 1)), **LIGATURES}
