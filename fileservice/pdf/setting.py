"""Sets a value in whatever script it is: which face draws which part, and in which order."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import uharfbuzz as hb

from fileservice.pdf.bidi import bidi_levels, visual_runs
from fileservice.pdf.faces import Face, Script, SetGlyph, missing_glyph
from fileservice.pdf.fonts import FontSet

# Marks, and scripts whose letters join, run leftwards or change places: Hebrew to Myanmar, those
# of the Philippines to Balinese and their kin, the forms of Hebrew and Arabic letters.
SHAPED = re.compile(
    "[\u0300-\u036f\u0590-\u109f\u1700-\u1c7f\u1cd0-\u1cff\u1dc0-\u1dff\u20d0-\u20ff\ua800-\uabff"
    "\ufb1d-\ufdff\ufe20-\ufe2f\ufe70-\ufefc\U00010800-\U00011fff\U0001e800-\U0001efff]"
)
# Numbers and times: no two of their signs are kerned, and each certificate has new ones.
NUMBER = re.compile(r"(?=.*[0-9].*[0-9])[0-9A-Z:.+-]+")
LEFTWARD = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# They belong to the character before them, whatever their script.
MARKS = ("Mn", "Mc", "Me")
JOINERS = "\u200c\u200d"
# Which forms of Han characters a language writes, as the names of fonts end; longest tag first.
CJK_FORMS = (
    ("zh-hant-hk", "hk"),
    ("zh-hant", "tc"),
    ("zh-hk", "hk"),
    ("zh-tw", "tc"),
    ("zh", "sc"),
    ("ja", "jp"),
    ("ko", "kr"),
)
KANA, HANGUL, BOPOMOFO = (
    re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]"),
    re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff]"),
    re.compile("[\u3105-\u312f\u31a0-\u31bf]"),
)


class Run(NamedTuple):
    """
    Glyphs of one face, leftmost first.

    Attributes:
        has_clusters: whether several glyphs may stand for one text, which the first then carries.
    """

    face: Face
    glyphs: Sequence[SetGlyph]
    has_clusters: bool = False


class Item(NamedTuple):
    """What of a text is shaped at once: `start` up to `stop`."""

    start: int
    stop: int
    face: Face
    script: str


def set_runs(fonts: FontSet, face: Face, text: str, language: str) -> list[Run]:
    """
    Return the runs that draw `text` from left to right, in `face` as far as that has it.

    `language` is the template's (BCP 47), "" when it does not say.

    Raises:
        MissingGlyph: no face at hand has a character of it.
    """
    if NUMBER.fullmatch(text) and face.covers(text):
        return [Run(face, face.set_apart(text))]
    if not SHAPED.search(text) and face.covers(text):
        return [Run(face, face.shape(text, 0, len(text), Script(language=language or "und")))]
    levels = bidi_levels(text) if LEFTWARD.search(text) else [0] * len(text)
    scripts = scripts_of(text)
    faces = _faces_of(fonts, face, text, scripts, language)
    runs = []
    for start, stop in visual_runs(levels):
        is_leftward = bool(levels[start] % 2)
        items = _items(faces, scripts, start, stop)
        for item in reversed(items) if is_leftward else items:
            script = Script(item.script, language or "und", is_leftward, is_clustered=True)
            glyphs = item.face.shape(text, item.start, item.stop, script)
            runs.append(Run(item.face, glyphs, not is_leftward))
    return runs


def scripts_of(text: str) -> list[str]:
    """Return each character's script; what all scripts use has that of what is before it."""
    scripts = [_script_of(character) for character in text]
    before = next(filter(None, scripts), "")
    for at, script in enumerate(scripts):
        before = scripts[at] = script or before
    return scripts


def cjk_form(text: str, language: str) -> str:
    """Return which forms of Han characters are meant: jp, kr, sc, tc or hk."""
    tag = language.lower().replace("_", "-")
    for prefix, form in CJK_FORMS:
        if tag == prefix or tag.startswith(prefix + "-"):
            return form
    for letters, form in ((KANA, "jp"), (HANGUL, "kr"), (BOPOMOFO, "tc")):
        if letters.search(text):
            return form
    return "sc"


@lru_cache(maxsize=8192)
def _script_of(character: str) -> str:
    """Return the script as HarfBuzz knows it, "" for what several use."""
    buffer = hb.Buffer()
    buffer.add_str(character)
    buffer.guess_segment_properties()
    return buffer.script or ""


def _faces_of(
    fonts: FontSet, face: Face, text: str, scripts: Sequence[str], language: str
) -> list[Face]:
    """Return the face of each character."""
    form = cjk_form(text, language)
    faces: list[Face] = []
    for (_, is_ours), group in groupby(
        _clusters(text), lambda each: (scripts[each[0]], face.covers(text[each[0] : each[1]]))
    ):
        clusters = list(group)
        start, stop = clusters[0][0], clusters[-1][1]
        if is_ours:
            faces += [face] * (stop - start)
            continue
        whole = fonts.fallback(text[start:stop], face.style, form)
        for first, last in clusters:
            found = whole or fonts.fallback(text[first:last], face.style, form)
            if found is None:
                raise missing_glyph(_uncovered(fonts, text[first:last], face, form))
            faces += [found] * (last - first)
    return _with_spaces(text, faces)


def _uncovered(fonts: FontSet, cluster: str, face: Face, form: str) -> str:
    """Return the character of `cluster` to blame: what the face for its first one lacks."""
    found = fonts.fallback(cluster[0], face.style, form)
    if found is None:
        return cluster[0]
    return next(each for each in cluster if not found.covers(each))


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a text, not empty, that one face has to draw: letters, their marks."""
    start = 0
    for at in range(1, len(text)):
        is_tied = unicodedata.category(text[at]) in MARKS or text[at] in JOINERS
        if not is_tied and text[at - 1] != JOINERS[1]:
            yield start, at
            start = at
    yield start, len(text)


def _with_spaces(text: str, faces: list[Face]) -> list[Face]:
    """Return `faces` with each space in the face before it, so that words are shaped as one."""
    for at, character in enumerate(text):
        if at and character in " \u00a0" and ord(character) in faces[at - 1].coverage:
            faces[at] = faces[at - 1]
    return faces


def _items(faces: Sequence[Face], scripts: Sequence[str], start: int, stop: int) -> list[Item]:
    items: list[Item] = []
    for at in range(start, stop):
        if not items or faces[at] is not items[-1].face or scripts[at] != items[-1].script:
            items.append(Item(at, stop, faces[at], scripts[at]))
    starts = [item.start for item in items[1:]]
    return [
        Item(item.start, end, item.face, item.script)
        for item, end in zip(items, [*starts, stop], strict=True)
    ]
