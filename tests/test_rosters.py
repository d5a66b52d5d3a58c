"""The list of a batch: which line says what, and what is said of a line that cannot be read."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice import rosters
from fileservice.errors import BadRequest
from fileservice.rosters import Complaint, Entry, read_roster


def lines(content: str, kind: rosters.Kind = "csv") -> list[tuple[int, dict[str, str]]]:
    roster = read_roster(content.encode(), kind)
    assert roster.complaints == []
    return [(entry.line, entry.values) for entry in roster.entries]


ADA = {"name": "Ada", "course": "Analysis"}


@pytest.mark.parametrize(
    "content",
    [
        "name,course\nAda,Analysis\n",
        "name,course\r\nAda,Analysis",
        "name;course\nAda;Analysis\n",
        "name\tcourse\nAda\tAnalysis\n",
        "\ufeffname,course\nAda,Analysis\n",
        ' name , course \n"Ada","Analysis"\n',
    ],
)
def test_a_line_of_csv_has_the_names_of_the_first(content: str) -> None:
    assert lines(content) == [(2, ADA)]


def test_cells_keep_commas_quotes_and_line_breaks() -> None:
    content = 'name,text\n"Lovelace, Ada","said ""yes"",\nand went"\nBob,\n\n,last\n'

    assert lines(content) == [
        (2, {"name": "Lovelace, Ada", "text": 'said "yes",\nand went'}),
        (4, {"name": "Bob", "text": ""}),
        (6, {"name": "", "text": "last"}),
    ]


def test_json_lines_keep_numbers_as_they_are_written() -> None:
    content = '{"name": "Ada", "hours": 1.10, "year": 1843}\n\n{"name": "a\u2028b"}\n'

    assert lines(content, "jsonl") == [
        (1, {"name": "Ada", "hours": "1.10", "year": "1843"}),
        (3, {"name": "a\u2028b"}),
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_empty_list_has_no_entries(kind: rosters.Kind) -> None:
    assert lines("", kind) == lines("\n \n" if kind == "jsonl" else "\n\n", kind) == []


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ("Bob", "1 cells, the first has 2"),
        ("Bob,a,b", "3 cells, the first has 2"),
        ('Bob,"a"b', "no CSV"),
        ('Bob,"a', "no CSV"),
    ],
)
def test_a_line_of_csv_that_cannot_be_read_is_named(row: str, detail: str) -> None:
    roster = read_roster(f"name,course\nAda,Analysis\n{row}".encode(), "csv")

    assert roster.entries == [Entry(2, ADA)]
    [complaint] = roster.complaints
    assert complaint.line == 3
    assert detail in complaint.detail


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('["Ada"]', "no JSON object"),
        ('{"name": null}', "'name' is neither"),
        ('{"name": true}', "'name' is neither"),
        ('{"name": ["Ada"]}', "'name' is neither"),
        (json.dumps(dict.fromkeys(map(str, range(65)), "a")), "65 members"),
    ],
    ids=range(7),
)
def test_a_line_of_json_that_cannot_be_read_is_named(row: str, detail: str) -> None:
    roster = read_roster(f'{{"name": "Ada"}}\n{row}\n{{"name": "Bob"}}'.encode(), "jsonl")

    assert [entry.line for entry in roster.entries] == [1, 3]
    [complaint] = roster.complaints
    assert complaint.line == 2
    assert detail in complaint.detail


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"name,\nAda,x\n", "Column 2"),
        (b"name,name\nAda,x\n", "two columns with the name 'name'"),
        (",".join(map(str, range(65))).encode(), "65 columns"),
        (b"name\nAda\n\xe9\n", "Line 3 of the list is not UTF-8"),
    ],
)
def test_a_list_that_cannot_be_read_at_all_is_refused(content: bytes, detail: str) -> None:
    with pytest.raises(BadRequest, match=detail):
        read_roster(content, "csv")


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MAX_ENTRIES", 3)
    assert len(read_roster(b"n\n1\n2\n3\n", "csv").entries) == 3
    with pytest.raises(BadRequest, match="more than 3 entries"):
        read_roster(b"n\n1\n2\n3\n4\n", "csv")

    monkeypatch.setattr(rosters, "MAX_CELLS", 5)
    assert len(read_roster(b"n,m\n1,2\n3,4\n", "csv").entries) == 2
    with pytest.raises(BadRequest, match="more than 5 values"):
        read_roster(b"n,m\n1,2\n3,4\n5,6\n", "csv")

    monkeypatch.setattr(rosters, "MAX_ROSTER_BYTES", 5)
    with pytest.raises(BadRequest, match="6 bytes"):
        read_roster(b"n\n1\n2\n", "csv")


def test_complaints_are_bounded() -> None:
    roster = read_roster(b"a,b\n" + b"x\n" * 1000, "csv")

    assert len(roster.complaints) == rosters.MAX_COMPLAINTS
    assert roster.complaints[0] == Complaint(2, "The line has 1 cells, the first has 2.")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"))


@given(st.lists(st.tuples(CELLS, CELLS.filter(bool)), max_size=20))
def test_what_a_spreadsheet_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("name", "course"), *rows])

    assert [tuple(values.values()) for _, values in lines(written.getvalue())] == rows
