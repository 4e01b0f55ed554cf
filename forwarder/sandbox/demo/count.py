"""The demo's books: what the shop published against what became of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

Outcomes = Mapping[tuple[str, str], int]
"""(outcome, reason) -> deliveries."""


@dataclass(slots=True)
class Ledger:
    """What was published: ``by_advertiser`` valid events, ``invalid`` records. ``served``: the
    advertisers that have accounts.
    """

    served: AbstractSet[str]
    by_advertiser: Counter[str] = field(default_factory=Counter)
    invalid: int = 0

    def add(self, advertiser: str | None) -> None:
        if advertiser is None:
            self.invalid += 1
        else:
            self.by_advertiser[advertiser] += 1

    @property
    def strays(self) -> int:
        """Records for the dead letters: invalid ones, and those for nobody."""
        lost = (n for name, n in self.by_advertiser.items() if name not in self.served)
        return self.invalid + sum(lost)

    @property
    def records(self) -> int:
        return self.invalid + self.by_advertiser.total()


class Line(NamedTuple):
    """One account's sum: all that was published for it, and how each of these ended. ``arrived``:
    distinct events that the vendor took. ``reason``: the one that most were skipped for.
    """

    account: str
    published: int
    delivered: int
    skipped: int
    dead_lettered: int
    arrived: int
    reason: str = ""

    @property
    def open(self) -> int:
        return self.published - self.delivered - self.skipped - self.dead_lettered

    @property
    def balanced(self) -> bool:
        return self.open == 0 and self.arrived == self.delivered


def line(account: str, published: int, outcomes: Outcomes, arrived: int) -> Line:
    """Add up one account."""
    sums: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for (outcome, reason), n in outcomes.items():
        sums[outcome] += n
        if outcome == "skipped":
            skipped[reason] += n
    return Line(
        account=account,
        published=published,
        delivered=sums["delivered"],
        skipped=sums["skipped"],
        dead_lettered=sums["dead_lettered"],
        arrived=arrived,
        reason=next((reason for reason, _ in skipped.most_common(1)), ""),
    )
