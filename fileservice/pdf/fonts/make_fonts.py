"""
Reduce the Noto fonts of Debian's fonts-noto-core to what certificates need.

Run as `python fileservice/pdf/fonts/make_fonts.py /usr/share/fonts/truetype/noto`; it writes the
`.ttf` files beside itself. The same input and the same HarfBuzz give the same bytes.
"""

import sys
from pathlib import Path

import uharfbuzz as hb

NAMES = ("NotoSans-Regular", "NotoSans-Bold", "NotoSerif-Regular", "NotoSerif-Bold")

# Latin, Greek and Cyrillic with all that Unicode adds to them, marks, punctuation, symbols.
RANGES = (
    (0x0020, 0x007E),
    (0x00A0, 0x052F),
    (0x1C80, 0x1C8F),
    (0x1D00, 0x1FFF),
    (0x2000, 0x22FF),
    (0x2C60, 0x2C7F),
    (0x2DE0, 0x2E5F),
    (0xA640, 0xA69F),
    (0xA700, 0xA7FF),
    (0xAB30, 0xAB6F),
    (0xFB00, 0xFB06),
    (0xFE20, 0xFE2F),
    (0xFFFD, 0xFFFD),
)


def reduce(font: bytes) -> bytes:
    """Return `font` with the glyphs of RANGES, kerning and marks, without hints."""
    wanted = hb.SubsetInput()
    for first, last in RANGES:
        wanted.unicode_set.update(range(first, last + 1))
    # Copyright, names, version, licence: the OFL asks for the notices to stay.
    wanted.name_id_set.update(range(15))
    wanted.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NOTDEF_OUTLINE
    return bytes(hb.subset(hb.Face(hb.Blob(font)), wanted).blob.data)


def main() -> None:
    """Write the four fonts."""
    source, target = Path(sys.argv[1]), Path(__file__).parent
    for name in NAMES:
        (target / f"{name}.ttf").write_bytes(reduce((source / f"{name}.ttf").read_bytes()))


if __name__ == "__main__":
    main()
