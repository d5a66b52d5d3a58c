"""How a placeholder is written."""

import re

# `%name%`, `%name|text%` and the same in double braces; the text is for when no value is given.
NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
TEXT = r"[^%{}|]{0,200}"
PLACEHOLDER = re.compile(
    rf"%(?P<name>{NAME})(?:\|(?P<text>{TEXT}))?%"
    rf"|\{{\{{ ?(?P<braced>{NAME})(?:\|(?P<braced_text>{TEXT}))? ?\}}\}}"
)
# What asks for the QR code, and of which size in points.
CODE_NAME = re.compile(r"qr(?:\.(?P<side>\d{1,4}))?")


def is_code(name: str | None) -> bool:
    """Tell whether a placeholder or a field of this name asks for the QR code."""
    return name is not None and CODE_NAME.fullmatch(name) is not None
