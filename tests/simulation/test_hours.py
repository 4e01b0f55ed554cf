"""Thrad's thousand requests an hour with five thousand events waiting: more than five hours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

import pytest

from forwarder.lane.budget import plan
from tests.support.simulated.plan import Fault
from tests.support.simulated.scene import scene
from tests.support.simulated.world import Outcome, play

WAITING: Final = 5_000
LIMIT: Final = {"requests": 1000, "per": 3600.0}
PACE: Final = plan(1000, 3600.0, 0.02, 2).rate
STOPPED: Final = 6_000.0
KILLED: Final = 12_000.0
HOURS: Final = WAITING / PACE + 60.0
SESSION: Final = 15.0


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """All that waits is there at once; one replica is stopped, later one is killed. The other
    account has an event every 20 s, which is none for Thrad.
    """
    waiting = [(10.0, "plain")] * WAITING
    trickle = [(20.0 + 20.0 * n, "no_click") for n in range(int(HOURS / 20) - 1)]
    return play(
        scene(
            [*waiting, *trickle],
            accounts={
                "thrad": {"destination": "thrad", "budgets": [LIMIT], "concurrency": 2},
                "ttd": {"batch": {"events": 500, "linger": 0.2}},
            },
            faults=[Fault(STOPPED, "stop"), Fault(KILLED, "kill")],
            poll_records=2000,
            until=HOURS,
        )
    )


def lines(outcome: Outcome, what: str) -> Iterator[Sequence[str]]:
    """The words of all lines of the trace that say ``what``."""
    found = (line.split() for line in outcome.trace)
    return (words for words in found if words[1] == what)


def at_thrad(outcome: Outcome) -> Sequence[float]:
    """When each request arrived."""
    return [float(words[0]) for words in lines(outcome, "arrived") if words[2] == "thrad"]


def test_all_of_it_is_sent_once_and_no_promise_broken(outcome: Outcome) -> None:
    assert outcome.violations == ()
    assert len(at_thrad(outcome)) == WAITING


def test_it_goes_evenly_and_never_above(outcome: Outcome) -> None:
    arrivals = at_thrad(outcome)
    window: deque[float] = deque()
    for at in arrivals:
        window.append(at)
        while window[0] <= at - 3600.0:
            window.popleft()
        assert len(window) <= 1000
    gaps = [after - before for before, after in pairwise(arrivals[1:])]  # the first had saved up
    assert median(gaps) == pytest.approx(1 / PACE, rel=0.02)
    assert min(gaps) > 0.9 / PACE
    assert sum(gap > 1.1 / PACE for gap in gaps) <= 6, "at most where replicas came and went"


def test_a_restart_costs_seconds_and_not_the_window(outcome: Outcome) -> None:
    arrivals = at_thrad(outcome)
    gaps = [(after - before, before) for before, after in pairwise(arrivals)]
    longest = max(gap for gap, at in gaps if at < KILLED - 60)
    assert longest < 2 / PACE + 2
    assert max(gaps)[0] < SESSION + 2 + 2 / PACE


def test_nothing_is_written_to_kafka_for_what_waits(outcome: Outcome) -> None:
    written = {words[2]: float(words[0]) for words in lines(outcome, "appended")}
    assert not [place for place in written if ".retry." in place or ".dlq" in place]
    queued = [at for place, at in written.items() if ".queue.thrad" in place]
    assert queued
    assert max(queued) < 60


def test_the_other_account_has_its_events_at_once(outcome: Outcome) -> None:
    published = {words[3]: float(words[0]) for words in lines(outcome, "published")}
    took = [
        float(words[0]) - published[event_id]
        for words in lines(outcome, "sent")
        if words[3] == "ttd"
        for event_id in words[4:]
        if published[event_id] > 60
    ]
    assert len(took) == sum(at > 60 for at in published.values())
    assert median(took) < 1.0
    assert sum(one > 2.0 for one in took) <= 4, "only where replicas came and went"
