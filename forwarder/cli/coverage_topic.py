"""The last records of the events topic, read beside all groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from forwarder.cli.failures import Failed
from forwarder.kafka.port import Kafka, Reader, Record, TopicPartition
from forwarder.problems import Problem
from forwarder.settings import Settings

_POLL_RECORDS: Final = 500
_POLL_SECONDS: Final = 0.5
_PATIENCE: Final = 30.0
"""Seconds without any record after which what was read must do: transactions leave offsets that
hold none.
"""


async def last_records(kafka: Kafka, settings: Settings, sample: int) -> AsyncGenerator[Record]:
    """About the last ``sample`` records of the topic as it is now, its partitions alike.

    Raises ``KafkaProblem``, and ``Failed`` where the topic is missing.
    """
    reader = kafka.reader(None)
    try:
        partitions = await _partitions(kafka, settings)
        await reader.start()
        reader.assign(partitions)
        ends = await _seek(reader, partitions, sample)
        async for record in _until(reader, ends):
            yield record
    finally:
        await reader.stop()


async def _partitions(kafka: Kafka, settings: Settings) -> list[TopicPartition]:
    admin = kafka.admin()
    topic = settings.kafka.events_topic
    try:
        await admin.start()
        count = (await admin.topics()).get(topic)
    finally:
        await admin.stop()
    if count is None:
        place = settings.place("kafka", "events_topic")
        rule = f"the cluster has no topic {topic} that this principal can see"
        raise Failed([Problem(place, rule, "create it with forwarder topics create")])
    return [TopicPartition(topic, number) for number in range(count)]


async def _seek(
    reader: Reader, partitions: list[TopicPartition], sample: int
) -> dict[TopicPartition, int]:
    """Go back from each partition's end; returns the ends of those that hold anything."""
    bounds = await reader.bounds(partitions)
    lengths = {tp: end - start for tp, (start, end) in bounds.items()}
    left, ends = sample, {}
    for done, tp in enumerate(sorted(partitions, key=lambda one: lengths[one])):
        part = min(lengths[tp], -(-left // (len(partitions) - done)))  # short ones leave more
        left -= part
        reader.seek(tp, bounds[tp][1] - part)
        if part:
            ends[tp] = bounds[tp][1]
    return ends


async def _until(reader: Reader, ends: dict[TopicPartition, int]) -> AsyncGenerator[Record]:
    loop = asyncio.get_running_loop()
    waiting, quiet_since = dict(ends), loop.time()
    while waiting and loop.time() - quiet_since < _PATIENCE:
        polled = await reader.poll(list(waiting), _POLL_RECORDS, _POLL_SECONDS)
        for tp, records in polled.items():
            quiet_since = loop.time()
            for record in records:
                if record.offset < ends[tp]:
                    yield record
            if records and records[-1].offset + 1 >= ends[tp]:
                waiting.pop(tp, None)
