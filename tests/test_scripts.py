"""Names in the world's scripts: drawn by a font that has them, and read back as they were given."""

import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fileservice.errors import BadValue
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import MissingGlyph
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, open_fonts
from fileservice.pdf.setting import cjk_form, scripts_of, set_runs
from tests.conftest import CHECKOUT, need_file
from tests.pdfs import checked, page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
FONTS = Path("/usr/share/fonts")
NOTO = FONTS / "truetype" / "noto"
CJK = FONTS / "opentype" / "noto"
# Right in pdftotext; pdfium puts spaces where it sees words.
BEST_EFFORT = {
    "Khmer": "ស្រី ភាសាខ្មែរ",
    "Pointed Hebrew": "מְנַחֵם",
    "Pointed Arabic": "مُحَمَّد",
    "Dhivehi": "ދިވެހި",
}


@cache
def fonts() -> FontSet:
    return open_fonts([need_file(NOTO), need_file(CJK)])


@cache
def template(language: bytes = b"") -> CompiledTemplate:
    catalog = b"/Lang(%b)" % language if language else b""
    page = page_of(b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET", catalog=catalog)
    return compile_template(page, fonts())


def without_controls(text: str) -> str:
    """Return `text` without the marks of direction that pdftotext adds."""
    return "".join(each for each in text if unicodedata.category(each) != "Cf").strip()


def text_in_pdfium(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    page = document[0].get_textpage()
    text: str = page.get_text_bounded()
    page.close()
    document.close()
    return text.strip()


NAMES = {
    "Chinese": "张伟 Zhāng Wěi",
    "Traditional Chinese": "張偉",
    "Japanese": "山田 太郎のさくら",
    "Korean": "김민수",
    "Arabic": "محمد علي",
    "Arabic with ligatures": "شهلا لا إله",
    "Urdu": "اردو زبان",
    "Hebrew": "שלום עולם",
    "Syriac": "ܣܘܪܝܝܐ",
    "Hindi": "नमस्ते क्षत्रिय हिन्दी",
    "Bengali": "বাংলা ভাষা",
    "Punjabi": "ਪੰਜਾਬੀ",
    "Gujarati": "ગુજરાતી",
    "Tamil": "தமிழ் கோபால்",
    "Telugu": "తెలుగు",
    "Kannada": "ಕನ್ನಡ",
    "Malayalam": "മലയാളം കൃഷ്ണൻ",
    "Sinhala": "සිංහල ශ්‍රී",
    "Thai": "สวัสดีครับ น้ำใจ",
    "Lao": "ລາວ ນ້ຳ",
    "Burmese": "မြန်မာဘာသာ",
    "Amharic": "አማርኛ",
    "Armenian": "Հայերեն",
    "Georgian": "ქართული",
    "Cherokee": "ᏣᎳᎩ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ",
}


@pytest.mark.parametrize("script", NAMES)
def test_a_name_is_read_back_by_two_readers(script: str) -> None:
    name = NAMES[script]

    certificate = checked(template().fill({"name": name}, issued_at=NOW))

    wanted = without_controls(unicodedata.normalize("NFC", name))
    assert without_controls(text_of(certificate)) == wanted
    assert without_controls(text_in_pdfium(certificate)) == wanted


@pytest.mark.parametrize("script", BEST_EFFORT)
def test_other_names_are_read_back_by_one(script: str) -> None:
    name = BEST_EFFORT[script]

    certificate = checked(template().fill({"name": name}, issued_at=NOW))

    assert without_controls(text_of(certificate)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("script", [*NAMES, *BEST_EFFORT])
def test_nothing_is_drawn_as_a_box(script: str) -> None:
    name = unicodedata.normalize("NFC", (NAMES | BEST_EFFORT)[script])

    runs = set_runs(fonts(), fonts().faces["NotoSans-Regular"], name, "")

    assert all(glyph.sign[0] for run in runs for glyph in run.glyphs)
    drawn = "".join(glyph.sign[1] for run in runs for glyph in run.glyphs)
    assert sorted(drawn) == sorted(name)


def test_a_character_that_no_font_has_is_named_with_its_field() -> None:
    with pytest.raises(MissingGlyph, match=r"'name'.*U\+1F600 GRINNING FACE") as caught:
        template().fill({"name": "Ada 张 \U0001f600"}, issued_at=NOW)

    assert caught.value.extensions == {"character": "\U0001f600", "field": "name"}


@pytest.mark.parametrize(
    ("text", "language", "form"),
    [
        ("直", "", "sc"),
        ("直", "ja", "jp"),
        ("直", "zh-Hant", "tc"),
        ("直", "zh_TW", "tc"),
        ("直", "zh-Hant-HK", "hk"),
        ("直", "zh-Hans-CN", "sc"),
        ("直のさくら", "", "jp"),
        ("直のさくら", "en", "jp"),
        ("直의", "", "kr"),
        ("直ㄅ", "", "tc"),
    ],
)
def test_han_characters_have_the_form_of_their_language(
    text: str, language: str, form: str
) -> None:
    assert cjk_form(text, language) == form


def test_the_language_of_the_template_decides_which_face_draws_han() -> None:
    japanese = template(b"ja-JP").fill({"name": "直"}, issued_at=NOW)
    chinese = template().fill({"name": "直"}, issued_at=NOW)

    assert b"NotoSansCJKjp-Regular" in japanese
    assert b"NotoSansCJKsc-Regular" in chinese


def test_a_bold_serif_line_has_bold_serif_fallbacks() -> None:
    bold = fonts().faces["NotoSerif-Bold"]

    faces = [run.face.name for run in set_runs(fonts(), bold, "Ada 张 ქა", "")]

    assert faces == ["NotoSerif-Bold", "NotoSerifCJKsc-Bold", "NotoSerifGeorgian-Bold"]


def test_what_all_scripts_use_has_the_script_before_it() -> None:
    assert scripts_of("(张, א)1") == ["Hani"] * 4 + ["Hebr"] * 3


def test_letters_that_share_a_glyph_keep_their_own_text() -> None:
    # The soft hyphen and the hyphen, the Roman and the Cyrillic letter.
    name = "A\u0410\u0391-\u2010 \u00c5\u212b"

    certificate = checked(template().fill({"name": name}, issued_at=NOW))

    assert text_of(certificate).strip() == unicodedata.normalize("NFC", name)


def test_right_to_left_text_is_drawn_from_the_right() -> None:
    face = fonts().faces["NotoSans-Regular"]

    runs = set_runs(fonts(), face, "שלום", "")

    assert [glyph.sign[1] for run in runs for glyph in run.glyphs] == list("םולש")


SCRIPTS = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Co", "Cc"], max_codepoint=0x1FFFF), max_size=12
)


@settings(max_examples=150)
@given(SCRIPTS)
def test_any_text_is_a_valid_pdf_or_a_clear_error(name: str) -> None:
    try:
        certificate = template().fill({"name": name}, issued_at=NOW)
    except BadValue:
        return
    checked(certificate)


WORLD = "abcÅéЖя張伟のさ김한אבשلامعनकतสวดერთአማ 1-."  # noqa: RUF001 - an Arabic letter is not a Latin one


@settings(max_examples=150)
@given(st.text(st.sampled_from(WORLD), min_size=1, max_size=12))
def test_all_letters_of_mixed_scripts_are_read_back(name: str) -> None:
    wanted = sorted(unicodedata.normalize("NFC", name).replace(" ", ""))
    if not wanted:
        return

    certificate = checked(template().fill({"name": name}, issued_at=NOW))

    read = without_controls(text_of(certificate))
    assert sorted("".join(read.split())) == wanted


def test_same_names_make_same_bytes_in_every_process(tmp_path: Path) -> None:
    program = (
        "import sys, datetime, hashlib; from pathlib import Path;"
        "from fileservice.pdf.packing import pack;"
        "from fileservice.pdf.compiling import compile_template;"
        "from fileservice.pdf.fonts import open_fonts;"
        "fonts = open_fonts([Path(folder) for folder in sys.argv[2:]]);"
        "template = compile_template(Path(sys.argv[1]).read_bytes(), fonts);"
        "now = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC);"
        "values = {'name': 'Ada 张伟 שלום नमस्ते ქა 김'};"
        "print(fonts.fingerprint, hashlib.sha256(pack(template.plan)).hexdigest(),"
        " hashlib.sha256(template.fill(values, issued_at=now)).hexdigest())"
    )
    page = tmp_path / "template.pdf"
    page.write_bytes(page_of(b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET"))

    answers = {
        subprocess.run(
            [sys.executable, "-c", program, str(page), str(need_file(NOTO)), str(need_file(CJK))],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT), "LC_ALL": locale},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, locale in (("0", "C.UTF-8"), ("1", "tr_TR.UTF-8"), ("2", "C"))
    }

    assert len(answers) == 1


def test_a_mark_that_the_face_of_its_letter_lacks_is_named() -> None:
    with pytest.raises(MissingGlyph, match=r"U\+0301 COMBINING ACUTE ACCENT"):
        template().fill({"name": "\u0905\u0301"}, issued_at=NOW)


@pytest.mark.parametrize("name", ["A\u0300\u0301\u0302", "X\u0302y", "x\u0338", "Q\u0323\u0307"])
def test_letters_with_marks_of_their_own_are_read_back(name: str) -> None:
    certificate = checked(template().fill({"name": name}, issued_at=NOW))

    # pdftotext takes the room that a wide mark needs for a space.
    assert "".join(text_of(certificate).split()) == unicodedata.normalize("NFC", name)
