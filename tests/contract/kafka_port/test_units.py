"""Units go whole to one member."""

from __future__ import annotations

from forwarder.kafka.port import (
    Admin,
    Kafka,
    TopicPartition,
    TopicSpec,
)
from tests.support.kafka_harness import (
    member,
    until,
)


async def test_each_unit_goes_whole_to_one_member(kafka: Kafka, admin: Admin, unique: str) -> None:
    topics = [f"{unique}-{n}" for n in range(6)]
    await admin.create([TopicSpec(name, 1, -1, {}) for name in topics])
    units = {name: f"unit-{n // 2}" for n, name in enumerate(topics)}
    async with (
        member(kafka, unique, topics, units=units, client_id="one") as one,
        member(kafka, unique, topics, units=units, client_id="two") as two,
    ):
        members = (one, two)
        await until(lambda: all(consumer.assignment() for consumer in members))
        held = [{units[at.topic] for at in consumer.assignment()} for consumer in members]
        assert not held[0] & held[1]
        assert held[0] | held[1] == set(units.values())
        assert sorted(len(names) for names in held) == [1, 2]
        before = one.assignment(), two.assignment()
        async with member(kafka, unique, topics, units=units, client_id="three") as three:
            await until(lambda: all(len(c.assignment()) == 2 for c in (one, two, three)))
            assert one.assignment() <= before[0]
            assert two.assignment() <= before[1]


async def test_a_unit_that_nobody_can_hold_whole_waits(
    kafka: Kafka, admin: Admin, unique: str
) -> None:
    kept, gone, new, other = (f"{unique}-{letter}" for letter in "abcd")
    await admin.create([TopicSpec(name, 1, -1, {}) for name in (kept, gone, new, other)])
    before = {kept: "before", gone: "before", other: "other"}
    after = {kept: "after", new: "after", other: "other"}
    async with member(kafka, unique, list(after), units=after, client_id="new") as second:
        async with member(kafka, unique, list(before), units=before, client_id="old") as first:
            only = {TopicPartition(other, 0)}
            await until(lambda: first.assignment() | second.assignment() == only)
        everything = {TopicPartition(name, 0) for name in after}
        await until(lambda: second.assignment() == everything, polling=[second])
