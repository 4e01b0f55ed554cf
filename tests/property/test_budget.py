"""No window of any length-W stretch of time ever holds more than N requests, as the vendor counts
them: by when they arrive, which is some time between leaving and answering.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forwarder.lane.budget import Budget, acquire, plan
from tests.unit.lane.virtual import run

LIMITS = st.tuples(
    st.integers(5, 1500),
    st.sampled_from([0.5, 1.0, 10.0, 60.0, 3600.0]),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.02, 0.1]),
).filter(lambda limit: limit[0] * (1 - limit[3]) >= 4)


@settings(deadline=None)
@given(LIMITS)
def test_what_is_allowed_fits_into_the_limit(limit: tuple[int, float, int, float]) -> None:
    requests, per, concurrency, margin = limit
    made = plan(requests, per, margin, concurrency)
    assert made.rate > 0
    assert 1 <= made.slots <= max(1, min(concurrency, requests / 20))
    assert made.capacity + made.rate * per + made.slots <= requests * (1 - margin) * (1 + 1e-12)


@dataclass
class Traffic:
    """Lanes on one budget, made from a seed: bursts, pauses, requests that arrive late, tokens
    given back, cancelled waits, and owners that follow each other.
    """

    seed: int
    requests: int
    per: float
    concurrency: int
    margin: float
    lanes: int
    patience: float

    async def arrivals(self) -> list[float]:
        found: list[float] = []
        for owner in range(3):
            budget = Budget("one", self.requests, self.per, self.margin, self.concurrency)
            lanes = [
                self._lane(budget, random.Random(f"{self.seed}/{owner}/{n}"), found)
                for n in range(self.lanes)
            ]
            await asyncio.gather(*lanes)
        return sorted(found)

    async def _lane(self, budget: Budget, dice: random.Random, found: list[float]) -> None:
        end = loop_time() + 1.5 * self.per
        running: list[asyncio.Task[None]] = []
        while loop_time() < end:
            if dice.random() < 0.5 / self.requests:
                await asyncio.sleep(dice.random() * self.per)
            try:
                async with asyncio.timeout(dice.random() * self.patience * self.per + 1e-3):
                    permit = await acquire([budget])
            except TimeoutError:
                continue
            if dice.random() < 0.02:
                await asyncio.sleep(dice.random() * self.per / 10)
                permit.unused()
                continue
            running.append(asyncio.create_task(self._send(permit.release, dice, found)))
        await asyncio.gather(*running)

    async def _send(self, ended: object, dice: random.Random, found: list[float]) -> None:
        assert callable(ended)
        late = dice.random() * dice.choice([0.0, 0.5 / self.requests, 2 / self.requests])
        if dice.random() < 0.1:
            late = self.per / 4 - loop_time() % (self.per / 4)  # many late ones land together
        await asyncio.sleep(late)
        found.append(loop_time())
        await asyncio.sleep(dice.random() * self.per / self.requests)
        ended()


def loop_time() -> float:
    return asyncio.get_running_loop().time()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(seed=1, limit=(20, 10.0, 2, 0.02), lanes=3, patience=1.0)
@example(seed=2, limit=(60, 10.0, 8, 0.02), lanes=2, patience=10.0)
@example(seed=3, limit=(600, 60.0, 8, 0.02), lanes=4, patience=1.0)
@given(
    seed=st.integers(0, 1 << 32),
    limit=LIMITS.filter(lambda limit: limit[0] <= 300),
    lanes=st.integers(1, 4),
    patience=st.sampled_from([0.05, 1.0, 10.0]),
)
def test_no_window_is_ever_overfull(
    seed: int, limit: tuple[int, float, int, float], lanes: int, patience: float
) -> None:
    requests, per, concurrency, margin = limit
    traffic = Traffic(seed, requests, per, concurrency, margin, lanes, patience)
    found: list[float] = []

    async def main() -> None:
        found.extend(await traffic.arrivals())

    run(main(), start=1000.0)
    assert found
    assert worst(found, per) <= requests


def worst(times: list[float], per: float) -> int:
    """The most in any half-open window of ``per`` seconds."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - per:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize(("requests", "per"), [(600, 60.0), (60, 10.0), (1000, 3600.0), (20, 10.0)])
def test_the_worst_case_comes_close_and_stays_below(requests: int, per: float) -> None:
    """All slots leave, the bucket fills up meanwhile, and they arrive as the next burst leaves."""
    found: list[float] = []

    async def main() -> None:
        budget = Budget("one", requests, per, 0.02, 1000)
        await asyncio.sleep(per)
        late = [await acquire([budget]) for _ in range(budget.plan.slots)]
        await asyncio.sleep(per)
        for permit in late:
            found.append(loop_time())
            permit.release()
        end = loop_time() + per
        while loop_time() < end:
            permit = await acquire([budget])
            found.append(loop_time())
            permit.release()

    run(main())
    assert 0.9 * requests <= worst(found, per) <= 0.98 * requests + 1e-9


def test_the_measure_can_find_an_overfull_window() -> None:
    assert worst([0.0, 5.0, 9.9, 10.0, 10.1, 10.2], 10.0) == 5
