"""Accounts that share a budget, and replicas that come and go."""

from __future__ import annotations

import pytest

from tests.support.simulated import vendors
from tests.support.simulated.plan import Fault
from tests.support.simulated.scene import scene
from tests.support.simulated.vendors import Weather
from tests.support.simulated.world import play


@pytest.mark.parametrize("faults", [[], ["stop", "stop"], ["kill", "kill"]])
def test_a_new_owner_knows_that_the_shared_budget_waits(
    faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three accounts were told to come again in 60 s, so the budget waits for all three."""
    monkeypatch.setattr(vendors, "WAITS", ({"retry-after": "60"},))
    shared = {"destination": "tiktok", "budgets": ["app"]}
    outcome = play(
        scene(
            [(10.0, "plain"), (30.0, "plain")],
            accounts={"one": shared, "two": shared, "three": shared},
            weather=[Weather(name, 9.0, 12.0, "throttle", 1.0) for name in ("one", "two")],
            faults=[Fault(13.0, kind, pick=0.999 * n) for n, kind in enumerate(faults)],
            until=90.0,
        )
    )
    assert outcome.violations == ()
    words = [line.split() for line in outcome.trace]
    times = [float(w[0]) for w in words if w[1] == "sent" and w[3] == "three"]
    assert len(times) == 2
    assert times[0] < 12
    assert times[1] > 70
