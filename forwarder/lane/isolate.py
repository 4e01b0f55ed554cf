"""Finding the events at fault in a refused request, or that it is the account.

A refused batch goes back to the head of the window in halves, each sent as it is, until single
deliveries are refused by themselves; where the vendor names deliveries, those are taken out and
the rest is sent again. All of that draws on a quarter of the budget.

As long as nothing is delivered it may be the account: both halves of a group refused alike, twice,
or five deliveries refused alone in a row, open the breaker. So a refusal is only final when
something is delivered after it, or when nothing is left that could tell; a part of a refused batch
that is delivered, and a probe that is delivered, clear the account for that batch.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from forwarder.destinations.contract import Refusal
from forwarder.lane.bucket import Bucket
from forwarder.lane.delivery import WAITING, Delivery, Group, Isolation

ALONE: Final = 5
ALIKE: Final = 2
NAMED: Final = 3
DOUBTED_IN_FLIGHT: Final = 2
SHARE: Final = 0.25


def quarter(rates: Sequence[float], now: float) -> Bucket:
    """Of the account's budget, for isolation and for single mode. ``rates``: requests per second
    that its budgets allow.
    """
    rate = min(rates, default=1000.0) * SHARE
    return Bucket(max(1.0, rate), rate, now, tokens=1.0)


class Returned:
    """Groups that wait at the head of the window to be sent (again), lowest offset first."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: list[Group] = []

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    def put(self, group: Group, due: float = 0.0) -> None:
        group.due = due
        for delivery in group.deliveries:
            delivery.state = WAITING
            delivery.group = group
        insort(self._groups, group, key=_first_offset)

    def remove(self, group: Group) -> None:
        self._groups.remove(group)

    def dissolve(self) -> bool:
        """Let the deliveries of unmarked groups wait by themselves; whether there were any."""
        unmarked = [group for group in self._groups if group.unmarked]
        for group in unmarked:
            self._groups.remove(group)
            for delivery in group.waiting():
                delivery.group = delivery.item = None
        return bool(unmarked)

    def isolating(self) -> bool:
        return any(g.isolation is not None for g in self._groups)

    def due_at(self, allowance: Bucket) -> float:
        """When the first of them may be sent."""
        ready = allowance.ready_at()
        return min(
            (g.due if g.isolation is None else max(g.due, ready) for g in self._groups),
            default=float("inf"),
        )

    def take(self, now: float, allowance: Bucket) -> Group | None:
        """The first one that may be sent now; while the account is in doubt the largest of its
        batch, since two halves tell more than the way down to one event.
        """
        ready = allowance.ready_at() <= now
        due = [g for g in self._groups if g.due <= now and (ready or g.isolation is None)]
        if not due:
            return None
        group = due[0]
        if group.isolation is not None and not group.proven:
            same = [g for g in due if g.isolation is group.isolation]
            group = max(same, key=lambda g: len(g.deliveries))
        self._groups.remove(group)
        return group


class Suspect(NamedTuple):
    """A delivery that was refused by itself, by answer ``number``, while the account is doubted."""

    delivery: Delivery
    refusal: Refusal
    number: int


class Doubt:
    """Whether refusals look like the account's fault: what speaks for it since something was last
    delivered.
    """

    __slots__ = ("_first", "alike", "alone", "batch", "named", "suspects")

    def __init__(self) -> None:
        self.suspects: list[Suspect] = []
        self.reset()

    def reset(self) -> None:
        self._first: int | None = None
        self.alone = 0
        self.alike = 0
        self.named = 0
        self.batch = False

    def refused(self, number: int) -> None:
        """Answer ``number`` was a refusal."""
        self._first = number if self._first is None else min(self._first, number)

    def refused_half(self, group: Group, code: str) -> None:
        """A half was refused; the second of two refused alike speaks against the account."""
        if group.pair is None:
            return
        group.pair.append(code)
        self.alike += len(group.pair) == ALIKE and group.pair[0] == code

    def delivered(self, number: int) -> Sequence[Suspect]:
        """Answer ``number`` was a delivery: refusals of requests sent before it are final."""
        if self._first is None or number < self._first:
            return ()
        final = [s for s in self.suspects if s.number < number]
        self.suspects = [s for s in self.suspects if s.number >= number]
        self.reset()
        if self.suspects:
            self._first = min(s.number for s in self.suspects)
            self.alone = len(self.suspects)
        return final

    def take_suspects(self) -> Sequence[Suspect]:
        """All of them, except those that have ended another way."""
        taken, self.suspects = self.suspects, []
        return [s for s in taken if s.delivery.state == WAITING]

    def looks_like_account(self) -> bool:
        return self.alone >= ALONE or self.alike >= ALIKE

    def most_in_flight(self) -> int | None:
        """So few at a time that the breaker opens before much is asked in vain."""
        if self.batch:
            return max(1, min(DOUBTED_IN_FLIGHT, ALONE - self.alone))
        return max(1, ALONE - self.alone) if self.alone else None


def halves(group: Group, now: float, isolation: Isolation | None) -> tuple[Group, Group]:
    """Both halves of a group of at least two."""
    middle = len(group.deliveries) // 2
    pair: list[str] | None = [] if isolation is not None else None
    first, second = group.deliveries[:middle], group.deliveries[middle:]
    return (
        Group(first, now, isolation=isolation, pair=pair),
        Group(second, now, isolation=isolation, pair=pair),
    )


def _first_offset(group: Group) -> int:
    return group.deliveries[0].offset
