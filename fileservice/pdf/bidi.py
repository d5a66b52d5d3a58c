"""
The order in which mixed text is drawn: the Unicode bidirectional algorithm (UAX #9).

Values come here without explicit controls (`fileservice.pdf.values` takes them out), so the X
rules have nothing to do, and a value is one isolating run.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

RIGHTWARDS, LEFTWARDS = 0, 1  # levels of a paragraph
STRONG = ("L", "R", "AL")
NEUTRAL = ("B", "S", "WS", "ON")
# BidiBrackets.txt of Unicode 15; an opening bracket is followed by its closing one.
BRACKETS = (
    "()[]{}\u0f3a\u0f3b\u0f3c\u0f3d\u169b\u169c\u2045\u2046\u207d\u207e\u208d\u208e\u2308\u2309"
    "\u230a\u230b\u2329\u232a\u2768\u2769\u276a\u276b\u276c\u276d\u276e\u276f\u2770\u2771\u2772"
    "\u2773\u2774\u2775\u27c5\u27c6\u27e6\u27e7\u27e8\u27e9\u27ea\u27eb\u27ec\u27ed\u27ee\u27ef"
    "\u2983\u2984\u2985\u2986\u2987\u2988\u2989\u298a\u298b\u298c\u298d\u2990\u298f\u298e\u2991"
    "\u2992\u2993\u2994\u2995\u2996\u2997\u2998\u29d8\u29d9\u29da\u29db\u29fc\u29fd\u2e22\u2e23"
    "\u2e24\u2e25\u2e26\u2e27\u2e28\u2e29\u2e55\u2e56\u2e57\u2e58\u2e59\u2e5a\u2e5b\u2e5c\u3008"
    "\u3009\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u3014\u3015\u3016\u3017\u3018\u3019"
    "\u301a\u301b\ufe59\ufe5a\ufe5b\ufe5c\ufe5d\ufe5e\uff08\uff09\uff3b\uff3d\uff5b\uff5d\uff5f"
    "\uff60\uff62\uff63"
)
CLOSING = dict(zip(BRACKETS[::2], BRACKETS[1::2], strict=True))
OPENING = {closing: opening for opening, closing in CLOSING.items()}
# Canonical equivalents count as one another (BD16).
SAME_BRACKET = {"\u2329": "\u3008", "\u232a": "\u3009"}
MAX_OPEN_BRACKETS = 63


def bidi_levels(text: str) -> list[int]:
    """Return each character's level; the direction is that of the first strong one (P2, P3)."""
    classes = [_class_of(character) for character in text]
    return resolved_levels(text, classes, paragraph_level(classes))


def paragraph_level(classes: Sequence[str]) -> int:
    """Return the level that text of these bidi classes has as a paragraph."""
    first = next((each for each in classes if each in STRONG), "L")
    return RIGHTWARDS if first == "L" else LEFTWARDS


def resolved_levels(text: str, classes: Sequence[str], paragraph: int) -> list[int]:
    """Return each character's level after rules W1 to L1; `classes` have no explicit controls."""
    kept = [at for at, each in enumerate(classes) if each != "BN"]
    types = [classes[at] for at in kept]
    _resolve_weak(types, paragraph)
    _resolve_brackets([text[at] for at in kept], types, [classes[at] for at in kept], paragraph)
    _resolve_neutral(types, paragraph)
    levels = [paragraph] * len(classes)
    for at, each in zip(kept, types, strict=True):
        levels[at] = _implicit(each, paragraph)
    for at in sorted(set(range(len(classes))) - set(kept)):
        levels[at] = levels[at - 1] if at else paragraph
    _reset_ends(levels, classes, paragraph)
    return levels


def visual_runs(levels: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches (start, stop) of one level as they are drawn from left to right (L2)."""
    edges = [at for at in range(1, len(levels)) if levels[at] != levels[at - 1]]
    runs = list(pairwise([0, *edges, len(levels)])) if levels else []
    for level in range(max(levels, default=0), 0, -1):
        at = 0
        while at < len(runs):
            stop = at
            while stop < len(runs) and levels[runs[stop][0]] >= level:
                stop += 1
            runs[at:stop] = runs[at:stop][::-1]
            at = stop + 1
    return runs


@lru_cache(maxsize=4096)
def _class_of(character: str) -> str:
    return unicodedata.bidirectional(character) or "L"


def _edge(paragraph: int) -> str:
    """Return the type of the paragraph's start and end (X10)."""
    return "R" if paragraph % 2 else "L"


def _resolve_weak(types: list[str], paragraph: int) -> None:
    """Apply W1 to W7: marks, numbers and what stands between and beside numbers."""
    _resolve_marks(types, paragraph)
    _resolve_separators(types)
    _resolve_terminators(types)
    strong = _edge(paragraph)
    for at, each in enumerate(types):  # W7, and W3, which nothing between looks at
        if each in STRONG:
            strong = types[at] = "L" if each == "L" else "R"
        elif each == "EN" and strong == "L":
            types[at] = "L"


def _resolve_marks(types: list[str], paragraph: int) -> None:
    """Apply W1 and W2: a mark is as what it stands on, a number after Arabic is Arabic."""
    before = strong = _edge(paragraph)
    for at, each in enumerate(types):
        before = types[at] = before if each == "NSM" else each
        if before in STRONG:
            strong = before
        if before == "EN" and strong == "AL":
            types[at] = "AN"


def _resolve_separators(types: list[str]) -> None:
    """Apply W4: one separator between two numbers of a kind belongs to them."""
    for at in range(1, len(types) - 1):
        sides = {types[at - 1], types[at + 1]}
        if sides == {"EN"} and types[at] in ("ES", "CS"):
            types[at] = "EN"
        elif sides == {"AN"} and types[at] == "CS":
            types[at] = "AN"


def _resolve_terminators(types: list[str]) -> None:
    """Apply W5 and W6: signs beside a European number belong to it, others are neutral."""
    at = 0
    while at < len(types):
        stop = at
        while stop < len(types) and types[stop] == "ET":
            stop += 1
        if stop > at:
            beside = (at > 0 and types[at - 1] == "EN") or types[stop : stop + 1] == ["EN"]
            types[at:stop] = ["EN" if beside else "ON"] * (stop - at)
        at = stop + 1
    types[:] = ["ON" if each in ("ES", "ET", "CS") else each for each in types]


def _bracket_pairs(characters: Sequence[str], types: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of brackets by their opening ones (BD16)."""
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for at, character in enumerate(characters):
        if types[at] != "ON":
            continue
        if character in CLOSING:
            if len(opened) == MAX_OPEN_BRACKETS:
                return []
            opened.append((_plain(CLOSING[character]), at))
        elif character in OPENING:
            for depth in range(len(opened) - 1, -1, -1):
                if opened[depth][0] == _plain(character):
                    pairs.append((opened[depth][1], at))
                    del opened[depth:]
                    break
    return sorted(pairs)


def _plain(bracket: str) -> str:
    return SAME_BRACKET.get(bracket, bracket)


def _resolve_brackets(
    characters: Sequence[str], types: list[str], classes: Sequence[str], paragraph: int
) -> None:
    """Apply N0: a pair of brackets takes the direction of what it holds, or of what is before."""
    edge = _edge(paragraph)
    for start, stop in _bracket_pairs(characters, types):
        within = {_direction(types[at]) for at in range(start + 1, stop)} & {"L", "R"}
        if not within:
            continue
        found = edge
        if edge not in within:
            before = (_direction(types[at]) for at in range(start - 1, -1, -1))
            if next((each for each in before if each in ("L", "R")), edge) != edge:
                found = within.pop()
        for bracket in (start, stop):
            types[bracket] = found
            after = bracket + 1
            while after < len(types) and classes[after] == "NSM":
                types[after] = found
                after += 1


def _direction(each: str) -> str:
    return "R" if each in ("EN", "AN") else each


def _resolve_neutral(types: list[str], paragraph: int) -> None:
    """Apply N1 and N2: what is between texts of one direction has it too."""
    edge = _edge(paragraph)
    at = 0
    while at < len(types):
        stop = at
        while stop < len(types) and types[stop] in NEUTRAL:
            stop += 1
        if stop > at:
            left = _direction(types[at - 1]) if at else edge
            right = _direction(types[stop]) if stop < len(types) else edge
            types[at:stop] = [left if left == right else edge] * (stop - at)
        at = stop + 1


def _implicit(each: str, paragraph: int) -> int:
    """Return the level of a resolved type (I1, I2)."""
    if paragraph % 2:
        return paragraph if each == "R" else paragraph + 1
    return paragraph + {"L": 0, "R": 1}.get(each, 2)


def _reset_ends(levels: list[int], classes: Sequence[str], paragraph: int) -> None:
    """Apply L1: separators, and white space before them or at the end, are the paragraph's."""
    is_end = True
    for at in range(len(levels) - 1, -1, -1):
        each = classes[at]
        if each in ("S", "B"):
            is_end = True
        if is_end and each in ("S", "B", "WS", "BN"):
            levels[at] = paragraph
        elif each != "BN":
            is_end = False
