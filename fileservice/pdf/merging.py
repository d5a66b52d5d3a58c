"""
Puts certificates into one file, to be printed: what they have in common is in it once.

Certificates of one template begin with the same bytes. Of these each page needs a copy of what
leads to something that values change, which is the page, and at times its resources; all the rest
is shared. What holds for a document and not for a page is left out: signatures, the order in which
it is read aloud, bookmarks.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise

from fileservice.pdf.metadata import information
from fileservice.pdf.written import Entries, WrittenFile, dictionary, reference_of

KIDS = 100  # of a node of the tree of pages
END = b"%%EOF\n"
# What a page takes from the nodes above it (ISO 32000-1 7.7.3.4).
INHERITED = (b"/Resources", b"/MediaBox", b"/CropBox", b"/Rotate")
# What counts for the file as a whole, and says nothing without the catalog that it came with.
OF_THE_DOCUMENT = (b"/Parent", b"/StructParents", b"/Tabs", b"/Metadata")
TREE = 0  # stands for the node above a page; no object has this number
SCAN = re.compile(
    rb"\((?:[^\\()]|\\.)*\)|/[^\s/<>\[\]()]*|(\d+) 0 R(?![^\s/<>\[\]()])|\bstream\r?\n", re.DOTALL
)

# An object in pieces; each number is that of another object, which it refers to.
type Pieces = tuple[bytes | int, ...]


class Block:
    """
    What the certificates of one template have in common.

    Attributes:
        head: what stands before the first object.
        highest: the highest number of an object in it.
        gaps: the lower numbers, which each certificate has for objects of its own.
        pages: the numbers of the pages, in their order.
        objects: by number.
        structural: the numbers of those that make a document of the pages.
        varying: the numbers of those that lead to a page, or to what is a certificate's own.
        catalog: the entries of the catalog.
    """

    def __init__(self, file: WrittenFile, stop: int) -> None:
        numbers = range(1, int(file.trailer[b"/Size"]))
        places = {number: at for number in numbers if (at := file.place(number)) < stop}
        root = reference_of(file.trailer[b"/Root"])
        self.head = file.content[: min(places.values())]
        self.highest = max(places)
        self.gaps = [number for number in range(1, self.highest) if number not in places]
        self.objects = {n: pieces_of(body) for n, body in bodies(file.content, places, stop)}
        self.catalog = file.entries(root)
        self.structural = {root}
        self.pages: list[int] = []
        self._find_pages(file, reference_of(self.catalog[b"/Pages"]), {})
        self.varying = self._varying()

    def _find_pages(self, file: WrittenFile, number: int, inherited: Entries) -> None:
        """Note the pages below a node, each with all that it needs, and TREE as the node above."""
        entries = file.entries(number)
        own = {key: value for key, value in entries.items() if key not in OF_THE_DOCUMENT}
        if b"/Kids" not in entries:
            page = dictionary({**inherited, **own, b"/Parent": b"%d 0 R" % TREE})
            self.pages.append(number)
            self.objects[number] = pieces_of(page)
            return
        self.structural.add(number)
        below = {**inherited, **{key: own[key] for key in INHERITED if key in own}}
        for kid in references(pieces_of(file.array(entries[b"/Kids"]))):
            self._find_pages(file, kid, below)

    def _varying(self) -> set[int]:
        leading: dict[int, list[int]] = {}
        for number, pieces in self.objects.items():
            if number not in self.structural:
                for reference in references(pieces):
                    leading.setdefault(reference, []).append(number)
        found = set(self.pages)
        waiting = [*self.pages, *(n for n in leading if n not in self.objects)]
        while waiting:
            for number in leading.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    waiting.append(number)
        return found


class MergedFile:
    """A file that grows by certificates; what is written is given back, and forgotten."""

    def __init__(self, *, title: str, made_at: datetime, identity: str) -> None:
        self._title = title
        self._made_at = made_at
        self._identity = identity.encode()
        self._size = 0
        self._offsets = array("Q", [0])
        self._out: list[bytes] = []
        self._blocks: dict[str, tuple[Block, dict[int, int]]] = {}
        self._tree = _Tree(self._new, self._write)

    def add(self, content: bytes, *, block: str, stop: int) -> bytes:
        """
        Return the bytes that a certificate adds.

        `block` is the digest of its first `stop` bytes, which are those of its template.
        """
        file = unsigned(content)
        if block not in self._blocks:
            common = Block(file, stop)
            if not self._blocks:
                self._put(common.head)
            self._blocks[block] = common, {}
        common, shared = self._blocks[block]
        copying = _Copying(common, shared, own_objects(file, common), self._new)
        for page in common.pages:
            copying.parents[page] = self._tree.leaf()
            self._tree.append(copying.number(page))
        self._write_all(copying)
        return self._taken()

    def end(self) -> bytes:
        """Return the last bytes, after at least one certificate."""
        root = self._tree.end()
        common, shared = next(iter(self._blocks.values()))
        copying = _Copying(common, shared, {}, self._new)
        catalog = b"<</Type/Catalog/Pages %d 0 R" % root
        for key in (b"/Lang", b"/OCProperties"):
            if key in common.catalog:
                catalog += b"%s %s" % (key, copying.body(pieces_of(common.catalog[key])))
        self._write_all(copying)
        numbers = self._new(), self._new()
        self._write(numbers[0], catalog + b">>")
        self._write(numbers[1], information(title=self._title, issued_at=self._made_at))
        self._put(self._tail(*numbers))
        return self._taken()

    def _tail(self, root: int, info: int) -> bytes:
        size, start = len(self._offsets), self._size
        lines = b"".join([b"%010d 00000 n \n" % offset for offset in self._offsets[1:]])
        return (
            b"xref\n0 %d\n0000000000 65535 f \n%strailer\n"
            b"<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\nstartxref\n%d\n%s"
        ) % (size, lines, size, root, info, self._identity, self._identity, start, END)

    def _new(self) -> int:
        self._offsets.append(0)
        return len(self._offsets) - 1

    def _write_all(self, copying: "_Copying") -> None:
        for number, body in copying.written():
            self._write(number, body)

    def _write(self, number: int, body: bytes) -> None:
        self._offsets[number] = self._size
        self._put(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _put(self, piece: bytes) -> None:
        self._out.append(piece)
        self._size += len(piece)

    def _taken(self) -> bytes:
        taken, self._out = b"".join(self._out), []
        return taken


class _Copying:
    """
    One certificate on its way into the file; what it needs is found from its pages.

    Attributes:
        parents: number of a page -> new number of the node above it.
    """

    def __init__(
        self,
        block: Block,
        shared: dict[int, int],
        own: dict[int, Pieces],
        make: Callable[[], int],
    ) -> None:
        self.parents: dict[int, int] = {}
        self._new: dict[int, int] = {}
        self._parent = TREE
        self._block = block
        self._shared = shared
        self._own = own
        self._make = make
        self._waiting: list[tuple[int, int]] = []

    def number(self, old: int) -> int:
        """Return the new number of an object, which is to be written if it is not yet."""
        is_own = old not in self._block.objects or old in self._block.varying
        known = self._new if is_own else self._shared
        if old not in known:
            known[old] = self._make()
            self._waiting.append((known[old], old))
        return known[old]

    def written(self) -> Iterator[tuple[int, bytes]]:
        """Yield new numbers and the objects that they have, until nothing is missing."""
        while self._waiting:
            number, old = self._waiting.pop()
            self._parent = self.parents.get(old, TREE)
            pieces = self._own[old] if old in self._own else self._block.objects[old]
            yield number, self.body(pieces)

    def body(self, pieces: Pieces) -> bytes:
        """Return an object that refers to new numbers."""
        return b"".join([p if isinstance(p, bytes) else self._reference(p) for p in pieces])

    def _reference(self, old: int) -> bytes:
        if old in self._block.structural:
            return b"null"
        return b"%d 0 R" % (self._parent if old == TREE else self.number(old))


class _Node:
    """A node of the tree of pages, to be written when it is full or the last."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.kids: list[int] = []
        self.pages = 0

    def body(self, parent: bytes) -> bytes:
        """Return the object; `parent` is its entry for the node above."""
        kids = b" ".join([b"%d 0 R" % kid for kid in self.kids])
        return b"<</Type/Pages/Count %d/Kids[%s]%s>>" % (self.pages, kids, parent)


class _Tree:
    """The tree of pages, of which the last node of each level is held."""

    def __init__(self, make: Callable[[], int], write: Callable[[int, bytes], None]) -> None:
        self._make = make
        self._write = write
        self._levels: list[_Node | None] = []

    def leaf(self) -> int:
        """Return the number of the node that the next page is below."""
        return self._open(0).number

    def append(self, page: int) -> None:
        """Add a page."""
        self._add(0, page, 1)

    def end(self) -> int:
        """Write what is held, and return the number of the root."""
        level = 0
        while level < len(self._levels) - 1:
            if self._levels[level] is not None:
                self._close(level)
            level += 1
        root = self._open(level)
        self._write(root.number, root.body(b""))
        return root.number

    def _open(self, level: int) -> _Node:
        if level == len(self._levels):
            self._levels.append(None)
        node = self._levels[level]
        if node is None:
            node = self._levels[level] = _Node(self._make())
        return node

    def _add(self, level: int, kid: int, pages: int) -> None:
        node = self._open(level)
        node.kids.append(kid)
        node.pages += pages
        if len(node.kids) == KIDS:
            self._close(level)

    def _close(self, level: int) -> None:
        node = self._open(level)
        above = self._open(level + 1)
        self._write(node.number, node.body(b"/Parent %d 0 R" % above.number))
        self._levels[level] = None
        self._add(level + 1, node.number, node.pages)


def unsigned(content: bytes) -> WrittenFile:
    """Return a certificate as it was before it was signed."""
    file = WrittenFile(content)
    while b"/Prev" in file.trailer:
        stop = content.index(END, int(file.trailer[b"/Prev"])) + len(END)
        file = WrittenFile(content[:stop])
    return file


def own_objects(file: WrittenFile, block: Block) -> dict[int, Pieces]:
    """Return the objects that a certificate does not share."""
    numbers = [*block.gaps, *range(block.highest + 1, int(file.trailer[b"/Size"]))]
    places = {number: file.place(number) for number in numbers}
    return {n: pieces_of(body) for n, body in bodies(file.content, places, file.xref)}


def bodies(content: bytes, places: dict[int, int], stop: int) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and the bodies of objects that follow each other up to `stop`."""
    by_place = sorted((at, number) for number, at in places.items())
    for (start, number), (end, _) in pairwise([*by_place, (stop, 0)]):
        body = content[start:end]
        yield number, body[body.index(b" obj") + len(b" obj") : body.rindex(b"endobj")].strip()


def pieces_of(body: bytes) -> Pieces:
    """Take an object apart at its references; what is in strings, names and streams is none."""
    pieces: list[bytes | int] = []
    at = 0
    for found in SCAN.finditer(body):
        if found[1]:
            pieces += [body[at : found.start()], int(found[1])]
            at = found.end()
        elif found[0].startswith(b"stream"):
            break
    return (*pieces, body[at:])


def references(pieces: Pieces) -> list[int]:
    """Return the numbers of the objects that an object refers to."""
    return [piece for piece in pieces if isinstance(piece, int)]
