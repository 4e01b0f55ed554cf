"""Reading partitions with aiokafka, outside a group's protocol."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata

from forwarder.kafka import inside
from forwarder.kafka.connection import Connection, answer_within, client_options, milliseconds, pace
from forwarder.kafka.errors import limited, translated
from forwarder.kafka.lifecycle import require_topics, started, stopped
from forwarder.kafka.port import Committed, Record, Refused, Stale, TopicPartition

# getmany() without partitions reads all of them, so "none" is spelled as one that never exists.
NOWHERE: Final = aiokafka.TopicPartition("", -1)


class AiokafkaReader:
    """``Reader``. ``group``: keeps its place there."""

    def __init__(self, connection: Connection, group: str | None, client_id: str) -> None:
        self._connection = connection
        self._group = group
        self._inner = make_consumer(connection, group, client_id, topics=1)
        self._wanted: tuple[TopicPartition, ...] = ()
        self._seeks: dict[TopicPartition, int] = {}
        self._applied = True
        self._stopped = False

    async def start(self) -> None:
        try:
            seconds = self._connection.request_timeout
            async with limited("connecting", seconds):
                await started(self._inner.start, inside.client(self._inner), seconds)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            await close(self._inner, self._connection.stop_timeout)

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        self._wanted = tuple(partitions)
        self._seeks = {}
        self._applied = False

    async def poll(
        self, partitions: Collection[TopicPartition] | None, max_records: int, timeout: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        await self._apply()
        return await fetch(self._inner, partitions, max_records, timeout)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if self._applied:
            seek(self._inner, partition, offset)
        elif partition in self._wanted:
            self._seeks[partition] = offset
        else:
            raise Stale(f"{partition.topic}/{partition.partition} is not assigned")

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        self._require_group()
        if offsets:
            await self._apply()
            await commit(self._inner, offsets, self._connection.commit_timeout)

    async def committed(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Committed | None]:
        self._require_group()
        return await committed(self._inner, partitions, self._connection.request_timeout)

    async def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        await self._require({partition.topic for partition in partitions})
        return await bounds(self._inner, partitions, self._connection.request_timeout)

    async def offsets_at(
        self, times: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int | None]:
        await self._require({partition.topic for partition in times})
        return await offsets_at(self._inner, times, self._connection.request_timeout)

    def _require_group(self) -> None:
        if self._group is None:
            raise Refused("a reader without a group keeps no offsets")

    async def _apply(self) -> None:
        """Assign what was asked for. aiokafka asks for a missing topic again and again, without
        a pause, so it gets to know only topics that exist.
        """
        if self._applied:
            return
        await self._require({partition.topic for partition in self._wanted})
        self._inner.assign([foreign(partition) for partition in self._wanted])
        self._applied = True
        for partition, offset in self._seeks.items():
            seek(self._inner, partition, offset)

    async def _require(self, topics: Collection[str]) -> None:
        async with limited("looking for topics", self._connection.request_timeout):
            await require_topics(inside.client(self._inner), topics)


def make_consumer(
    connection: Connection, group: str | None, client_id: str, *, topics: int, **more: Any
) -> AIOKafkaConsumer:
    """``topics``: how many will be read, for the pace of fetching."""
    wait, least = pace(connection, topics)
    return AIOKafkaConsumer(
        **client_options(connection, client_id),
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=milliseconds(connection.session_timeout),
        heartbeat_interval_ms=milliseconds(connection.session_timeout / 5),
        rebalance_timeout_ms=milliseconds(connection.rebalance_timeout),
        max_poll_interval_ms=300_000,
        request_timeout_ms=answer_within(connection),
        fetch_max_wait_ms=milliseconds(wait),
        fetch_min_bytes=least,
        fetch_max_bytes=connection.fetch_bytes,
        max_partition_fetch_bytes=connection.partition_fetch_bytes,
        **more,
    )


async def close(inner: AIOKafkaConsumer, seconds: float) -> None:
    try:
        await stopped(inner.stop, functools.partial(inside.abandon, inner), seconds)
    finally:
        inside.forget(inner)


async def fetch(
    inner: AIOKafkaConsumer,
    partitions: Collection[TopicPartition] | None,
    max_records: int,
    timeout: float,
) -> Mapping[TopicPartition, Sequence[Record]]:
    if partitions is None:
        wanted = []
    else:
        wanted = [foreign(partition) for partition in partitions] or [NOWHERE]
    try:
        with inside.polling(inner):
            found = await inner.getmany(
                *wanted, timeout_ms=milliseconds(timeout), max_records=max_records
            )
    except (aiokafka.errors.KafkaError, aiokafka.errors.ConsumerStoppedError) as error:
        raise translated(error, "reading") from error
    return {TopicPartition(*partition): records for partition, records in found.items()}


def seek(inner: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    if partition not in inner.assignment():
        raise Stale(f"{partition.topic}/{partition.partition} is not assigned")
    inner.seek(foreign(partition), offset)


async def commit(
    inner: AIOKafkaConsumer, offsets: Mapping[TopicPartition, Committed], seconds: float
) -> None:
    if not offsets:
        return
    wanted = {foreign(at): OffsetAndMetadata(*committed) for at, committed in offsets.items()}
    async with limited("committing", seconds):
        await inner.commit(wanted)


async def committed(
    inner: AIOKafkaConsumer, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, Committed | None]:
    async with limited("reading committed offsets", seconds):
        found = await inside.committed(inner, [foreign(partition) for partition in partitions])
    return {
        partition: Committed(*found[foreign(partition)]) if partition in found else None
        for partition in partitions
    }


async def bounds(
    inner: AIOKafkaConsumer, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, tuple[int, int]]:
    wanted = [foreign(partition) for partition in partitions]
    async with limited("reading the ends of partitions", seconds):
        first = await inner.beginning_offsets(wanted)
        after = await inner.end_offsets(wanted)
    return {TopicPartition(*at): (first[at], after[at]) for at in wanted}


async def offsets_at(
    inner: AIOKafkaConsumer, times: Mapping[TopicPartition, int], seconds: float
) -> Mapping[TopicPartition, int | None]:
    wanted = {foreign(partition): time for partition, time in times.items()}
    async with limited("looking for offsets by time", seconds):
        found = await inner.offsets_for_times(wanted)
    return {
        partition: None if found[foreign(partition)] is None else found[foreign(partition)].offset
        for partition in times
    }


def foreign(partition: TopicPartition) -> aiokafka.TopicPartition:
    return aiokafka.TopicPartition(*partition)
