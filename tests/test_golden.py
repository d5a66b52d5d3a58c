"""Where Chromium puts the letters of a text, we put them too."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import open_fonts
from tests.conftest import need_file, need_program
from tests.pdfs import page_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
NOTO = Path("/usr/share/fonts/truetype/noto")
CJK = Path("/usr/share/fonts/opentype/noto")
SIZE = 40
# Points; Chromium rounds the positions of glyphs to parts of a pixel.
TOLERANCE = 0.5


class Case(NamedTuple):
    family: str
    file: Path
    text: str


CASES = {
    "Latin": Case("Noto Sans", NOTO / "NotoSans-Regular.ttf", "AVATAR Tomáš Yvonne"),
    "Arabic": Case("Noto Sans Arabic", NOTO / "NotoSansArabic-Regular.ttf", "محمد العربي"),
    "Hebrew": Case("Noto Sans Hebrew", NOTO / "NotoSansHebrew-Regular.ttf", "שלום עולם"),
    "Devanagari": Case(
        "Noto Sans Devanagari", NOTO / "NotoSansDevanagari-Regular.ttf", "नमस्ते क्षत्रिय"
    ),
    "Chinese": Case("Noto Sans CJK SC", CJK / "NotoSansCJK-Regular.ttc", "张伟 二零二六"),
}


def edges(pdf: bytes) -> list[tuple[float, float]]:
    words = sorted((left, right) for left, right, _ in words_of(pdf))
    start = words[0][0]
    return [(left - start, right - start) for left, right in words]


@pytest.mark.parametrize("script", CASES)
def test_words_stand_where_chromium_puts_them(script: str, tmp_path: Path) -> None:
    case = CASES[script]
    fonts = open_fonts([need_file(NOTO), need_file(CJK)])
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><style>@page{{size:595pt 842pt;margin:40pt}}"
        f"@font-face{{font-family:Ours;src:url('{need_file(case.file).as_uri()}')}}"
        f"p{{font:{SIZE}pt '{case.family}',Ours;font-variant-ligatures:none;margin:0;"
        f"font-kerning:normal;text-rendering:geometricPrecision;direction:ltr}}</style>"
        f"<p>{case.text}</p>",
        encoding="utf-8",
    )
    subprocess.run(
        [
            need_program("chromium"),
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={tmp_path / 'page.pdf'}"),
            page.as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    template = compile_template(page_of(b"BT /F1 %d Tf 40 700 Td (%%name%%) Tj ET" % SIZE), fonts)

    ours = template.fill({"name": case.text}, issued_at=NOW)

    wanted = edges((tmp_path / "page.pdf").read_bytes())
    found = edges(ours)
    assert len(found) == len(wanted)
    for ours_edge, theirs in zip(found, wanted, strict=True):
        assert ours_edge == pytest.approx(theirs, abs=TOLERANCE)
