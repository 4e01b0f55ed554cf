"""Counting dead letters by account, reason, code and hour, in memory that they do not fill."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from forwarder.deadletters.letter import Letter
from forwarder.kafka.records import rfc3339

HOUR: Final = 3600
MAX_GROUPS: Final = 5_000
OTHER: Final = "(other)"


class Group(NamedTuple):
    """``account`` is empty where the whole record failed."""

    account: str
    reason: str
    code: str


@dataclass(slots=True)
class Seen:
    """How many of a group there are, and when the first and the last of them failed."""

    count: int
    first: float
    last: float


@dataclass(slots=True)
class Stats:
    """``hours``: counts by the epoch second at which the hour begins."""

    total: int = 0
    groups: dict[Group, Seen] = field(default_factory=dict)
    hours: Counter[int] = field(default_factory=Counter)

    def add(self, letter: Letter) -> None:
        at = letter.failed_at
        self.total += 1
        self.hours[int(at // HOUR) * HOUR] += 1
        group = Group(letter.account, letter.reason, letter.code)
        seen = self.groups.get(group)
        if seen is None:
            seen = self._new(group, at)
        seen.count += 1
        if at < seen.first:
            seen.first = at
        elif at > seen.last:
            seen.last = at

    def _new(self, group: Group, at: float) -> Seen:
        if len(self.groups) >= MAX_GROUPS:
            group = Group(group.account, group.reason, OTHER)
        return self.groups.setdefault(group, Seen(0, at, at))

    def ordered(self) -> list[tuple[Group, Seen]]:
        """Most first."""
        return sorted(self.groups.items(), key=lambda found: (-found[1].count, found[0]))

    def by(self, name: str) -> Counter[str]:
        """Counts by ``account``, ``reason`` or ``code``."""
        counts: Counter[str] = Counter()
        for group, seen in self.groups.items():
            counts[getattr(group, name)] += seen.count
        return counts

    def as_json(self) -> dict[str, object]:
        """Hours and times in RFC 3339; an empty account is a record that belongs to none."""
        return {
            "total": self.total,
            "by_account": dict(self.by("account").most_common()),
            "by_reason": dict(self.by("reason").most_common()),
            "by_code": dict(self.by("code").most_common()),
            "by_hour": {rfc3339(hour): self.hours[hour] for hour in sorted(self.hours)},
            "groups": [
                {
                    **group._asdict(),
                    "count": seen.count,
                    "first_failed_at": rfc3339(seen.first),
                    "last_failed_at": rfc3339(seen.last),
                }
                for group, seen in self.ordered()
            ],
        }
