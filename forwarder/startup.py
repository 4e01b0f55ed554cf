"""What must be true of the cluster before anything subscribes or writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from forwarder.kafka import topics
from forwarder.kafka.places import within
from forwarder.kafka.port import (
    Admin,
    Committed,
    Kafka,
    KafkaProblem,
    Reader,
    Stale,
    TopicPartition,
    TopicSpec,
)
from forwarder.opening import OLD_RECORD, StartFrom
from forwarder.problems import Problem, SettingsProblems
from forwarder.settings import Settings


def topic_specs(settings: Settings, events_bytes: int = topics.EVENT_BYTES) -> list[TopicSpec]:
    """Every topic of these settings, as it must be."""
    kafka = settings.kafka
    return topics.plan(
        kafka.topic_prefix,
        {name: account.max_event_age for name, account in settings.accounts.items()},
        events_topic=kafka.events_topic,
        events_bytes=events_bytes,
        settlements_topic=kafka.settlements_topic,
    )


async def wanted_topics(admin: Admin, settings: Settings) -> list[TopicSpec]:
    """The same, fitted to the events topic that this cluster has. Raises ``KafkaProblem``."""
    name = settings.kafka.events_topic
    events = (await admin.describe([name])).get(name)
    return topic_specs(settings, topics.events_bytes(events))


async def create_missing_topics(kafka: Kafka, settings: Settings) -> Mapping[str, int]:
    """Create what is missing before anything could create it with the broker's defaults.

    Name and partitions of every topic then. Raises ``KafkaProblem``.
    """
    admin = kafka.admin()
    try:
        await admin.start()
        existing = await admin.topics()
        if not topics.missing(topic_specs(settings), existing):
            return existing  # with nothing to create no more rights are needed
        await topics.ensure(admin, await wanted_topics(admin, settings))
        return await admin.topics()
    finally:
        await admin.stop()


async def wrong_topics(kafka: Kafka, settings: Settings) -> Mapping[str, str]:
    """What is wrong with topics that exist, by topic: short retention or compaction loses records
    without a word. Empty where this principal may not look: a worker needs no such right.
    """
    admin = kafka.admin()
    found: dict[str, list[str]] = {}
    try:
        await admin.start()
        specs = await wanted_topics(admin, settings)
        infos = await admin.describe([spec.name for spec in specs])
    except KafkaProblem:
        return {}
    finally:
        await admin.stop()
    for topic, setting, wanted, has in topics.diff(specs, infos):
        found.setdefault(topic, []).append(f"{setting} is {has}, but must be {wanted}")
    return {topic: "; ".join(rules) for topic, rules in found.items()}


async def place_new_group(
    kafka: Kafka, group: str, partitions: Collection[TopicPartition], start: StartFrom, now: float
) -> None:
    """Give a group that never committed its place in the events topic; and one whose places lie
    behind the end, since the topic was made anew or lost its end with a broker.

    Without ``start_from`` that is the beginning, unless it holds records older than an hour: a
    mistyped ``group_id``, or lost offsets, would send them all again. Raises ``SettingsProblems``
    then. Where another member is quicker, its place stands.
    """
    reader = kafka.reader(group)
    await reader.start()
    try:
        reader.assign(partitions)
        committed = await reader.committed(partitions)
        bounds = await reader.bounds(partitions)
        known = {tp for tp, place in committed.items() if place is not None}
        lost = known - within(committed, bounds).keys()
        if known and not lost:
            return
        without = {tp: bounds[tp] for tp in lost or partitions}
        offsets = await _start_offsets(reader, without, start, now)
        await reader.commit({tp: Committed(offset) for tp, offset in offsets.items()})
    except Stale:
        return
    finally:
        await reader.stop()


async def ends_of(kafka: Kafka, queues: Collection[str]) -> Mapping[TopicPartition, int]:
    """Where queues, which have one partition each, end now. Raises ``KafkaProblem``."""
    reader = kafka.reader()
    await reader.start()
    try:
        bounds = await reader.bounds([TopicPartition(topic, 0) for topic in queues])
    finally:
        await reader.stop()
    return {tp: end for tp, (_, end) in bounds.items()}


async def _start_offsets(
    reader: Reader,
    bounds: Mapping[TopicPartition, tuple[int, int]],
    start: StartFrom,
    now: float,
) -> dict[TopicPartition, int]:
    if start == "earliest":
        return {tp: first for tp, (first, _) in bounds.items()}
    if start == "latest":
        return {tp: end for tp, (_, end) in bounds.items()}
    if start is not None:
        found = await reader.offsets_at({tp: int(start * 1000) for tp in bounds})
        return {tp: _or_end(found[tp], bounds[tp][1]) for tp in bounds}
    filled = {tp: first for tp, (first, end) in bounds.items() if first < end}
    young = await reader.offsets_at({tp: int((now - OLD_RECORD) * 1000) for tp in filled})
    if any(young[tp] != first for tp, first in filled.items()):
        raise SettingsProblems(
            [
                Problem(
                    "kafka.start_from",
                    "the group has no place in the events topic (it is new, or the topic was made "
                    "anew), which holds records older than 1 h",
                    "set it to earliest, latest or a time; or correct kafka.group_id",
                )
            ]
        )
    return {tp: first for tp, (first, _) in bounds.items()}


def _or_end(found: int | None, end: int) -> int:
    return end if found is None else found
