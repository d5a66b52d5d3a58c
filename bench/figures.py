"""The values of a row: what was measured, what was hoped for, and whether it came true."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OURS = "fileservice"

type Sample = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """Something measured, with its unit; `more_is_better` says which way a ratio is formed."""

    name: str
    unit: str
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the samples by contender, round by round, and who could not take part."""

    title: str
    measures: Sequence[Measure]
    samples: Mapping[str, Sequence[Sample]]
    absent: Mapping[str, str]
    goals: Sequence["Ratio | Bound"]
    notes: Sequence[str] = field(default_factory=tuple)

    def values(self, contender: str, measure: Measure) -> list[float]:
        """Return what a contender reached, round by round; empty if it took no part."""
        return [sample[measure.name] for sample in self.samples.get(contender, ())]

    def ratio(self, measure: Measure, ours: str, peer: str) -> float | None:
        """
        Return how many times better `ours` is by the medians.

        None if one took no part, or what would be divided by is nothing.
        """
        mine, theirs = self.values(ours, measure), self.values(peer, measure)
        if not mine or not theirs:
            return None
        above, below = statistics.median(mine), statistics.median(theirs)
        if not measure.more_is_better:
            above, below = below, above
        return above / below if below else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, the figure that was reached, and whether that is enough; None if nobody can say."""

    goal: str
    figure: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours is at least `least` times as good as the peer, by the medians."""

    measure: Measure
    peer: str
    least: float
    ours: str = OURS

    def judge(self, row: Row) -> Verdict:
        """Return what came of this goal in `row`."""
        goal = (
            f"{self.measure.name}: at least {self.least:g}x as good as {self.peer}{_by(self.ours)}"
        )
        reached = row.ratio(self.measure, self.ours, self.peer)
        if reached is None:
            return Verdict(goal, "not measured", None)
        return Verdict(goal, f"{reached:.2f}x", reached >= self.least)


@dataclass(frozen=True, slots=True)
class Bound:
    """The median of ours is at most, or at least where more is better, `bound` units."""

    measure: Measure
    bound: float
    ours: str = OURS

    def judge(self, row: Row) -> Verdict:
        """Return what came of this goal in `row`."""
        side = "at least" if self.measure.more_is_better else "at most"
        bound = f"{self.bound:g} {self.measure.unit}"
        goal = f"{self.measure.name}: {side} {bound}{_by(self.ours)}"
        values = row.values(self.ours, self.measure)
        if not values:
            return Verdict(goal, "not measured", None)
        reached = statistics.median(values)
        better = reached >= self.bound if self.measure.more_is_better else reached <= self.bound
        return Verdict(goal, f"{reached:.3g} {self.measure.unit}", better)


def _by(ours: str) -> str:
    return "" if ours == OURS else f", by {ours}"
