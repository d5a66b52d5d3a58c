"""Pictures of pages as rows of pixels, read by this file alone."""

import struct
import zlib
from dataclasses import dataclass

BLUE = (0, 114, 178)

type Pixel = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a PNG of three bytes a pixel shows."""

    width: int
    height: int
    rows: list[bytes]

    def at(self, x: float, y: float) -> Pixel:
        """Return the pixel at a place in parts of the width and of the height."""
        row = self.rows[min(self.height - 1, int(y * self.height))]
        start = 3 * min(self.width - 1, int(x * self.width))
        return tuple(row[start : start + 3])

    def colours(self) -> set[Pixel]:
        return {tuple(row[at : at + 3]) for row in self.rows for at in range(0, 3 * self.width, 3)}


def decoded(png: bytes) -> Picture:
    """Read a PNG, each chunk of which is checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, []
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(kind + body),)
        chunks.append((kind, body))
        at += size + 12
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    assert form == [8, 2, 0, 0, 0]
    content = zlib.decompress(chunks[1][1])
    long = 1 + 3 * width
    assert len(content) == long * height
    assert {content[at] for at in range(0, len(content), long)} == {0}
    rows = [content[at + 1 : at + long] for at in range(0, len(content), long)]
    return Picture(width, height, rows)


def is_blue(pixel: Pixel) -> bool:
    """Tell whether a pixel has the colour of boxes, but for the blur at their edges."""
    return all(abs(a - b) < 40 for a, b in zip(pixel, BLUE, strict=True))
