"""What the simulation found once: each of these runs broke a promise before it was repaired."""

from __future__ import annotations

from tests.support.simulated.plan import Fault, Plan
from tests.support.simulated.scene import scene
from tests.support.simulated.world import play

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
