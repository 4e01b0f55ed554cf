"""Consumer of the in-memory cluster: a member of a group."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from forwarder.kafka.assignor import Member
from forwarder.kafka.membership import Membership
from forwarder.kafka.memory_clients import World
from forwarder.kafka.memory_group import Joined, Joining, Unknown
from forwarder.kafka.memory_log import GROUPS
from forwarder.kafka.memory_reader import MemoryReader
from forwarder.kafka.port import (
    Committed,
    KafkaProblem,
    Rebalance,
    Record,
    Refused,
    TopicPartition,
    Unavailable,
)

MAX_POLL_INTERVAL: Final = 300.0
BACKOFF: Final = 0.1


class MemoryConsumer(MemoryReader):
    """``Consumer``. One task joins and rejoins, another one gives signs of life."""

    def __init__(
        self,
        world: World,
        name: str,
        group: str,
        topics: Collection[str],
        rebalance: Rebalance,
        *,
        units: Mapping[str, str] | None,
        client_id: str,
    ) -> None:
        super().__init__(world, name, group)
        self._coordinator = world.group(group)
        self._topics = frozenset(topics)
        self._units = units
        self._client_id = client_id
        self._membership = Membership(rebalance, lambda: self._member_id is not None)
        self._member_id: str | None = None
        self._generation = -1
        self._said = Member(self._topics, units or {})
        self._rejoin = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: KafkaProblem | None = None
        self._polled = asyncio.get_running_loop().time()

    async def start(self) -> None:
        await super().start()
        for topic in sorted(self._topics):
            self._world.log.topic(topic)
        self._tasks.append(asyncio.create_task(self._coordinate(), name="group member"))
        try:
            async with asyncio.timeout(self._world.connection.start_timeout):
                await self._first_assignment()
        except TimeoutError:
            await self.stop()
            raise Unavailable("joining the group: no answer in time") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._stopped:
            return
        try:
            async with asyncio.timeout(self._world.connection.rebalance_timeout):
                await self._membership.give_up()
        except TimeoutError:
            pass
        self.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._world.network.changed()
        await self._leave()

    def kill(self) -> None:
        """End as with the process: no word to the group."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        raise NotImplementedError("the group assigns the partitions of its members")

    def assignment(self) -> frozenset[TopicPartition]:
        return self._membership.held

    @property
    def settled(self) -> bool:
        return self._membership.settled.is_set()

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._paused |= set(partitions) & set(self._assigned)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._paused -= set(partitions)
        self._world.network.changed()

    async def poll(
        self, partitions: Collection[TopicPartition] | None, max_records: int, timeout: float
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        self._membership.raise_failure()
        self._raise_failure()
        self._polled = asyncio.get_running_loop().time()
        if not self._membership.settled.is_set():
            await self._membership.wait(timeout)
            return {}
        return await super().poll(partitions, max_records, timeout)

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        if not offsets:
            return
        self._check_assigned(offsets)
        generation = self._generation
        try:
            await self._commit(
                lambda: self._coordinator.commit(self._member_id, generation, offsets)
            )
        except Unknown:
            self._forget()
            raise

    def _take(
        self, partitions: Collection[TopicPartition] | None, max_records: int
    ) -> dict[TopicPartition, Sequence[Record]]:
        if not self._membership.settled.is_set():
            return {}
        return super()._take(partitions, max_records)

    async def _first_assignment(self) -> None:
        while not self._membership.settled.is_set():
            self._raise_failure()
            await self._membership.wait(BACKOFF)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _coordinate(self) -> None:
        while True:
            try:
                joined = await self._join()
            except KafkaProblem as problem:
                self._failure = problem
                await asyncio.sleep(BACKOFF)
                continue
            self._rejoin.clear()
            await self._take_seat(joined)
            beats = asyncio.create_task(self._beat(), name="heartbeats")
            self._tasks.append(beats)
            await self._rejoin.wait()
            await self._membership.began()
            beats.cancel()
            self._tasks.remove(beats)

    async def _join(self) -> Joined:
        """Join until it works. Raises ``Refused``."""
        while True:
            if self._idle():
                await asyncio.sleep(BACKOFF)
                continue
            await self._link.there(GROUPS)
            try:
                joined = await self._coordinator.join(self._member_id, self._joining())
            except Unknown:
                self._member_id = None
                continue
            self._member_id = joined.member_id
            if self._link.open(GROUPS):
                return joined

    def _joining(self) -> Joining:
        connection = self._world.connection
        said = Member(
            self._topics, self._units or {}, self._said.owned, self._said.epoch, self._backlog()
        )
        return Joining(
            self._client_id,
            "roundrobin" if self._units is None else "units",
            said,
            connection.session_timeout,
            connection.rebalance_timeout,
        )

    async def _take_seat(self, joined: Joined) -> None:
        self._generation = joined.generation
        owned = frozenset(partition.topic for partition in joined.partitions)
        self._said = Member(self._topics, self._units or {}, owned, joined.epoch)
        self._assigned = tuple(sorted(joined.partitions))
        self._positions = {}
        self._paused = set()
        await self._membership.ended(joined.partitions)
        with contextlib.suppress(Refused):
            for at in self._assigned:  # at once: who is cut off later knows where to read
                self._position(at)
        self._world.network.changed()

    async def _beat(self) -> None:
        every = self._world.connection.session_timeout / 5
        while self._member_id is not None:
            await asyncio.sleep(every)
            await self._link.there(GROUPS)
            try:
                if self._coordinator.heartbeat(self._member_id, self._generation):
                    self._rejoin.set()
            except Unknown:
                self._forget()
            if self._member_id is not None and self._idle():
                self._coordinator.leave(self._member_id)
                self._forget()

    def _idle(self) -> bool:
        return asyncio.get_running_loop().time() - self._polled > MAX_POLL_INTERVAL

    def _forget(self) -> None:
        """The group does not know this member any more: join anew."""
        self._member_id = None
        self._rejoin.set()

    async def _leave(self) -> None:
        member_id, self._member_id = self._member_id, None
        if member_id is None:
            return
        try:
            limit = self._world.connection.stop_timeout
            await self._link.ask(
                GROUPS, limit, "leaving", lambda: self._coordinator.leave(member_id)
            )
        except Unavailable:
            return
