"""Where a group stands in its topics."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.kafka.port import Committed, TopicPartition


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
