"""Check boxes and groups of buttons: which values they take, and how they look then."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from fileservice.overviews import inputs_of
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import BadSideFile, MissingValue, NoPlaceholders, NotAChoice
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.packing import pack, unpack
from tests.pdfs import FORM, checked, page_of, program_of, stream_of, text_of
from tests.rasters import Draw, by_pdfium, by_poppler, dark_share

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)


def look(text: bytes) -> bytes:
    return stream_of(
        b"BT /F1 9 Tf 1 1 Td (%b) Tj ET" % text,
        b"/Subtype/Form/BBox[0 0 60 20]/Resources<</Font<</F1 5 0 R>>>>",
    )


# 6 is how a button looks that is on, 7 one that is off, 8 and 9 others that are on.
LOOKS = (look(b"isOn"), look(b"isOff"), look(b"isFirst"), look(b"isSecond"))
BOX = b"/T(agree)/Rect[100 600 160 620]/AP<</N<</Yes 6 0 R/Off 7 0 R>>>>"
FIRST = b"/Parent 10 0 R/Rect[100 600 160 620]/AP<</N<</0 8 0 R/Off 7 0 R>>>>"
SECOND = b"/Parent 10 0 R/Rect[200 600 260 620]/AP<</N<</1 9 0 R/Off 7 0 R>>>>"
GROUP = b"<</T(size)/FT/Btn/Ff 32768%b>>"


def template_of(*buttons: bytes, more: Sequence[bytes] = (), content: bytes = b"") -> bytes:
    """Return a page with buttons, whose entries are `buttons`; `more` are objects 10, 11, ..."""
    widgets = b"".join(b"<</Subtype/Widget/FT/Btn%b>>" % each for each in buttons)
    return page_of(
        b"BT /F1 12 Tf 60 700 Td (No. %id|%) Tj ET" + content,
        page=b"/Annots[%b]" % widgets,
        catalog=FORM,
        more=(*LOOKS, *more),
    )


def compiled(template: bytes) -> CompiledTemplate:
    plan = compile_template(template, shipped_fonts()).plan
    return CompiledTemplate(unpack(pack(plan)), shipped_fonts())


def filled(template: bytes, **values: str) -> bytes:
    return checked(compiled(template).fill(values, issued_at=NOW))


def seen(template: bytes, **values: str) -> list[str]:
    return [word for word in text_of(filled(template, **values)).split() if word.startswith("is")]


@pytest.mark.parametrize("given", ["Yes", "yes", "YES", "on", "true", "True", "x", "X", "1"])
def test_a_check_box_is_on(given: str) -> None:
    assert seen(template_of(BOX), agree=given) == ["isOn"]


@pytest.mark.parametrize("given", ["Off", "off", "no", "false", "0", ""])
def test_a_check_box_is_off(given: str) -> None:
    assert seen(template_of(BOX + b"/AS/Yes"), agree=given) == ["isOff"]


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        (b"", "isOff"),
        (b"/AS/Yes", "isOn"),
        (b"/V/Yes", "isOn"),
        (b"/V/Yes/AS/Off", "isOff"),
        (b"/AS/Unheard", "isOff"),
        (b"/AS 7/V(Yes)", "isOff"),
    ],
)
def test_without_a_value_a_check_box_is_as_in_the_template(entries: bytes, shown: str) -> None:
    assert seen(template_of(BOX + entries)) == [shown]


def test_what_is_no_state_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotAChoice, match="'agree' is 'perhaps'; its field takes 'Yes', 'Off'") as e:
        filled(template_of(BOX), agree="perhaps")
    assert e.value.extensions == {"field": "agree", "choices": ["Yes", "Off"]}


def test_the_name_of_a_state_may_be_any_text() -> None:
    utf8 = BOX.replace(b"/Yes", b"/#E6#98#AF")
    other = BOX.replace(b"/Yes", b"/#CA#C7")

    assert seen(template_of(utf8), agree="是") == ["isOn"]
    assert seen(template_of(other), agree="yes") == ["isOn"]
    assert seen(template_of(other + b"/AS/#CA#C7")) == ["isOn"]


def test_a_state_called_0_is_on_by_its_name() -> None:
    assert seen(template_of(BOX.replace(b"/Yes", b"/0")), agree="0") == ["isOn"]


def test_a_state_without_a_look_of_its_own_looks_like_nothing_when_off() -> None:
    box = b"/T(agree)/Rect[100 600 160 620]/AP<</N<</Yes 6 0 R>>>>"

    assert seen(template_of(box), agree="off") == []
    assert seen(template_of(box), agree="on") == ["isOn"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ["isOff", "isOff"]),
        ({"size": "0"}, ["isFirst", "isOff"]),
        ({"size": "1"}, ["isOff", "isSecond"]),
        ({"size": "Large"}, ["isOff", "isSecond"]),
        ({"size": "small"}, ["isFirst", "isOff"]),
        ({"size": "Off"}, ["isOff", "isOff"]),
        ({"size": ""}, ["isOff", "isOff"]),
    ],
)
def test_one_of_a_group_is_on_by_its_name_or_its_export_value(
    values: dict[str, str], shown: list[str]
) -> None:
    template = template_of(FIRST, SECOND, more=(GROUP % b"/Opt[(Small)(Large)]",))

    assert compiled(template).fields == {"size", "id"}
    assert seen(template, **values) == shown


@pytest.mark.parametrize("given", ["yes", "on", "2", "Medium"])
def test_a_group_takes_no_words_for_on(given: str) -> None:
    template = template_of(FIRST, SECOND, more=(GROUP % b"/Opt[(Small)(Large)]",))

    with pytest.raises(NotAChoice, match="takes 'Small', '0', 'Off', 'Large', '1'"):
        filled(template, size=given)


@pytest.mark.parametrize("options", [b"", b"/Opt 7", b"/Opt[]", b"/Opt[7 7]", b"/Opt[()()]"])
def test_a_group_without_export_values_has_names(options: bytes) -> None:
    template = template_of(FIRST, SECOND, more=(GROUP % options,))

    assert seen(template, size="1") == ["isOff", "isSecond"]


def test_one_of_a_group_is_on_in_the_template() -> None:
    template = template_of(FIRST + b"/AS/Off", SECOND + b"/AS/1", more=(GROUP % b"/V/1",))

    assert seen(template) == ["isOff", "isSecond"]


def test_boxes_of_one_name_with_several_states_take_no_words_for_on() -> None:
    boxes = [each.replace(b"/Parent 10 0 R", b"/T(size)") for each in (FIRST, SECOND)]

    assert seen(template_of(*boxes), size="1") == ["isOff", "isSecond"]
    with pytest.raises(NotAChoice):
        filled(template_of(*boxes), size="yes")


def test_only_what_is_required_and_off_must_be_given() -> None:
    required, on = BOX + b"/Ff 2", BOX + b"/Ff 2/AS/Yes"

    assert compiled(template_of(BOX)).required == frozenset()
    assert compiled(template_of(on)).required == frozenset()
    assert compiled(template_of(required)).required == {"agree"}
    assert seen(template_of(required), agree="yes") == ["isOn"]
    with pytest.raises(MissingValue):
        filled(template_of(required), agree="off")


def test_a_group_with_one_on_has_what_is_required() -> None:
    group = (GROUP % b"/V/1").replace(b"32768", b"32770")
    template = template_of(FIRST + b"/AS/Off", SECOND + b"/AS/1", more=(group,))

    assert compiled(template).required == frozenset()
    assert seen(template) == ["isOff", "isSecond"]


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        (b"/Ff 1/AS/Yes", ["isOn"]),
        (b"/Ff 1", ["isOff"]),
        (b"/Ff 65536/AS/Yes", ["isOn"]),
        (b"/F 2/AS/Yes", []),
    ],
)
def test_a_button_that_is_locked_pushed_or_hidden_stays_as_it_looks(
    entries: bytes, shown: list[str]
) -> None:
    template = template_of(BOX + entries)

    assert compiled(template).fields == {"id"}
    assert seen(template) == shown


def test_a_check_box_without_a_name_stays_as_it_looks() -> None:
    assert seen(template_of(BOX.replace(b"/T(agree)", b"/AS/Yes"))) == ["isOn"]


@pytest.mark.parametrize(
    "looks", [b"", b"/AP 7", b"/AP<</N<<>>>>", b"/AP<</N<</Yes 4 0 R>>>>", b"/AP<</N<</Yes 7>>>>"]
)
def test_a_check_box_that_looks_like_nothing_gets_a_mark(looks: bytes) -> None:
    box = b"/T(agree)/Rect[100 600 120 620]/DA(1 0 0 rg)/MK<</BC[0]>>" + looks

    on, off = (filled(template_of(box), agree=given) for given in ("yes", "no"))

    assert "1 0 0 rg 102.8 610 m" in program_of(on)
    assert "rg" not in program_of(off)
    assert "0 G 1 w 100.5 600.5 19 19 re S" in program_of(on)
    assert "0 G 1 w 100.5 600.5 19 19 re S" in program_of(off)


@pytest.mark.parametrize("draw", [by_poppler, by_pdfium])
def test_a_mark_is_seen(draw: Draw) -> None:
    box = b"/T(agree)/Rect[100 600 150 650]"

    on, off = (draw(filled(template_of(box), agree=given)) for given in ("yes", "no"))

    assert dark_share(on, 100, 600, 150, 650) == pytest.approx(0.13, abs=0.03)
    assert dark_share(off, 100, 600, 150, 650) == 0


def test_a_check_box_is_on_in_the_template_by_the_name_it_has() -> None:
    box = b"/T(agree)/Rect[100 600 120 620]/AS/Ja"

    assert " m " in program_of(filled(template_of(box)))
    assert " m " in program_of(filled(template_of(box), agree="ja"))


def test_a_group_that_looks_like_nothing_is_none() -> None:
    with pytest.raises(NoPlaceholders, match="check box"):
        compiled(
            page_of(
                b"",
                page=b"/Annots[<</Subtype/Widget/FT/Btn/T(a)/Ff 32768/Rect[1 1 9 9]>>]",
                catalog=FORM,
            )
        )


def test_a_template_may_ask_for_a_check_box_only() -> None:
    template = template_of(BOX).replace(b"%id|%", b" none")

    assert compiled(template).fields == {"agree"}


def test_a_placeholder_may_say_what_a_button_is() -> None:
    template = template_of(BOX, content=b" BT /F1 12 Tf 60 500 Td (Agreed: %agree%.) Tj ET")

    assert "Agreed: Yes." in text_of(filled(template, agree="on"))


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        (b'"default": "yes"', "isOn"),
        (b'"default": "Yes", "required": false', "isOn"),
        (b'"default": "off", "required": false', "isOff"),
        (b'"required": false', "isOff"),
    ],
)
def test_a_side_file_says_how_a_check_box_is_without_a_value(wish: bytes, shown: str) -> None:
    side = b'{"fields": {"agree": {%b}}}' % wish

    template = compile_template(template_of(BOX + b"/Ff 2"), shipped_fonts(), side)

    assert template.required == frozenset()
    assert shown in text_of(checked(template.fill({}, issued_at=NOW)))


def test_a_side_file_may_require_a_check_box() -> None:
    side = b'{"fields": {"agree": {"required": true}}}'

    assert compile_template(template_of(BOX), shipped_fonts(), side).required == {"agree"}


def test_a_side_file_gives_no_default_that_the_field_does_not_take() -> None:
    side = b'{"fields": {"agree": {"default": "perhaps"}}}'

    with pytest.raises(BadSideFile, match="The value of 'agree' is 'perhaps'"):
        compile_template(template_of(BOX), shipped_fonts(), side)


def test_what_is_on_in_the_template_is_what_a_form_begins_with() -> None:
    group = GROUP % b"/V/1"
    template = compiled(
        template_of(BOX, FIRST + b"/AS/Off", SECOND + b"/AS/1", FIRST + b"/AS/Off", more=(group,))
    )

    asked = {each.name: each for each in inputs_of(template)}

    assert (asked["size"].default, asked["size"].choices) == ("1", ["0", "Off", "1"])
    assert (asked["agree"].default, asked["agree"].choices) == ("", ["Yes", "Off"])
    assert not asked["agree"].is_open


def test_a_locked_check_box_without_a_look_keeps_its_mark() -> None:
    locked = b"/T(agree)/Rect[100 600 160 620]/Ff 1/AS/Yes/MK<</BC[0 0 1]>>"

    program = program_of(filled(template_of(locked)))

    assert "0 0 1 RG" in program
    assert compiled(template_of(locked)).fields == {"id"}
