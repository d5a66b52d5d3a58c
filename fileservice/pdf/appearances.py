"""What a form field's default appearance says (ISO 32000-1 12.7.3.3): a font, a colour."""

import re
from contextlib import suppress
from typing import cast

from pikepdf import Dictionary, Name, Object, PikepdfError, String

from fileservice.pdf.borders import FILLS, colour
from fileservice.pdf.templatefonts import TemplateFont, read_font
from fileservice.pdf.widgets import Widget

NUMBER = rb"-?(?:\d+\.?\d*|\.\d+)"
FONT_SET = re.compile(rb"(/[^\s/()<>\[\]{}%%]+)\s+(%b)\s+Tf\b" % NUMBER)
COLOUR_SET = re.compile(rb"((?:%b\s+){1,4})(g|rg|k)\b" % NUMBER)
DEFAULT_FONT = "Helvetica"


def said_of(widget: Widget, form: Dictionary) -> bytes:
    """Return the default appearance of `widget`, or of all fields of the document's `form`."""
    appearance = widget.get("/DA") or form.get("/DA")
    return bytes(appearance) if isinstance(appearance, String) else b""


def font_set(said: bytes, form: Dictionary) -> tuple[TemplateFont, float]:
    """Return the font that a default appearance sets, and its size; 0 for one that fits."""
    found = FONT_SET.search(said)
    return _font(form, found[1] if found else b""), abs(float(found[2])) if found else 0.0


def colour_set(said: bytes) -> bytes:
    """Return the operator that sets the colour of a default appearance; black by default."""
    found = COLOUR_SET.search(said)
    values = [float(value) for value in found[1].split()] if found else [0.0]
    return colour(values, FILLS) or b"0 g "


def _font(form: Dictionary, written: bytes) -> TemplateFont:
    """Return the font that a default appearance calls `written`."""
    resources = form.get("/DR")
    fonts = resources.get("/Font") if isinstance(resources, Dictionary) else None
    source = None
    if written and isinstance(fonts, Dictionary):
        with suppress(PikepdfError):  # a name that is none, as "/#"
            source = fonts.get(cast("Name", Object.parse(written)))
    return read_font(source) if isinstance(source, Dictionary) else TemplateFont(DEFAULT_FONT)
