"""Structured fields of HTTP (RFC 9651), as far as we read and write them."""

import re
from collections.abc import Mapping

LARGEST_INTEGER = 10**15 - 1  # RFC 9651 3.3.1

KEY = r"[a-z*][a-z0-9_.*-]*+"
_STRING = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+"'
_NUMBER = r"-?(?:[0-9]{1,12}+\.[0-9]{1,3}+|[0-9]{1,15}+)"
_WORD = r"[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*+"
_BYTES = r":[A-Za-z0-9+/]*+=*+:"
_DATE = r"@-?[0-9]{1,15}+"
_DISPLAY = r'%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*+"'
_BARE = rf"(?:{_NUMBER}|{_STRING}|{_WORD}|{_BYTES}|\?[01]|{_DATE}|{_DISPLAY})"
# They may say anything, and mean nothing to us; a field with broken ones is a broken field.
# Possessive, so that a field that does not fit costs one pass.
PARAMETERS = rf"(?:;[ ]*+{KEY}(?:={_BARE})?+)*+"
_BOOLEAN = re.compile(rf"[ ]*+\?([01]){PARAMETERS}[ ]*+")
_INTEGER = re.compile(rf"[ ]*+(-?[0-9]{{1,15}}+){PARAMETERS}[ ]*+")


def parse_boolean(field: str) -> bool | None:
    """Return the value of a field that is one boolean; None where it is anything else."""
    match = _BOOLEAN.fullmatch(field)
    return None if match is None else match[1] == "1"


def parse_count(field: str) -> int | None:
    """Return the value of a field that is one integer from 0; None where it is anything else."""
    match = _INTEGER.fullmatch(field)
    if match is None or int(match[1]) < 0:
        return None
    return int(match[1])


def format_counts(members: Mapping[str, int]) -> str:
    """Return a dictionary of integers from 0; too large ones are written as the largest."""
    return ", ".join(f"{key}={min(count, LARGEST_INTEGER)}" for key, count in members.items())
