"""The font files in the operator's folders: what each face is called, can draw and permits."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uharfbuzz as hb

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
MAX_FACES = 2000
# OS/2 fsType: 2 permits no embedding, 0x100 no subsets, 0x200 bitmaps only.
EMBEDDING, RESTRICTED, FORBIDDEN = 0x0F, 0x02, 0x300
ITALIC_SELECTION = 1
BOLD_WEIGHT = 600
# Their outlines are read; others draw with bitmaps or colours.
OUTLINES = {"glyf", "CFF "}


@dataclass(frozen=True, slots=True)
class FontFile:
    """
    A face in a file.

    Attributes:
        name: its PostScript name.
        index: which of the file's faces it is.
        coverage: the code points it has glyphs for.
        fingerprint: changes when the face does.
    """

    name: str
    path: Path
    index: int
    is_bold: bool
    is_italic: bool
    coverage: hb.Set
    fingerprint: bytes

    def open(self) -> hb.Face:
        """Return the face; the file is mapped, and read where it is used."""
        return hb.Face(hb.Blob.from_file_path(self.path), self.index)


def font_files(folders: Sequence[Path]) -> list[FontFile]:
    """Return the faces below `folders` that may be embedded, each name once, the first found."""
    found: dict[str, FontFile] = {}
    for path in _paths(folders):
        for file in _faces(path):
            found.setdefault(file.name, file)
            if len(found) == MAX_FACES:
                return list(found.values())
    return list(found.values())


def _paths(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                yield path


def _faces(path: Path) -> Iterator[FontFile]:
    try:
        blob = hb.Blob.from_file_path(path)
    except hb.HarfBuzzError:  # it may be gone, or not ours to read
        return
    for index in range(hb.Face(blob).count):
        face = hb.Face(blob, index)
        file = _read(path, index, face)
        if file is not None:
            yield file


def _read(path: Path, index: int, face: hb.Face) -> FontFile | None:
    """Return what the face says of itself; None for one that cannot, or may not, be embedded."""
    name = face.get_name(hb.OTNameIdPredefined.POSTSCRIPT_NAME) or ""
    facts, head = _table(face, "OS/2"), _table(face, "head")
    if not name or len(facts) < 64 or len(head) < 54 or OUTLINES.isdisjoint(face.table_tags):
        return None
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        return None  # it would have to be escaped wherever it is written
    permits = _number(facts, 8)
    if permits & EMBEDDING == RESTRICTED or permits & FORBIDDEN:
        return None
    return FontFile(
        name=name,
        path=path,
        index=index,
        is_bold=_number(facts, 4) >= BOLD_WEIGHT,
        is_italic=bool(_number(facts, 62) & ITALIC_SELECTION),
        coverage=face.unicodes,
        # With the sum that a font's maker wrote over all its tables.
        fingerprint=hashlib.sha256(b"%s%d%s%s" % (name.encode(), index, head, facts)).digest(),
    )


def _table(face: hb.Face, tag: str) -> bytes:
    return bytes(face.reference_table(tag).data)


def _number(table: bytes, at: int) -> int:
    return int.from_bytes(table[at : at + 2], "big")
