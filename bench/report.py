"""The figures in words: one page of Markdown."""

import statistics
from collections.abc import Mapping, Sequence

from bench.figures import OURS, Measure, Row

WORDS = {True: "met", False: "**not met**", None: "not judged"}


def page(
    rows: Mapping[str, Row],
    *,
    facts: Mapping[str, str],
    versions: Mapping[str, str],
    taken: str,
) -> str:
    """Return the whole page: what it was taken on, the goals, and a table for each row."""
    parts = [
        "# Figures",
        f"Made by `make bench`; {taken}. All contenders of a row ran in the same run and took "
        "turns, one server process each on 127.0.0.1. A cell is the median, with the least and "
        "the most in brackets; a ratio above 1 says that fileservice is better. Server CPU "
        "counts every process of a server, user and system. fileservice runs as `manage.py serve` "
        "runs it, with its access log; the logs of the others are off.",
        _pairs("machine", facts),
        _pairs("version", versions),
        "## Goals",
        _goals(rows),
        *(part for name, row in rows.items() for part in _row(name, row)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def _pairs(head: str, facts: Mapping[str, str]) -> str:
    return _table((head, ""), list(facts.items()))


def _goals(rows: Mapping[str, Row]) -> str:
    lines = []
    for row in rows.values():
        for goal in row.goals:
            verdict = goal.judge(row)
            lines.append((row.title, verdict.goal, verdict.figure, WORDS[verdict.met]))
    return _table(("row", "goal", "reached", ""), lines)


def _row(name: str, row: Row) -> list[str]:
    head = ["", *(cell for m in row.measures for cell in (f"{m.name}, {m.unit}", "ratio"))]
    lines = []
    for contender in row.samples:
        cells = [f"**{contender}**" if contender == OURS else contender]
        for measure in row.measures:
            cells += _cells(row, measure, contender)
        lines.append(cells)
    return [
        f"## {row.title}",
        f"`python -m bench {name}`",
        _table(head, lines),
        *(f"Absent: {contender}: {reason}" for contender, reason in row.absent.items()),
        *row.notes,
    ]


def _cells(row: Row, measure: Measure, contender: str) -> tuple[str, str]:
    """Return the figure of one contender and how many times better ours is."""
    values = row.values(contender, measure)
    least, middle, most = min(values), statistics.median(values), max(values)
    figure = f"{_short(middle)} ({_short(least)} - {_short(most)})"
    if contender == OURS:
        return figure, ""
    ratio = row.ratio(measure, OURS, contender)
    return figure, "" if ratio is None else f"{ratio:.2f}"


def _short(value: float) -> str:
    """Return three significant digits, and every digit of what is larger."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
