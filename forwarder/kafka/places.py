"""Where a group stands in its topics."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from forwarder.kafka.port import Committed, Reader, TopicPartition


async def starts(
    member: Reader, partitions: Collection[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Committed offsets, and the first offsets of partitions without one."""
    committed = await member.committed(partitions)
    fresh = [partition for partition in partitions if committed.get(partition) is None]
    bounds = await member.bounds(fresh) if fresh else {}
    kept = {tp: place.offset for tp, place in committed.items() if place is not None}
    return kept, {tp: first for tp, (first, _) in bounds.items()}


def within(
    places: Mapping[TopicPartition, Committed | None],
    bounds: Mapping[TopicPartition, tuple[int, int]],
) -> dict[TopicPartition, Committed]:
    """The places that lie in their logs. One behind the end is lost: its topic was made anew, or
    lost its end with a broker, and aiokafka would begin it again without a word.
    """
    return {
        at: place
        for at, place in places.items()
        if place is not None and at in bounds and place.offset <= bounds[at][1]
    }
