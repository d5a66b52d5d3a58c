"""The list of a batch of certificates: a line for each, as CSV (RFC 4180) or JSON Lines."""

import csv
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fileservice.errors import BadRequest

Kind = Literal["csv", "jsonl"]

MAX_ROSTER_BYTES = 32 << 20
MAX_ENTRIES = 100_000
MAX_COLUMNS = 64
MAX_CELLS = 1_000_000  # which take some 100 MB while a list is read
MAX_COMPLAINTS = 100
# What spreadsheets write between cells: by country, and when copied.
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What one certificate says.

    Attributes:
        line: where it begins in the list; the first line is 1.
    """

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a line, in a sentence."""

    line: int
    detail: str


@dataclass(slots=True)
class Roster:
    """
    A list as read.

    Attributes:
        entries: those that can be read, in order.
        complaints: about the others, the first `MAX_COMPLAINTS`.
    """

    entries: list[Entry] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)


def read_roster(content: bytes, kind: Kind) -> Roster:
    """
    Read a list of certificates.

    CSV begins with a line of names; its cells are separated by commas, semicolons or tabs. A line
    of JSON Lines is an object of texts and numbers. Empty lines are passed over.

    Raises:
        BadRequest: it is too large, not UTF-8, or its line of names cannot be used.
    """
    if len(content) > MAX_ROSTER_BYTES:
        raise BadRequest(f"The list has {len(content):,} bytes, {MAX_ROSTER_BYTES:,} are taken.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRequest(
            f"Line {line} of the list is not UTF-8; save it again as CSV UTF-8."
        ) from error
    roster = Roster()
    cells = 0
    for read in _csv(text) if kind == "csv" else _json_lines(text):
        if isinstance(read, Entry):
            roster.entries.append(read)
            cells += len(read.values)
        elif len(roster.complaints) < MAX_COMPLAINTS:
            roster.complaints.append(read)
        if len(roster.entries) > MAX_ENTRIES:
            raise BadRequest(f"The list has more than {MAX_ENTRIES:,} entries.")
        if cells > MAX_CELLS:
            raise BadRequest(f"The list has more than {MAX_CELLS:,} values.")
    return roster


def _csv(text: str) -> Iterator[Entry | Complaint]:
    head, _, _ = text.partition("\n")
    delimiter = max(DELIMITERS, key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: Sequence[str] = ()
    line = 1
    try:
        for cells in rows:
            if any(cells) and not names:
                names = _names(cells)
            elif any(cells):
                yield _row(line, names, cells)
            line = rows.line_num + 1
    except csv.Error as error:
        # Where one cell ends is no longer known, so neither is what comes after.
        yield Complaint(line, f"The line is no CSV: {error}.")


def _names(cells: Sequence[str]) -> list[str]:
    """
    Return the names that the first line gives to the columns.

    Raises:
        BadRequest: one is empty or there twice, or there are too many.
    """
    names = [cell.strip() for cell in cells]
    if len(names) > MAX_COLUMNS:
        raise BadRequest(f"The list has {len(names)} columns, {MAX_COLUMNS} are taken.")
    if "" in names:
        raise BadRequest(f"Column {names.index('') + 1} of the list has no name in the first line.")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadRequest(f"The list has two columns with the name {min(twice)!r}.")
    return names


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> Entry | Complaint:
    if len(cells) != len(names):
        return Complaint(line, f"The line has {len(cells)} cells, the first has {len(names)}.")
    return Entry(line, dict(zip(names, cells, strict=True)))


def _json_lines(text: str) -> Iterator[Entry | Complaint]:
    # Not splitlines: U+2028 may stand in a text.
    for line, row in enumerate(text.split("\n"), 1):
        if row.strip():
            yield _object(line, row)


def _object(line: int, row: str) -> Entry | Complaint:
    try:
        # Numbers stay as they are written: 1.10 is no 1.1.
        read = json.loads(row, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        return Complaint(line, f"The line is no JSON: {error}.")
    if not isinstance(read, dict):
        return Complaint(line, "The line is no JSON object.")
    if len(read) > MAX_COLUMNS:
        return Complaint(line, f"The line has {len(read)} members, {MAX_COLUMNS} are taken.")
    for name, value in read.items():
        if not isinstance(value, str):
            return Complaint(line, f"The value of {name!r} is neither a text nor a number.")
    return Entry(line, read)


def pack(entries: Iterable[Entry]) -> bytes:
    """Return entries as they are kept."""
    lines = [json.dumps([entry.line, entry.values], ensure_ascii=False) for entry in entries]
    return zlib.compress("\n".join(lines).encode())


def unpack(packed: bytes) -> list[Entry]:
    """Return the entries that `pack` was given."""
    lines = zlib.decompress(packed).decode().split("\n")
    return [Entry(*json.loads(line)) for line in lines]
