"""A client's file name made harmless: what lies is refused, what is awkward is mended."""

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from unicodedata import category, combining, normalize
from urllib.parse import unquote_to_bytes

from fileservice.errors import BadName, NoFile

MAX_NAME_BYTES = 255  # NAME_MAX of ext4, XFS, APFS and NTFS, so that every client can save it
MAX_EXTENSION_BYTES = 32  # what follows the last dot of a sentence is no extension
MAX_MARKS = 8  # per base; living scripts stay below, stacked "zalgo" text does not
READINGS = 3  # "%252f" takes two to show its slash; the third is for entities inside of it

# Unicode 16.0, 23.7: for use inside of programs, never in text.
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
FORBIDDEN = re.compile(rf"[/\\\x00-\x1f\x7f-\x9f{NONCHARACTERS}]")
# Longer spellings of a character that has a shorter one (RFC 3629 10).
OVERLONG = re.compile(
    rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]|\xf8[\x80-\x87]|\xfc[\x80-\x83]"
)
# The three flags in which invisible tag characters belong (UTS 51 annex C) are kept, and with
# them out of the way: Default_Ignorable_Code_Point without joiners and selectors, the line and
# paragraph separators, interlinear annotation.
HIDDEN = re.compile(
    "(\U0001f3f4(?:"
    + "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in region)
        for region in ("gbeng", "gbsct", "gbwls")
    )
    + ")\U000e007f)"
    r"|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
ZERO_WIDTH_JOINER = "\u200d"
JOINERS = frozenset(f"{ZERO_WIDTH_JOINER}\u200c\u180e")
SELECTORS = frozenset(
    map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
VIRAMA = 9  # canonical combining class (Unicode 16.0, table 4-3)
# Scripts whose letters have a Joining_Type (Unicode 16.0, 9.2 and its kin), by block.
CURSIVE = re.compile(
    r"[\u0600-\u077f\u07c0-\u07ff\u0840-\u08ff\u1800-\u18af\ua840-\ua87f\U00010ac0-\U00010aff"
    r"\U00010b80-\U00010baf\U00010d00-\U00010d3f\U00010f30-\U00010fdf\U0001e900-\U0001e95f]"
)
# What stands on either side of a joiner in emoji-zwj-sequences.txt.
EMOJI = re.compile(r"[\u2194-\u21aa\u231a-\u23ff\u25aa-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]")
BLANK = "".join(
    map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x2800, 0x3000))
)
# What Windows refuses, and symbols that pass for a slash or backslash (confusables.txt).
AWKWARD = str.maketrans(
    dict.fromkeys(
        '<>:"|?*\u1735\u2041\u2044\u2215\u2216\u2571\u2572\u27cb\u27cd\u29f5\u29f8\u29f9'
        "\u31d3\u31d4\U0001d20f\U0001d23a\U0001d23b",
        "_",
    )
)
# Windows opens these whatever follows the first dot; COM0 and LPT0 are only said to be reserved
# (Microsoft, Naming Files, Paths, and Namespaces). NFKC turns COM¹, which it opens too, to COM1.
DEVICES = r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9]) *+(?:\.|\Z)"
DEVICE = re.compile(DEVICES, re.IGNORECASE)
# Most names: nothing in them to decode, to mend or to refuse.
PLAIN = re.compile(
    rb"(?!%b)[\w!#$'()+,;=@[\]^`{}][\w!#$'()+,;=@[\]^`{}.~ -]{0,254}+(?<![ .])" % DEVICES.encode(),
    re.IGNORECASE,
)
ENTITY = re.compile(r"&(?:#[xX]0*([0-9a-fA-F]{1,6})|#0*([0-9]{1,7})|[a-zA-Z][a-zA-Z0-9]{1,31});?")
UTF16_ESCAPE = re.compile(r"%u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class CleanName:
    """A label for a file: NFC, visible, no path, at most 255 bytes of UTF-8."""

    text: str
    changed: bool


def clean_name(raw: bytes) -> CleanName:
    """
    Return `raw` as a name that can be shown, stored and sent to any client.

    A clean name comes back unchanged. The time taken is linear in the length of `raw`.

    Raises:
        NoFile: `raw` is empty, which is what a form sends when no file was chosen.
        BadName: it is no UTF-8, has nothing visible in it, or holds a slash, a backslash or a
            control character, be it percent-encoded (twice), as an HTML entity or as `%u002f`,
            or as a character that compatibility normalisation (NFKC) turns into one.
    """
    if not raw:
        raise NoFile("The file has no name: was one chosen?")
    if PLAIN.fullmatch(raw):
        return CleanName(raw.decode("ascii"), changed=False)
    try:
        sent = raw.decode()
    except UnicodeDecodeError as error:
        raise BadName("The file name is not UTF-8.") from error
    _refuse(sent)
    name = settled(sent)
    _refuse_in_any_reading(name)
    text = _fitted(name.translate(AWKWARD))
    if text != name:
        # A cut through "&#470;" leaves "&#47".
        _refuse_in_any_reading(text)
    return CleanName(text, changed=text != sent)


def guarded(text: str) -> str:
    """Return `text`, behind a `_` if it starts like a hidden file, an option or a device."""
    if text.startswith((".", "-", "~")) or DEVICE.match(normalize("NFKC", text)):
        return f"_{text}"
    return text


def _refuse(text: str) -> None:
    if FORBIDDEN.search(text):
        raise BadName(
            "A file name is no path: it may not hold a slash, a backslash or a control character,"
            " however they are spelled."
        )
    if not text.strip(f"{BLANK}."):
        raise BadName("The file name has nothing in it but dots and blanks.")


def _refuse_in_any_reading(text: str) -> None:
    for _ in range(READINGS):
        read = text
        for reading in (_unquoted, _unescaped, _folded, _visible):
            _refuse(reading(text))
            read = reading(read)
        _refuse(read)
        if read == text or ("%" not in read and "&" not in read):
            return
        text = read


def _unquoted(text: str) -> str:
    raw = unquote_to_bytes(text.encode(errors="surrogatepass"))
    if OVERLONG.search(raw):
        raise BadName("The file name hides a character in overlong UTF-8.")
    return UTF16_ESCAPE.sub(lambda match: chr(int(match[1], 16)), raw.decode(errors="replace"))


def _unescaped(text: str) -> str:
    return ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    if entity.lastindex is None:
        return html.unescape(entity[0])
    code = int(entity[1], 16) if entity[1] else int(entity[2])
    # html.unescape drops most control characters, and fails on 4,300 digits (all of them zero).
    return chr(code) if code < 0x80 else html.unescape(f"&#{code};")


def _folded(text: str) -> str:
    return normalize("NFKC", _thinned(text))


def _visible(text: str) -> str:
    return HIDDEN.sub(r"\1", text)


def settled(text: str) -> str:
    """
    Return `text` in NFC, without what cannot be seen.

    What is dropped can bring two characters together that NFC composes, and then a joiner next
    to them may have lost its reason: so until nothing changes. Every round after the first only
    shortens, and what stands on one base is a few characters by then, so rounds are few.
    """
    while (settled := normalize("NFC", _thinned(_visible(text)))) != text:
        text = settled
    return text


def _thinned(text: str) -> str:
    """
    Drop joiners that join nothing, and more than one selector and `MAX_MARKS` marks per base.

    Always done before normalising: that sorts the marks on a base in quadratic time.
    """
    if text.isascii():
        return text
    kept = []
    base = last = " "
    marks = 0
    for char, after in pairwise(f"{text} "):
        if char in JOINERS:
            fits = _joins(char, base, last, after)
        elif char in SELECTORS:
            fits = last == base and base not in BLANK
        elif category(char)[0] == "M":
            marks += 1
            fits = marks <= MAX_MARKS
        else:
            base, marks, fits = char, 0, True
        if fits:
            kept.append(char)
            last = char
    return "".join(kept)


def _joins(joiner: str, base: str, last: str, after: str) -> bool:
    """
    Tell whether a joiner between `last`, standing on `base`, and `after` changes what is seen.

    RFC 5892 A.1 and A.2, emoji, and the joiner before a virama in Bengali and Kannada.
    """
    if base.isalpha() and VIRAMA in (combining(last), combining(after)):
        return True
    if joiner == ZERO_WIDTH_JOINER:
        return bool(EMOJI.match(base) and EMOJI.match(after))
    return all(char.isalpha() and CURSIVE.match(char) for char in (base, after))


def _fitted(text: str) -> str:
    """Trim, guard and cut `text` until each leaves it as it is."""
    while True:
        text = guarded(text.lstrip(BLANK).rstrip(f"{BLANK}."))
        if len(text.encode()) <= MAX_NAME_BYTES:
            return text
        text = settled(_cut(text))


def _cut(text: str) -> str:
    """Return `text` in at most 255 bytes, with its extension if that is a short one."""
    stem, dot, extension = text.rpartition(".")
    if not stem or len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, dot, extension = text, "", ""
    ending = f"{dot}{extension}"
    head = stem.encode()[: MAX_NAME_BYTES - len(ending.encode())].decode(errors="ignore")
    return head.rstrip(f"{BLANK}.") + ending
