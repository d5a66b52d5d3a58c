"""
Draws certificate.pdf, the template that comes with the service.

Run as `python -m pdf_templates.make_certificate` in the checkout; same fonts, same bytes.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from fileservice.pdf.faces import Sign
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.geometry import number, numbers
from fileservice.pdf.subsets import Subset, stream

WIDTH, HEIGHT = 841.89, 595.276  # A4, landscape
CENTRE = WIDTH / 2
NAVY, GOLD, GREY = b"0.09 0.17 0.31", b"0.71 0.56 0.27", b"0.38 0.40 0.44"
PALE_NAVY, PALE_GOLD = b"0.62 0.67 0.76", b"0.87 0.79 0.61"

# The border is one tile, set side by side.
BORDER = 41.0
CORNER = 24.0
BAND = 7.5
TILE = 26.0
PHASES = 6
# The rosette is one petal, turned about.
PETALS = 18

SERIF, SERIF_BOLD, SANS = "NotoSerif-Regular", "NotoSerif-Bold", "NotoSans-Regular"
RULE = 540.0

Curve = Callable[[float], tuple[float, float]]


class Page:
    """Collects a page's program and the texts it shows, so that fonts can be cut to them."""

    def __init__(self) -> None:
        self.faces = shipped_fonts().faces
        self.pieces: list[bytes] = []
        self.signs: dict[str, set[Sign]] = {SERIF: set(), SERIF_BOLD: set(), SANS: set()}
        self.texts: list[Callable[[dict[str, Subset]], bytes]] = []

    def draw(self, *operators: bytes) -> None:
        """Add operators."""
        text = b"\n".join(operators)
        self.texts.append(lambda _: text)

    def centred(
        self,
        text: str,
        y: float,
        face: str,
        size: float,
        colour: bytes,
        *,
        x: float = CENTRE,
        spacing: float = 0.0,
    ) -> None:
        """Add a line of text with its centre at `x`."""
        glyphs = self.faces[face].set_text(text)
        self.signs[face].update(glyph.sign for glyph in glyphs)
        width = sum(glyph.advance for glyph in glyphs) * size / 1000 + spacing * (len(glyphs) - 1)
        self.texts.append(
            lambda subsets: (
                b"BT %s rg /%s %s Tf %s Tc %s Td [%s]TJ 0 Tc ET"
                % (
                    colour,
                    face.encode(),
                    number(size),
                    number(spacing),
                    numbers((x - width / 2, y)),
                    subsets[face].encode(glyphs, size),
                )
            )
        )

    def program(self, subsets: dict[str, Subset]) -> bytes:
        """Return the page's program."""
        return b"\n".join(text(subsets) for text in self.texts)


def curved(curve: Curve, start: float, stop: float, steps: int) -> bytes:
    """Return a path along `curve` from parameter `start` to `stop`, as cubic Bezier curves."""
    step = (stop - start) / steps
    pieces = [numbers(curve(start)) + b" m"]
    for at in range(steps):
        first, last = start + at * step, start + (at + 1) * step
        (x0, y0), (x1, y1) = curve(first), curve(last)
        (u0, v0), (u1, v1) = slope(curve, first), slope(curve, last)
        third = step / 3
        pieces.append(
            numbers((x0 + u0 * third, y0 + v0 * third, x1 - u1 * third, y1 - v1 * third, x1, y1))
            + b" c"
        )
    return b"\n".join(pieces)


def slope(curve: Curve, at: float) -> tuple[float, float]:
    """Return how fast `curve` moves at the parameter `at`."""
    (x0, y0), (x1, y1) = curve(at - 1e-5), curve(at + 1e-5)
    return (x1 - x0) / 2e-5, (y1 - y0) / 2e-5


def wave_tile() -> bytes:
    """Return one tile of the border: sines that differ in phase."""
    paths = []
    for colour, height, cycles in ((PALE_NAVY, BAND, 1), (PALE_GOLD, BAND * 0.55, 2)):
        paths.append(colour + b" RG")
        for phase in range(PHASES):

            def wave(
                x: float, phase: int = phase, h: float = height, n: int = cycles
            ) -> tuple[float, float]:
                return x, h * math.sin(math.tau * (n * x / TILE + phase / PHASES))

            paths.append(curved(wave, 0.0, TILE, 8 * cycles))
        paths.append(b"S")
    return b"\n".join(paths)


def petal() -> bytes:
    """Return one petal's angle of a rosette of radius 1."""
    paths = []
    angle = math.tau / PETALS
    for middle, depth in ((0.80, 0.20), (0.52, 0.16), (0.27, 0.10)):
        for phase in range(PHASES):

            def ray(
                turn: float, phase: int = phase, m: float = middle, d: float = depth
            ) -> tuple[float, float]:
                radius = m + d * math.cos(PETALS / 3 * turn + math.tau * phase / PHASES)
                return radius * math.cos(turn), radius * math.sin(turn)

            paths.append(curved(ray, 0.0, 3 * angle, 9))
    return b"\n".join([*paths, b"S"])


def turned(turn: float) -> bytes:
    """Return the operator that turns what follows by `turn` radians."""
    cos, sin = math.cos(turn), math.sin(turn)
    return numbers((cos, sin, -sin, cos, 0.0, 0.0)) + b" cm"


def rosette(x: float, y: float, radius: float, colour: bytes) -> list[bytes]:
    """Return operators that draw a rosette."""
    operators = [b"q", colour + b" RG", number(0.3 / radius) + b" w"]
    operators.append(numbers((radius, 0.0, 0.0, radius, x, y)) + b" cm")
    for at in range(0, PETALS, 3):
        operators += [b"q", turned(math.tau * at / PETALS), b"/Petal Do Q"]
    return [*operators, b"Q"]


def border() -> list[bytes]:
    """Return operators that draw the frame: waves between two lines, a rosette at each corner."""
    left, bottom, right, top = BORDER, BORDER, WIDTH - BORDER, HEIGHT - BORDER
    operators = [b"q 0.3 w"]
    across, down = (right - left - 2 * CORNER), (top - bottom - 2 * CORNER)
    for length, x, y, turn in (
        (across, left + CORNER, bottom, 0.0),
        (across, left + CORNER, top, 0.0),
        (down, left, bottom + CORNER, math.pi / 2),
        (down, right, bottom + CORNER, math.pi / 2),
    ):
        count = round(length / TILE)
        operators += [b"q", numbers((1, 0, 0, 1, x, y)) + b" cm", turned(turn)]
        operators.append(number(length / count / TILE) + b" 0 0 1 0 0 cm")
        operators += [b"/Wave Do %s cm" % numbers((1, 0, 0, 1, TILE, 0))] * count
        operators.append(b"Q")
    operators.append(b"Q")
    return operators


def framed(inset: float, colour: bytes, weight: float) -> bytes:
    """Return operators that draw a line around the page."""
    box = (inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset)
    return b"%s RG %s w %s re S" % (colour, number(weight), numbers(box))


def disc(x: float, y: float, radius: float) -> bytes:
    """Return operators that clear a round place on the page."""
    return b"1 g\n%s h f" % curved(
        lambda turn: (x + radius * math.cos(turn), y + radius * math.sin(turn)), 0, math.tau, 8
    )


def ruled(y: float, x: float, length: float) -> bytes:
    """Return operators that draw a fine line to write on."""
    ends = (x - length / 2, y, x + length / 2, y)
    return b"%s RG 0.5 w %s %s m %s %s l S" % (PALE_NAVY, *map(number, ends))


def ornament(y: float) -> list[bytes]:
    """Return operators that draw what stands below the title: lines that thin out, a diamond."""
    operators = [GOLD + b" rg"]
    for side in (-1, 1):
        near, far = CENTRE + side * 14, CENTRE + side * 120
        operators.append(
            b"%s m %s l %s l h f"
            % (numbers((near, y - 0.7)), numbers((near, y + 0.7)), numbers((far, y)))
        )
    diamond = ((-6, 0), (0, 4), (6, 0), (0, -4))
    points = [numbers((CENTRE + dx, y + dy)) for dx, dy in diamond]
    operators.append(b"%s m %s l %s l %s l h f" % tuple(points))
    return operators


def certificate() -> Page:
    """Return the page."""
    page = Page()
    page.draw(framed(BORDER - 11, PALE_NAVY, 0.5), framed(BORDER + 11, NAVY, 0.9))
    page.draw(framed(BORDER + 14.5, PALE_GOLD, 0.5), *border())
    for x in (BORDER, WIDTH - BORDER):
        for y in (BORDER, HEIGHT - BORDER):
            page.draw(disc(x, y, CORNER), *rosette(x, y, CORNER - 1.5, NAVY))
    page.centred("CERTIFICATE", 452, SERIF, 44, NAVY, spacing=9)
    page.draw(*ornament(430))
    page.centred("This certificate is presented to", 388, SANS, 12.5, GREY, spacing=0.4)
    page.centred("%name|%", 336, SERIF, 31, NAVY)
    page.draw(ruled(322, CENTRE, RULE))
    page.centred("for", 294, SANS, 12.5, GREY, spacing=0.4)
    page.centred("%course|%", 256, SERIF, 21, NAVY)
    page.draw(ruled(243, CENTRE, RULE))
    page.draw(*rosette(CENTRE, 133, 46, GOLD))
    # All but the time is set in one face, so that one subset of it is enough.
    for x, text, face, label in (
        (CENTRE - 235, "%timestamp%", SANS, "Date"),
        (CENTRE + 235, "%signed_by|%", SERIF, "Signature"),
    ):
        page.centred(text, 134, face, 11, NAVY, x=x)
        page.draw(ruled(126, x, 190))
        page.centred(label, 111, SANS, 9, GREY, x=x, spacing=0.4)
    return page


def packed(content: bytes, entries: bytes = b"") -> bytes:
    """Return a compressed stream."""
    return stream(content, entries, compress=True)


def document(page: Page) -> list[bytes]:
    """Return the bodies of the objects 1, 2, ... of the file; the first is the catalog."""
    subsets = {name: Subset(page.faces[name], signs) for name, signs in page.signs.items()}
    form = b"/Type/XObject/Subtype/Form/BBox[%s]"
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R/Lang(en)/ViewerPreferences<</DisplayDocTitle true>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Contents 4 0 R"
        b"/Resources<</Font 5 0 R/XObject<</Wave 6 0 R/Petal 7 0 R>>>>>>"
        % numbers((WIDTH, HEIGHT)),
        packed(page.program(subsets)),
        b"",
        packed(wave_tile(), form % numbers((-1, -BAND - 1, TILE + 1, BAND + 1))),
        packed(petal(), form % b"-1.1 -1.1 1.1 1.1"),
        b"<</Title(Certificate)>>",
    ]
    fonts = []
    for name, subset in subsets.items():
        at = len(bodies) + 1
        fonts.append(b"/%s %d 0 R" % (name.encode(), at))
        bodies += subset.objects(at, compress=True)
    bodies[4] = b"<<%s>>" % b"".join(fonts)
    return bodies


def written(bodies: Iterable[bytes]) -> bytes:
    """Return the PDF file of these objects."""
    pieces, offsets = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"], []
    at = len(pieces[0])
    for each, body in enumerate(bodies, 1):
        offsets.append(at)
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (each, body))
        at += len(pieces[-1])
    lines = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(offsets) + 1
    pieces.append(
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R/Info 8 0 R>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, lines, size, at)
    )
    return b"".join(pieces)


if __name__ == "__main__":
    target = Path(__file__).with_name("certificate.pdf")
    target.write_bytes(written(document(certificate())))
