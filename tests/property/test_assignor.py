"""Whatever members say of themselves, the assignor keeps its promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from forwarder.kafka.assignor import Member, assign_units, merged_units

TOPICS = [f"q{number}" for number in range(10)]
UNITS = [f"u{number}" for number in range(5)]
NAMES = [f"m{number}" for number in range(6)]

topics = st.sampled_from(TOPICS)
some_topics = st.frozensets(topics)


@st.composite
def members_of_any_settings(draw: st.DrawFn) -> Member:
    subscribed = draw(st.frozensets(topics, min_size=1))
    units = {topic: draw(st.sampled_from(UNITS)) for topic in sorted(draw(some_topics))}
    backlog = {topic: draw(st.integers(0, 1000)) for topic in sorted(draw(some_topics))}
    return Member(subscribed, units, draw(some_topics), draw(st.integers(0, 3)), backlog)


@st.composite
def members_of_one_settings(draw: st.DrawFn) -> Mapping[str, Member]:
    """Some groups of members, alike in each but for what they own; each topic owned once."""
    units = {topic: draw(st.sampled_from(UNITS)) for topic in sorted(draw(some_topics))}
    names = sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1)))
    owner = {topic: draw(st.sampled_from([*names, None])) for topic in TOPICS}
    return {
        name: Member(
            frozenset(TOPICS), units, frozenset(topic for topic in TOPICS if owner[topic] == name)
        )
        for name in names
    }


mixed = st.dictionaries(st.sampled_from(NAMES), members_of_any_settings(), min_size=1)
existing = st.sets(topics)


@given(mixed, existing)
def test_nothing_is_given_twice_or_to_one_that_did_not_ask(
    members: Mapping[str, Member], there: set[str]
) -> None:
    dealt = assign_units(members, there)
    assert dealt.keys() == members.keys()
    times = Counter(topic for held in dealt.values() for topic in held)
    assert all(count == 1 for count in times.values())
    assert times.keys() <= there
    for name, held in dealt.items():
        assert held <= members[name].topics


@given(mixed, existing)
def test_a_unit_of_any_member_is_never_split(
    members: Mapping[str, Member], there: set[str]
) -> None:
    dealt = assign_units(members, there)
    wanted = {topic for member in members.values() for topic in member.topics} & there
    for member in members.values():
        for unit in set(member.units.values()):
            together = {topic for topic in wanted if member.units.get(topic) == unit}
            holders = {name for name, held in dealt.items() if held & together}
            assert len(holders) <= 1
            assert all(together <= dealt[name] for name in holders)


@given(mixed, existing)
def test_a_unit_waits_only_when_nobody_can_hold_it_whole(
    members: Mapping[str, Member], there: set[str]
) -> None:
    dealt = assign_units(members, there)
    given_out = set().union(*dealt.values())
    seen = {
        name: Member(member.topics & there, member.units, member.owned, member.epoch)
        for name, member in members.items()
    }
    for unit in merged_units(seen.values()):
        able = [name for name in seen if unit <= seen[name].topics]
        assert bool(able) == bool(unit & given_out)


@given(mixed, existing)
def test_numbers_of_units_differ_by_at_most_one_among_like_members(
    members: Mapping[str, Member], there: set[str]
) -> None:
    dealt = assign_units(members, there)
    seen = [
        Member(member.topics & there, member.units, member.owned, member.epoch)
        for member in members.values()
    ]
    units = merged_units(seen)
    for subscription in {member.topics & there for member in members.values()}:
        alike = [name for name in members if members[name].topics & there == subscription]
        counts = [sum(unit <= dealt[name] for unit in units) for name in alike]
        assert max(counts) - min(counts) <= 1


@given(mixed, existing, st.randoms(use_true_random=False))
def test_the_order_in_which_members_are_told_changes_nothing(
    members: Mapping[str, Member], there: set[str], random: object
) -> None:
    names = list(members)
    random.shuffle(names)  # type: ignore[attr-defined]
    shuffled = {name: members[name] for name in names}
    assert assign_units(shuffled, sorted(there)) == assign_units(members, there)


@given(members_of_one_settings())
def test_no_more_units_move_than_must(members: Mapping[str, Member]) -> None:
    units = merged_units(members.values())
    held = {name: [u for u in units if u <= member.owned] for name, member in members.items()}
    split = [u for u in units if not any(u <= member.owned for member in members.values())]
    dealt = assign_units(members, TOPICS)
    moved = sum(not unit <= dealt[name] for name, own in held.items() for unit in own)
    sizes = sorted((len(own) for own in held.values()), reverse=True)
    touched = any(unit & member.owned for unit in split for member in members.values())
    if touched:  # a unit of which somebody owned a part goes there first, and may push others out
        return
    base, extra = divmod(len(units), len(members))
    share = [base + 1] * extra + [base] * (len(members) - extra)
    assert moved == sum(max(0, own - fair) for own, fair in zip(sizes, share, strict=True))


@given(members_of_one_settings())
def test_what_was_dealt_stays_when_nothing_changes(members: Mapping[str, Member]) -> None:
    dealt = assign_units(members, TOPICS)
    again = {
        name: Member(member.topics, member.units, frozenset(dealt[name]), 1)
        for name, member in members.items()
    }
    assert assign_units(again, TOPICS) == dealt


@given(members_of_one_settings(), st.sampled_from(NAMES))
def test_a_member_that_left_costs_only_its_own_units(
    members: Mapping[str, Member], leaver: str
) -> None:
    dealt = assign_units(members, TOPICS)
    left = {
        name: Member(member.topics, member.units, frozenset(dealt[name]), 1)
        for name, member in members.items()
        if name != leaver
    }
    if not left:
        return
    after = assign_units(left, TOPICS)
    assert all(dealt[name] <= after[name] for name in left)
