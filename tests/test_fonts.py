"""Which fonts are taken from the operator's folders, and which of them draws what."""

import io
import shutil
import struct
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pikepdf
import pytest
import uharfbuzz as hb

from fileservice.compilation import Compiler
from fileservice.pdf import fontfiles
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import MissingGlyph, TemplateError
from fileservice.pdf.faces import ITALIC_FLAG, Script, Style
from fileservice.pdf.fontfiles import font_files
from fileservice.pdf.fonts import open_fonts, shipped_fonts
from fileservice.pdf.outlines import charstring, font_program
from fileservice.pdf.sandbox import compile_apart
from tests.conftest import need_file, serving
from tests.pdfs import HELVETICA, checked, page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
NOTO = Path("/usr/share/fonts/truetype/noto")
CJK = Path("/usr/share/fonts/opentype/noto")
NAME = b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET"


def folder_of(target: Path, *names: str) -> Path:
    for name in names:
        source = need_file((CJK if name.endswith(".ttc") else NOTO) / name)
        shutil.copy(source, target / name)
    return target


def with_permits(font: bytes, permits: int) -> bytes:
    """Return `font` with other licence bits (OS/2 fsType)."""
    tables = struct.unpack(">H", font[4:6])[0]
    rows = [font[12 + 16 * at : 28 + 16 * at] for at in range(tables)]
    at = next(struct.unpack(">I", row[8:12])[0] for row in rows if row[:4] == b"OS/2")
    return font[: at + 8] + struct.pack(">H", permits) + font[at + 10 :]


def test_a_folder_is_looked_through_with_all_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    folder_of(tmp_path / "below", "NotoSansHebrew-Bold.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    (tmp_path / "empty.otf").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("x")

    (file,) = font_files([tmp_path])

    assert (file.name, file.is_bold, file.is_italic) == ("NotoSansHebrew-Bold", True, False)
    assert ord("ש") in file.coverage


def test_a_collection_gives_each_of_its_faces(tmp_path: Path) -> None:
    names = [file.name for file in font_files([folder_of(tmp_path, "NotoSansCJK-Regular.ttc")])]

    assert {"NotoSansCJKjp-Regular", "NotoSansCJKsc-Regular"} <= set(names)


@pytest.mark.parametrize(
    ("permits", "count"), [(0, 1), (4, 1), (8, 1), (2, 0), (0x100, 0), (0x200, 0)]
)
def test_a_font_that_may_not_be_embedded_is_left_out(
    tmp_path: Path, permits: int, count: int
) -> None:
    file = folder_of(tmp_path, "NotoSansHebrew-Bold.ttf") / "NotoSansHebrew-Bold.ttf"
    file.write_bytes(with_permits(file.read_bytes(), permits))

    assert len(font_files([tmp_path])) == count


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"OS/2", b"OS/X"),
        (b"glyf", b"glyX"),
        ("NotoSansHebrew-Bold".encode("utf-16-be"), "NotoSansHebrew(Bold".encode("utf-16-be")),
    ],
)
def test_a_font_that_does_not_say_what_is_needed_is_left_out(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    file = folder_of(tmp_path, "NotoSansHebrew-Bold.ttf") / "NotoSansHebrew-Bold.ttf"
    content = file.read_bytes()
    file.write_bytes(content.replace(before, after))

    assert before in content
    assert font_files([tmp_path]) == []


def test_a_font_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").symlink_to("/proc/self/mem")  # which cannot be mapped
    folder_of(tmp_path, "NotoSansHebrew-Bold.ttf")

    assert [file.name for file in font_files([tmp_path])] == ["NotoSansHebrew-Bold"]


def test_of_too_many_faces_the_first_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fontfiles, "MAX_FACES", 2)

    assert len(font_files([folder_of(tmp_path, "NotoSansCJK-Regular.ttc")])) == 2


def test_a_face_draws_no_box_for_what_it_lacks() -> None:
    face = shipped_fonts().faces["NotoSans-Regular"]

    with pytest.raises(MissingGlyph, match="U\\+05D0"):
        face.set_text("a\u05d0")
    with pytest.raises(MissingGlyph, match="U\\+05D0"):
        face.shape("\u05d0", 0, 1, Script())


def test_the_fingerprint_tells_sets_of_fonts_apart(tmp_path: Path) -> None:
    before = open_fonts([tmp_path]).fingerprint
    folder_of(tmp_path, "NotoSansHebrew-Bold.ttf")
    after = open_fonts([tmp_path])

    assert before == shipped_fonts().fingerprint
    assert after.fingerprint != before
    assert after.fingerprint == open_fonts([tmp_path]).fingerprint


def test_a_template_s_own_font_is_used_where_it_is_at_hand(tmp_path: Path) -> None:
    fonts = open_fonts([folder_of(tmp_path, "NotoSans-BoldItalic.ttf", "NotoSerif-Italic.ttf")])

    assert fonts.match("ABCDEF+NotoSans-BoldItalic", 0).name == "NotoSans-BoldItalic"
    assert fonts.match("Noto-Sans-Bold-Italic", 0).name == "NotoSans-BoldItalic"
    assert fonts.match("Times-Italic", 0).name == "NotoSerif-Italic"
    assert fonts.match("Garamond", ITALIC_FLAG).name == "NotoSerif-Italic"
    assert fonts.match("Helvetica-Oblique", 0).name == "NotoSans-Regular"


def test_the_shipped_faces_stay_first(tmp_path: Path) -> None:
    fonts = open_fonts([folder_of(tmp_path, "NotoSans-Regular.ttf")])

    assert fonts.match("NotoSans-Regular", 0) is shipped_fonts().faces["NotoSans-Regular"]


def test_a_fallback_is_of_the_same_style(tmp_path: Path) -> None:
    fonts = open_fonts(
        [
            folder_of(
                tmp_path,
                "NotoSansGeorgian-Regular.ttf",
                "NotoSansGeorgian-Bold.ttf",
                "NotoSerifGeorgian-Regular.ttf",
            )
        ]
    )

    def fallback(style: Style) -> str:
        face = fonts.fallback("ქ", style, "sc")
        assert face is not None
        return face.name

    assert (
        fallback(Style(is_serif=True, is_bold=False, is_italic=False))
        == "NotoSerifGeorgian-Regular"
    )
    assert fallback(Style(is_serif=True, is_bold=True, is_italic=False)) == "NotoSansGeorgian-Bold"


async def test_the_child_finds_the_operator_s_fonts(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "NotoSans-Italic.ttf")
    widths = b"NotoSans-Italic/FirstChar 0/LastChar 255/Widths[%b]" % (b"500 " * 256)
    font = HELVETICA.replace(b"Helvetica", widths)

    plan = await compile_apart(page_of(NAME, font=font), open_fonts([folder]))

    assert plan.faces == ("NotoSans-Italic",)


async def test_fonts_that_changed_since_the_start_are_told(tmp_path: Path) -> None:
    fonts = open_fonts([tmp_path])
    folder_of(tmp_path, "NotoSans-Italic.ttf")

    with pytest.raises(TemplateError, match="started again"):
        await compile_apart(page_of(NAME), fonts)


async def test_a_kept_plan_is_for_one_set_of_fonts(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    kept = tmp_path / "kept"

    template = await Compiler(kept, [fonts]).compile(page_of(NAME), keep=True)
    with pytest.raises(MissingGlyph):
        template.fill({"name": "שלום"}, issued_at=NOW)
    folder_of(fonts, "NotoSansHebrew-Regular.ttf")
    template = await Compiler(kept, [fonts]).compile(page_of(NAME), keep=True)

    assert "שלום" in text_of(checked(template.fill({"name": "שלום"}, issued_at=NOW)))
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "path", "index"),
    [
        ("quadratic", NOTO / "NotoSans-Regular.ttf", 0),
        ("of 2048 units", Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), 0),
        ("cubic", CJK / "NotoSansCJK-Regular.ttc", 2),
    ],
)
def test_a_program_draws_what_the_font_draws(name: str, path: Path, index: int) -> None:
    face = hb.Face(hb.Blob.from_file_path(need_file(path)), index)
    font = hb.Font(face)
    letters = [font.get_nominal_glyph(ord(letter)) for letter in "Ag%&@"]
    scale = 1000 / face.upem

    program = font_program(
        [charstring(font, glyph, scale) for glyph in [0, *letters]], (-500, -500, 1500, 1500)
    )

    drawn = hb.Font(font_of(program))
    for code, glyph in enumerate(letters, 1):
        box, wanted = drawn.get_glyph_extents(code), font.get_glyph_extents(glyph)
        ours = (box.x_bearing, box.y_bearing, box.width, box.height)
        theirs = (wanted.x_bearing, wanted.y_bearing, wanted.width, wanted.height)
        assert ours == pytest.approx([value * scale for value in theirs], abs=2), name


def font_of(program: bytes) -> hb.Face:
    """Return a CFF program as an OpenType font, with the tables that HarfBuzz asks for."""
    glyphs = 6
    tables = {
        "CFF ": program,
        "head": struct.pack(">IIIIHHQQ9h", 0x10000, 0, 0, 0x5F0F3CF5, 0, 1000, 0, 0, *[0] * 9),
        "maxp": struct.pack(">IH", 0x5000, glyphs),
        "hhea": struct.pack(">I15hH", 0x10000, *[0] * 15, 1),
        "hmtx": struct.pack(">HH", 0, 0) + bytes(2 * (glyphs - 1)),
    }
    return hb.Face.create_for_tables(lambda _face, tag, _data: tables.get(tag, b""), None)


def test_a_certificate_holds_the_glyphs_it_draws_and_no_more(tmp_path: Path) -> None:
    fonts = open_fonts([folder_of(tmp_path, "NotoSansCJK-Regular.ttc")])

    certificate = checked(
        compile_template(page_of(NAME), fonts).fill({"name": "张伟"}, issued_at=NOW)
    )

    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        programs = [
            bytes(each.read_bytes())
            for each in pdf.objects
            if isinstance(each, pikepdf.Stream) and each.get("/Subtype") == "/CIDFontType0C"
        ]
    assert min(map(len, programs)) < 1000


def test_the_service_draws_with_the_fonts_that_are_configured(migrated: Path) -> None:
    folders = f"{need_file(NOTO)} {need_file(CJK)}"
    path = f"/certificate?name={quote('محمد')}&course={quote('书法')}"

    with serving(migrated, ACCESS="open", FONT_DIRS=folders) as server:
        answer = server.ask("GET", path)

    assert answer.status == 200
    text = text_of(checked(answer.body))
    assert "محمد" in text
    assert "书法" in text
