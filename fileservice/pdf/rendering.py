"""
The process that makes a picture of a page: PDFium, which parses much, with little to lose.

Standard input has a PDF and then an overlay, a PDF of one page that is drawn over it; the
arguments are the page's number, from 1, and how long the overlay is, 0 for none. The answer
(`answers`) goes out with a PNG.
"""

import struct
import sys
import zlib

import pypdfium2
from pypdfium2 import raw

from fileservice.pdf.answers import MAX_FILE_BYTES, answer, limit_this_process
from fileservice.pdf.errors import NotDrawn, OverLimits

LONGEST_SIDE = 1600
# Of a small page: 288 pixels to the inch.
MOST_PIXELS_TO_A_POINT = 4.0
WHITE = (255, 255, 255, 255)


def picture(content: bytes, overlay_size: int, number: int) -> bytes:
    """
    Return page `number` as a PNG, with the overlay that ends `content` drawn over it.

    Raises:
        OverLimits: it is too long.
        NotDrawn: PDFium cannot read it, or the page has no extent.
    """
    if len(content) > MAX_FILE_BYTES:
        raise OverLimits("The filled template is too large to be drawn.")
    start = len(content) - overlay_size
    try:
        page = pypdfium2.PdfDocument(content[:start])[number - 1]
        over = pypdfium2.PdfDocument(content[start:])[0] if overlay_size else None
    except (pypdfium2.PdfiumError, IndexError) as error:
        raise NotDrawn("The page cannot be read.") from error
    across, up = page.get_size()
    if not (across > 0 and up > 0):
        raise NotDrawn("The page has no extent.")
    scale = min(MOST_PIXELS_TO_A_POINT, LONGEST_SIDE / max(across, up))
    width, height = max(1, round(across * scale)), max(1, round(up * scale))
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR, rev_byteorder=True)
    bitmap.fill_rect(WHITE, 0, 0, width, height)
    flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
    raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
    if over:
        raw.FPDF_RenderPageBitmap(bitmap, over, 0, 0, width, height, 0, flags)
    return png(bytes(bitmap.buffer), width, height, bitmap.stride)


def png(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    """Return rows of `width` pixels of three bytes, `stride` bytes apart, as PNG (ISO 15948)."""
    rows = b"".join(b"\0" + pixels[at : at + 3 * width] for at in range(0, height * stride, stride))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


if __name__ == "__main__":
    limit_this_process()
    number, overlay_size = map(int, sys.argv[1:])
    answer(
        lambda content: picture(content, overlay_size, number), sys.stdin.buffer, sys.stdout.buffer
    )
