"""What two renderers show of a page, and the codes that are read from it."""

import subprocess
from collections.abc import Callable

import pypdfium2
import zxingcpp

from tests.conftest import need_program

DPI = 144

type Raster = memoryview
type Draw = Callable[[bytes], Raster]


def by_poppler(content: bytes) -> Raster:
    done = subprocess.run(
        [need_program("pdftoppm"), "-gray", "-r", str(DPI), "-"],
        input=content,
        capture_output=True,
        check=True,
    )
    assert not done.stderr
    kind, width, height, _, pixels = done.stdout.split(maxsplit=4)
    assert kind == b"P5"
    return shaped(pixels, int(width), int(height))


def by_pdfium(content: bytes) -> Raster:
    document = pypdfium2.PdfDocument(content)
    bitmap = document[0].render(scale=DPI / 72, grayscale=True)
    rows = bytes(bitmap.buffer)
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    bitmap.close()
    document.close()
    pixels = b"".join(rows[at * stride : at * stride + width] for at in range(height))
    return shaped(pixels, width, height)


def shaped(pixels: bytes, width: int, height: int) -> Raster:
    return memoryview(pixels[: width * height]).cast("B", (height, width))


def read(raster: Raster) -> list[tuple[str, str]]:
    # Among so many modules it takes some rows for a bar code now and then.
    kind = zxingcpp.BarcodeFormat.QRCode
    codes = zxingcpp.read_barcodes(raster)
    return [(code.text, code.ec_level) for code in codes if code.format == kind]


def dark_share(raster: Raster, left: int, bottom: int, right: int, top: int) -> float:
    """Return which part of a rectangle, in points from the page's lower left, is dark."""
    height = raster.shape[0] if raster.shape else 0
    rows = range(height - top * DPI // 72, height - bottom * DPI // 72)
    columns = range(left * DPI // 72, right * DPI // 72)
    dark = sum(raster[row, column] < 128 for row in rows for column in columns)
    return dark / (len(rows) * len(columns))
