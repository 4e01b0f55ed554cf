"""What the simulation found once: each of these runs broke a promise before it was repaired."""

from __future__ import annotations

import pytest

from tests.support.simulated.plan import Fault, Plan
from tests.support.simulated.scene import scene
from tests.support.simulated.vendors import Weather
from tests.support.simulated.world import Outcome, play, run

DLQ = 0.999
"""As ``Fault.pick``: the last topic by name."""


def kept(plan: Plan) -> None:
    outcome = play(plan)
    assert outcome.violations == (), "\n".join(outcome.trace)


def test_a_stop_waits_for_the_dead_letter_that_is_being_written() -> None:
    """Else the events after it, which are delivered, stay above the watermark and are repeated."""
    kept(
        scene(
            [(10.0, "plain"), (10.01, "two_days_old"), (10.02, "plain")],
            faults=[
                Fault(5.0, "slow_acks", 30.0, pick=DLQ, pick_too=0.25),
                Fault(11.0, "stop"),
                Fault(11.0, "stop", pick=0.999),
            ],
        )
    )


QUEUE = 0.7
"""As ``Fault.pick``, with one account: its queue's topic."""


def test_a_router_keeps_its_lease_and_its_place_while_a_queue_refuses_its_records() -> None:
    """Else it goes on writing without one, is put out of its group after five minutes, or starts
    again and again although that helps nobody.
    """
    refused = Fault(8.0, "refuse", 400.0, pick=QUEUE)
    outcome = play(scene([(10.0, "plain")], faults=[refused], replicas=1, until=420.0))
    assert outcome.violations == (), "\n".join(outcome.trace)
    assert not [line for line in outcome.trace if " lost " in line or "exit 1" in line]


def test_a_router_stops_although_a_queue_refuses_its_records() -> None:
    refused = Fault(8.0, "refuse", 200.0, pick=QUEUE)
    outcome = play(
        scene([(10.0, "plain")], faults=[refused, Fault(12.0, "stop")], replicas=1, until=70.0)
    )
    assert outcome.violations == (), "\n".join(outcome.trace)
    assert any("ended r0 stopped" in line for line in outcome.trace)


def sent(outcome: Outcome, event_id: str) -> list[float]:
    """When each request with this event left."""
    lines = (line.split() for line in outcome.trace)
    return [float(words[0]) for words in lines if words[1] == "sent" and event_id in words[4:]]


def test_a_lane_whose_dead_letters_are_refused_sends_no_more_after_five_seconds() -> None:
    """A refusal comes at once each time, and so never was unacknowledged for long."""
    plain = [(10.1 + number, "plain") for number in range(40)]
    refused = Fault(8.0, "refuse", 50.0, pick=DLQ)
    outcome = play(scene([(10.0, "two_days_old"), *plain], faults=[refused], replicas=1))
    assert outcome.violations == ()
    assert not [
        at for number in range(2, 42) for at in sent(outcome, f"e-{number}") if 16 < at < 57
    ]


def test_a_drain_that_leaves_a_dead_letter_unwritten_says_so() -> None:
    """What was delivered after it is repeated by the next owner: that must not be silent."""
    refused = Fault(8.0, "refuse", 50.0, pick=DLQ)
    outcome = play(
        scene(
            [(10.0, "two_days_old"), (10.1, "plain")],
            faults=[refused, Fault(12.0, "stop"), Fault(12.0, "stop", pick=0.999)],
        )
    )
    assert outcome.violations == (), "\n".join(outcome.trace)
    assert [line for line in outcome.trace if "drain_incomplete destination" in line]


def test_a_drain_commits_what_it_can_when_a_dead_letter_takes_too_long() -> None:
    slow = Fault(5.0, "slow_acks", 50.0, pick=DLQ, pick_too=0.999)
    stops = [Fault(10.45, "stop"), Fault(10.45, "stop", pick=0.999)]
    outcome = play(scene([(10.0, "plain"), (10.001, "two_days_old")], faults=[slow, *stops]))
    assert outcome.violations == (), "\n".join(outcome.trace)
    assert len(sent(outcome, "e-1")) == 1, "\n".join(outcome.trace)


def test_a_frozen_replica_that_is_told_to_stop_moves_nothing_to_the_retry_topics() -> None:
    """Its deliveries are another one's by then; moved there too, they would be sent twice."""
    one_by_one = {"ttd": {"batch": {"events": 1}}}
    events = [(10.0, "plain"), (10.2, "plain"), (10.4, "plain")]
    hang = Weather("ttd", 10.0, 10.1, "hang", 1.0)
    for owner in (0.0, 0.999):
        faults = [Fault(11.0, "freeze", 40.0, pick=owner), Fault(30.0, "stop", pick=owner)]
        kept(scene(events, accounts=one_by_one, faults=faults, weather=[hang]))


def test_a_router_that_lost_its_place_while_it_renewed_its_lease_writes_no_more() -> None:
    """Its commit waits for the coordinator; when that answers, everything is another one's."""
    events = [(10.0 + number / 20, "plain") for number in range(200)]
    for cut in (0.0, 0.999):
        faults = [Fault(12.0, "cut", 9.0, pick=cut)]
        kept(
            scene(
                events,
                faults=faults,
                poll_records=3,
                partitions=2,
                session_timeout=6.0,
                request_timeout=3.0,
            )
        )


def test_a_replica_whose_consumer_never_joins_again_ends_itself() -> None:
    """It polls, and is told nothing: with nothing assigned there is no lease to miss either."""
    plain = [(10.0 + number, "plain") for number in range(60)]
    for pick in (0.0, 0.999):
        deaf = Fault(12.0, "deaf", pick_too=pick)
        outcome = play(scene(plain, faults=[deaf], until=200.0))
        assert outcome.violations == (), "\n".join(outcome.trace)
        assert [line for line in outcome.trace if "r0 exit 1: the" in line]


def test_a_replica_that_was_frozen_for_minutes_goes_on() -> None:
    """It made no progress in that time, and that is no reason to start it again."""
    events = [(11.0, "plain"), (13.0, "plain")]
    for at in (10.0, 11.02, 13.06, 13.57):
        frozen = Fault(at, "freeze", 200.0)
        outcome = play(scene(events, faults=[frozen], replicas=1, until=220.0))
        assert outcome.violations == (), "\n".join(outcome.trace)
        assert not [line for line in outcome.trace if "exit 1" in line]


def test_an_outage_of_the_replica_that_is_left_slows_everybody_down() -> None:
    """The judge counted the replica that had been taken away as one that could step in."""
    quiet = {"quiet": {"budgets": [{"requests": 2000, "per": 10.0}]}}
    faults = [Fault(3.4, "scale_down"), Fault(47.0, "isolate", 270.0)]
    kept(
        scene(
            [(50.0, "plain")],
            accounts=quiet,
            faults=faults,
            until=330.0,
            profile="crashes",
            session_timeout=6.0,
            request_timeout=3.0,
        )
    )


@pytest.mark.parametrize("seed", [315, 329, 345, 798, 1557, 1809, 1812])
def test_what_seeds_found_stays_repaired(seed: int) -> None:
    """798: a sender that was revoked without a lease called its drain complete.
    1557: a router wrote a third batch after the first one's commit had failed.
    """
    assert run(seed).violations == ()
