"""The faces at hand: those that come with the package, and the operator's."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, partial
from importlib.resources import files
from pathlib import Path

import uharfbuzz as hb

from fileservice.pdf.faces import (
    FORCE_BOLD_FLAG,
    IGNORABLE,
    ITALIC_FLAG,
    SERIF_FLAG,
    Face,
    Style,
)
from fileservice.pdf.fontfiles import FontFile, font_files

__all__ = ["Face", "FontSet", "open_fonts", "shipped_fonts"]

SHIPPED = ("NotoSans-Regular", "NotoSans-Bold", "NotoSerif-Regular", "NotoSerif-Bold")
SERIF_NAMES = ("times", "serif", "roman", "georgia", "garamond", "bookman", "palatino", "minion")
BOLD_NAMES = ("bold", "black", "heavy", "cmbx")
ITALIC_NAMES = ("italic", "oblique", "slanted", "cmti")
# Families of one script that nobody expects who did not ask for them.
SPECIAL_NAMES = re.compile(
    "Mono|Display|Kufi|Nastaliq|Rashi|Looped|UI|Unjoined|Condensed|Slanted|Traditional|Math|Light"
)
CACHED_FALLBACKS = 4096


class FontSet:
    """
    The faces at hand.

    Attributes:
        fingerprint: changes when any of them does.
        folders: where they were found, besides those that come with the package.
    """

    def __init__(
        self, faces: Sequence[Face], fingerprint: str, folders: Sequence[Path] = ()
    ) -> None:
        self.faces: dict[str, Face] = {}
        for face in faces:
            self.faces.setdefault(face.name, face)
        self.fingerprint = fingerprint
        self.folders = folders
        self._by_plain_name = {_plain(face.name): face for face in reversed(faces)}
        self._fallbacks = lru_cache(maxsize=CACHED_FALLBACKS)(self._covering)
        self._orders = cache(self._ordered)

    def match(self, name: str, flags: int) -> Face:
        """Return the face nearest to a template's font of this PostScript name and these flags."""
        plain = _plain(name.split("+")[-1])
        for each in (plain, plain + "regular"):
            if each in self._by_plain_name:
                return self._by_plain_name[each]
        is_sans = "sans" in plain
        is_serif = not is_sans and bool(flags & SERIF_FLAG or _any_in(SERIF_NAMES, plain))
        is_bold = bool(flags & FORCE_BOLD_FLAG or _any_in(BOLD_NAMES, plain))
        is_italic = bool(flags & ITALIC_FLAG or _any_in(ITALIC_NAMES, plain))
        upright = SHIPPED[(2 if is_serif else 0) + (1 if is_bold else 0)]
        sloped = upright.replace("Regular", "") + "Italic"
        return self.faces[sloped if is_italic and sloped in self.faces else upright]

    def fallback(self, text: str, style: Style, cjk: str) -> Face | None:
        """
        Return the face nearest to `style` that covers all of `text`.

        `cjk` is which of the forms that Chinese, Japanese and Korean have of a character is meant,
        as font names end: jp, kr, sc, tc or hk.
        """
        first = IGNORABLE.sub("", text)[:1] or text[:1]
        return next(
            (face for face in self._fallbacks(first, style, cjk) if face.covers(text)), None
        )

    def _covering(self, character: str, style: Style, cjk: str) -> list[Face]:
        code, order = ord(character), self._orders(style, cjk)
        direct = [face for face in order if code in face.coverage]
        return direct or [face for face in order if face.covers(character)]

    def _ordered(self, style: Style, cjk: str) -> list[Face]:
        """Return all faces, those first that stand in best for one of `style`."""

        def rank(face: Face) -> tuple[object, ...]:
            return (
                "CJK" in face.name and f"CJK{cjk}" not in face.name,
                bool(SPECIAL_NAMES.search(face.name)),
                face.style.is_bold != style.is_bold,
                face.style.is_serif != style.is_serif,
                face.style.is_italic != style.is_italic,
                len(face.name),
                face.name,
            )

        return sorted(self.faces.values(), key=rank)


@lru_cache(maxsize=1)
def _shipped_faces() -> tuple[tuple[Face, ...], bytes]:
    """Return the faces that come with the package, and the digest of their files."""
    folder = files("fileservice.pdf") / "fonts"
    digest = hashlib.sha256()
    faces = []
    for name in SHIPPED:
        content = (folder / f"{name}.ttf").read_bytes()
        digest.update(content)
        opened = hb.Face(hb.Blob(content))
        style = Style("Serif" in name, "Bold" in name, is_italic=False)
        faces.append(Face(name, style, opened.unicodes, partial(hb.Face, opened.blob)))
    return tuple(faces), digest.digest()


def shipped_fonts() -> FontSet:
    """Open the fonts that come with the package."""
    return open_fonts(())


def open_fonts(folders: Sequence[Path]) -> FontSet:
    """Open the fonts that come with the package and those in `folders`."""
    faces, shipped = _shipped_faces()
    found = font_files(folders)
    digest = hashlib.sha256(shipped + b"".join(file.fingerprint for file in found))
    return FontSet([*faces, *map(_face_of, found)], digest.hexdigest()[:16], folders)


def _face_of(file: FontFile) -> Face:
    is_serif = "Serif" in file.name or "Naskh" in file.name
    return Face(file.name, Style(is_serif, file.is_bold, file.is_italic), file.coverage, file.open)


def is_stand_in(face: str, font: str) -> bool:
    """Tell whether a face is another than the template's font, of which both names are given."""
    plain = _plain(face)
    return _plain(font) not in (plain, plain.removesuffix("regular"))


def _plain(name: str) -> str:
    return name.replace("-", "").replace(" ", "").lower()


def _any_in(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
