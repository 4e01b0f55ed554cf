"""Which queues of a sender are read: those whose lanes have room, from where lanes want them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from forwarder.driver import Driver
from forwarder.kafka.port import Consumer, Stale, TopicPartition


class Memory:
    """``delivery.memory``, shared by the lanes of this replica that have something waiting."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._waiting: dict[str, int] = {}

    def waiting(self, destination: str, lanes: int) -> None:
        self._waiting[destination] = lanes

    @property
    def share(self) -> int:
        """Bytes that one lane may hold."""
        return self._total // max(1, sum(self._waiting.values()))


class Intake:
    """Pauses with hysteresis: a queue is read again when its lane is half empty."""

    def __init__(self, consumer: Consumer, memory: Memory, now: Callable[[], float]) -> None:
        self._consumer = consumer
        self._memory = memory
        self._now = now
        self._paused: set[TopicPartition] = set()

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        """Read none of these, which are all there are, until they are opened."""
        self._paused = set(partitions)
        self._consumer.pause(partitions)

    def open(self, partition: TopicPartition, offset: int) -> None:
        """Read this one from ``offset`` on. Raises ``Stale``."""
        self._consumer.seek(partition, offset)
        self._resume(partition)

    def filled(self, driver: Driver) -> None:
        """Its lane was just given records."""
        self._let_go(driver)
        if not driver.lane.room(self._memory.share):
            self._pause(driver.partition)

    def changed(self, driver: Driver) -> None:
        """Its lane took a step."""
        if driver.over:
            return  # its queue may have been assigned again, and is not open yet
        self._let_go(driver)
        if driver.partition in self._paused and driver.lane.room(self._memory.share // 2):
            self._resume(driver.partition)

    def _let_go(self, driver: Driver) -> None:
        """What a lane at rest lets go of is read again when it goes on."""
        again = driver.lane.let_go(self._now())
        if again is not None:
            self._pause(driver.partition)
            with suppress(Stale):  # then it is another one's, who reads it
                self._consumer.seek(driver.partition, again)

    def _pause(self, partition: TopicPartition) -> None:
        self._consumer.pause([partition])
        self._paused.add(partition)

    def _resume(self, partition: TopicPartition) -> None:
        self._consumer.resume([partition])
        self._paused.discard(partition)
