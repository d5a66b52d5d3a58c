"""The file beside a template says how its values are set."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fileservice.errors import BadValue
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import BadSideFile, MissingValue, TooLong
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.formats import formatted
from fileservice.pdf.packing import pack, unpack
from fileservice.pdf.sidefiles import MAX_SIDE_FILE_BYTES, read_side_file
from tests.pdfs import checked, form_of, page_of, program_of, text_of, words_of

NOW = datetime(2026, 3, 5, 18, 30, 5, tzinfo=ZoneInfo("Europe/Berlin"))
PLAIN = page_of(b"BT /F1 20 Tf 100 700 Td (%name%) Tj ET")
NAME = "Ada King, Countess of Lovelace"


def compiled(template: bytes, **members: Any) -> CompiledTemplate:
    return compile_template(template, shipped_fonts(), json.dumps(members).encode())


def wished(template: bytes, name: str = "name", **wish: Any) -> CompiledTemplate:
    return compiled(template, fields={name: wish})


def filled(template: CompiledTemplate, **values: str) -> bytes:
    return checked(template.fill(values, issued_at=NOW))


def edges(certificate: bytes) -> tuple[float, float]:
    words = words_of(certificate)
    return min(left for left, _, _ in words), max(right for _, right, _ in words)


def test_the_wished_point_of_the_line_stays() -> None:
    before = edges(PLAIN)
    centre = sum(before) / 2

    at_left = edges(filled(wished(PLAIN, align="left"), name=NAME))
    in_the_middle = edges(filled(wished(PLAIN, align="center"), name="Ada"))
    at_right = edges(filled(wished(PLAIN, align="right"), name="Ada"))

    assert at_left[0] == pytest.approx(before[0], abs=1)
    assert sum(in_the_middle) / 2 == pytest.approx(centre, abs=1)
    assert at_right[1] == pytest.approx(before[1], abs=1)


def test_a_line_is_no_longer_than_wished() -> None:
    left, right = edges(filled(wished(PLAIN, max_width=200), name=NAME))

    assert right - left == pytest.approx(200, abs=0.5)


def test_a_value_that_would_be_smaller_than_wished_is_refused() -> None:
    template = wished(PLAIN, max_width=200, min_size=19)

    with pytest.raises(TooLong, match="even at 95% of its size"):
        filled(template, name=NAME)


def test_a_value_may_become_as_small_as_wished() -> None:
    left, right = edges(filled(wished(PLAIN, max_width=100, min_size=5), name=NAME))

    assert right - left == pytest.approx(100, abs=0.5)


def test_a_value_is_broken_on_as_many_lines_as_wished() -> None:
    certificate = filled(wished(PLAIN, max_width=120, max_lines=2), name=NAME)

    lines = [line.strip() for line in text_of(certificate).splitlines() if line.strip()]
    assert lines == ["Ada King, Countess", "of Lovelace"]


def test_a_value_has_the_wished_size_and_font() -> None:
    template = wished(PLAIN, size=11, font="NotoSerif-Bold")

    certificate = filled(template, name="Ada")

    assert b"+NotoSerif-Bold" in certificate
    assert " 11 Tf" in program_of(certificate)


def test_two_values_may_have_the_same_font() -> None:
    template = page_of(b"BT /F1 20 Tf 100 700 Td (%name% %title%) Tj ET")
    font = {"font": "NotoSerif-Bold"}

    assert compiled(template, fields={"name": font, "title": font}).plan.faces[-1] == (
        "NotoSerif-Bold"
    )


@pytest.mark.parametrize(
    "template",
    [
        page_of(b"BT /F1 20 Tf 100 700 Td (For %name% here) Tj 0 -30 Td (Below) Tj ET"),
        page_of(b"0 0 1 rg BT /F1 20 Tf 100 700 Td (%name% of %other|x%) Tj ET 9 9 9 9 re f"),
        form_of(b"/T(name)/Rect[100 700 400 720]"),
    ],
    ids=["black", "blue", "form"],
)
def test_only_the_value_has_the_wished_colour(template: bytes) -> None:
    certificate = filled(wished(template, color="#ff0080"), name="Ada")

    program = program_of(certificate)
    assert program.count("1 0 0.50196 rg") == 1
    after = program.split("1 0 0.50196 rg")[1].split("]TJ", 1)[1]
    assert "0 g" in after or "0 0 1 rg" in after or after.split()[:2] == ["ET", "Q"]


def test_a_wish_says_what_must_be_given() -> None:
    template = page_of(b"BT /F1 20 Tf 100 700 Td (%name|nobody% %title%) Tj ET")
    fields = {"name": {"required": True}, "title": {"required": False}}

    with pytest.raises(MissingValue, match="asks for 'name'"):
        compiled(template, fields=fields).fill({}, issued_at=NOW)

    assert text_of(filled(compiled(template, fields=fields), name="Ada")).strip() == "Ada"


def test_a_wish_says_what_is_drawn_without_a_value() -> None:
    assert text_of(filled(wished(PLAIN, default="nobody"))).strip() == "nobody"


@pytest.mark.parametrize(
    ("language", "pattern", "text"),
    [
        ("en", "date", "March 5, 2026"),
        ("", "j F Y", "5 March 2026"),
        ("de", "date", "5. März 2026"),
        ("de-AT", "j. F Y, H:i", "5. März 2026, 18:30"),
        ("tlh", "date", "March 5, 2026"),
        ("fr", "datetime", "5 mars 2026 18:30"),
        ("en", "time", "6:30 p.m."),
        ("en", "upper", "2026-03-05T18:30:05+01:00"),
    ],
)
def test_the_time_is_written_as_wished(language: str, pattern: str, text: str) -> None:
    template = page_of(b"BT /F1 20 Tf 100 700 Td (%timestamp%) Tj ET")
    fields = {"timestamp": {"format": pattern}}

    made = compiled(template, lang=language, fields=fields)

    assert text_of(filled(made)).strip() == text


@pytest.mark.parametrize("language", ["zh", "zh-CN", "zh-Hans", "zh-TW", "zh-Hant-HK", "ja"])
def test_dates_of_chinese_and_japanese_have_their_signs(language: str) -> None:
    assert formatted("date", "day", "2026-03-05", language) == "2026年3月5日"


@pytest.mark.parametrize(
    ("pattern", "given", "text"),
    [
        ("date", "2026-11-21", "Nov. 21, 2026"),
        ("upper", "Ada", "ADA"),
        ("lower", "Ada", "ada"),
        ("date", "", ""),
    ],
)
def test_a_value_is_written_as_wished(pattern: str, given: str, text: str) -> None:
    template = page_of(b"BT /F1 20 Tf 100 700 Td (. %name|%) Tj ET")

    certificate = filled(wished(template, format=pattern), name=given)

    assert text_of(certificate).strip() == f". {text}" if text else True


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(BadValue, match="'name' is 'tomorrow', and not a day such as 2026-11-21"):
        filled(wished(PLAIN, format="date"), name="tomorrow")


def test_the_title_and_the_language_are_those_of_the_side_file() -> None:
    plan = compiled(PLAIN, title="Diploma", lang="de").plan

    assert (plan.title, plan.language) == ("Diploma", "de")


def test_other_wishes_make_another_file() -> None:
    one = wished(PLAIN, align="left").fill({"name": "Ada"}, issued_at=NOW)
    other = wished(PLAIN, align="right").fill({"name": "Ada"}, issued_at=NOW)

    assert one[one.rindex(b"/ID") :] != other[other.rindex(b"/ID") :]


def test_a_plan_keeps_its_wishes_on_disk() -> None:
    plan = wished(PLAIN, max_lines=3, min_size=9, format="upper", color="#123456").plan

    assert unpack(pack(plan)) == plan


def test_no_side_file_wishes_nothing() -> None:
    assert compile_template(PLAIN, shipped_fonts()).plan.side == ""
    assert read_side_file(b"").wishes == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 20_000, "no JSON"),
        (b"[]", "The side file is no object"),
        (b" " * (MAX_SIDE_FILE_BYTES + 1), "more than 32,768 bytes"),
        (b'{"feilds": {}}', "a member 'feilds'; known are fields, lang, title"),
        (b'{"fields": []}', "`fields` is not an object"),
        (b'{"fields": {"name": 1}}', "Field 'name' is no object"),
        (b'{"fields": {"name": {"colour": ""}}}', "a member 'colour'; known are align, color,"),
        (b'{"fields": {"name": {"align": "middle"}}}', "left, center or right, not 'middle'"),
        (b'{"fields": {"name": {"align": 1}}}', "`align` is a text"),
        (b'{"fields": {"name": {"max_lines": 0}}}', "from 1 to 100"),
        (b'{"fields": {"name": {"max_lines": true}}}', "from 1 to 100"),
        (b'{"fields": {"name": {"max_lines": 1.5}}}', "from 1 to 100"),
        (b'{"fields": {"name": {"size": 0}}}', "`size` is a number of points"),
        (b'{"fields": {"name": {"size": "9"}}}', "`size` is a number of points"),
        (b'{"fields": {"name": {"max_width": NaN}}}', "`max_width` is a number of points"),
        (b'{"fields": {"name": {"required": 1}}}', "`required` is true or false"),
        (b'{"fields": {"name": {"color": "red"}}}', "#rrggbb, not 'red'"),
        (b'{"fields": {"name": {"default": "a\\nb"}}}', "`default` is a text"),
        (b'{"fields": {"name": {"font": "Wingdings"}}}', "font 'Wingdings', which is not here"),
        (b'{"fields": {"nmae": {}}}', "speaks of 'nmae', which the template does not ask for"),
        (b'{"lang": "not a language"}', "no language tag"),
        (b'{"title": 1}', "`title` is a text"),
    ],
)
def test_a_side_file_that_cannot_be_followed_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(BadSideFile, match=complaint):
        compile_template(PLAIN, shipped_fonts(), content)


def test_wishes_are_bounded() -> None:
    with pytest.raises(BadSideFile, match="at most 200"):
        compiled(PLAIN, fields={f"n{at}": {} for at in range(201)})


def test_the_size_wished_is_in_points_of_the_page() -> None:
    template = page_of(b"2 0 0 2 0 0 cm BT 10 0 0 10 50 350 Tm /F1 1 Tf (%name%) Tj ET")

    certificate = filled(wished(template, size=40), name="Ada")

    assert " 2 Tf" in program_of(certificate)


def test_utc_is_no_special_zone() -> None:
    made = wished(PLAIN, format="date")

    assert made.fill({"name": "2026-11-21"}, issued_at=datetime.now(UTC))
