"""A template's form fields are filled, and the certificate has none."""

from datetime import UTC, datetime

import pytest

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import NoPlaceholders, OverLimits, Signed
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from tests.pdfs import checked, form_of, page_of, program_of, stream_of, text_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
NAME = b"/T(name)/Rect[100 700 400 720]"
DRAWN = stream_of(b"0 0 10 10 re f", b"/Subtype/Form/BBox[0 0 10 10]")


def compiled(template: bytes) -> CompiledTemplate:
    return compile_template(template, shipped_fonts())


def filled(template: bytes, **values: str) -> bytes:
    return checked(compiled(template).fill(values, issued_at=NOW))


def word_in(content: bytes, text: str) -> tuple[float, float]:
    (word,) = [(left, right) for left, right, word in words_of(content) if word == text]
    return word


def test_a_text_field_is_filled_and_no_field_any_more() -> None:
    certificate = filled(form_of(NAME), name="Ada")

    assert "Ada" in text_of(certificate)
    assert b"/AcroForm" not in certificate
    assert b"/Widget" not in certificate


@pytest.mark.parametrize(
    ("align", "start", "stop"),
    [(b"0", 102, None), (b"2", None, 398), (b"7", 102, None), (b"null", 102, None)],
)
def test_a_fields_text_is_aligned_as_it_says(
    align: bytes, start: float | None, stop: float | None
) -> None:
    left, right = word_in(filled(form_of(NAME + b"/Q " + align), name="Ada"), "Ada")

    assert start is None or left == pytest.approx(start, abs=0.5)
    assert stop is None or right == pytest.approx(stop, abs=0.5)


def test_the_form_says_how_fields_are_aligned_that_do_not_say() -> None:
    catalog = b"/AcroForm<</Q 1/DA 7>>"

    left, right = word_in(filled(form_of(NAME, catalog=catalog), name="Ada"), "Ada")

    assert (left + right) / 2 == pytest.approx(250, abs=0.5)


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        (b"/DA(/Helv 9 Tf)", "9 Tf"),
        (b"/DA(/Helv 0 Tf)", "14 Tf"),
        (b"/DA(1 0 0 rg)", "14 Tf"),
        (b"/DA(/Helv -9.5 Tf)", "9.5 Tf"),
        (b"/DA(/Helv 0 Tf)/Ff 4096", "12 Tf"),
        (b"/DA(/Helv 1e9 Tf)", "14 Tf"),
    ],
)
def test_a_fields_size_is_its_own_or_follows_its_height(entries: bytes, size: str) -> None:
    assert size in program_of(filled(form_of(NAME + entries), name="Ada"))


def test_a_field_of_many_lines_breaks_them() -> None:
    field = b"/T(name)/Rect[100 600 200 720]/Ff 4096/DA(/Helv 12 Tf)"

    certificate = filled(form_of(field), name="Ada King, Countess of Lovelace, of London")

    assert len({line.strip() for line in text_of(certificate).splitlines() if line.strip()}) == 4
    assert all(right <= 200 for _, right, _ in words_of(certificate))


@pytest.mark.parametrize(
    ("appearance", "operators"),
    [
        (b"/Helv 0 Tf 1 0 0 rg", "1 0 0 rg"),
        (b"0.5 g /Helv 0 Tf", "0.5 g"),
        (b"0 1 0 0 k", "0 1 0 0 k"),
        (b"0 1 rg", "0 g"),
        (b"(%) Tj", "0 g"),
    ],
)
def test_a_fields_colour_is_kept(appearance: bytes, operators: str) -> None:
    template = form_of(NAME + b"/DA<%b>" % appearance.hex().encode())

    assert f"{operators} 100 Tz" in program_of(filled(template, name="Ada"))


@pytest.mark.parametrize(
    ("resources", "face"),
    [
        (b"<</Font<</Helv<</Subtype/Type1/BaseFont/Times-Bold>>>>>>", b"NotoSerif-Bold"),
        (b"<</Font<</Helv 7>>>>", b"NotoSans-Regular"),
        (b"<<>>", b"NotoSans-Regular"),
        (b"7", b"NotoSans-Regular"),
    ],
)
def test_a_fields_font_is_that_of_the_form(resources: bytes, face: bytes) -> None:
    catalog = b"/AcroForm<</DA(/Helv 0 Tf 0 g)/DR %b>>" % resources

    assert face in filled(form_of(NAME, catalog=catalog), name="Ada")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90, 10**12])
def test_a_fields_text_may_be_turned(rotation: int) -> None:
    template = form_of(b"/T(name)/Rect[400 720 100 420]/MK<</R %d>>" % rotation)

    assert "Ada" in text_of(filled(template, name="Ada"))


def test_a_field_is_named_with_those_it_belongs_to() -> None:
    parent = b"<</T(person)/FT/Tx/DA(/Helv 9 Tf)>>"
    template = form_of(NAME + b"/Parent 6 0 R", more=(parent,))

    assert compiled(template).fields == {"person.name"}


def test_a_field_that_is_its_own_parent_is_read() -> None:
    loop = b"<</T(a)/Parent 6 0 R>>"

    (name,) = compiled(form_of(NAME + b"/Parent 6 0 R", more=(loop,))).fields

    assert name.startswith("a.a.")
    assert len(name) <= 200


def test_a_fields_content_is_its_default() -> None:
    assert "Grace" in text_of(filled(form_of(NAME + b"/V(Grace)")))


def test_only_a_required_field_must_be_given() -> None:
    assert compiled(form_of(NAME)).required == frozenset()
    assert compiled(form_of(NAME + b"/Ff 2")).required == {"name"}


def test_the_time_goes_into_a_field_of_its_name() -> None:
    template = form_of(b"/T(timestamp)/Rect[100 700 400 720]", page=b"/Rotate 90")

    assert "2026-11-21T08:30:05+00:00" in filled_text(template)


def filled_text(template: bytes) -> str:
    return text_of(filled(template)).replace("\n", "")


def test_a_fields_ground_and_border_are_drawn() -> None:
    look = b"/MK<</BG[.5]/BC[1 0 0]>>/BS<</W 2>>"

    program = program_of(filled(form_of(NAME + look), name="Ada"))

    assert "0.5 g 100 700 300 20 re f" in program
    assert "1 0 0 RG 2 w 101 701 298 18 re S" in program


def test_a_border_without_width_is_none() -> None:
    program = program_of(filled(form_of(NAME + b"/MK<</BC[1]>>/BS<</W 0>>"), name="Ada"))

    assert "S" not in program.replace("BS", "").split("Tf")[0].split()


@pytest.mark.parametrize("content", [b"q 2 0 0 2 50 50 cm", b"Q Q 2 0 0 2 50 50 cm", b"q Q"])
def test_fields_stand_where_they_are_whatever_the_page_leaves_behind(content: bytes) -> None:
    left, _ = word_in(filled(form_of(NAME, content=content), name="Ada"), "Ada")

    assert left == pytest.approx(102, abs=0.5)


def test_placeholders_and_fields_go_together() -> None:
    content = b"BT /F1 12 Tf 60 600 Td (Issued %timestamp% to %who%) Tj ET"

    text = text_of(filled(form_of(NAME, content=content), name="Ada", who="Grace"))

    assert "Ada" in text
    assert "Issued 2026-11-21T08:30:05+00:00 to Grace" in text


def test_a_page_without_a_program_has_fields_too() -> None:
    template = form_of(NAME).replace(b"/Contents 4 0 R", b"/Nothing 4 0 R ")

    assert "Ada" in text_of(filled(template, name="Ada"))


@pytest.mark.parametrize(
    "field",
    [
        b"/T(name)",
        b"/T(name)/Rect 7",
        b"/T(name)/Rect[1 2 1 4]",
        b"/T(name)/Rect[1 2 3 4]/F 2",
        b"/T(name)/Rect[1 2 3 4]/F 32",
        b"/Rect[1 2 3 4]",
        b"/T 7/Rect[1 2 3 4]",
        b"/T<EFBBBFFF>/Rect[1 2 3 4]",
    ],
)
def test_what_is_seen_nowhere_or_has_no_name_is_no_field(field: bytes) -> None:
    with pytest.raises(NoPlaceholders, match="no visible text field"):
        compiled(form_of(field))


@pytest.mark.parametrize(
    ("look", "count"),
    [
        (b"/AP<</N 6 0 R>>/F 4", 1),
        (b"/AP<</N<</Yes 6 0 R>>>>/AS/Yes/F 4", 1),
        (b"/AP<</N<</Yes 6 0 R>>>>/AS/Off/F 4", 0),
        (b"/AP<</N<</Yes 6 0 R>>>>/F 4", 0),
        (b"/AP<</N 6 0 R>>", 1),
        (b"/AP 7/F 4", 0),
        (b"/F 4", 0),
        (b"/AP<</N 7 0 R>>/F 4", 0),
        (b"/AP<</N 8 0 R>>/F 4", 0),
    ],
)
def test_a_button_stays_as_it_looks(look: bytes, count: int) -> None:
    button = b"/T(b)/FT/Btn/Rect[10 10 30 30]" + look
    template = page_of(
        b"BT /F1 12 Tf 60 600 Td (%timestamp%) Tj ET",
        page=b"/Annots[<</Subtype/Widget%b>><</Subtype/Link/Rect[1 2 3 4]/Dest[3 0 R/Fit]>>]"
        % button,
        more=(
            DRAWN,
            stream_of(b"", b"/Subtype/Form/BBox[0 0 0 0]"),
            stream_of(b"", b"/Subtype/Form"),
        ),
    )

    certificate = filled(template)

    assert program_of(certificate).count(" Do") == count
    assert count == 0 or "2 0 0 2 10 10 cm" in program_of(certificate)
    assert b"/Link" in certificate


def test_a_signature_field_that_waits_is_dropped() -> None:
    certificate = filled(form_of(NAME, b"/T(s)/FT/Sig/Rect[1 2 3 4]"), name="Ada")

    assert b"/Sig" not in certificate


def test_a_signature_field_that_is_signed_is_refused() -> None:
    with pytest.raises(Signed):
        compiled(form_of(NAME, b"/Parent 6 0 R", more=(b"<</FT/Sig/V<<>>>>",)))


def test_more_fields_than_are_taken_are_refused() -> None:
    with pytest.raises(OverLimits):
        compiled(form_of(*[b"/T(f%d)/Rect[1 2 3 4]" % at for at in range(10_000)]))
