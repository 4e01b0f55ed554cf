"""Who gets which queues: each unit whole to one member, evenly, moving few.

A unit is the topics of accounts that share a budget, or of one account alone. A vendor's limit is
kept by the one owner of its unit, so a unit is never split: one that no member can hold whole
waits unassigned. ``assign_units`` decides; the rest carries it through Kafka's protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

NAME: Final = "forwarder-units"


@dataclass(frozen=True, slots=True)
class Member:
    """What one member says of itself when it joins.

    ``units``: topic to unit name, as its settings have it. ``owned``: topics it was last given, in
    the group's ``epoch``; of two that claim a topic the later epoch is right. ``backlog``: records
    that wait in the topics it owned, as far as it knows.
    """

    topics: frozenset[str]
    units: Mapping[str, str] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    epoch: int = 0
    backlog: Mapping[str, int] = field(default_factory=dict)


Unit = frozenset[str]


def merged_units(members: Iterable[Member]) -> list[Unit]:
    """Topics that must stay together, in a fixed order.

    While a change of settings is rolled out, members disagree about units. What any of them keeps
    together stays together, and so does what hangs together through several of them.
    """
    everyone = list(members)
    links = _Links()
    for member in everyone:
        for topic in member.topics | member.units.keys():
            links.join(("topic", topic), ("unit", member.units.get(topic, f"topic {topic}")))
    together: dict[object, set[str]] = {}
    for topic in sorted({topic for member in everyone for topic in member.topics}):
        together.setdefault(links.root(("topic", topic)), set()).add(topic)
    return sorted((frozenset(topics) for topics in together.values()), key=min)


def assign_units(members: Mapping[str, Member], existing: Collection[str]) -> dict[str, set[str]]:
    """Topics of each member.

    ``existing``: topics that the cluster has; others cannot be read and bind nothing. Among
    members with the same subscription the numbers of units differ by at most one. Units stay where
    they are unless that forces a move; where there is a choice, backlogs are evened out.
    """
    there = {name: _restricted(member, frozenset(existing)) for name, member in members.items()}
    units = merged_units(there.values())
    table = _Table(there, units)
    for unit in units:
        if (owner := _owner(unit, there)) is not None:
            table.give(unit, owner)
    for unit in sorted(table.homeless(), key=table.largest_first):
        table.give(unit, table.least_loaded(unit))
    while (move := table.next_move()) is not None:
        table.move(*move)
    return {name: set().union(*held) for name, held in table.held.items()}


class _Table:
    """Which member holds which units so far."""

    def __init__(self, members: Mapping[str, Member], units: Iterable[Unit]) -> None:
        self._units = list(units)
        self.held: dict[str, list[Unit]] = {name: [] for name in members}
        self._backlog = dict.fromkeys(members, 0)
        self._able = {
            unit: [name for name in self.held if unit <= members[name].topics]
            for unit in self._units
        }
        self._load = {unit: _load(unit, members.values()) for unit in self._units}

    def give(self, unit: Unit, name: str) -> None:
        self.held[name].append(unit)
        self._backlog[name] += self._load[unit]

    def move(self, unit: Unit, giver: str, taker: str) -> None:
        self.held[giver].remove(unit)
        self._backlog[giver] -= self._load[unit]
        self.give(unit, taker)

    def homeless(self) -> list[Unit]:
        housed = {unit for units in self.held.values() for unit in units}
        return [unit for unit in self._units if unit not in housed and self._able[unit]]

    def largest_first(self, unit: Unit) -> tuple[int, str]:
        return (-self._load[unit], min(unit))

    def least_loaded(self, unit: Unit) -> str:
        return min(self._able[unit], key=self._weight)

    def next_move(self) -> tuple[Unit, str, str] | None:
        """A unit, from a member with at least two more units than one that could have it."""
        for giver in sorted(self.held, key=self._weight, reverse=True):
            for taker in sorted(self.held, key=self._weight):
                if len(self.held[giver]) - len(self.held[taker]) <= 1:
                    break
                fitting = [unit for unit in self.held[giver] if taker in self._able[unit]]
                if fitting:
                    return (self._best(fitting, giver, taker), giver, taker)
        return None

    def _best(self, fitting: list[Unit], giver: str, taker: str) -> Unit:
        """The one that evens out the backlogs best."""
        half = (self._backlog[giver] - self._backlog[taker]) / 2
        return min(fitting, key=lambda unit: (abs(self._load[unit] - half), min(unit)))

    def _weight(self, name: str) -> tuple[int, int, str]:
        return (len(self.held[name]), self._backlog[name], name)


class _Links:
    """Union-find."""

    def __init__(self) -> None:
        self._parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(self, node: tuple[str, str]) -> tuple[str, str]:
        parent = self._parent.setdefault(node, node)
        while parent != node:
            node, parent = parent, self._parent[parent]
        return node

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        self._parent[self.root(one)] = self.root(other)


def _restricted(member: Member, existing: frozenset[str]) -> Member:
    return Member(
        topics=member.topics & existing,
        units=member.units,
        owned=member.owned & existing,
        epoch=member.epoch,
        backlog=member.backlog,
    )


def _owner(unit: Unit, members: Mapping[str, Member]) -> str | None:
    """The member that had it: of the latest epoch, then most of it, then the first by name."""
    claims = [
        (-member.epoch, -len(unit & member.owned), name)
        for name, member in members.items()
        if unit & member.owned and unit <= member.topics
    ]
    return min(claims)[2] if claims else None


def _load(unit: Unit, members: Iterable[Member]) -> int:
    told = [member.backlog for member in members]
    return sum(max((backlog.get(topic, 0) for backlog in told), default=0) for topic in unit)


class UnitAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # theirs is Any
    """``assign_units`` in aiokafka's form: one instance for each consumer.

    aiokafka calls assignors as classes or as objects alike; its own keep their state in the class,
    which several consumers of one process then share. This one must be an object.
    """

    name = NAME

    def __init__(self, units: Mapping[str, str], backlog: Callable[[], Mapping[Any, int]]) -> None:
        self._units = dict(units)
        self._backlog = backlog
        self._owned: frozenset[str] = frozenset()
        self._epoch = 0

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        waiting = {partition.topic: count for partition, count in self._backlog().items() if count}
        said = Member(frozenset(topics), self._units, self._owned, self._epoch, waiting)
        return ConsumerProtocolMemberMetadata(0, sorted(topics), _encode(said))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        known = {
            name: _decode(metadata.subscription, metadata.user_data)
            for name, metadata in members.items()
        }
        wanted = {topic for member in known.values() for topic in member.topics}
        partitions = {topic: cluster.partitions_for_topic(topic) for topic in wanted}
        existing = {topic for topic, numbers in partitions.items() if numbers}
        epoch = orjson.dumps(1 + max(member.epoch for member in known.values()))
        return {
            name: ConsumerProtocolMemberAssignment(
                0, [(topic, sorted(partitions[topic])) for topic in sorted(topics)], epoch
            )
            for name, topics in assign_units(known, existing).items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self._owned = frozenset(topic for topic, _ in assignment.assignment)
        self._epoch = int(orjson.loads(assignment.user_data or b"0"))


def _encode(member: Member) -> bytes:
    return orjson.dumps(
        {
            "units": member.units,
            "owned": sorted(member.owned),
            "epoch": member.epoch,
            "backlog": member.backlog,
        }
    )


def _decode(topics: Iterable[str], user_data: bytes) -> Member:
    said = orjson.loads(user_data or b"{}")
    return Member(
        topics=frozenset(topics),
        units=said.get("units", {}),
        owned=frozenset(said.get("owned", ())),
        epoch=said.get("epoch", 0),
        backlog=said.get("backlog", {}),
    )
