"""The sender's own clockwork: what wakes its lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forwarder.http.memory import MemoryClient
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.intake import Memory
from forwarder.kafka.port import Committed, KafkaProblem, Refused, TopicPartition, Unavailable
from forwarder.lane.lane import Lane
from forwarder.opening import Place, SenderSettings
from forwarder.ops.logs import Log
from forwarder.sender import Sender, Surroundings
from tests.support.vendor_clock import run_virtually
from tests.unit.lane import fakes

QUEUE = TopicPartition("conversions.queue.acme", 0)


class Broker:
    """A consumer of one queue, whose coordinator takes ``delay`` seconds for a commit."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.settled = True
        self.told: list[str] = []
        self.polled: asyncio.Queue[Mapping[TopicPartition, Sequence[Any]]] = asyncio.Queue()

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def pause(self, _: object) -> None: ...
    def resume(self, _: object) -> None: ...
    def seek(self, *_: object) -> None: ...

    async def poll(self, *_: object) -> Mapping[TopicPartition, Sequence[Any]]:
        return await self.polled.get()

    async def commit(self, _: object) -> None:
        await asyncio.sleep(self.delay)


class Opener:
    """Opens lanes from the first record on."""

    def __init__(self) -> None:
        self.account = fakes.account(linger=0.0)

    async def places(self, queues: Sequence[TopicPartition]) -> Mapping[TopicPartition, Place]:
        return {queue: Place(0, Committed(0, "")) for queue in queues}

    async def open(self, *_: object) -> Lane:
        return fakes.lane(self.account)

    def close(self) -> None: ...


def sender(
    broker: Broker, requests: list[float], clock: Callable[[], float], opener: Opener | None = None
) -> Sender:
    async def vendor(_: HttpRequest) -> HttpAnswer:
        requests.append(clock())
        return fakes.DELIVERED

    def now() -> float:
        return fakes.START + clock()

    report = SimpleNamespace(tallied=_ignored, requested=_ignored, rebalanced=broker.told.append)
    around = Surroundings(
        http=MemoryClient(vendor),
        writer=cast("Any", SimpleNamespace(settle=_settled)),
        memory=Memory(1 << 28),
        make_book=lambda: cast("Any", SimpleNamespace(open=lambda _: ())),
        credential=lambda _: fakes.credential(),
        log=Log(cast("Any", None), "error", now),
        report=cast("Any", report),
        now=now,
        clock=clock,
    )
    settings = SenderSettings(
        destination="fake",
        traits=cast("Any", None),
        queues={QUEUE.topic: "acme"},
        lane={},
        session_timeout=15.0,
        request_timeout=7.0,
        start_from=None,
        ends={},
    )
    return Sender(
        lambda _: cast("Any", broker), lambda _: cast("Any", opener or Opener()), settings, around
    )


async def _settled(*_: object) -> None: ...
def _ignored(*_: object) -> None: ...


def test_lanes_go_on_as_soon_as_a_slow_commit_has_renewed_the_lease() -> None:
    """It ended while the commit was under way, and a lane that looked then has gone to sleep."""

    async def scenario() -> None:
        clock = asyncio.get_running_loop().time
        broker, requests = Broker(), list[float]()
        one = sender(broker, requests, clock)
        running = asyncio.create_task(one.run())
        await one.assigned([QUEUE])
        assert broker.told == ["sender"]
        await asyncio.sleep(20)
        broker.delay = 5.0  # the commit of second 21 is acknowledged in second 26,
        await asyncio.sleep(5)  # and the lease of second 17 has ended by now
        await broker.polled.put({QUEUE: [fakes.record(0)]})
        await asyncio.sleep(0.5)
        assert not requests
        broker.delay = 0.0
        await asyncio.sleep(2.5)
        assert requests
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    run_virtually(scenario())


class Unanswered(Opener):
    """Nobody says where lanes start, as ``problem`` has it."""

    def __init__(self, problem: KafkaProblem) -> None:
        super().__init__()
        self._problem = problem

    async def places(self, queues: Sequence[TopicPartition]) -> Mapping[TopicPartition, Place]:
        raise self._problem


@pytest.mark.parametrize(
    ("problem", "restarts"), [(Unavailable("no answer"), True), (Refused("no right"), False)]
)
def test_lanes_that_cannot_be_opened_are_no_progress_unless_only_an_operator_can_help(
    problem: KafkaProblem, restarts: bool
) -> None:
    async def scenario() -> None:
        clock = asyncio.get_running_loop().time
        broker = Broker()
        one = sender(broker, [], clock, Unanswered(problem))
        running = asyncio.create_task(one.run())
        await asyncio.sleep(10)
        await one.assigned([QUEUE])
        for _ in range(200):
            await asyncio.sleep(1)
            await broker.polled.put({})
        assert (clock() - one.progress_at > 190) == restarts
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    run_virtually(scenario())
