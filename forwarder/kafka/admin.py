"""Looking at the cluster and creating topics, with aiokafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocol

from forwarder.kafka import inside
from forwarder.kafka.connection import Connection, answer_within, client_options
from forwarder.kafka.errors import limited, translated
from forwarder.kafka.lifecycle import started
from forwarder.kafka.port import (
    Committed,
    KafkaProblem,
    Refused,
    TopicInfo,
    TopicPartition,
    TopicSpec,
)
from forwarder.kafka.reader import foreign

OK: Final = 0
EXISTS: Final = 36
AGAIN: Final = 0.2
_NO_COORDINATOR: Final = (
    errors.GroupCoordinatorNotAvailableError,
    errors.GroupLoadInProgressError,
    errors.NotCoordinatorForGroupError,
)
SEEN_AFTER: Final = 0.05
_NAMED: Final = 10
"""Topics that one reason names."""


class _NewTopic(NamedTuple):
    """aiokafka's own refuses -1, the cluster's default."""

    name: str
    num_partitions: int
    replication_factor: int
    topic_configs: Mapping[str, str]
    replica_assignments: Mapping[int, Sequence[int]]


class AiokafkaAdmin:
    """``Admin``."""

    def __init__(self, connection: Connection, client_id: str) -> None:
        self._connection = connection
        self._inner = AIOKafkaAdminClient(
            **client_options(connection, client_id),
            request_timeout_ms=answer_within(connection),
        )

    async def start(self) -> None:
        try:
            seconds = self._connection.request_timeout
            async with limited("connecting", seconds):
                await started(self._inner.start, inside.admin_client(self._inner), seconds)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        async with limited("closing", self._connection.stop_timeout):
            await self._inner.close()

    async def topics(self) -> Mapping[str, int]:
        async with self._limited("listing topics"):
            found = await self._inner.describe_topics()
        return {
            topic["topic"]: len(topic["partitions"])
            for topic in found
            if topic["error_code"] == OK and not topic["is_internal"]
        }

    async def describe(self, names: Collection[str]) -> Mapping[str, TopicInfo]:
        async with self._limited("describing topics"):
            found = await self._inner.describe_topics()
            there = [topic for topic in found if topic["topic"] in names]
            config = await self._config([topic["topic"] for topic in there])
        return {
            topic["topic"]: TopicInfo(
                name=topic["topic"],
                partitions=len(topic["partitions"]),
                replication=min((len(part["replicas"]) for part in topic["partitions"]), default=0),
                config=config[topic["topic"]],
            )
            for topic in there
        }

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        if not specs:
            return
        wanted = [_NewTopic(*spec, replica_assignments={}) for spec in specs]
        async with self._limited("creating topics"):
            answer = await self._inner.create_topics(wanted)
        refused = {
            name: (code, text)
            for name, code, text in answer.topic_errors
            if code not in (OK, EXISTS)
        }
        if refused:
            raise _not_created(refused)
        await self._visible({spec.name: 1 for spec in specs})

    async def add_partitions(self, topic: str, total: int) -> None:
        async with self._limited(f"adding partitions to {topic}"):
            await self._inner.create_partitions({topic: NewPartitions(total)})
        await self._visible({topic: total})

    async def committed(self, group: str) -> Mapping[TopicPartition, Committed]:
        async with self._limited("reading committed offsets"):
            found = await _coordinated(lambda: self._inner.list_consumer_group_offsets(group))
        return {
            TopicPartition(*at): Committed(offset, metadata or "")
            for at, (offset, metadata) in found.items()
            if offset >= 0
        }

    async def members(self, group: str) -> Mapping[TopicPartition, str]:
        async with self._limited("describing a group"):
            answers = await _coordinated(lambda: self._inner.describe_consumer_groups([group]))
        return {
            partition: f"{client} {host.lstrip('/')}"
            for _, client, host, _, assignment in _group_members(answers, group)
            for partition in _partitions(assignment)
        }

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        wanted = {foreign(at): RecordsToDelete(offset) for at, offset in before.items()}
        async with self._limited("deleting records"):
            await self._inner.delete_records(wanted)

    async def _visible(self, partitions: Mapping[str, int]) -> None:
        """Wait until brokers tell of what the controller has made."""
        async with self._limited(f"waiting for {', '.join(partitions)} to be seen"):
            while True:
                there = await self.topics()
                if all(there.get(name, 0) >= count for name, count in partitions.items()):
                    return
                await asyncio.sleep(SEEN_AFTER)

    async def _config(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        if not names:
            return {}
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found = {}
        for answer in await self._inner.describe_configs(wanted):
            for code, text, _, name, entries in answer.resources:
                if code != OK:
                    raise _refusal(f"reading the settings of {name}", code, text)
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        return found

    def _limited(self, doing: str) -> contextlib.AbstractAsyncContextManager[None]:
        return limited(doing, self._connection.request_timeout)


async def _coordinated(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask for a group until it has a coordinator: a new cluster makes the topic that groups live in
    when somebody asks for the first one.
    """
    while True:
        try:
            return await ask()
        except _NO_COORDINATOR:
            await asyncio.sleep(AGAIN)


def _not_created(refused: Mapping[str, tuple[int, str | None]]) -> KafkaProblem:
    """One error for all, each reason once; whatever an operator must mend comes before what time
    mends.
    """
    names: dict[tuple[int, str | None], list[str]] = {}
    for name, why in refused.items():
        names.setdefault(why, []).append(name)
    problems = [
        _refusal(f"creating {_several(named)}", code, text) for (code, text), named in names.items()
    ]
    worst = next((problem for problem in problems if isinstance(problem, Refused)), problems[0])
    return type(worst)("; ".join(str(problem) for problem in problems))


def _several(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _refusal(doing: str, code: int, text: str | None) -> KafkaProblem:
    kind = errors.for_code(code)
    return translated(kind(text) if text else kind(), doing)


def _group_members(answers: Iterable[Any], group: str) -> Iterable[Sequence[Any]]:
    for answer in answers:
        for code, name, _, _, _, members, *_ in answer.groups:
            if name == group and code == OK:
                yield from members


def _partitions(assignment: bytes) -> list[TopicPartition]:
    if not assignment:
        return []
    decoded = ConsumerProtocol.ASSIGNMENT.decode(assignment)
    return [TopicPartition(*partition) for partition in decoded.partitions()]
