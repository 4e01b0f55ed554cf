"""One member of one consumer group, with aiokafka.

aiokafka swallows what a rebalance listener raises, calls it the same whether or not the membership
is already over, does not call it at all when it is stopped, and creates the topics it subscribes
to. This adapter sees to all four.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from forwarder.kafka import inside, reader
from forwarder.kafka.assignor import UnitAssignor
from forwarder.kafka.connection import Connection
from forwarder.kafka.errors import limited, translated
from forwarder.kafka.lifecycle import require_topics, started
from forwarder.kafka.membership import Membership
from forwarder.kafka.port import Committed, Rebalance, Record, Refused, TopicPartition

log = logging.getLogger(__name__)


class AiokafkaConsumer:
    """``Consumer``."""

    def __init__(
        self,
        connection: Connection,
        group: str,
        topics: Collection[str],
        rebalance: Rebalance,
        *,
        units: Mapping[str, str] | None,
        client_id: str,
    ) -> None:
        self._connection = connection
        self._group = group
        self._topics = frozenset(topics)
        self._membership = Membership(rebalance, self._is_member)
        self._inner = reader.make_consumer(
            connection,
            group,
            client_id,
            topics=len(self._topics),
            partition_assignment_strategy=(self._assignor(units),),
        )
        self._stopping = False

    async def start(self) -> None:
        try:
            seconds = self._connection.request_timeout
            async with limited("connecting", seconds):
                await started(self._inner.start, inside.client(self._inner), seconds)
            async with limited("looking for topics", self._connection.request_timeout):
                await require_topics(inside.client(self._inner), self._topics)
            self._inner.subscribe(topics=list(self._topics), listener=_Listener(self._membership))
            async with limited(f"joining group {self._group}", self._connection.start_timeout):
                await inside.first_assignment(self._inner)
                await self._membership.settled.wait()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        try:
            async with asyncio.timeout(self._connection.rebalance_timeout):
                await self._membership.give_up()
        except TimeoutError:
            log.warning("a consumer was stopped before its partitions were given up in order")
        finally:
            await reader.close(self._inner, self._connection.stop_timeout)

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        raise NotImplementedError("the group assigns the partitions of its members")

    def assignment(self) -> frozenset[TopicPartition]:
        return self._membership.held

    @property
    def settled(self) -> bool:
        return self._membership.settled.is_set()

    @property
    def listener_failures(self) -> int:
        """How often the rebalance listener raised."""
        return self._membership.failures

    async def poll(
        self, partitions: Collection[TopicPartition] | None, max_records: int, timeout: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        self._membership.raise_failure()
        if not self._membership.settled.is_set():
            # getmany() would wait for the end of the rebalance, however long that takes.
            return await self._wait_for_the_group(timeout)
        try:
            records = await reader.fetch(self._inner, partitions, max_records, timeout)
        except Refused:
            inside.join_again(self._inner)
            raise
        return records if self._membership.settled.is_set() else self._put_back(records)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._inner.pause(*self._mine(partitions))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._inner.resume(*self._mine(partitions))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        reader.seek(self._inner, partition, offset)

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        await reader.commit(self._inner, offsets, self._connection.commit_timeout)

    async def committed(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Committed | None]:
        return await reader.committed(self._inner, partitions, self._connection.request_timeout)

    async def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        return await reader.bounds(self._inner, partitions, self._connection.request_timeout)

    async def offsets_at(
        self, times: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int | None]:
        return await reader.offsets_at(self._inner, times, self._connection.request_timeout)

    def _mine(self, partitions: Collection[TopicPartition]) -> list[aiokafka.TopicPartition]:
        assigned = self._inner.assignment()
        return [reader.foreign(partition) for partition in partitions if partition in assigned]

    def _put_back(
        self, records: Mapping[TopicPartition, Sequence[Record]]
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """A rebalance began meanwhile. Its listener does not know yet where these partitions start,
        if they are still here at all: it would pass over what aiokafka will not read again.
        """
        for partition, found in records.items():
            if partition in self._inner.assignment():
                self.seek(partition, found[0].offset)
        return {}

    async def _wait_for_the_group(
        self, seconds: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        with inside.polling(self._inner):
            await self._membership.wait(seconds)
        try:
            inside.check(self._inner)
        except aiokafka.errors.KafkaError as error:
            raise translated(error, f"joining group {self._group}") from error
        return {}

    def _is_member(self) -> bool:
        return inside.is_member(self._inner)

    def _assignor(self, units: Mapping[str, str] | None) -> Any:
        if units is None:
            return RoundRobinPartitionAssignor
        return UnitAssignor(units, lambda: inside.waiting(self._inner))


class _Listener(aiokafka.abc.ConsumerRebalanceListener):  # type: ignore[misc]  # theirs is Any
    """aiokafka's two callbacks. What they tell of is always all that the member has."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        del revoked
        await self._membership.began()

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        await self._membership.ended(TopicPartition(*partition) for partition in assigned)
