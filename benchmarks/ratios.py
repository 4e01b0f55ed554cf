"""What must hold: ratios of costs in one run, since times depend on the machine and its mood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.scenarios import Measured

Runs = Mapping[str, Sequence[Measured]]


@dataclass(frozen=True)
class Ratio:
    """``above`` over ``below``, both in CPU for one delivery. ``target``: what it should be;
    ``guard``: what fails the run, a little over what it was when this was written.
    """

    above: str
    below: str
    target: float
    guard: float


RATIOS = (
    Ratio("one account", "bare loop", 1.35, 2.2),
    Ratio("three batching accounts", "bare loop", 1.25, 1.6),
    Ratio("one event per POST, 0 ms", "bare loop, one POST per event, 0 ms", 1.25, 1.7),
    Ratio("one event per POST, 50 ms", "bare loop, one POST per event, 50 ms", 1.25, 1.6),
    Ratio("one event per POST, 0 ms", "bare POSTs, 0 ms", 1.25, 2.5),
    Ratio("one event per POST, 50 ms", "bare POSTs, 50 ms", 1.25, 2.1),
    Ratio("30 accounts", "one account", 1.15, 1.4),
    Ratio("four accounts, two replicas", "four accounts, one replica", 1.10, 1.35),
)


@dataclass(frozen=True)
class Found:
    """The median over the repetitions, each a pair of neighbours in time, and their extremes."""

    ratio: Ratio
    median: float
    least: float
    most: float

    @property
    def met(self) -> bool:
        return self.median <= self.ratio.target

    @property
    def broken(self) -> bool:
        return self.median > self.ratio.guard


def found(runs: Runs) -> list[Found]:
    """Those of which both sides were measured."""
    return [_found(r, runs) for r in RATIOS if r.above in runs and r.below in runs]


def _found(ratio: Ratio, runs: Runs) -> Found:
    pairs = zip(runs[ratio.above], runs[ratio.below], strict=True)
    values = [above.cpu_us / below.cpu_us for above, below in pairs]
    return Found(ratio, median(values), min(values), max(values))
