"""The router when a commit takes longer than who waits for it, and when brokers are silent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import pytest

from forwarder.kafka.port import Committed, Record, TopicPartition, Unavailable
from forwarder.ops.logs import Log
from forwarder.plan import Plan
from forwarder.router import Router, RouterTopics
from tests.support.vendor_clock import run_virtually
from tests.unit.lane import fakes

P = TopicPartition("conversions", 0)


class _Planner:
    """Nothing follows from any event."""

    def events(self, records: Sequence[Record], now: float, plan: Plan) -> None: ...
    def retries(self, records: Sequence[Record], now: float, plan: Plan) -> None: ...


class _Consumer:
    """One record at every poll. Commits wait for ``admit``; so many times (``silent``) nobody says
    what is committed.
    """

    settled = True
    silent = 0

    def __init__(self) -> None:
        self.admit = asyncio.Event()
        self.committed_offsets: list[int] = []
        self._offset = 0

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def resume(self, partitions: Collection[TopicPartition]) -> None: ...

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset({P})

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[Any, Any]:
        if self.silent:
            self.silent -= 1
            raise Unavailable("no answer in time")
        return {P: Committed(self._offset)}

    async def poll(self, *_: object) -> Mapping[TopicPartition, Sequence[Any]]:
        await asyncio.sleep(1)
        self._offset += 1
        return {P: [fakes.record(self._offset - 1)]}

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        await self.admit.wait()
        self.committed_offsets += [place.offset for place in offsets.values()]


def _router(consumer: _Consumer) -> Router:
    clock = asyncio.get_running_loop().time
    return Router(
        cast("Any", lambda _: consumer),
        cast("Any", None),
        cast("Any", _Planner()),
        RouterTopics("conversions", {}, "conversions.dlq", {}),
        session_timeout=60.0,
        now=clock,
        clock=clock,
        log=Log(None, "error", clock),
        metrics=cast("Any", _Metrics()),
    )


def test_a_commit_that_outlasts_a_revoke_does_not_end_the_router() -> None:
    async def scenario() -> None:
        consumer = _Consumer()
        router = _router(consumer)
        consumer.admit.set()
        await router.assigned([P])
        running = asyncio.create_task(router.run())
        await asyncio.sleep(5)
        consumer.admit.clear()
        await asyncio.sleep(0.5)  # a commit is under way, and the next batch not there yet
        await router.revoked([P])
        consumer.admit.set()
        await router.assigned([P])
        seen = len(consumer.committed_offsets)
        await asyncio.sleep(10)
        assert not running.done()
        assert len(consumer.committed_offsets) > seen + 5
        router.stop()
        await running

    run_virtually(scenario())


def test_brokers_that_do_not_say_where_to_start_are_asked_again() -> None:
    async def scenario() -> None:
        consumer = _Consumer()
        consumer.admit.set()
        consumer.silent = 3
        router = _router(consumer)
        await router.assigned([P])
        assert asyncio.get_running_loop().time() == 3 * 1.0
        assert router.view.partitions == (P,)
        consumer.silent = 1
        router.stop()
        with pytest.raises(Unavailable):
            await router.assigned([P])

    run_virtually(scenario())


class _Metrics:
    def planned(self, plan: Plan) -> None: ...
    def rebalanced(self, role: str) -> None: ...
