from collections.abc import Sequence

import pytest

from bench.figures import Bound, Measure, Ratio, Row, Sample
from bench.report import page

WALL = Measure("wall", "s")
RATE = Measure("answers", "per second", more_is_better=True)


def row(*goals: Ratio | Bound, peer: Sequence[Sample] = ()) -> Row:
    ours = [{"wall": wall, "answers": 100.0} for wall in (2.0, 1.0, 9.0)]
    samples: dict[str, Sequence[Sample]] = {"fileservice": ours}
    if peer:
        samples["nginx"] = peer
    return Row("One upload", (WALL, RATE), samples, {"rclone": "is not installed"}, goals)


@pytest.mark.parametrize(
    ("goal", "figure", "met"),
    [
        (Ratio(WALL, "nginx", 0.5), "0.50x", True),
        (Ratio(WALL, "nginx", 0.51), "0.50x", False),
        (Ratio(RATE, "nginx", 4), "4.00x", True),
        (Ratio(RATE, "nginx", 5), "4.00x", False),
        (Ratio(RATE, "rclone", 1), "not measured", None),
        (Bound(WALL, 2), "2 s", True),
        (Bound(WALL, 1.9), "2 s", False),
        (Bound(RATE, 100), "100 per second", True),
        (Bound(RATE, 101), "100 per second", False),
        (Bound(RATE, 1, ours="nobody"), "not measured", None),
    ],
)
def test_a_goal_is_judged_by_the_medians(
    goal: Ratio | Bound, figure: str, met: bool | None
) -> None:
    verdict = goal.judge(row(goal, peer=[{"wall": 1.0, "answers": 25.0}]))

    assert (verdict.figure, verdict.met) == (figure, met)


def test_the_page_names_who_was_absent_and_which_goal_was_missed() -> None:
    goals = (Ratio(WALL, "nginx", 0.7), Ratio(WALL, "rclone", 1))
    rows = {"put": row(*goals, peer=[{"wall": 1.0, "answers": 25.0}])}

    text = page(rows, facts={"cores": "2"}, versions={"nginx": "1.22"}, taken="today")

    assert "| **fileservice** | 2 (1 - 9) |  | 100 (100 - 100) |  |" in text
    assert "| nginx | 1 (1 - 1) | 0.50 | 25 (25 - 25) | 4.00 |" in text
    assert "at least 0.7x as good as nginx | 0.50x | **not met** |" in text
    assert "at least 1x as good as rclone | not measured | not judged |" in text
    assert "Absent: rclone: is not installed" in text


def test_beside_nothing_there_is_no_ratio_and_a_bound_names_whom_it_is_for() -> None:
    made = Measure("connections", "made")
    samples = {"fileservice": [{"connections": 0.0}], "another": [{"connections": 9.0}]}
    bounds = (Bound(made, 0), Bound(made, 8, ours="another"))
    rows = {"sessions": Row("Sessions", (made,), samples, {}, bounds)}

    text = page(rows, facts={}, versions={}, taken="today")

    assert "| another | 9 (9 - 9) |  |" in text
    assert "| connections: at most 0 made | 0 made | met |" in text
    assert "| connections: at most 8 made, by another | 9 made | **not met** |" in text
