import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.structured import format_counts, parse_boolean, parse_count


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("?1", True),
        ("?0", False),
        (" ?1 ", True),
        ('?1;a;b=1;  c=2.5;*d="x\\"y";e=tok/en;f=:AA==:;g=?0;h=@-1;i=%"%c3%a4"', True),
        ("", None),
        ("1", None),
        ("?2", None),
        ("?", None),
        ("true", None),
        ("?1, ?1", None),
        ("?1;", None),
        ("?1;A", None),
        ("?1;a=", None),
        ('?1;a="\xe4"', None),
        ('?1;a=%"%C3"', None),
        ("?1;a=1.", None),
        ("\t?1", None),
        ("?1\n", None),
    ],
)
def test_a_boolean_is_read_and_anything_else_is_none(field: str, value: bool | None) -> None:
    assert parse_boolean(field) is value


@pytest.mark.parametrize(
    ("field", "count"),
    [
        ("0", 0),
        ("-0", 0),
        ("007", 7),
        ("  11;source=disk ", 11),
        ("999999999999999", 10**15 - 1),
        ("1000000000000000", None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        ("11.0", None),
        ("\u0661", None),
        ('"11"', None),
        ("11, 12", None),
        ("?1", None),
        ("eleven", None),
        ("", None),
    ],
)
def test_a_count_is_read_and_anything_else_is_none(field: str, count: int | None) -> None:
    assert parse_count(field) == count


@given(st.text('?01;a="\\: ,.-@%', max_size=40))
def test_no_field_breaks_the_parsers(field: str) -> None:
    boolean, count = parse_boolean(field), parse_count(field)

    assert boolean is None or count is None


def test_counts_are_written_and_never_too_large() -> None:
    assert format_counts({}) == ""
    assert (
        format_counts({"max-size": 10**20, "max-age": 5}) == "max-size=999999999999999, max-age=5"
    )
