"""Counts of dead letters."""

from __future__ import annotations

from forwarder.deadletters.letter import Letter
from forwarder.deadletters.stats import MAX_GROUPS, Group, Stats
from tests.unit.deadletters.build import NOW, dead, stored


def test_counts_by_everything() -> None:
    stats = Stats()
    for number in range(3):
        stats.add(Letter(stored(dead(failed_at=NOW - 3600 * number))))
    stats.add(Letter(stored(dead(account=None, reason="unrouted", code="local.unrouted"))))
    told = stats.as_json()
    assert told["total"] == 4
    assert told["by_account"] == {"acme-pixel": 3, "": 1}
    assert told["by_reason"] == {"rejected": 3, "unrouted": 1}
    assert told["by_code"] == {"40002": 3, "local.unrouted": 1}
    assert told["by_hour"] == {
        "2026-11-18T09:00:00.000Z": 1,
        "2026-11-18T10:00:00.000Z": 1,
        "2026-11-18T11:00:00.000Z": 2,
    }
    (group, seen), _ = stats.ordered()
    assert group == Group("acme-pixel", "rejected", "40002")
    assert (seen.count, seen.first, seen.last) == (3, NOW - 7200, NOW)


def test_codes_without_number_do_not_fill_the_memory() -> None:
    stats = Stats()
    for number in range(MAX_GROUPS + 50):
        stats.add(Letter(stored(dead(code=str(number)))))
    assert len(stats.groups) == MAX_GROUPS + 1
    assert stats.groups[Group("acme-pixel", "rejected", "(other)")].count == 50
    assert stats.total == MAX_GROUPS + 50
