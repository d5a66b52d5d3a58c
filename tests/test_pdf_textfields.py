"""Form fields for text and with choices: what they take, and how it is drawn."""

from datetime import UTC, datetime

import pytest

from fileservice.errors import BadValue
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import NoPlaceholders, NotAChoice, OverLimits, TooLong
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.packing import pack, unpack
from fileservice.pdf.rules import Rule
from fileservice.pdf.slots import Value
from tests.pdfs import checked, form_of, lines_of, program_of, stream_of, text_of, words_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
NAME = b"/T(name)/Rect[100 700 400 720]"
COMB = b"/T(name)/Rect[100 700 400 720]/Ff 16777216/MaxLen 10/DA(/Helv 12 Tf)"
LOOK = stream_of(
    b"BT /F1 12 Tf (Seen) Tj ET",
    b"/Subtype/Form/BBox[0 0 300 20]/Resources<</Font<</F1 5 0 R>>>>",
)
COUNTRIES = b"/FT/Ch/Opt[[(CH)(Schweiz)][(NZ)(Aotearoa)](Peru)]"
COMBO, EDITABLE, SEVERAL = 1 << 17, 1 << 17 | 1 << 18, 1 << 21


def compiled(template: bytes, side: bytes = b"") -> CompiledTemplate:
    plan = compile_template(template, shipped_fonts(), side).plan
    return CompiledTemplate(unpack(pack(plan)), shipped_fonts())


def filled(template: bytes, **values: str) -> bytes:
    return checked(compiled(template).fill(values, issued_at=NOW))


def test_more_characters_than_a_field_takes_are_refused() -> None:
    template = form_of(NAME + b"/MaxLen 5")

    assert "Grace" in text_of(filled(template, name="Grace"))
    with pytest.raises(TooLong, match="'name' is 6 characters long, its field takes 5") as caught:
        filled(template, name="Graces")
    assert caught.value.extensions == {"field": "name", "limit": 5}


@pytest.mark.parametrize("longest", [b"0", b"-1", b"999999999", b"null", b"(5)"])
def test_a_limit_that_is_none_is_passed_over(longest: bytes) -> None:
    assert "Graces" in text_of(filled(form_of(NAME + b"/MaxLen " + longest), name="Graces"))


@pytest.mark.parametrize(("align", "first"), [(b"0", 0), (b"1", 3), (b"2", 7)])
def test_each_letter_of_a_comb_stands_in_the_middle_of_its_cell(align: bytes, first: int) -> None:
    words = words_of(filled(form_of(COMB + b"/Q " + align), name="A1W"))

    middles = [(left + right) / 2 for left, right, _ in words]
    assert [word for _, _, word in words] == ["A", "1", "W"]
    assert middles == pytest.approx([100 + 30 * (first + at) + 15 for at in range(3)], abs=0.5)


def test_a_mark_shares_the_cell_of_its_letter() -> None:
    words = words_of(filled(form_of(COMB), name="X\u0302Y"))

    assert [word for _, _, word in words] == ["X\u0302", "Y"]


def test_letters_wider_than_their_cells_are_made_smaller() -> None:
    field = b"/T(name)/Rect[100 700 150 720]/Ff 16777216/MaxLen 10/DA(/Helv 12 Tf)"

    words = words_of(filled(form_of(field), name="WMW"))

    assert max(right for _, right, _ in words) <= 115.1


def test_a_comb_takes_no_more_than_its_cells() -> None:
    with pytest.raises(TooLong, match="takes 10"):
        filled(form_of(COMB), name="A" * 11)


def test_the_time_takes_no_more_than_the_cells_there_are() -> None:
    with pytest.raises(TooLong, match="'timestamp' is 25 characters long, its field has 10 cells"):
        filled(form_of(COMB.replace(b"name", b"timestamp")))


def test_an_empty_comb_is_empty() -> None:
    assert text_of(filled(form_of(COMB))).strip() == ""


def test_the_cells_of_a_comb_are_parted_as_it_is_framed() -> None:
    field = COMB.replace(b"MaxLen 10", b"MaxLen 3") + b"/MK<</BC[1 0 0]>>"

    program = program_of(filled(form_of(field), name="Ada"))

    assert "200 700 m 200 720 l S 300 700 m 300 720 l S" in program


@pytest.mark.parametrize("flags", [1 << 24 | 1 << 12, 1 << 12, 0])
def test_what_is_no_comb_is_a_line(flags: int) -> None:
    field = COMB.replace(b"16777216", b"%d" % flags)

    assert "Ada" in [word for _, _, word in words_of(filled(form_of(field), name="Ada"))]


@pytest.mark.parametrize(
    ("flags", "given", "shown"),
    [
        (0, "CH", "Schweiz"),
        (COMBO, "CH", "Schweiz"),
        (COMBO, "Aotearoa", "Aotearoa"),
        (COMBO, "nz", "Aotearoa"),
        (COMBO, "Peru", "Peru"),
        (EDITABLE, "Tuvalu", "Tuvalu"),
        (EDITABLE, "NZ", "Aotearoa"),
        (SEVERAL, "CH", "Schweiz"),
        (SEVERAL, "Peru; ch", "Peru, Schweiz"),
    ],
)
def test_a_choice_is_given_by_either_name_and_drawn_as_it_is_shown(
    flags: int, given: str, shown: str
) -> None:
    template = form_of(NAME + COUNTRIES + b"/Ff %d" % flags)

    assert text_of(filled(template, name=given)).strip() == shown


@pytest.mark.parametrize(
    ("flags", "given"),
    [(COMBO, "Tuvalu"), (COMBO, "CH;NZ"), (SEVERAL, "CH;Tuvalu"), (SEVERAL, ";"), (1 << 18, "Oz")],
)
def test_what_is_no_choice_is_refused_with_those_there_are(flags: int, given: str) -> None:
    template = form_of(NAME + COUNTRIES + b"/Ff %d" % flags)

    with pytest.raises(NotAChoice, match="'CH', 'NZ', 'Peru', 'Schweiz', 'Aotearoa'") as caught:
        filled(template, name=given)
    assert caught.value.extensions["field"] == "name"


def test_an_error_names_no_more_than_twenty_choices() -> None:
    options = b"/FT/Ch/Opt[%b]" % b"".join(b"(%d)" % at for at in range(1000))

    with pytest.raises(NotAChoice, match="'19' and 980 others") as caught:
        filled(form_of(NAME + options), name="none")
    assert len(caught.value.detail) < 300


def test_more_choices_than_are_taken_are_refused() -> None:
    with pytest.raises(OverLimits, match="1,001 choices"):
        compiled(form_of(NAME + b"/FT/Ch/Opt[%b]" % (b"(a)" * 1001)))


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (b"/V(CH)", "Schweiz"),
        (b"/V(Peru)", "Peru"),
        (b"/V[(CH)(Peru)]", "Schweiz, Peru"),
        (b"/V[]/DV(NZ)", "Aotearoa"),
        (b"", ""),
    ],
)
def test_what_is_chosen_in_the_template_is_the_default(held: bytes, shown: str) -> None:
    assert text_of(filled(form_of(NAME + COUNTRIES + held))).strip() == shown


@pytest.mark.parametrize("options", [b"", b"/Opt 7", b"/Opt[]", b"/Opt[[(a)][(a)(b)(c)] 7]"])
def test_a_field_without_choices_takes_any(options: bytes) -> None:
    assert "Ada" in text_of(filled(form_of(NAME + b"/FT/Ch" + options), name="Ada"))


def test_a_choice_may_be_blank() -> None:
    assert text_of(filled(form_of(NAME + COUNTRIES + b"/V(CH)"), name="")).strip() == ""


def test_two_fields_of_one_name_take_what_either_takes() -> None:
    rule = Rule(longest=5, choices={"a": "1"}).joined(Rule(longest=3, choices={"b": "2"}))

    assert rule == Rule(longest=3, choices={"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (b"/V(one)/DV(two)", "one"),
        (b"/DV(two)", "two"),
        (b"/V()/DV(two)", "two"),
        (b"/V(one\rtwo)", "one two"),
        (b"/V<FEFF5F204F1F>", "张伟"),
    ],
)
def test_what_a_field_holds_is_its_default(held: bytes, shown: str) -> None:
    ((value,),) = [slot.parts for slot in lines_of(compiled(form_of(NAME + held)).plan)]

    assert isinstance(value, Value)
    assert value.default == shown


def test_a_long_default_may_lie_in_a_stream() -> None:
    template = form_of(NAME + b"/V 6 0 R", more=(stream_of(b"Grace"),))

    assert "Grace" in text_of(filled(template))


@pytest.mark.parametrize("flags", [1 << 13, 1 << 20])
def test_a_field_for_a_password_or_a_file_is_not_asked_for(flags: int) -> None:
    secret = b"/T(secret)/V(swordfish)/Rect[100 600 400 620]/Ff %d" % flags

    template = compiled(form_of(NAME, secret))

    assert template.fields == {"name"}
    assert "swordfish" not in text_of(checked(template.fill({"name": "Ada"}, issued_at=NOW)))


@pytest.mark.parametrize(
    ("field", "form", "shown"),
    [
        (b"/T(x)/Ff 1/V(Held)", b"", "Held"),
        (b"/T(x)/Ff 1/V(Held)/AP<</N 6 0 R>>", b"", "Seen"),
        (b"/T(x)/Ff 1/V(Held)/AP<</N 6 0 R>>", b"/NeedAppearances true", "Held"),
        (b"/V(Held)", b"", "Held"),
        (b"/V(Held)/AP<</N 6 0 R>>", b"", "Seen"),
        (b"/AP<</N 6 0 R>>", b"/NeedAppearances true", "Seen"),
        (b"", b"", ""),
    ],
)
def test_a_text_that_is_only_read_is_drawn_and_not_asked_for(
    field: bytes, form: bytes, shown: str
) -> None:
    fixed = b"/Rect[100 600 400 620]" + field
    catalog = b"/AcroForm<</DA(/Helv 0 Tf 0 g)%b>>" % form

    template = compiled(form_of(NAME, fixed, catalog=catalog, more=(LOOK,)))

    assert template.fields == {"name"}
    assert text_of(checked(template.fill({}, issued_at=NOW))).strip() == shown


HELD = NAME + b"/V(Held)/AP<</N 6 0 R>>"


@pytest.mark.parametrize(
    ("form", "side", "values", "shown"),
    [
        (b"", b"", {}, "Seen"),
        (b"", b"", {"name": "Ada"}, "Ada"),
        (b"", b"", {"name": ""}, ""),
        (b"", b'{"fields": {"name": {"default": "Wished"}}}', {}, "Wished"),
        (b"", b'{"fields": {"name": {"align": "center"}}}', {}, "Held"),
        (b"/NeedAppearances true", b"", {}, "Held"),
    ],
)
def test_a_field_without_a_value_stays_as_it_looks(
    form: bytes, side: bytes, values: dict[str, str], shown: str
) -> None:
    catalog = b"/AcroForm<</DA(/Helv 0 Tf 0 g)%b>>" % form

    template = compiled(form_of(HELD, catalog=catalog, more=(LOOK,)), side)

    assert template.fields == {"name"}
    assert text_of(checked(template.fill(values, issued_at=NOW))).strip() == shown


def test_nobody_gives_a_value_to_a_field_without_a_name() -> None:
    with pytest.raises(BadValue, match="does not ask for ''"):
        compiled(form_of(NAME, b"/Rect[1 2 30 40]/V(Held)")).fill({"": "x"}, issued_at=NOW)


def test_a_locked_field_without_a_text_is_asked_for() -> None:
    assert compiled(form_of(NAME + b"/Ff 1")).fields == {"name"}


def test_a_template_whose_fields_are_all_only_read_asks_for_nothing() -> None:
    with pytest.raises(NoPlaceholders):
        compiled(form_of(NAME + b"/Ff 1/V(Held)"))


@pytest.mark.parametrize(
    ("rect", "box"),
    [
        (b"600 700 700 720", b""),
        (b"-50 700 0 720", b""),
        (b"100 842 400 850", b""),
        (b"100 700 400 720", b"/CropBox[0 0 595 600]"),
    ],
)
def test_a_field_beside_the_page_is_none(rect: bytes, box: bytes) -> None:
    with pytest.raises(NoPlaceholders, match="no visible text field"):
        compiled(form_of(b"/T(name)/Rect[%b]" % rect, page=box))


def test_a_field_at_the_edge_of_the_page_is_one() -> None:
    assert compiled(form_of(b"/T(name)/Rect[500 700 700 720]")).fields == {"name"}


@pytest.mark.parametrize("seen", [b"/F 4", b"/F 0", b"/F 64", b""])
def test_a_field_that_is_seen_on_the_screen_is_asked_for(seen: bytes) -> None:
    assert compiled(form_of(NAME + seen)).fields == {"name"}


def test_a_field_that_is_only_printed_is_none() -> None:
    with pytest.raises(NoPlaceholders, match="no visible text field"):
        compiled(form_of(NAME + b"/F 36"))


def test_one_field_is_drawn_wherever_it_is_seen() -> None:
    parent = b"<</T(name)/FT/Tx/MaxLen 3>>"
    kid = b"/Parent 6 0 R/Rect[100 %d 400 %d]"

    template = compiled(form_of(kid % (700, 720), kid % (600, 620), more=(parent,)))

    assert template.fields == {"name"}
    assert text_of(checked(template.fill({"name": "Ada"}, issued_at=NOW))).split() == ["Ada"] * 2


@pytest.mark.parametrize(
    ("style", "drawn", "left"),
    [
        (b"", "0 G 1 w 100.5 700.5 299 19 re S", 102),
        (b"/BS<</W 3/S/S>>", "0 G 3 w 101.5 701.5 297 17 re S", 106),
        (b"/BS<</W 1/S/D>>", "0 G 1 w [3] 0 d 100.5 700.5 299 19 re S", 102),
        (b"/BS<</S/D/D[4 2]>>", "0 G 1 w [4 2] 0 d 100.5 700.5 299 19 re S", 102),
        (b"/BS<</S/D/D[0 0]>>", "0 G 1 w 100.5 700.5 299 19 re S", 102),
        (b"/BS<</S/D/D[-1 2]>>", "0 G 1 w 100.5 700.5 299 19 re S", 102),
        (b"/BS<</S/U/W 2>>", "0 G 2 w 100 701 m 400 701 l S", 104),
        (b"/BS<</S/B>>", "1 g 101 701 m 101 719 l 399 719 l 398 718 l 102 718 l 102 702 l f", 104),
        (b"/BS<</S/B>>", "0.5 g 101 701 m 399 701 l 399 719 l 398 718 l 398 702 l 102 702", 104),
        (b"/BS<</S/I>>", "0.5 g 101 701 m 101 719 l", 104),
        (b"/BS<</S/I>>", "0.75 g 101 701 m 399 701 l", 104),
        (b"/Border[0 0 2]", "0 G 2 w 101 701 298 18 re S", 104),
        (b"/Border[0 0 1[5 5]]", "0 G 1 w [5 5] 0 d 100.5", 102),
        (b"/Border[0 0 1 7]", "0 G 1 w 100.5", 102),
        (b"/Border[0 0]", "0 G 1 w 100.5", 102),
    ],
)
def test_a_border_is_of_its_style_and_the_text_keeps_off(
    style: bytes, drawn: str, left: float
) -> None:
    certificate = filled(form_of(NAME + b"/MK<</BC[0]>>" + style), name="Ada")

    assert drawn in program_of(certificate)
    assert words_of(certificate)[0][0] == pytest.approx(left, abs=0.5)


@pytest.mark.parametrize(
    ("written", "face"),
    [
        (b"/My#20Font", b"NotoSerif-Bold"),
        (b"/My#20", b"NotoSans-Regular"),
        (b"/My#", b"NotoSans-Regular"),
    ],
)
def test_a_fields_font_is_found_by_its_name_however_it_is_written(
    written: bytes, face: bytes
) -> None:
    fonts = b"/DR<</Font<</My#20Font<</Subtype/Type1/BaseFont/Times-Bold>>>>>>"
    template = form_of(NAME + b"/DA(%b 9 Tf)" % written, catalog=b"/AcroForm<<%b>>" % fonts)

    assert face in filled(template, name="Ada")
