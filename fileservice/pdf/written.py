"""Reads a file that this engine wrote: one cross-reference table, and dictionaries in full."""

import re
from collections.abc import Mapping

TOKEN = re.compile(
    rb"\s*(<<|>>|\[|\]|\((?:[^\\()]|\\.)*\)|<[^<>]*>|/[^\s/<>\[\]()]*|[^\s/<>\[\]()]+)", re.DOTALL
)
REFERENCE = re.compile(rb"\s*(\d+) 0 R(?!\w)")
SIZE = re.compile(rb"/Size \d+")
NESTING = {b"<<": 1, b"[": 1, b"]": -1, b">>": -1}
XREF_LINE = 20  # bytes, ISO 32000-1 7.5.4

type Entries = dict[bytes, bytes]


class WrittenFile:
    """
    The objects of a certificate.

    Attributes:
        xref: where its cross-reference table begins.
        trailer: the entries of its trailer.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        at = content.rindex(b"startxref\n")
        self.xref = int(content[at:].split(b"\n", 2)[1])
        self._lines = content.index(b"\n", self.xref + len(b"xref\n")) + 1
        self.trailer = self._dictionary(content.rindex(b"trailer\n") + len(b"trailer\n"))

    def entries(self, number: int) -> Entries:
        """Return the entries of the dictionary that is object `number`."""
        return self._dictionary(self._place(number))

    def array(self, written: bytes) -> bytes:
        """Return the inside of an array that is written out, or referred to."""
        reference = REFERENCE.fullmatch(written)
        if reference is None:
            return written.strip(b"[]")
        at = self._place(int(reference[1]))
        return self.content[at : self._end(at)].strip().strip(b"[]")

    def with_objects(self, bodies: Mapping[int, bytes]) -> bytes:
        """Return the file with other objects of these numbers, or more, in one table with all."""
        start = self.content.rindex(b"trailer\n")
        tail = self.content[start : self.content.rindex(b"startxref\n")]
        lines = self.content[self._lines : start]
        table = [lines[at : at + XREF_LINE] for at in range(0, len(lines), XREF_LINE)]
        table += [b""] * (max(bodies) + 1 - len(table))
        pieces, at = [self.content[: self.xref]], self.xref
        for number, body in bodies.items():
            table[number] = b"%010d 00000 n \n" % at
            pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
            at += len(pieces[-1])
        pieces.append(b"xref\n0 %d\n%s" % (len(table), b"".join(table)))
        pieces.append(SIZE.sub(b"/Size %d" % len(table), tail, count=1))
        pieces.append(b"startxref\n%d\n%%%%EOF\n" % at)
        return b"".join(pieces)

    def place(self, number: int) -> int:
        """Return where the object `number` begins."""
        line = self._lines + number * XREF_LINE
        return int(self.content[line : line + 10])

    def _place(self, number: int) -> int:
        return self.content.index(b"obj", self.place(number)) + len(b"obj")

    def _dictionary(self, at: int) -> Entries:
        _, at = self._token(at)
        found: Entries = {}
        while True:
            key, start = self._token(at)
            if key == b">>":
                return found
            at = self._end(start)
            found[key] = self.content[start:at].strip()

    def _end(self, at: int) -> int:
        """Return where the object ends that begins at `at`."""
        reference = REFERENCE.match(self.content, at)
        if reference:
            return reference.end()
        depth = 0
        while True:
            token, at = self._token(at)
            depth += NESTING.get(token, 0)
            if not depth:
                return at

    def _token(self, at: int) -> tuple[bytes, int]:
        found = TOKEN.match(self.content, at)
        assert found is not None  # noqa: S101  # we wrote it
        return found[1], found.end()


def reference_of(written: bytes) -> int:
    """Return the number of the object that is referred to; of several, of the first."""
    found = REFERENCE.match(written.lstrip(b"["))
    assert found is not None  # noqa: S101  # we wrote it
    return int(found[1])


def dictionary(entries: Entries) -> bytes:
    """Return `entries` as they are written."""
    return b"<<%s>>" % b"".join([b"%s %s" % entry for entry in entries.items()])
