"""What codes and glyph names mean in a simple font (ISO 32000-1 9.6.6 and annex D)."""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

STANDARD, MAC_ROMAN, WIN_ANSI = "StandardEncoding", "MacRomanEncoding", "WinAnsiEncoding"
ENCODINGS = (STANDARD, MAC_ROMAN, WIN_ANSI)
FACES = (
    "Helvetica",
    "Helvetica-Bold",
    "Times-Roman",
    "Times-Bold",
    "Times-Italic",
    "Times-BoldItalic",
)
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
COURIER_WIDTH = 600.0
# Adobe Glyph List Specification, section 2: groups of four upper-case digits, or four to six.
UNI_NAME = re.compile(r"uni((?:[0-9A-F]{4})+)|u([0-9A-F]{4,6})")


class LatinTables(NamedTuple):
    """
    The content of latin.txt.

    Attributes:
        characters: glyph name -> character.
        encodings: encoding's name -> code -> character.
        widths: face's name -> character -> width in thousandths of the font size.
    """

    characters: dict[str, str]
    encodings: dict[str, dict[int, str]]
    widths: dict[str, dict[str, float]]


@cache
def tables() -> LatinTables:
    """Read latin.txt, once in a process."""
    result = LatinTables({}, {name: {} for name in ENCODINGS}, {name: {} for name in FACES})
    text = (files("fileservice.pdf") / "latin.txt").read_text(encoding="utf-8")
    for row in text.splitlines():
        if row.startswith("#"):
            continue
        name, code_point, *columns = row.split()
        character = chr(int(code_point, 16))
        result.characters[name] = character
        for encoding, code in zip(ENCODINGS, columns[:3], strict=False):
            if code != "-":
                result.encodings[encoding][int(code)] = character
        for face, width in zip(FACES, columns[3:], strict=False):
            result.widths[face][character] = float(width)
    return result


def character_of(glyph_name: str) -> str:
    """Return the characters that a glyph of this name draws; "" when the name does not say."""
    stem = glyph_name.split(".")[0]
    known = tables().characters.get(stem)
    if known is not None:
        return known
    if "_" in stem:
        return "".join(map(character_of, stem.split("_")))
    match = UNI_NAME.fullmatch(stem)
    if match is None:
        return ""
    if match[2]:
        return _character(int(match[2], 16))
    return "".join(_character(int(match[1][at : at + 4], 16)) for at in range(0, len(match[1]), 4))


def _character(code_point: int) -> str:
    is_one = code_point < 0xD800 or 0xDFFF < code_point <= 0x10FFFF
    return chr(code_point) if is_one else ""


def standard_width(font_name: str, character: str) -> float:
    """
    Return the width of `character` in thousandths in a font that leaves it to the reader.

    Those are the standard fonts (ISO 32000-1 9.6.2.2) and what is named like them; 0 for others.
    """
    name = font_name.split("+")[-1].lower()
    if "courier" in name:
        return COURIER_WIDTH
    bold, slanted = "bold" in name, "italic" in name or "oblique" in name
    if "times" in name:
        face = FACES[2 + bold + 2 * slanted]
    elif "helvetica" in name or "arial" in name:
        face = FACES[int(bold)]
    else:
        return 0.0
    return tables().widths[face].get(character, 0.0)
