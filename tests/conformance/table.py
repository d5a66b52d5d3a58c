"""What became of each point, as a column of a Markdown table."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conformance.points import MUST, SHOULD

HEAD = ["Point", "Level", "Fact"]
PASSED = "pass"
NOT_ANNOUNCED = "not announced"
NOT_TRIED = "not tried"
NAME = re.compile(r"test_([a-z])(\d+)_(\w+)")


@dataclass(frozen=True, slots=True)
class Point:
    """
    A row.

    Attributes:
        number: of the checklist, such as T4.
    """

    number: str
    level: str
    fact: str


def point_of(name: str, level: str) -> Point:
    """Return the row of a test by its name."""
    match = NAME.fullmatch(name)
    assert match, f"{name} does not begin with the number of its point"
    return Point(match[1].upper() + match[2], level, match[3].replace("_", " "))


def order(point: Point) -> tuple[int, int]:
    return "TCR".index(point.number[0]), int(point.number[1:])


@dataclass(slots=True)
class Table:
    """A plugin that hears of each test, and at the end writes the column `server` into `path`."""

    path: Path
    server: str
    outcomes: dict[Point, list[str]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = [str(row) for key, row in report.user_properties if key == "point"]
        rows = [Point(*row.split("|")) for row in told]
        if rows and (report.when == "call" or not report.passed):
            self.outcomes.setdefault(rows[0], []).append(outcome(report))

    def pytest_sessionfinish(self) -> None:
        text = self.path.read_text() if self.path.exists() else ""
        self.path.write_text(with_column(text, self.server, self.cells()))

    def cells(self) -> dict[Point, str]:
        return {row: cell(self.outcomes[row]) for row in sorted(self.outcomes, key=order)}


def outcome(report: pytest.TestReport) -> str:
    """Return one word for how a test ended."""
    if report.passed:
        return PASSED
    if report.failed or hasattr(report, "wasxfail"):
        return "fail"
    return NOT_ANNOUNCED if NOT_ANNOUNCED in str(report.longrepr) else NOT_TRIED


def cell(outcomes: list[str]) -> str:
    """Return what became of the cases of one point."""
    failed = outcomes.count("fail")
    if failed and len(outcomes) > 1:
        return f"**fail** ({failed} of {len(outcomes)})"
    if failed:
        return "**fail**"
    return PASSED if PASSED in outcomes else outcomes[0]


def with_column(text: str, server: str, cells: dict[Point, str]) -> str:
    """Return `text`, where the table has these cells below `server`, in place of older ones."""
    lines = text.splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("|")]
    columns = columns_of([lines[number] for number in at])
    columns[server] = cells
    rows = table(list(cells), columns)
    before = lines[: at[0]] if at else lines
    after = lines[at[-1] + 1 :] if at else []
    return "\n".join([*before, *rows, *after, ""])


def columns_of(lines: list[str]) -> dict[str, dict[Point, str]]:
    """Return what a table holds, by server."""
    if not lines:
        return {}
    grid = [[part.strip() for part in line.strip().strip("|").split("|")] for line in lines]
    servers = grid[0][len(HEAD) :]
    rows = [(Point(*line[: len(HEAD)]), line[len(HEAD) :]) for line in grid[2:] if line[0]]
    return {
        server: {point: found[number] for point, found in rows}
        for number, server in enumerate(servers)
    }


def table(points: list[Point], columns: dict[str, dict[Point, str]]) -> list[str]:
    """Return the lines of a table: a row for each level's sum, and one for each point."""
    lines = [[*HEAD, *columns], ["---"] * (len(HEAD) + len(columns))]
    for level in (MUST, SHOULD):
        sums = [total(level, cells) for cells in columns.values()]
        lines.append(["", level, "passed of those tried", *sums])
    for row in points:
        found = [cells.get(row, NOT_TRIED) for cells in columns.values()]
        lines.append([row.number, row.level, row.fact, *found])
    return [f"| {' | '.join(line)} |" for line in lines]


def total(level: str, cells: dict[Point, str]) -> str:
    """Return how many points of a level passed, of those that were tried."""
    found = [text for row, text in cells.items() if row.level == level]
    tried = [text for text in found if text not in {NOT_ANNOUNCED, NOT_TRIED}]
    return f"{tried.count(PASSED)} of {len(tried)}"
