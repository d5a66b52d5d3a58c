"""
Where a line may be broken: a small part of UAX #14.

After spaces and hyphens, and between Chinese, Japanese and Korean characters but where custom
(kinsoku) forbids it. Scripts that write no spaces, such as Thai, are broken at spaces only.
"""

import re
import unicodedata

IDEOGRAPHIC = re.compile(
    "[\u2e80-\u303f\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf"
    "\uac00-\ud7af\uf900-\ufaff\uff00-\uff9f\U0001b000-\U0001b2ff\U00020000-\U0003ffff]"
)
BREAK_AFTER = re.compile("[ \u2010\u2012\u2013\u2000-\u2006\u2008-\u200b\u3000-]")
# No line begins with them: what closes, small kana, marks of length and repetition.
NOT_FIRST = frozenset(
    "!%),.:;?]}\u00a2\u00b0\u2019\u201d\u2030\u2032\u2033\u2103\u3001\u3002\u3005\u3009\u300b\u300d\u300f\u3011"
    "\u3015\u3017\u3019\u301b\u301c\u303b\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087"
    "\u308e\u3095\u3096\u309b\u309c\u309d\u309e\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee"
    "\u30f5\u30f6\u30fb\u30fc\u30fd\u30fe\uff01\uff05\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\uff3d\uff5d\uff61"
    "\uff63\uff64\uff65"
)
# And none ends with what opens.
NOT_LAST = frozenset(
    "([{\u00a3\u00a5\u2018\u201c\u3008\u300a\u300c\u300e\u3010\u3014\u3016\u3018\u301a\uff04\uff08\uff3b\uff5b\uff5f\uff62\uffe1\uffe5"
)


def split_words(text: str) -> list[str]:
    """Return `text` in the pieces between which a line may end; together they are the text."""
    pieces = []
    start = 0
    for at in range(1, len(text)):
        if _may_break(text[at - 1], text[at]):
            pieces.append(text[start:at])
            start = at
    return [*pieces, text[start:]]


def split_letters(text: str) -> list[str]:
    """Return the letters of `text`, each with the marks that stand on it."""
    letters: list[str] = []
    for character in text:
        if letters and unicodedata.category(character).startswith("M"):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _may_break(before: str, after: str) -> bool:
    if after in NOT_FIRST or after == " " or before in NOT_LAST:
        return False
    if BREAK_AFTER.match(before):
        return True
    return bool(IDEOGRAPHIC.match(before) or IDEOGRAPHIC.match(after))
