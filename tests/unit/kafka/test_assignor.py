from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocol, ConsumerProtocolMemberMetadata

from forwarder.kafka.assignor import Member, UnitAssignor, assign_units, merged_units


class FakeCluster:
    def __init__(self, **partitions: int) -> None:
        self._partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        count = self._partitions.get(topic)
        return None if count is None else set(range(count))


def everyone(*topics: str) -> frozenset[str]:
    return frozenset(topics)


def test_settings_that_disagree_are_merged() -> None:
    old = Member(everyone("a", "b", "c"), {"a": "x", "b": "x"})
    new = Member(everyone("a", "b", "c"), {"b": "y", "c": "y"})
    assert merged_units([old, new]) == [everyone("a", "b", "c")]


def test_topics_without_a_unit_are_their_own() -> None:
    assert merged_units([Member(everyone("b", "a"))]) == [everyone("a"), everyone("b")]


def test_a_unit_named_like_a_topic_is_not_that_topic() -> None:
    member = Member(everyone("a", "b"), {"b": "a"})
    assert merged_units([member]) == [everyone("a"), everyone("b")]


def test_what_waits_is_evened_out_where_numbers_allow() -> None:
    topics = everyone("a", "b", "c", "d")
    backlog = {"a": 900, "b": 800, "c": 10, "d": 5}
    members = {"one": Member(topics, backlog=backlog), "two": Member(topics)}
    assert assign_units(members, topics) == {"one": {"a", "d"}, "two": {"b", "c"}}


def test_the_later_claim_is_believed() -> None:
    topics = everyone("a", "b", "c", "d")
    members = {
        "back-from-a-freeze": Member(topics, owned=everyone("a", "b"), epoch=3),
        "owner": Member(topics, owned=everyone("a", "c"), epoch=5),
    }
    dealt = assign_units(members, topics)
    assert dealt == {"back-from-a-freeze": {"b", "d"}, "owner": {"a", "c"}}


def test_a_newcomer_takes_its_share_and_no_more() -> None:
    topics = everyone("a", "b", "c", "d", "e")
    members = {
        "one": Member(topics, owned=everyone("a", "b", "c")),
        "two": Member(topics, owned=everyone("d", "e")),
        "new": Member(topics),
    }
    dealt = assign_units(members, topics)
    assert dealt["two"] == {"d", "e"}
    assert len(dealt["one"]) == 2
    assert len(dealt["new"]) == 1


def test_a_topic_that_only_newer_settings_know_goes_to_who_knows_it() -> None:
    members = {"old": Member(everyone("a")), "new": Member(everyone("a", "b"))}
    assert assign_units(members, everyone("a", "b"))["new"] >= {"b"}


class TestInProtocol:
    def join(self, assignor: UnitAssignor, *topics: str) -> ConsumerProtocolMemberMetadata:
        """What arrives at the leader."""
        sent = assignor.metadata(topics)
        return ConsumerProtocol.METADATA.decode(sent.encode())

    def test_state_travels_through_the_group_and_back(self) -> None:
        units = {"a": "x", "b": "x", "c": "y"}
        one, two = UnitAssignor(units, dict), UnitAssignor(units, dict)
        cluster = FakeCluster(a=1, b=1, c=1)
        first = one.assign(cluster, {"one": self.join(one, "a", "b", "c")})
        one.on_assignment(ConsumerProtocol.ASSIGNMENT.decode(first["one"].encode()))
        members = {"one": self.join(one, "a", "b", "c"), "two": self.join(two, "a", "b", "c")}
        second = two.assign(cluster, members)
        held = {
            name: sorted(topic for topic, _ in assignment.assignment)
            for name, assignment in second.items()
        }
        assert held == {"one": ["c"], "two": ["a", "b"]}

    def test_two_consumers_of_a_process_share_nothing(self) -> None:
        one, two = UnitAssignor({"a": "x"}, dict), UnitAssignor({"a": "y"}, dict)
        dealt = one.assign(FakeCluster(a=1), {"one": self.join(one, "a")})
        one.on_assignment(ConsumerProtocol.ASSIGNMENT.decode(dealt["one"].encode()))
        assert b'"owned":["a"]' in self.join(one, "a").user_data
        assert b'"owned":[]' in self.join(two, "a").user_data

    def test_a_topic_that_is_gone_is_not_assigned(self) -> None:
        one = UnitAssignor({"a": "x", "gone": "x"}, dict)
        dealt = one.assign(FakeCluster(a=1), {"one": self.join(one, "a", "gone")})
        assert [topic for topic, _ in dealt["one"].assignment] == ["a"]

    def test_every_partition_of_a_topic_stays_with_its_unit(self) -> None:
        one, two = UnitAssignor({}, dict), UnitAssignor({}, dict)
        members = {"one": self.join(one, "a"), "two": self.join(two, "a")}
        dealt = one.assign(FakeCluster(a=3), members)
        held = sorted(len(assignment.partitions()) for assignment in dealt.values())
        assert held == [0, 3]

    def test_backlogs_travel_too(self) -> None:
        one = UnitAssignor({}, lambda: {TopicPartition("a", 0): 7, TopicPartition("b", 0): 0})
        assert b'"backlog":{"a":7}' in self.join(one, "a", "b").user_data
