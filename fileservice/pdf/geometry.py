"""Matrices and numbers as PDF writes them (ISO 32000-1 8.3.3 and 7.3.3)."""

import math
from functools import lru_cache
from typing import NamedTuple, Self

# Annex C of ISO 32000-1 lets a page be 14,400 units wide; what lies this far away is on no page.
FAR_AWAY = 1e6


class Matrix(NamedTuple):
    """The affine map (x, y) -> (ax + cy + e, bx + dy + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def then(self, other: Self) -> "Matrix":
        """Return the map that does this first and then `other`."""
        a, b, c, d, e, f = self
        return Matrix(
            a * other.a + b * other.c,
            a * other.b + b * other.d,
            c * other.a + d * other.c,
            c * other.b + d * other.d,
            e * other.a + f * other.c + other.e,
            e * other.b + f * other.d + other.f,
        )

    def moved(self, x: float, y: float = 0.0) -> "Matrix":
        """Return this map with its origin at (x, y) of its own space."""
        a, b, c, d, e, f = self
        return Matrix(a, b, c, d, e + x * a + y * c, f + x * b + y * d)

    def scaled(self, factor: float) -> "Matrix":
        """Return this map with its own space scaled about its origin."""
        a, b, c, d, e, f = self
        return Matrix(a * factor, b * factor, c * factor, d * factor, e, f)

    def stretched(self, factor: float) -> "Matrix":
        """Return this map with its own x axis scaled about its origin."""
        a, b, c, d, e, f = self
        return Matrix(a * factor, b * factor, c, d, e, f)

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """Return where the point (x, y) comes to lie."""
        return x * self.a + y * self.c + self.e, x * self.b + y * self.d + self.f

    def inverse(self) -> "Matrix":
        """Return the map back; only for a map that `is_sane`."""
        a, b, c, d, e, f = self
        area = a * d - b * c
        return Matrix(
            d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area
        )

    @property
    def written(self) -> bytes:
        """The six numbers as PDF writes them; most lines of text share the first four."""
        a, b, c, d, e, f = self
        return b"%s %s %s" % (_written(a, b, c, d), number(e), number(f))

    @property
    def x_scale(self) -> float:
        """How long a unit along this space's x axis becomes."""
        return math.hypot(self.a, self.b)

    @property
    def is_sane(self) -> bool:
        """Whether the map can be turned back and keeps near things near."""
        return (
            all(math.isfinite(value) and abs(value) < FAR_AWAY for value in self)
            and abs(self.a * self.d - self.b * self.c) > 1e-9
        )


IDENTITY = Matrix(1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@lru_cache(maxsize=1024)
def _written(*values: float) -> bytes:
    return numbers(values)


def number(value: float) -> bytes:
    """Return `value` as PDF writes it: no exponent, at most five decimals, no needless zeros."""
    text = b"%.5f" % value
    text = text.rstrip(b"0").rstrip(b".")
    return b"0" if text in (b"", b"-0") else text


def numbers(values: tuple[float, ...]) -> bytes:
    """Return `values` as PDF writes them, a space between."""
    return b" ".join(map(number, values))
