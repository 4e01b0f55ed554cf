"""The topics that the forwarder needs: their names, how they must be set, what is missing.

Pure functions over what ``Admin`` tells, but for ``ensure``.

A queue has exactly one partition, since one lane reads it in order and one member owns it. Nothing
is compacted, and what waits is deleted only long after it has expired: ages plus a week.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from forwarder.kafka.port import Admin, Refused, TopicInfo, TopicSpec

DAY: Final = 86_400
KIB: Final = 1024
TIERS: Final = (("1m", 60), ("10m", 600), ("1h", 3600))
GRACE: Final = 7 * DAY
DEAD_LETTERS_KEPT: Final = 14 * DAY
EVENTS_KEPT: Final = 7 * DAY
# An event of 1 MiB with its key, headers and Kafka's framing.
EVENT_BYTES: Final = (1024 + 64) * KIB
# What our headers may add to a record of the events topic.
ROOM: Final = 64 * KIB
EVENTS_PARTITIONS: Final = 24
OTHER_PARTITIONS: Final = 4
DEFAULT_REPLICATION: Final = -1


class Difference(NamedTuple):
    """One setting of one topic that is not as it must be."""

    topic: str
    setting: str
    wanted: str
    found: str


def queue_topic(prefix: str, account: str) -> str:
    return f"{prefix}.queue.{account}"


def retry_topics(prefix: str) -> list[tuple[str, int]]:
    """By tier: the topic and its delay in seconds."""
    return [(f"{prefix}.retry.{tier}", delay) for tier, delay in TIERS]


def dlq_topic(prefix: str) -> str:
    return f"{prefix}.dlq"


def replays_topic(prefix: str) -> str:
    """The ledger of what was sent again."""
    return f"{prefix}.replays"


def plan(
    prefix: str,
    max_event_ages: Mapping[str, float],
    *,
    events_topic: str,
    events_bytes: int = EVENT_BYTES,
    settlements_topic: str | None = None,
    replication: int = DEFAULT_REPLICATION,
) -> list[TopicSpec]:
    """Every topic, as it must be.

    ``max_event_ages``: seconds, by account. ``events_bytes``: ``max.message.bytes`` of the events
    topic where it exists (see ``events_bytes``); what the forwarder writes may be a little larger.
    """
    room = events_bytes + ROOM
    oldest = max(max_event_ages.values(), default=0.0)
    early = {"message.timestamp.type": "CreateTime"}
    # What bears no time but ours must be taken whatever time a replica believes that it is.
    late = {"message.timestamp.type": "LogAppendTime"}
    specs = [_spec(events_topic, EVENTS_PARTITIONS, EVENTS_KEPT, events_bytes)]
    specs += [
        _spec(queue_topic(prefix, account), 1, age + GRACE, room, early)
        for account, age in max_event_ages.items()
    ]
    specs += [
        _spec(name, OTHER_PARTITIONS, oldest + GRACE, room, late)
        for name, _ in retry_topics(prefix)
    ]
    specs.append(_spec(dlq_topic(prefix), OTHER_PARTITIONS, DEAD_LETTERS_KEPT, room, late))
    specs.append(_spec(replays_topic(prefix), 1, DEAD_LETTERS_KEPT + GRACE, room, late))
    if settlements_topic is not None:
        specs.append(_spec(settlements_topic, OTHER_PARTITIONS, DEAD_LETTERS_KEPT, room, late))
    return [spec._replace(replication=replication) for spec in specs]


def events_bytes(info: TopicInfo | None) -> int:
    """``max.message.bytes`` of the events topic, or what it will have when it is created."""
    return EVENT_BYTES if info is None else int(info.config.get("max.message.bytes", EVENT_BYTES))


def missing(specs: Iterable[TopicSpec], existing: Collection[str]) -> list[TopicSpec]:
    return [spec for spec in specs if spec.name not in existing]


def diff(specs: Iterable[TopicSpec], infos: Mapping[str, TopicInfo]) -> list[Difference]:
    """What is wrong with the topics that exist. Larger and longer than wanted is right too."""
    there = [(spec, infos[spec.name]) for spec in specs if spec.name in infos]
    return [difference for spec, info in there for difference in _differences(spec, info)]


def queues_without_account(
    prefix: str, accounts: Collection[str], existing: Iterable[str]
) -> list[str]:
    """Queues that no account of the settings has: of an account that was renamed or removed."""
    ours = {queue_topic(prefix, account) for account in accounts}
    return sorted(
        name for name in existing if name.startswith(queue_topic(prefix, "")) and name not in ours
    )


async def ensure(admin: Admin, specs: Sequence[TopicSpec]) -> list[str]:
    """Create what is missing; names of what was created.

    Raises ``Refused`` when the cluster does not allow it.
    """
    wanted = missing(specs, await admin.topics())
    if not wanted:
        return []
    try:
        await admin.create(wanted)
    except Refused as error:
        raise Refused(
            f"missing topics could not be created: {str(error).rstrip('.')}. If the right is "
            "missing, run `forwarder topics create` with an identity that may create topics"
        ) from error
    return [spec.name for spec in wanted]


def _spec(
    name: str,
    partitions: int,
    kept: float,
    largest: int,
    more: Mapping[str, str] | None = None,
) -> TopicSpec:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(kept * 1000)),
        "retention.bytes": "-1",
        "max.message.bytes": str(largest),
    }
    return TopicSpec(name, partitions, DEFAULT_REPLICATION, config | dict(more or {}))


def _differences(spec: TopicSpec, info: TopicInfo) -> Iterable[Difference]:
    if spec.partitions == 1 and info.partitions != 1:
        yield Difference(spec.name, "partitions", "1", str(info.partitions))
    if 0 < spec.replication != info.replication:
        found = str(info.replication)
        yield Difference(spec.name, "replication", str(spec.replication), found)
    for setting, wanted in spec.config.items():
        found = info.config.get(setting, wanted)
        if not _suffices(setting, wanted, found):
            yield Difference(spec.name, setting, wanted, found)


def _suffices(setting: str, wanted: str, found: str) -> bool:
    match setting:
        case "retention.ms" | "retention.bytes" | "max.message.bytes":
            unlimited = "-1"
            return found == unlimited or (wanted != unlimited and int(found) >= int(wanted))
        case "message.timestamp.type":
            # A queue keeps the times of events; all others of ours work with either.
            return wanted in (found, "LogAppendTime")
        case _:
            return found == wanted
