"""Who owns what, on a real broker: each unit whole and once, while members and settings change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Consumer, Kafka, TopicSpec
from tests.support.broker import Broker
from tests.support.kafka_harness import Listener, until
from tests.support.topics import create

Units = Mapping[str, str]


class Group:
    """Members of one group, in this process."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self._kafka = kafka
        self._name = name
        self.members: dict[str, Consumer] = {}

    async def join(self, *names: str, units: Units) -> None:
        async def one(name: str) -> None:
            member = self._kafka.consumer(
                self._name, sorted(units), Listener(), units=units, client_id=name
            )
            await member.start()
            self.members[name] = member

        await asyncio.gather(*map(one, names))

    async def leave(self, *names: str) -> None:
        await asyncio.gather(*(self.members.pop(name).stop() for name in names))

    async def settled(self, units: Units, sizes: Sequence[int] | None = None) -> None:
        """Wait until each of these topics has exactly one owner, units are whole, and the numbers
        of units of the members are ``sizes``.
        """

        def fine() -> bool:
            held = [{at.topic for at in m.assignment()} for m in self.members.values()]
            owners = Counter(topic for topics in held for topic in topics if topic in units)
            whole = [{units[topic] for topic in topics if topic in units} for topics in held]
            split = sum(map(len, whole)) != len(set(units.values()))
            even = sizes is None or sorted(map(len, whole)) == sorted(sizes)
            return owners == dict.fromkeys(units, 1) and not split and even

        await until(fine, within=30, polling=[*self.members.values()])


@pytest.fixture
async def group(broker: Broker, unique: str) -> AsyncIterator[Group]:
    group = Group(open_kafka(Connection(broker.bootstrap, session_timeout=6.0)), unique)
    yield group
    await group.leave(*group.members)


async def queues(broker: Broker, unique: str, number: int) -> list[str]:
    names = [f"{unique}-{n:02}" for n in range(number)]
    await create(broker.bootstrap, *(TopicSpec(name, 1, -1, {}) for name in names))
    return names


async def test_two_to_eight_members(broker: Broker, unique: str, group: Group) -> None:
    topics = await queues(broker, unique, 20)
    units = {name: f"u{number // 2}" for number, name in enumerate(topics)}  # ten of two
    await group.join("1", "2", units=units)
    await group.settled(units, [5, 5])
    await group.join("3", units=units)
    await group.settled(units, [3, 3, 4])
    await group.join("4", "5", "6", "7", "8", units=units)
    await group.settled(units, [1, 1, 1, 1, 1, 1, 2, 2])
    await group.leave("1", "3", "5", "7")
    await group.settled(units, [2, 2, 3, 3])
    await group.leave("2", "4", "6")
    await group.settled(units, [10])


async def test_a_roll_out_that_adds_removes_and_joins_accounts(
    broker: Broker, unique: str, group: Group
) -> None:
    topics = await queues(broker, unique, 12)
    before = {name: name for name in topics[:10]}
    # The first is gone, two are new, and three share a budget from now on.
    after = {name: name for name in topics[1:]} | dict.fromkeys(topics[3:6], "together")
    both = before | after
    await group.join("old-1", "old-2", "old-3", units=before)
    await group.settled(before, [3, 3, 4])
    for number in (1, 2, 3):
        await group.join(f"new-{number}", units=after)
        # What old members alone subscribe to is theirs, what new ones do is theirs, the rest is
        # anybody's; what anyone keeps together is together.
        await group.settled(both)
        await group.leave(f"old-{number}")
    await group.settled(after)
    assert all(at.topic != topics[0] for m in group.members.values() for at in m.assignment())
