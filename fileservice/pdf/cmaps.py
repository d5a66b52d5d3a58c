"""The text of a font's codes, from its ToUnicode map (ISO 32000-1 9.10.3)."""

import re

# The largest honest map names every two-byte code once and some of them twice.
MAX_MAPPINGS = 70_000
MAX_MAP_BYTES = 4 << 20
SECTION = re.compile(rb"begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)
CHAR = re.compile(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]*)>")
RANGE = re.compile(
    rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:\[([^\]]*)\]|<([0-9A-Fa-f\s]*)>)"
)
HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")


def read_to_unicode(program: bytes) -> dict[int, str]:
    """
    Return code -> text for the ToUnicode map `program`.

    What is not well formed is passed over, and mappings past MAX_MAPPINGS are dropped.
    """
    texts: dict[int, str] = {}
    for section in SECTION.finditer(program[:MAX_MAP_BYTES]):
        read = _read_chars if section[1] == b"bfchar" else _read_ranges
        read(section[2], texts)
        if len(texts) >= MAX_MAPPINGS:
            break
    return texts


def _read_chars(rows: bytes, texts: dict[int, str]) -> None:
    for row in CHAR.finditer(rows):
        if len(texts) >= MAX_MAPPINGS:
            return
        texts[_code(row[1])] = _text(row[2])


def _read_ranges(rows: bytes, texts: dict[int, str]) -> None:
    for row in RANGE.finditer(rows):
        first, last = _code(row[1]), _code(row[2])
        count = min(last - first + 1, MAX_MAPPINGS - len(texts))
        if count <= 0:
            continue
        if row[4] is not None:
            start = _text(row[4])
            if start:
                texts.update(_run(first, count, start))
        else:
            listed = [_text(item[1]) for item in HEX.finditer(row[3])]
            texts.update(zip(range(first, first + count), listed, strict=False))


def _run(first: int, count: int, start: str) -> dict[int, str]:
    head, last = start[:-1], ord(start[-1])
    count = min(count, 0x110000 - last)
    return {first + step: head + chr(last + step) for step in range(count)}


def _code(digits: bytes) -> int:
    return int(b"".join(digits.split()), 16) if digits.strip() else 0


def _text(digits: bytes) -> str:
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (-len(digits) % 4)).decode()).decode(
        "utf-16-be", "replace"
    )
