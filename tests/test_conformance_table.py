"""The table that tests/conformance writes: one row for each point, one column for each server."""

import pytest

from tests.conformance.points import MUST, SHOULD
from tests.conformance.table import Point, cell, point_of, with_column

HEAD = Point("T3", MUST, "head tells the offset")
CHUNKED = Point("T4", SHOULD, "a chunked patch is taken")


def test_a_test_names_its_point() -> None:
    assert point_of("test_t3_head_tells_the_offset", MUST) == HEAD


def test_a_column_comes_beside_the_others_and_the_text_stays() -> None:
    text = with_column("# Servers\n\n", "one", {HEAD: "pass", CHUNKED: "not announced"})

    text = with_column(f"{text}\nThe end.\n", "two", {HEAD: "**fail**", CHUNKED: "pass"})

    assert text.splitlines() == [
        "# Servers",
        "",
        "| Point | Level | Fact | one | two |",
        "| --- | --- | --- | --- | --- |",
        "|  | MUST | passed of those tried | 1 of 1 | 0 of 1 |",
        "|  | SHOULD | passed of those tried | 0 of 0 | 1 of 1 |",
        "| T3 | MUST | head tells the offset | pass | **fail** |",
        "| T4 | SHOULD | a chunked patch is taken | not announced | pass |",
        "",
        "The end.",
    ]


def test_a_later_run_takes_the_place_of_an_earlier_one() -> None:
    text = with_column("", "one", {HEAD: "**fail**"})

    text = with_column(text, "one", {HEAD: "pass"})

    assert "| T3 | MUST | head tells the offset | pass |" in text.splitlines()
    assert "fail" not in text


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "not announced"], "pass"),
        (["fail"], "**fail**"),
        (["pass", "fail", "fail"], "**fail** (2 of 3)"),
        (["not tried"], "not tried"),
    ],
)
def test_cases_of_one_point_are_one_cell(outcomes: list[str], told: str) -> None:
    assert cell(outcomes) == told
