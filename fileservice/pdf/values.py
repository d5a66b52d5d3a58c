"""What a value may be: one line of text, made the same however it was typed."""

import re
import unicodedata
from functools import lru_cache

from fileservice.errors import BadValue
from fileservice.pdf.faces import named

MAX_VALUE_CHARACTERS = 500
# They change how what stands around them is read, and draw nothing (CVE-2021-42574).
BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LINE_BREAKS = re.compile(r"[\t\r\n\u2028\u2029]+")


@lru_cache(maxsize=4096)
def clean_value(name: str, text: str) -> str:
    """
    Return `text` composed (NFC), on one line, without controls of direction; `name` is for errors.

    Raises:
        BadValue: it is too long, or has a character that is no text.
    """
    if len(text) > MAX_VALUE_CHARACTERS:
        raise BadValue(
            f"The value of {name!r} is {len(text)} characters long,"
            f" {MAX_VALUE_CHARACTERS} are accepted."
        )
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", BIDI_CONTROLS.sub("", LINE_BREAKS.sub(" ", text)))
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co"):
            raise BadValue(
                f"The value of {name!r} has a character that is not text: {named(character)}."
            )
    return text
