"""The lease: what a commit proves, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from forwarder.kafka.port import Committed, Stale, TopicPartition, Unavailable
from forwarder.lease import Lease

PLACE = {TopicPartition("queue", 0): Committed(1)}


class Coordinator:
    """Answers commits when it is told to."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[None]] = []

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        answer = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        await answer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def held(lease: Lease) -> bool:
    return lease.held


async def sent(lease: Lease) -> asyncio.Task[None]:
    task = asyncio.create_task(lease.commit(PLACE))
    await asyncio.sleep(0)
    return task


async def test_it_is_held_from_the_moment_its_commit_was_sent(clock: Clock) -> None:
    coordinator = Coordinator()
    lease = Lease(coordinator, 10.0, clock)
    commit = await sent(lease)
    assert not held(lease)
    clock.now += 3.0
    coordinator.answers[0].set_result(None)
    await commit
    assert held(lease)
    clock.now += 1.99
    assert held(lease)
    clock.now += 0.01
    assert not held(lease)


async def test_a_stale_commit_ends_it_until_the_next_assignment(clock: Clock) -> None:
    coordinator = Coordinator()
    lease = Lease(coordinator, 10.0, clock)
    first = await sent(lease)
    coordinator.answers[0].set_result(None)
    await first
    second = await sent(lease)
    coordinator.answers[1].set_exception(Stale("moved on"))
    with pytest.raises(Stale):
        await second
    assert not held(lease)
    lease.begin()
    third = await sent(lease)
    coordinator.answers[2].set_result(None)
    await third
    assert held(lease)


@pytest.mark.parametrize("answer", [None, Stale("moved on")])
async def test_an_answer_from_before_the_assignment_says_nothing_of_it(
    clock: Clock, answer: Stale | None
) -> None:
    """Else a late refusal silences the new assignment for good."""
    coordinator = Coordinator()
    lease = Lease(coordinator, 10.0, clock)
    old = await sent(lease)
    lease.begin()
    if answer is None:
        coordinator.answers[0].set_result(None)
    else:
        coordinator.answers[0].set_exception(answer)
    await asyncio.wait({old})
    assert isinstance(old.exception(), Stale | None)
    assert not held(lease)
    new = await sent(lease)
    coordinator.answers[1].set_result(None)
    await new
    assert held(lease)


async def test_a_commit_without_an_answer_ends_in_bounded_time() -> None:
    clock = asyncio.get_running_loop().time
    lease = Lease(Coordinator(), 0.05, clock)
    with pytest.raises(Unavailable):
        await lease.commit(PLACE)
