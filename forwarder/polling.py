"""A poll by one member of a group, as the router's and the senders' loops make it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from forwarder.kafka.port import (
    Broken,
    Consumer,
    KafkaProblem,
    Record,
    Refused,
    TopicPartition,
)
from forwarder.ops.logs import Action

PAUSE_AFTER_TROUBLE: Final = 1.0
JOIN_SECONDS: Final = 20.0
"""A stop waits so long for a join: a member that goes before its group knows it well is missed for
a session, in which nobody has its partitions.
"""


class Behind(NamedTuple):
    """Of one partition. ``waiting``: records from a member's place on; ``deleted``: those that
    Kafka has deleted there, by retention or by order, before the member was done with them.
    """

    waiting: int
    deleted: int


class Progress(Protocol):
    """Of a member, for its watchdog. ``progress_at``: clock time when it last got on."""

    progress_at: float


async def poll(
    consumer: Consumer,
    max_records: int,
    seconds: float,
    *,
    progress: Progress,
    clock: Callable[[], float],
    tell: Callable[[Action, str], None],
) -> Mapping[TopicPartition, Sequence[Record]]:
    """Records of all that is assigned and not paused; after trouble none, and a pause.

    ``tell``: gets what to log, and the error. Raises ``Broken``: only a restart helps.
    """
    try:
        records = await consumer.poll(None, max_records, seconds)
    except Broken:
        raise
    except KafkaProblem as problem:
        refused = isinstance(problem, Refused)
        if refused:  # an operator must act: a restart would change nothing
            progress.progress_at = clock()
        tell("kafka_refused" if refused else "kafka_unreachable", str(problem))
        await asyncio.sleep(PAUSE_AFTER_TROUBLE)
        return {}
    if consumer.settled:
        progress.progress_at = clock()
    return records


async def behind(
    consumer: Consumer, places: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, Behind]:
    """How far a member that stands at ``places`` is behind. Raises ``KafkaProblem``."""
    bounds = await consumer.bounds(list(places)) if places else {}
    return {
        at: Behind(max(0, end - places[at]), max(0, first - places[at]))
        for at, (first, end) in bounds.items()
    }
