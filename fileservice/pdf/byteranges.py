"""
Signature dictionaries in the bytes of any file (ISO 32000-1 12.8.1).

Nothing else of the file is read: what a signature signs is the file but one hexadecimal string,
and whether that stands where it says can be told from the bytes around it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MAX_SIGNATURES = 16
MAX_MESSAGE_BYTES = 64 << 10
MAX_DICTIONARY_BYTES = 2 * MAX_MESSAGE_BYTES + (8 << 10)
MAX_TOKENS = 1024
MAX_DEPTH = 16
MAX_OPENINGS = 8  # of objects before a /ByteRange, or of what looks like them in a string

WHITE = rb"\x00\t\n\f\r "
REGULAR = rb"[^%b()<>\[\]{}/%%]" % WHITE
AFTER = rb"[%b]++" % WHITE
BYTE_RANGE = re.compile(rb"/ByteRange(?!%b)" % REGULAR)
OPENING = re.compile(rb"obj[%b]*+(?=<<)" % WHITE)
TOKEN = re.compile(
    rb"[%b]*+(?:%%[^\r\n]*+[%b]*+)*+(<<|>>|\[|\]|<[0-9A-Fa-f%b]*+>|/%b*+|%b++|\()"
    % (WHITE, WHITE, WHITE, REGULAR, REGULAR)
)
IN_STRING = re.compile(rb"\\.|[()]", re.DOTALL)
DEPTHS = {b"(": 1, b")": -1}
CLOSING = {b"<<": b">>", b"[": b"]"}
ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
NUMBERS = re.compile(rb"\[[%b]*+%b[%b]*+\]" % (WHITE, AFTER.join([rb"([0-9]{1,10}+)"] * 4), WHITE))
MOMENT = re.compile(rb"\(D:([0-9]{14})(?:Z(?:00'00'?)?|([+-][0-9]{2})'([0-9]{2})'?)?\)")
CERTIFIES = re.compile(rb"/TransformMethod[%b]*+/DocMDP(?!%b)" % (WHITE, REGULAR))
NO_CHANGES = re.compile(rb"/P[%b]++1(?!%b)(?![%b]++[0-9])" % (WHITE, REGULAR, WHITE))


class Unreadable(Exception):
    """The bytes are not what they should be."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An object of PDF between two bytes: `word` is what it is or begins with."""

    word: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SignatureDictionary:
    """
    A signature as it stands in a file.

    Attributes:
        hole: where the signature itself stands, with its angle brackets.
        stop: where what it signs ends; may be past the end of the file.
        fits: whether it signs, from the first byte, all but exactly its own string.
        message: what is in that string, padded with zeros.
        kind: its /SubFilter.
        claimed_at: when it says it was made, where that can be read.
        forbids_changes: whether it says that nothing may be added (DocMDP, P 1).
    """

    hole: range
    stop: int
    fits: bool
    message: bytes
    kind: bytes
    claimed_at: datetime | None
    forbids_changes: bool


def find_byte_ranges(content: bytes | bytearray) -> list[int]:
    """Return where `/ByteRange` stands; of many, one more than MAX_SIGNATURES."""
    found: list[int] = []
    for match in BYTE_RANGE.finditer(content):
        found.append(match.start())
        if len(found) > MAX_SIGNATURES:
            break
    return found


def read_dictionary(content: bytes | bytearray, at: int) -> SignatureDictionary:
    """
    Return the signature dictionary whose `/ByteRange` stands at `at`.

    Raises:
        Unreadable: it is none, or can be read in two ways.
    """
    entries = _entries_around(content, at)
    written = {key: bytes(content[each.start : each.stop]) for key, each in entries.items()}
    string = entries.get(b"Contents")
    if string is None or not string.word.startswith(b"<") or string.word == b"<<":
        raise Unreadable
    first, size, second, rest = _numbers(written[b"ByteRange"])
    hole = range(string.start, string.stop)
    signs_all_around = (first, size, second) == (0, hole.start, hole.stop)
    return SignatureDictionary(
        hole=hole,
        stop=second + rest,
        fits=signs_all_around and second + rest <= len(content),
        message=_hexadecimal(string.word),
        kind=written.get(b"SubFilter", b""),
        claimed_at=_moment(written.get(b"M", b"")),
        forbids_changes=_forbids_changes(written.get(b"Reference", b"")),
    )


def _entries_around(content: bytes | bytearray, at: int) -> dict[bytes, Piece]:
    """Return the values of the object, a dictionary, that has a key at `at`."""
    earliest, before = max(0, at - MAX_DICTIONARY_BYTES), at
    for _ in range(MAX_OPENINGS):
        before = content.rfind(b"obj", earliest, before)
        if before < 0:
            break
        opening = OPENING.match(content, before)
        if opening:
            pieces = _pieces(content, opening.end())
            if any(key.start == at for key in pieces[::2]):
                return _entries(pieces)
    raise Unreadable


def _entries(pieces: list[Piece]) -> dict[bytes, Piece]:
    if len(pieces) % 2:
        raise Unreadable
    entries: dict[bytes, Piece] = {}
    for key, value in zip(pieces[::2], pieces[1::2], strict=True):
        name = ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), key.word[1:])
        if not key.word.startswith(b"/") or name in entries:
            raise Unreadable
        entries[name] = value
    return entries


def _pieces(content: bytes | bytearray, at: int) -> list[Piece]:
    """Return the keys and values of the dictionary at `at`, in turn; nothing of what is none."""
    pieces: list[Piece] = []
    around: list[Piece] = []
    for token in _tokens(content, at):
        if token.word in CLOSING:
            around.append(token)
        elif token.word in CLOSING.values():
            opening = around.pop()
            if CLOSING[opening.word] != token.word:
                break
            if not around:
                return pieces
            _add(pieces, around, Piece(opening.word, opening.start, token.stop))
        else:
            _add(pieces, around, token)
        if len(around) > MAX_DEPTH:
            break
    return []


def _add(pieces: list[Piece], around: list[Piece], piece: Piece) -> None:
    """Add what stands in the dictionary itself; a reference, three tokens, is one piece."""
    if len(around) > 1:
        return
    if piece.word == b"R" and len(pieces) > 1:
        piece = Piece(b"R", pieces[-2].start, piece.stop)
        del pieces[-2:]
    pieces.append(piece)


def _tokens(content: bytes | bytearray, at: int) -> Iterator[Piece]:
    """Yield MAX_TOKENS tokens at most, and none past MAX_DICTIONARY_BYTES."""
    end = at + MAX_DICTIONARY_BYTES
    for _ in range(MAX_TOKENS):
        found = TOKEN.match(content, at, end)
        if found is None:
            return
        at = found.end()
        if found[1] == b"(":
            at = _end_of_string(content, at, end)
        yield Piece(bytes(found[1]), found.start(1), at)


def _end_of_string(content: bytes | bytearray, at: int, end: int) -> int:
    """Return where the string ends in which `at` is; one that has no end takes all."""
    depth = 1
    for match in IN_STRING.finditer(content, at, end):
        depth += DEPTHS.get(bytes(match[0]), 0)
        if not depth:
            return match.end()
    return end


def _numbers(array: bytes) -> list[int]:
    """Return the four numbers of a /ByteRange."""
    found = NUMBERS.fullmatch(array)
    if found is None:
        raise Unreadable
    return list(map(int, found.groups()))


def _hexadecimal(string: bytes) -> bytes:
    """Return the bytes of a hexadecimal string; of an odd number of digits the last is a 0 more."""
    digits = string.translate(None, b"<>\x00\t\n\f\r ")
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())


def _moment(written: bytes) -> datetime | None:
    """Return the time of a date (7.9.4), if it is one to the second; without a zone it is UTC."""
    found = MOMENT.fullmatch(written)
    if found is None:
        return None
    hours, minutes = int(found[2] or 0), int(found[3] or 0)
    offset = timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes)
    try:
        local = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return local - offset
    except (ValueError, OverflowError):
        return None


def _forbids_changes(references: bytes) -> bool:
    return bool(CERTIFIES.search(references) and NO_CHANGES.search(references))
