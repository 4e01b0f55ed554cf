"""An in-memory Kafka that keeps to the port's meaning, for tests and simulations.

It lives on the running loop's clock and has no time of its own, so on a loop with a virtual clock
hours pass in milliseconds and each run is the same. What it shares with a real cluster: partitions
with offsets, timestamps and deletion; groups with generations, session time-outs, revokes and
stale commits; the unit assignor; writes that may have happened although nobody was told. What it
leaves out: transactions, replication, prefetching and the cost of anything.

Every client belongs to a name (a replica, say), by which it can be cut off:

    cluster = MemoryCluster(now=clock.now)
    kafka = cluster.client("replica-1")
    cluster.partition_off("replica-1")      # reads and writes, but its group hears nothing of it
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from forwarder.kafka.connection import Connection
from forwarder.kafka.memory_clients import MemoryAdmin, MemoryProducer
from forwarder.kafka.memory_consumer import MemoryConsumer
from forwarder.kafka.memory_group import Group
from forwarder.kafka.memory_log import DATA, GROUPS, Log, MemoryRecord, Network
from forwarder.kafka.memory_reader import MemoryReader
from forwarder.kafka.port import (
    Admin,
    Consumer,
    Kafka,
    Outgoing,
    Producer,
    Reader,
    Rebalance,
    TopicPartition,
    TopicSpec,
)

DEFAULTS: Final = Connection("memory")


class MemoryCluster:
    """The brokers. ``now``: epoch seconds. ``latency``: seconds of each way of an exchange."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        connection: Connection = DEFAULTS,
        latency: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.connection = connection
        self.log = Log(now)
        self.network = Network(latency)
        self.fenced: set[str] = set()
        self.may_create = True
        self._groups: dict[str, Group] = {}
        self._clients: dict[str, list[MemoryReader | MemoryProducer]] = {}
        self._delays: dict[str | None, float] = {}

    def client(self, name: str) -> Kafka:
        return MemoryKafka(self, name)

    def add_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        self.log.add(TopicSpec(name, partitions, 1, dict(config or {})))

    def delete_topic(self, name: str) -> None:
        del self.log.topics[name]

    def records(self, topic: str) -> list[MemoryRecord]:
        """Everything in a topic, by partition and offset."""
        partitions = self.log.topics[topic].partitions
        return [record for partition in partitions for record in partition.records]

    def put(self, at: TopicPartition, records: Sequence[Outgoing]) -> None:
        """Append at once, from outside."""
        self.log.append(at, records)
        self.network.changed()

    def down(self) -> None:
        """No broker answers. Sessions stand still, as their coordinator does."""
        self.network.down = True
        self.network.changed()
        for group in self._groups.values():
            group.sleep()

    def up(self) -> None:
        self.network.down = False
        self.network.changed()
        for group in self._groups.values():
            group.wake()

    def freeze(self, name: str) -> None:
        """Nothing of that name's gets through, in either direction, until ``thaw``."""
        self.network.set_cut(name, {DATA, GROUPS})

    def partition_off(self, name: str) -> None:
        """Cut from the coordinator only: still reads and writes, and gets no revoke."""
        self.network.set_cut(name, {GROUPS})

    def thaw(self, name: str) -> None:
        """End ``freeze`` and ``partition_off``."""
        self.network.set_cut(name, set())

    def crash(self, name: str) -> None:
        """The process is gone; the group learns of it by the session time-out."""
        self.network.set_cut(name, {DATA, GROUPS})
        for client in self._clients.pop(name, []):
            client.kill()

    def put_out(self, group: str, client_id: str) -> None:
        """Remove a member, which learns of it from its next heartbeat or commit."""
        for member_id in self.group(group).ids_of(client_id):
            self.group(group).leave(member_id)

    def slow_acks(self, seconds: float, topic: str | None = None) -> None:
        """Records are written at once, and acknowledged that much later. ``None``: everywhere."""
        self._delays[topic] = seconds

    def refuse(self, topic: str) -> None:
        """Nobody is authorised to use the topic, until ``allow``."""
        self.log.refused.add(topic)

    def allow(self, topic: str) -> None:
        self.log.refused.discard(topic)
        self.network.changed()

    def fence(self, name: str) -> None:
        """Producers of that name are told that they are fenced."""
        self.fenced.add(name)

    def group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = Group(name, self._partitions)
        return self._groups[name]

    def ack_delay(self, topic: str) -> float:
        return self._delays.get(topic, self._delays.get(None, 0.0))

    def register(self, name: str, client: MemoryReader | MemoryProducer) -> None:
        self._clients.setdefault(name, []).append(client)

    def _partitions(self) -> Mapping[str, int]:
        return {name: len(topic.partitions) for name, topic in self.log.topics.items()}


class MemoryKafka:
    """``Kafka``, as one name sees the cluster."""

    def __init__(self, cluster: MemoryCluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        rebalance: Rebalance,
        *,
        units: Mapping[str, str] | None = None,
        client_id: str = "forwarder",
    ) -> Consumer:
        made = MemoryConsumer(
            self._cluster, self._name, group, topics, rebalance, units=units, client_id=client_id
        )
        self._cluster.register(self._name, made)
        return made

    def reader(self, group: str | None = None) -> Reader:
        made = MemoryReader(self._cluster, self._name, group)
        self._cluster.register(self._name, made)
        return made

    def producer(self) -> Producer:
        made = MemoryProducer(self._cluster, self._name)
        self._cluster.register(self._name, made)
        return made

    def admin(self) -> Admin:
        return MemoryAdmin(self._cluster, self._name)
