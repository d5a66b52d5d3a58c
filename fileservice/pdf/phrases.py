"""Texts that a page does not draw but that may ask for values: titles, and what is read aloud."""

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from fileservice.pdf.placeholders import PLACEHOLDER

MAX_PHRASE_CHARACTERS = 1000
# What no XML has (XML 1.0, 2.2), and what only a program of its own could read.
UNSPEAKABLE = ("Cc", "Cn", "Co", "Cs")


class Asked(NamedTuple):
    """A placeholder and what stands there when no value is given."""

    name: str
    default: str


def plain_text(text: str) -> str:
    """Return `text` on one line, of MAX_PHRASE_CHARACTERS at most."""
    said = [
        each
        for each in text[:MAX_PHRASE_CHARACTERS]
        if each.isspace() or unicodedata.category(each) not in UNSPEAKABLE
    ]
    return " ".join("".join(said).split())


def names_in(text: str) -> frozenset[str]:
    """Return the names of the values that a phrase asks for."""
    return frozenset(each.name for each in _parts(text) if isinstance(each, Asked))


def spoken(text: str, values: Mapping[str, str]) -> str:
    """Return the phrase `text` with `values`: no value makes it fail, and none is a placeholder."""
    parts = _parts(text)
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    said = "".join(
        [each if isinstance(each, str) else values.get(each.name, each.default) for each in parts]
    )
    return " ".join(said.split())


@lru_cache(maxsize=1024)
def _parts(text: str) -> tuple[str | Asked, ...]:
    return tuple(_divided(text))


def _divided(text: str) -> Iterator[str | Asked]:
    done = 0
    for found in PLACEHOLDER.finditer(text):
        if done < found.start():
            yield text[done : found.start()]
        default = found["text"] or found["braced_text"] or ""
        yield Asked(found["name"] or found["braced"], default)
        done = found.end()
    if done < len(text):
        yield text[done:]
