"""Splits a saved PDF into bytes that stay and the few objects each certificate writes anew."""

import re
from dataclasses import dataclass

XREF = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
XREF_HEAD = re.compile(rb"xref\s+0 (\d+)\s*?\n")
XREF_LINE = 20  # bytes, ISO 32000-1 7.5.4
ROOT = re.compile(rb"/Root (\d+) 0 R")
FREE_LINE = b"0000000000 65535 f \n"


@dataclass(frozen=True, slots=True)
class Frozen:
    """
    A saved PDF, taken apart.

    Attributes:
        static: the header and all objects that stay.
        offsets: object number -> where it stands in `static`; the others are in `marked`.
        marked: mark -> the number and the body of the object that carries it, the mark taken out.
        root: the number of the catalog.
        size: one more than the highest number.
    """

    static: bytes
    offsets: dict[int, int]
    marked: dict[int, tuple[int, bytes]]
    root: int
    size: int

    def with_objects(self, bodies: list[bytes]) -> "Frozen":
        """Return the same with `bodies` as objects of the numbers from `size` on."""
        pieces, offsets, at = [self.static], dict(self.offsets), len(self.static)
        for number, body in enumerate(bodies, self.size):
            pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
            offsets[number] = at
            at += len(pieces[-1])
        size = self.size + len(bodies)
        return Frozen(b"".join(pieces), offsets, self.marked, self.root, size)

    def xref(self) -> bytes:
        """Return the cross-reference lines, with a %010d where a marked object's offset belongs."""
        lines = [FREE_LINE]
        for number in range(1, self.size):
            at = self.offsets.get(number)
            lines.append(b"%010d 00000 n \n" % at if at is not None else b"%010d 00000 n \n")
        return b"".join(lines)


def freeze(saved: bytes, marker: bytes) -> Frozen:
    """
    Take `saved` apart at the dictionaries that have a key `marker`, whose value is their mark.

    `saved` is what qpdf writes without object streams: one table, every number in use.
    """
    tail = XREF.search(saved)
    assert tail is not None  # noqa: S101  # qpdf wrote it
    xref_at = int(tail[1])
    head = XREF_HEAD.match(saved, xref_at)
    assert head is not None  # noqa: S101  # qpdf wrote it
    size = int(head[1])
    lines = [
        saved[at : at + XREF_LINE]
        for at in range(head.end(), head.end() + size * XREF_LINE, XREF_LINE)
    ]
    starts = {number: int(line[:10]) for number, line in enumerate(lines) if line[17:18] == b"n"}
    by_place = sorted(starts, key=starts.__getitem__)
    stops = [starts[number] for number in by_place[1:]] + [xref_at]
    mark = re.compile(rb"\s*%s (\d+)" % re.escape(marker))
    pieces = [saved[: starts[by_place[0]]]]
    offsets: dict[int, int] = {}
    marked: dict[int, tuple[int, bytes]] = {}
    at = len(pieces[0])
    for number, stop in zip(by_place, stops, strict=True):
        content = saved[starts[number] : stop]
        found = mark.search(content)
        if found:
            marked[int(found[1])] = (
                number,
                _body(content[: found.start()] + content[found.end() :]),
            )
            continue
        pieces.append(_lined(content))
        offsets[number] = at
        at += len(pieces[-1])
    root = ROOT.search(saved, head.end())
    assert root is not None  # noqa: S101  # qpdf wrote it
    return Frozen(b"".join(pieces), offsets, marked, int(root[1]), size)


def _lined(content: bytes) -> bytes:
    """Return an object with its `endstream` on a line of its own (ISO 19005-2 6.1.7)."""
    data, found, rest = content.rpartition(b"endstream\nendobj")
    return b"%s\n%s%s" % (data, found, rest) if found and not data.endswith(b"\n") else content


def _body(content: bytes) -> bytes:
    return content[content.index(b" obj") + len(b" obj") : content.rindex(b"endobj")].strip()
