"""Budgets on a virtual clock: the arithmetic, turns, slots, several at once, and cancelling."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.lane.budget import Budget, Permit, acquire, plan, reachable_rate
from tests.unit.lane.virtual import run


@pytest.mark.parametrize(
    ("requests", "per", "concurrency", "capacity", "slots", "part"),
    [
        (600, 60.0, 8, 12.0, 8, 0.946),
        (60, 10.0, 8, 1.2, 3, 0.91),
        (1000, 3600.0, 2, 20.0, 2, 0.958),
        (20, 10.0, 8, 1.0, 1, 0.88),
        (5, 1.0, 8, 1.0, 1, 0.58),
    ],
)
def test_the_arithmetic(
    requests: int, per: float, concurrency: int, capacity: float, slots: int, part: float
) -> None:
    made = plan(requests, per, 0.02, concurrency)
    assert made.capacity == pytest.approx(capacity)
    assert made.slots == slots
    assert made.rate * per / requests == pytest.approx(part, abs=0.002)
    assert made.capacity + made.rate * per + made.slots <= requests * 0.98 + 1e-9


@pytest.mark.parametrize(("requests", "margin"), [(4, 0.02), (1, 0.0), (5, 0.21), (1000, 0.999)])
def test_a_budget_that_can_never_send_is_refused(requests: int, margin: float) -> None:
    with pytest.raises(ValueError, match="can never send"):
        plan(requests, 60.0, margin, 1)


def test_the_slowest_budget_sets_the_pace() -> None:
    own, app = plan(600, 60.0, 0.02, 8), plan(100, 60.0, 0.02, 8)
    reach = reachable_rate([("own", own), ("app", app)])
    assert reach.budget == "app"
    assert reach.rate == app.rate
    assert "100 per 60 s" in reach.why


async def _drain(budget: Budget, number: int, took: float = 0.05) -> list[float]:
    """Send ``number`` requests that take so long; when each one left."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    running: set[asyncio.Task[None]] = set()

    async def one(permit: Permit) -> None:
        await asyncio.sleep(took)
        permit.release()

    for _ in range(number):
        permit = await acquire([budget])
        times.append(loop.time())
        task = asyncio.create_task(one(permit))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return times


@pytest.mark.parametrize("start", [0.0, 12_345.678, 1.7e9])
@pytest.mark.parametrize(
    ("requests", "per", "concurrency"), [(600, 60.0, 8), (60, 10.0, 8), (20, 10.0, 2), (7, 1.0, 1)]
)
def test_it_goes_evenly_and_never_above(
    start: float, requests: int, per: float, concurrency: int
) -> None:
    async def main() -> None:
        budget = Budget("one", requests, per, 0.02, concurrency)
        times = await _drain(budget, 3 * requests, took=per / requests / 10)
        assert worst(times, per) <= requests * 0.98
        assert len(times) / (times[-1] - start) >= 0.98 * budget.plan.rate
        assert times[0] - start == pytest.approx(1 / budget.plan.rate, rel=1e-3)

    run(main(), start)


def worst(times: list[float], per: float) -> int:
    """The most in any window of ``per`` seconds."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - per:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_after_idling_it_lets_a_capacity_through_and_no_more() -> None:
    async def main() -> None:
        budget = Budget("one", 600, 60.0, 0.02, 30)
        await asyncio.sleep(3600)
        times = await _drain(budget, 40, took=0.001)
        assert len([at for at in times if at < 3600.2]) == 12 + 1
        assert worst(times, 60.0) <= 588

    run(main())


def test_slots_bound_what_is_under_way() -> None:
    async def main() -> None:
        budget = Budget("one", 600, 60.0, 0.02, 3)
        await asyncio.sleep(60)
        permits = [await acquire([budget]) for _ in range(3)]
        waiting = asyncio.create_task(acquire([budget]))
        await asyncio.sleep(100)
        assert not waiting.done()
        permits[1].release()
        permits[1].release()
        await asyncio.sleep(0)
        (await waiting).release()

    run(main())


def test_lanes_get_their_turn_in_order() -> None:
    async def main() -> None:
        budget = Budget("shared", 600, 60.0, 0.02, 8, shared=True)
        order: list[str] = []

        async def lane(name: str) -> None:
            for _ in range(50):
                permit = await acquire([budget])
                order.append(name)
                permit.release()

        await asyncio.gather(*(lane(name) for name in "abc"))
        assert all(sorted(order[n : n + 3]) == ["a", "b", "c"] for n in range(0, len(order) - 3, 3))

    run(main())


def test_an_unused_token_comes_back() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        budget = Budget("one", 60, 10.0, 0.02, 1)
        permit = await acquire([budget])
        at = loop.time()
        permit.unused()
        permit.unused()
        again = await acquire([budget])
        assert loop.time() == at
        again.release()
        (await acquire([budget])).release()
        assert loop.time() > at

    run(main())


def test_a_token_given_back_wakes_the_one_that_waits() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        budget = Budget("one", 40, 3600.0, 0.02, 2)
        first = await acquire([budget])
        waiting = asyncio.create_task(acquire([budget]))
        await asyncio.sleep(1)
        at = loop.time()
        first.unused()
        (await waiting).release()
        assert loop.time() == at

    run(main())


@pytest.mark.parametrize("steps", range(8))
def test_cancelled_at_any_step_nothing_is_lost(steps: int) -> None:
    async def main() -> None:
        budgets = [Budget("a", 60, 10.0, 0.02, 1), Budget("b", 60, 10.0, 0.02, 1, shared=True)]
        held = await acquire([budgets[steps % 2]]) if steps > 3 else None
        task = asyncio.create_task(acquire(budgets))
        for _ in range(steps):
            await asyncio.sleep(0.07)
        task.cancel()
        done = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(done, Permit):
            done.unused()
        if held is not None:
            held.unused()
        permit = await asyncio.wait_for(acquire(budgets), 1.0)
        permit.release()

    run(main())


def test_several_budgets_hold_together_without_waiting_for_each_other() -> None:
    async def main() -> None:
        one = Budget("one", 600, 60.0, 0.02, 1)
        two = Budget("two", 600, 60.0, 0.02, 1)

        async def lane(budgets: list[Budget]) -> None:
            for _ in range(30):
                permit = await acquire(budgets)
                await asyncio.sleep(0.01)
                permit.release()

        await asyncio.wait_for(
            asyncio.gather(lane([one, two]), lane([two, one]), lane([one]), lane([two])), 60
        )

    run(main())


def test_a_blocked_account_keeps_nothing_of_a_shared_budget() -> None:
    async def main() -> None:
        shared = Budget("app", 600, 60.0, 0.02, 1, shared=True)
        slow = Budget("zz-own", 5, 3600.0, 0.02, 1)
        blocked = asyncio.create_task(acquire([slow, shared]))
        await asyncio.sleep(1)
        permit = await asyncio.wait_for(acquire([shared]), 1.0)
        permit.release()
        blocked.cancel()
        await asyncio.gather(blocked, return_exceptions=True)

    run(main())


def test_a_shared_budget_waits_only_when_a_second_account_is_throttled() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        budget = Budget("app", 600, 60.0, 0.02, 8, shared=True)
        await asyncio.sleep(60)
        budget.throttled("one", 30.0)
        budget.throttled("one", 30.0)
        (await acquire([budget])).release()
        assert loop.time() == 60
        await asyncio.sleep(61)
        budget.throttled("two", 30.0)
        (await acquire([budget])).release()
        assert loop.time() == 121
        budget.throttled("three", 30.0)
        assert budget.next_at(1000.0) == pytest.approx(1030.0)
        (await acquire([budget])).release()
        assert loop.time() == pytest.approx(151.0)

    run(main())


def test_it_tells_how_full_it_is_and_when_the_next_may_leave() -> None:
    async def main() -> None:
        budget = Budget("one", 1000, 3600.0, 0.02, 2)
        assert budget.used_ratio == 0
        assert budget.next_at(500.0) == pytest.approx(500 + 1 / budget.plan.rate)
        await _drain(budget, 100)
        assert budget.used_ratio == pytest.approx(0.1)
        (await acquire([budget])).unused()
        assert budget.used_ratio == pytest.approx(0.1)
        assert budget.next_at(500.0) == 500.0
        assert "one" in repr(budget)
        await asyncio.sleep(3700)
        assert budget.used_ratio == 0

    run(main())


def test_waiting_in_line_does_not_spin() -> None:
    """A virtual clock shows it at once: time stands still and the loop turns for ever."""

    async def main() -> None:
        budget = Budget("one", 600, 60.0, 0.02, 8)
        await _drain(budget, 2000)

    run(main(), 1_795_262_580.123)


def test_a_lane_that_finds_nothing_to_send_lets_others_go_on() -> None:
    async def main() -> None:
        budget = Budget("one", 600, 60.0, 0.02, 8)
        turns = 0

        async def fruitless() -> None:
            while True:
                (await acquire([budget])).unused()

        async def other() -> None:
            nonlocal turns
            for _ in range(100):
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(fruitless())
        await other()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert turns == 100

    run(main())
