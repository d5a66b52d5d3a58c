"""Content-Disposition, read strictly from forms and requests and written for every client."""

import re
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import quote, unquote_to_bytes

from fileservice.errors import BadForm, BadRequest
from fileservice.names import guarded

KIND = re.compile(rb"[ \t]*+form-data(?=[ \t;]|\Z)", re.IGNORECASE)
# One parameter with the semicolon before it; RFC 9110 5.6.6 allows it to be empty. In quotes a
# backslash takes the next byte along. Without quotes a value may hold blanks, which no RFC allows
# and some clients send; without a value stands `filename` alone. Possessive: never looks back.
PARAMETER = re.compile(
    rb"""[ \t]*+;[ \t]*+
    (?: ([!\#$%&'*+.^_`|~0-9A-Za-z-]++) = (?: "((?:[^"\\]|\\.)*+)" | ([^";]*+) )
      | (filename)
    )?+[ \t]*+""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
ESCAPED = re.compile(rb'\\(["\\])')
ANY_KIND = re.compile(rb"[ \t]*+[!#$%&'*+.^_`|~0-9A-Za-z-]++(?=[ \t;]|\Z)")
# RFC 8187 3.2.1; other character sets than UTF-8 are history.
EXTENDED = re.compile(
    rb"utf-8'[a-z0-9-]*+'((?:[!#$&+.^_`|~0-9a-z-]|%[0-9a-f]{2})*+)", re.IGNORECASE
)
FIELD_NAME = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
BROKEN_LINE = re.compile(rb"[\x00\r\n]")

# RFC 6266 D: some clients decode "%41" in the plain form.
PERCENT_ENCODED = re.compile(r"%(?=[0-9A-Fa-f]{2})")
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class FormField:
    """
    What a part of multipart/form-data says of itself.

    Attributes:
        name: 1 to 64 characters of A-Z a-z 0-9 _ . -
        filename: as sent, of no trust; None for a text field, empty when no file was chosen.
    """

    name: str
    filename: bytes | None


def parse_form_data(value: bytes) -> FormField:
    r"""
    Return what a part's Content-Disposition says (RFC 7578 4.2).

    The file name is every byte between the quotes, but for `\"` and `\\`: a drive, a folder and
    the `%22` by which browsers write a quotation mark are left for the caller to judge. That a
    part has exactly one Content-Disposition is the caller's to check, too.

    Raises:
        BadForm: it can be read in two ways, or another parser may read it differently.
    """
    if BROKEN_LINE.search(value):
        raise BadForm("A part's Content-Disposition holds a line break or a NUL.")
    kind = KIND.match(value)
    if kind is None:
        raise BadForm("A part's Content-Disposition is not form-data.")
    parameters = _parameters(value, kind.end())
    if any(b"*" in parameter for parameter in parameters):
        raise BadForm("A form may not send filename* (RFC 7578 4.2): send filename in UTF-8.")
    name = parameters.get(b"name", b"")
    if not FIELD_NAME.fullmatch(name):
        raise BadForm("A part has no field name, or one not made of 1 to 64 of A-Z a-z 0-9 _ . -")
    return FormField(name.decode("ascii"), parameters.get(b"filename"))


def parse_filename(value: bytes) -> bytes:
    """
    Return the file name in a request's Content-Disposition (RFC 6266); empty where there is none.

    `filename*`, where it is UTF-8, counts before `filename`. What it says is of no trust.

    Raises:
        BadRequest: it can be read in two ways.
    """
    kind = ANY_KIND.match(value)
    if kind is None:
        raise BadRequest('Content-Disposition reads `inline; filename="..."`.')
    try:
        parameters = _parameters(value, kind.end())
    except BadForm as error:
        raise BadRequest(error.detail) from error
    extended = EXTENDED.fullmatch(parameters.get(b"filename*", b""))
    if extended is not None:
        return unquote_to_bytes(extended[1])
    return parameters.get(b"filename", b"")


def _parameters(value: bytes, start: int) -> dict[bytes, bytes]:
    """Return the parameters from `start` to the end, by lower-case name; a bare one is empty."""
    found: dict[bytes, bytes] = {}
    while start < len(value):
        match = PARAMETER.match(value, start)
        if match is None:
            raise BadForm("Content-Disposition has something between its parameters.")
        start = match.end()
        name, quoted, plain, bare = match.groups(b"")
        name = (name or bare).lower()
        if not name:
            continue
        if name in found:
            raise BadForm("Content-Disposition has a parameter twice.")
        found[name] = ESCAPED.sub(rb"\1", quoted) if quoted else plain.strip(b" \t")
    return found


def format_attachment(name: str, *, inline: bool) -> str:
    """
    Return a Content-Disposition that makes every client save the file as `name` (RFC 6266).

    A plain ASCII name is sent in the plain form alone: Android's URLUtil, on which many of its
    apps rely, takes no name from a field with anything behind `filename="..."`. Any other name
    is sent in both forms, with letters without their accents and `_` for the rest in the first.
    Nothing in `name` can end the quotes or the line, not even what `clean_name` never returns.
    """
    kind = "inline" if inline else "attachment"
    fallback = guarded(PERCENT_ENCODED.sub("_", UNPRINTABLE.sub(_nearest, name)))
    quoted = fallback.replace("\\", "\\\\").replace('"', '\\"')
    if quoted == name:
        return f'{kind}; filename="{name}"'
    encoded = quote(name, safe="", errors="replace")
    return f"{kind}; filename=\"{quoted}\"; filename*=UTF-8''{encoded}"


def _nearest(match: re.Match[str]) -> str:
    letter = normalize("NFD", match[0])[0]
    return letter if letter.isascii() and letter.isalpha() else "_"
