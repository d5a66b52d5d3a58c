"""A word filled with itself leaves all others where they were, and no file crashes the reader."""

import gzip
import html
import io
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pikepdf
import pytest

from fileservice.errors import Unprocessable
from fileservice.pdf import fields
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import shipped_fonts
from tests.conftest import need_program
from tests.pdfs import checked, form_of, page_of, stream_of

FIXTURES = sorted((Path(__file__).parent / "templates").glob("*.pdf"))
INSTALLED = [
    Path("/usr/share/doc"),
    Path("/usr/share/texmf-dist/doc"),
    Path("/usr/lib/libreoffice"),
]
MOST_INSTALLED = 60
MOST_PAGES = 20
NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
WORD = re.compile(r"[A-Za-z]{4,14}")
# Those that a template is given a value for by itself.
OWN = ("page", "timestamp")
# What stands in a program where a number, a name or an operator stood.
ODD = (
    b"null", b"-1", b"0", b"1e9", b"99999999999999999999", b"-2147483649", b"1.2.3", b"[", b"]",
    b"<<", b">>", b"()", b"<41", b"/\xb7\xc2", b"[[[]]]", b"1 0 R", b"4 0 R", b"999 0 R", b"Tf",
    b"/Identity-V", b"/Type0", b"/Type3", b"<</A 1>>", b"\xff\xfe", b"Q", b"BT", b"ET", b"Do",
    b"/FlateDecode", b"/JBIG2Decode", b"/Crypt", b"/Form", b"/Pages", b"endobj", b"stream", b"BI",
    b"'", b'"', b"ID", b"EI", b"%\n", b"/Sig", b"/Tx", b"/Btn", b"/Widget",
)  # fmt: skip
TOKEN = re.compile(rb"/?[A-Za-z0-9.+*'\"-]+|<[0-9a-fA-F]+>|\([^()]*\)")
MUTANTS = 25
SLOWEST_SECONDS = 10.0


class Word(NamedTuple):
    """A word of a page, and where its box is."""

    page: int
    left: float
    top: float
    right: float
    bottom: float
    text: str

    def is_beside(self, other: "Word") -> bool:
        return self.page == other.page and self.top < other.bottom and other.top < self.bottom

    def is_near(self, other: "Word") -> bool:
        return abs(self.left - other.left) < 1 and abs(self.top - other.top) < 1


def words_of(content: bytes) -> list[Word]:
    done = subprocess.run(
        [need_program("pdftotext"), "-bbox", "-", "-"],
        input=content,
        capture_output=True,
        check=False,
    )
    words, page = [], 0
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        page += "<page " in line
        if "<word " in line:
            left, top, right, bottom = map(float, re.findall(r'="([-\d.]+)"', line))
            text = html.unescape(line.split(">", 1)[1].rsplit("</word>", 1)[0])
            words.append(Word(page, left, top, right, bottom, text))
    return words


def chosen(words: list[Word], name: str) -> str | None:
    """Return a word that stands on the pages once, and in no other word."""
    texts = Counter(word.text for word in words)
    everything = " ".join(texts)
    fit = [
        text
        for text, count in texts.items()
        if count == 1 and WORD.fullmatch(text) and everything.count(text) == 1 and text not in OWN
    ]
    return random.Random(name).choice(fit) if fit else None  # noqa: S311  # always the same


def disturbed(before: list[Word], after: list[Word], text: str) -> list[Word]:
    """Return the words of other lines that are not where they were, or were not there."""
    lines = [word for word in before + after if text in word.text]
    moved = []
    for these, those in ((before, after), (after, before)):
        known: dict[tuple[int, str], list[Word]] = {}
        for word in those:
            known.setdefault((word.page, word.text), []).append(word)
        moved += [
            word
            for word in these
            if not any(word.is_beside(line) for line in lines)
            and not any(map(word.is_near, known.get((word.page, word.text), ())))
        ]
    return moved


def outcome(content: bytes, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    before = words_of(content)
    text = chosen(before, name)
    if text is None:
        return "no word"
    pattern = rf"(?P<name>{text})(?P<text>)|(?!)(?P<braced>)(?P<braced_text>)"
    monkeypatch.setattr(fields, "PLACEHOLDER", re.compile(pattern))
    try:
        template = compile_template(content, shipped_fonts())
        filled = template.fill({text: text}, issued_at=NOW)
    except Unprocessable as error:
        return error.code
    return "disturbed" if disturbed(before, words_of(checked(filled)), text) else "ok"


def installed() -> Iterator[Path]:
    for folder in INSTALLED:
        yield from sorted(folder.rglob("*.pdf"))
        yield from sorted(folder.rglob("*.pdf.gz"))


def few_pages_of(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        if len(pdf.pages) <= MOST_PAGES:
            return content
        del pdf.pages[2:]
        target = io.BytesIO()
        pdf.save(target)
    return target.getvalue()


def test_a_word_filled_with_itself_leaves_all_others_where_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [path for path in FIXTURES if path.stem != "reportlab-form"]

    outcomes = Counter(outcome(path.read_bytes(), path.stem, monkeypatch) for path in paths)

    # Raise the first when more of them are filled; the others are what each was made for.
    assert outcomes["ok"] >= 21
    assert set(outcomes) <= {"ok", "encrypted", "signed"}


LOOK = stream_of(
    b"BT /F1 9 Tf 12 TL 2 28 Td (1 2 3) Tj T* (4 5 6) Tj ET",
    b"/Subtype/Form/BBox[0 0 200 40]/Resources<</Font<</F1 5 0 R>>>>",
)
LIST = b"/FT/Ch/T(list)/Opt[(1 2 3)(4 5 6)]/V(1 2 3)/Rect[50 600 250 640]/AP<</N 6 0 R>>"
FIELD = b"/T(field)/V(7 8 9)/Rect[50 600 250 640]/AP<</N 6 0 R>>"
BITMAPS = (
    b"<</Type/Font/Subtype/Type3/FontBBox[0 0 750 750]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 97"
    b"/LastChar 122/Widths[%b]/CharProcs<</a 6 0 R>>/Encoding<</Differences[97%b]>>"
    b"/ToUnicode 7 0 R>>"
) % (b"500 " * 26, b"/a" * 26)
LETTERS = stream_of(b"1 beginbfrange <61> <7a> <0061> endbfrange")


@pytest.mark.parametrize(
    "content",
    [
        form_of(FIELD, content=b"BT /F1 12 Tf 50 700 Td (word) Tj ET", more=(LOOK,)),
        form_of(
            FIELD,
            content=b"BT /F1 12 Tf 50 700 Td (word) Tj ET",
            more=(LOOK.replace(b"/Subtype/Form", b""),),
        ),
        form_of(LIST, content=b"BT /F1 12 Tf 50 700 Td (word) Tj ET", more=(LOOK,)),
        form_of(
            FIELD,
            content=b"q BT /F1 12 Tf 50 700 Td (word) Tj ET Q q 2 0 0 2 0 0 cm",
            catalog=b"/AcroForm<</Fields[6 0 R]/XFA[]>>",
            more=(LOOK,),
        ),
        page_of(
            b"BT /F1 9 Tf 14 TL 50 700 Td 3 Tc 9 Tw 80 Tz 2 Ts (a word) Tj T* (1 2) Tj (3) ' ET"
        ),
        page_of(b"BT /F1 9 Tf 14 TL 50 700 Td (1) Tj 4 2 (2 word) \" (3 4) ' 0 -20 TD (5 6) Tj ET"),
        page_of(
            b"BT /F1 9 Tf 50 700 Td [-20000] TJ (word) Tj 0 -20 Td (2 3) Tj 0 -20 Td (4) ' ET"
        ),
        page_of(b"BT /F1 9 Tf 50 700 Td [(wo) -90 (rd) 700] TJ ET BT 50 600 Td (1 2) Tj ET"),
        page_of(
            b"BT /F1 9 Tf 0 1 -1 0 300 300 Tm (word) Tj 0 -40 Td (1 2) Tj ET", page=b"/Rotate 90"
        ),
        page_of(b"BT /F1 -9 Tf -1 0 0 1 50 700 Tm (word) Tj 0 -40 Td (1 2) Tj ET"),
        page_of(b"BT /F1 12 Tf 50 700 Td (word) Tj 0 -40 Td (abc) Tj ET", font=BITMAPS, more=(
            stream_of(b"500 0 0 0 400 700 d1 0 0 400 700 re f"), LETTERS)),
    ],
)  # fmt: skip
def test_other_lines_of_a_page_made_by_hand_stay_where_they_were(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(content, "by hand", monkeypatch) == "ok"


@pytest.mark.long
def test_what_other_packages_brought_is_filled_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = list(installed())[:MOST_INSTALLED]
    if not paths:
        pytest.skip("no PDF is installed here")

    outcomes = Counter(outcome(few_pages_of(path), path.stem, monkeypatch) for path in paths)

    assert outcomes["disturbed"] <= len(paths) // 100
    assert outcomes["ok"] > 0.8 * (outcomes.total() - outcomes["no word"])


def mutants(content: bytes, source: random.Random) -> Iterator[bytes]:
    """Yield `content` cut, with other bytes, and with other words in its objects."""
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(target, qdf=True, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    plain = target.getvalue()
    spots = [match.span() for match in TOKEN.finditer(plain)]
    for _ in range(MUTANTS):
        yield content[: source.randrange(len(content))]
        flipped = bytearray(content)
        for _ in range(source.choice((1, 5, 50))):
            flipped[source.randrange(len(flipped))] = source.randrange(256)
        yield bytes(flipped)
        for count in (1, 3, 12):
            changed = plain
            for start, stop in sorted(source.sample(spots, count), reverse=True):
                changed = changed[:start] + source.choice(ODD) + changed[stop:]
            yield changed


@pytest.mark.long
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_broken_template_is_filled_or_refused(path: Path) -> None:
    source = random.Random(path.stem)  # noqa: S311  # always the same
    outcomes = Counter[str]()
    slowest = 0.0
    for content in mutants(path.read_bytes(), source):
        start = time.monotonic()
        try:
            template = compile_template(content, shipped_fonts())
            template.fill(dict.fromkeys(template.required, "Ada"), issued_at=NOW)
            outcomes["filled"] += 1
        except Unprocessable as error:
            outcomes[error.code] += 1
        slowest = max(slowest, time.monotonic() - start)

    assert outcomes.total() == 5 * MUTANTS
    assert len(outcomes) > 1
    assert slowest < SLOWEST_SECONDS
