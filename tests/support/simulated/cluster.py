"""The in-memory cluster, watched: what is written and committed goes into the ledger, where the
promises about commits are checked at the moment they would be broken.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

from forwarder.kafka.connection import Connection
from forwarder.kafka.memory import MemoryCluster, MemoryKafka
from forwarder.kafka.memory_clients import MemoryProducer
from forwarder.kafka.memory_consumer import MemoryConsumer
from forwarder.kafka.memory_group import Group, Joined, Joining
from forwarder.kafka.memory_log import Log
from forwarder.kafka.port import (
    Broken,
    Committed,
    KafkaProblem,
    Outgoing,
    Producer,
    TopicPartition,
)
from tests.support.simulated.ledger import QUEUE, RETRY, Ledger, Tenure
from tests.support.simulated.loop import VirtualLoop, current_process
from tests.support.simulated.settled import Settled


class _Outside:
    """The loop, for timers of the brokers: they belong to no process of the deployment."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any
    ) -> asyncio.TimerHandle:
        context: Context = self._loop.outside
        return self._loop.call_later(delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return self._loop.create_future()


class WatchedLog(Log):
    def __init__(self, now: Callable[[], float], ledger: Ledger) -> None:
        super().__init__(now)
        self._ledger = ledger

    def append(self, at: TopicPartition, records: Sequence[Outgoing]) -> None:
        partition = self.partition(at)
        first = partition.end
        try:
            super().append(at, records)
        finally:
            kept = partition.records[first - partition.first :]
            self._ledger.appended(
                at, first, [Outgoing(r.key, r.value, r.headers, r.timestamp) for r in kept]
            )


class WatchedGroup(Group):
    """``tenures``: who has what, and whether who had it gave it back in order."""

    def __init__(
        self,
        name: str,
        partitions_of: Callable[[], Mapping[str, int]],
        ledger: Ledger,
        settled: Settled,
        loop: VirtualLoop,
    ) -> None:
        super().__init__(name, partitions_of)
        self.name = name
        self._loop = _Outside(loop)  # type: ignore[assignment]
        self._ledger = ledger
        self._settled = settled
        self._replicas: dict[str, str] = {}
        self.tenures: dict[TopicPartition, Tenure] = {}

    def _seat(self, member_id: str | None, joining: Joining) -> Any:
        seat = super()._seat(member_id, joining)
        owner = current_process()
        self._replicas.setdefault(seat.member_id, "" if owner is None else owner.name)
        return seat

    def commit(
        self,
        member_id: str | None,
        generation: int,
        offsets: Mapping[TopicPartition, Committed],
    ) -> None:
        super().commit(member_id, generation, offsets)
        self._note(offsets)

    def commit_from_outside(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        super().commit_from_outside(offsets)
        self._note(offsets)

    def gave_back(self, replica: str) -> None:
        """All that ``replica`` had here was finished and committed before it let go."""
        for tenure in self.tenures.values():
            if tenure.replica == replica:
                tenure.clean = True

    def _note(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        owner = current_process()
        replica = "" if owner is None else owner.name
        self._ledger.commits[self.name, replica] = self._ledger.now()
        for at, place in offsets.items():
            self._settled.check(self.name, at, place.offset, replica)

    def _assign(self) -> None:
        super()._assign()
        written: Counter[str] = Counter()
        for at, tenure in self.tenures.items():
            if not tenure.clean or tenure.replica in self._ledger.broken:
                place = self.committed.get(at)
                committed = 0 if place is None else place.offset
                written[tenure.replica] += self._ledger.lost(at, tenure.replica, committed)
        for replica, number in written.items():
            self._settled.check_uncommitted(replica, number)
        self.tenures = {
            at: Tenure(self._replicas.get(name, ""))
            for name, seat in self._seats.items()
            for at in seat.partitions
        }
        held = {name: len(seat.partitions) for name, seat in self._seats.items()}
        self._ledger.say("generation", self.name, self.generation, held)


class WatchedProducer:
    """``Producer``. Tells of writes that may or may not have happened, and of writing too late."""

    def __init__(self, inner: Producer, name: str, cluster: SimulatedCluster) -> None:
        self._inner = inner
        self._name = name
        self._cluster = cluster

    async def start(self) -> None:
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    async def write(
        self, topic: str, records: Sequence[Outgoing], partition: int | None = None
    ) -> None:
        if records:
            self._cluster.check_lease(topic, records, self._name)
        try:
            await self._inner.write(topic, records, partition)
        except Broken:
            self._cluster.ledger.broken.add(self._name)
            raise
        except KafkaProblem:
            self._cluster.ledger.write_unsure(topic, records)
            raise


class _Kafka(MemoryKafka):
    def __init__(self, cluster: SimulatedCluster, name: str) -> None:
        super().__init__(cluster, name)
        self._simulated = cluster

    def producer(self) -> Producer:
        made = MemoryProducer(self._simulated, self._name)
        self._simulated.register(self._name, made)
        return WatchedProducer(made, self._name, self._simulated)


class SimulatedCluster(MemoryCluster):
    """See the module. ``router_group``, ``group_of`` an account: whose commits are the leases."""

    def __init__(
        self,
        ledger: Ledger,
        loop: VirtualLoop,
        *,
        epoch: float,
        connection: Connection,
        latency: Callable[[], float],
        settled: Settled,
        router_group: str,
        group_of: Callable[[str], str],
    ) -> None:
        def now() -> float:
            return epoch + loop.time()

        super().__init__(now, connection=connection, latency=latency)
        self.ledger = ledger
        self.log = WatchedLog(now, ledger)
        self._loop = loop
        self._settled = settled
        self._router_group = router_group
        self._group_of = group_of

    def client(self, name: str) -> MemoryKafka:
        return _Kafka(self, name)

    def group(self, name: str) -> WatchedGroup:
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = WatchedGroup(
                name, self._partitions, self.ledger, self._settled, self._loop
            )
        assert isinstance(found, WatchedGroup)
        return found

    def deafen(self, name: str, pick: float) -> None:
        """One of the consumers of ``name`` will never join its group again."""
        clients = self._clients.get(name, [])
        members = [client for client in clients if isinstance(client, MemoryConsumer)]
        if members:
            deaf: Any = members[int(pick * len(members))]
            deaf._join = self._never

    async def _never(self) -> Joined:
        await self._loop.create_future()
        raise AssertionError

    def check_lease(self, topic: str, records: Sequence[Outgoing], replica: str) -> None:
        """Routers write queues, senders retry topics; both write dead letters."""
        if QUEUE in topic:
            self._settled.check_lease(self._router_group, replica, "a router wrote")
        elif RETRY in topic:
            account = (dict(records[0].headers)["forwarder-account"] or b"").decode()
            self._settled.check_lease(self._group_of(account), replica, "a sender wrote a retry")
