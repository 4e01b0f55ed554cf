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
