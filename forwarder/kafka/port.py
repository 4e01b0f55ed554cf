"""What the forwarder needs of Kafka, with the meaning that every implementation keeps.

Errors are named by remedy:

    KafkaProblem
    ├── Unavailable     brokers do not answer in time: keep running, send nothing, try again
    ├── Stale           this member's generation is over: drop what depends on it, others redeliver
    ├── TooLarge        the record does not fit the topic: dead-letter it without its value
    ├── Refused         topic missing or not authorised: an operator must act; wait and say so
    └── Broken          producer fenced or out of sequence: exit 1, a restart cures it
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka knows headers without a value."""


class KafkaProblem(Exception):
    """Base of all that this port raises. The text is fit for a log line: no payload, no secret."""


class Unavailable(KafkaProblem):
    """The brokers did not answer in time."""


class Stale(KafkaProblem):
    """The group has moved on without this member."""


class TooLarge(KafkaProblem):
    """A record is larger than topic or client allow.

    ``records``: the positions in the call that were refused. All others of it are acknowledged.
    """

    def __init__(self, text: str, records: Sequence[int] = ()) -> None:
        super().__init__(text)
        self.records = tuple(records)


class Refused(KafkaProblem):
    """The topic is missing, or this principal may not use it."""


class Broken(KafkaProblem):
    """Only a restart helps."""


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(Protocol):
    """One Kafka record as read. ``timestamp`` is in epoch milliseconds."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Outgoing(NamedTuple):
    """One record to write. ``timestamp`` in epoch milliseconds; ``None``: the client's clock."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int | None = None


class Committed(NamedTuple):
    """The next offset to read, and up to 512 bytes of text kept with it."""

    offset: int
    metadata: str = ""


class Rebalance(Protocol):
    """Told by a consumer about its partitions, in the task that runs the rebalance.

    ``assigned`` runs at the end of each, with all that this member now has, which may be nothing.
    Each is followed by one ``revoked`` or one ``lost`` of the same partitions, unless these were
    none. ``revoked`` runs before the group moves on: what it commits is still this member's. The
    group waits for it. ``lost`` means that the membership is already over: commits would be stale,
    others may have the partitions. Nobody tells a member that is cut off from its coordinator.
    """

    async def assigned(self, partitions: Collection[TopicPartition]) -> None: ...
    async def revoked(self, partitions: Collection[TopicPartition]) -> None: ...
    async def lost(self, partitions: Collection[TopicPartition]) -> None: ...


class Reader(Protocol):
    """Reads partitions that it was told to read, outside any group's protocol.

    With a group it can keep its place there (``commit``), without ever being a member.
    """

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Close. Bounded in time; may be called twice."""
        ...

    def assign(self, partitions: Collection[TopicPartition]) -> None: ...

    async def poll(
        self, partitions: Collection[TopicPartition] | None, max_records: int, timeout: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Records of ``partitions`` (``None``: all assigned and not paused), in offset order.
        ``max_records`` is 1 or more: ``ValueError`` for less.

        Waits at most about ``timeout`` seconds; may take longer during a rebalance, so run it in a
        task of its own. A member gets no record of a partition before ``assigned`` has ended. An
        empty collection reads nothing and waits the time out: that too counts as a poll, without
        which a member is put out of its group after 5 minutes.
        """
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from ``offset``. Raises ``Stale`` for a partition that is not assigned."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit, and return when the coordinator acknowledged it. Nothing to commit: no call.

        Raises ``Stale`` when the generation is over, ``Unavailable`` after the time limit.
        """
        ...

    async def committed(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Committed | None]: ...

    async def bounds(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """The first offset and the offset after the last record, of each partition."""
        ...

    async def offsets_at(
        self, times: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int | None]:
        """First offset whose timestamp is at or after the epoch milliseconds given."""
        ...


class Consumer(Reader, Protocol):
    """One member of one consumer group. Nothing is committed unless ``commit`` is called.

    ``start`` joins the group and ``stop`` revokes and leaves it. ``assign`` is not for members.
    Topics must exist: subscribing must not create any.
    """

    def assignment(self) -> frozenset[TopicPartition]: ...

    @property
    def settled(self) -> bool:
        """Whether no rebalance is under way, as far as this member was told. One that never ends
        is told in no other way: polls go on, and yield nothing.
        """
        ...

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop fetching. Fetched but unread records are dropped and fetched again on resume.

        Partitions that are not assigned are passed over. A rebalance ends every pause.
        """
        ...

    def resume(self, partitions: Collection[TopicPartition]) -> None: ...


class Producer(Protocol):
    """Writes with ``acks=all``, idempotent."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Flush and close. Bounded in time; may be called twice."""
        ...

    async def write(
        self, topic: str, records: Sequence[Outgoing], partition: int | None = None
    ) -> None:
        """Write all, in order, and return when every one is acknowledged.

        ``partition`` ``None`` spreads over the topic's partitions (by key where there is one). A
        timestamp that the topic does not take gives way to the client's clock, in its whole batch.
        Raises ``Unavailable`` ``TooLarge`` ``Refused`` ``Broken``; after an error some of the
        records may have been written, and after ``Unavailable`` some may still be, later.
        """
        ...


class TopicInfo(NamedTuple):
    """A topic as the cluster has it. ``config`` holds every value in force, defaults too."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class TopicSpec(NamedTuple):
    """A topic as it should be. ``replication`` -1: the cluster's default."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Admin(Protocol):
    """Looks at the cluster and creates topics. Looking never creates anything."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def topics(self) -> Mapping[str, int]:
        """Name and number of partitions of every topic that this principal can see."""
        ...

    async def describe(self, names: Collection[str]) -> Mapping[str, TopicInfo]:
        """Those of ``names`` that exist. Raises ``Refused`` when their settings may not be read."""
        ...

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        """Create topics, and return when they can be seen. One that exists already is left as it
        is and is no error.

        Raises ``Refused``, naming the topics, when this principal may not or a setting is wrong.
        """
        ...

    async def add_partitions(self, topic: str, total: int) -> None: ...

    async def committed(self, group: str) -> Mapping[TopicPartition, Committed]:
        """Every committed offset of a group, with its metadata."""
        ...

    async def members(self, group: str) -> Mapping[TopicPartition, str]:
        """Which member (client id and host) has which partition; empty for an unknown group."""
        ...

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete every record below the offsets given."""
        ...


class Kafka(Protocol):
    """One cluster: makes the four kinds of client. None of them is started yet."""

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        rebalance: Rebalance,
        *,
        units: Mapping[str, str] | None = None,
        client_id: str = "forwarder",
    ) -> Consumer:
        """A member of ``group``. ``units`` (queue topic to unit name) selects the assignor that
        gives each unit whole to one member; without it partitions are dealt round-robin.
        """
        ...

    def reader(self, group: str | None = None) -> Reader: ...

    def producer(self) -> Producer: ...

    def admin(self) -> Admin: ...
