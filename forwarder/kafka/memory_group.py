"""The in-memory cluster's group coordinator: Kafka's classic protocol, eager.

A rebalance begins when a member joins, leaves or falls silent for its session time-out. Until all
others have joined again, or the rebalance time-out has passed, the group is *preparing*: commits
of the old generation still count. Then the generation rises, whoever did not join is out, and
everybody is told its partitions.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from forwarder.kafka.assignor import Member, assign_units
from forwarder.kafka.port import Committed, Refused, Stale, TopicPartition


class Unknown(Stale):
    """The coordinator does not know this member, or not in this generation."""


class Joining(NamedTuple):
    """What a member sends. ``said`` holds its units where it is of the unit assignor."""

    client_id: str
    assignor: str
    said: Member
    session_timeout: float
    rebalance_timeout: float


class Joined(NamedTuple):
    """What it gets."""

    member_id: str
    generation: int
    partitions: Collection[TopicPartition]
    epoch: int


class _Seat:
    """A member as the coordinator sees it. ``answer``: the join that waits for its answer."""

    def __init__(self, member_id: str, joining: Joining) -> None:
        self.member_id = member_id
        self.joining = joining
        self.answer: asyncio.Future[Joined] | None = None
        self.silence: asyncio.TimerHandle | None = None
        self.partitions: tuple[TopicPartition, ...] = ()


class Group:
    """One group. ``partitions_of``: number of partitions of each topic that exists."""

    def __init__(self, name: str, partitions_of: Callable[[], Mapping[str, int]]) -> None:
        self._name = name
        self._partitions_of = partitions_of
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._seats: dict[str, _Seat] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._asleep = False
        self.generation = 0
        self.preparing = False
        self.committed: dict[TopicPartition, Committed] = {}

    def join(self, member_id: str | None, joining: Joining) -> asyncio.Future[Joined]:
        """Raises ``Unknown`` for an id that is not, or no more, of this group."""
        self._check_assignor(joining)
        seat = self._seat(member_id, joining)
        seat.joining = joining
        if seat.silence is not None:
            seat.silence.cancel()
        _end(seat.answer)
        seat.answer = self._loop.create_future()
        self._prepare()
        answer = seat.answer
        self._complete_if_all_are_here()
        return answer

    def heartbeat(self, member_id: str | None, generation: int) -> bool:
        """Whether the group rebalances. Raises ``Unknown``."""
        self._heard(self._current(member_id, generation))
        return self.preparing

    def commit(
        self,
        member_id: str | None,
        generation: int,
        offsets: Mapping[TopicPartition, Committed],
    ) -> None:
        """Raises ``Unknown``. A member that commits is alive."""
        self._heard(self._current(member_id, generation))
        self.committed.update(offsets)

    def commit_from_outside(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Of somebody who is no member. Raises ``Unknown`` while the group has members."""
        if self._seats:
            raise Unknown(f"group {self._name} has members: only they may commit")
        self.committed.update(offsets)

    def leave(self, member_id: str) -> None:
        """The member goes, or is put out."""
        seat = self._seats.pop(member_id, None)
        if seat is None:
            return
        if seat.silence is not None:
            seat.silence.cancel()
        _end(seat.answer)
        self._prepare()
        self._complete_if_all_are_here()

    def members(self) -> Mapping[TopicPartition, str]:
        if self.preparing:
            return {}
        return {
            partition: f"{seat.joining.client_id} memory"
            for seat in self._seats.values()
            for partition in seat.partitions
        }

    def ids_of(self, client_id: str) -> list[str]:
        return [seat.member_id for seat in self._seats.values() if _is_of(seat, client_id)]

    def sleep(self) -> None:
        """The coordinator's broker is down: nobody is put out meanwhile."""
        self._asleep = True
        for seat in self._seats.values():
            if seat.silence is not None:
                seat.silence.cancel()
        if self._deadline is not None:
            self._deadline.cancel()

    def wake(self) -> None:
        self._asleep = False
        for seat in self._seats.values():
            if seat.answer is None:
                self._heard(seat)
        if self.preparing:
            self._set_deadline()

    def _seat(self, member_id: str | None, joining: Joining) -> _Seat:
        if member_id is None:
            member_id = f"{joining.client_id}-{next(self._numbers)}"
            self._seats[member_id] = _Seat(member_id, joining)
        if member_id not in self._seats:
            raise Unknown(f"group {self._name} does not know this member")
        return self._seats[member_id]

    def _current(self, member_id: str | None, generation: int) -> _Seat:
        seat = None if member_id is None else self._seats.get(member_id)
        if seat is None or generation != self.generation:
            raise Unknown(f"group {self._name} has moved on without this member")
        return seat

    def _heard(self, seat: _Seat) -> None:
        if seat.silence is not None:
            seat.silence.cancel()
        if not self._asleep:
            after = seat.joining.session_timeout
            seat.silence = self._loop.call_later(after, self.leave, seat.member_id)

    def _check_assignor(self, joining: Joining) -> None:
        if any(seat.joining.assignor != joining.assignor for seat in self._seats.values()):
            raise Refused(f"group {self._name} assigns partitions in another way")

    def _prepare(self) -> None:
        if not self.preparing and self._seats:
            self.preparing = True
            self._set_deadline()

    def _set_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        after = max(seat.joining.rebalance_timeout for seat in self._seats.values())
        self._deadline = self._loop.call_later(after, self._complete)

    def _complete_if_all_are_here(self) -> None:
        if self.preparing and all(seat.answer is not None for seat in self._seats.values()):
            self._complete()

    def _complete(self) -> None:
        self.preparing = False
        if self._deadline is not None:
            self._deadline.cancel()
        self._put_out_who_did_not_join()
        self.generation += 1
        self._assign()
        for seat in self._seats.values():
            answer, seat.answer = seat.answer, None
            self._heard(seat)
            if answer is not None and not answer.done():
                answer.set_result(
                    Joined(seat.member_id, self.generation, seat.partitions, self.generation)
                )

    def _put_out_who_did_not_join(self) -> None:
        for seat in [seat for seat in self._seats.values() if seat.answer is None]:
            del self._seats[seat.member_id]
            if seat.silence is not None:
                seat.silence.cancel()

    def _assign(self) -> None:
        partitions_of = self._partitions_of()
        said = {name: seat.joining.said for name, seat in sorted(self._seats.items())}
        by_units = any(seat.joining.assignor == "units" for seat in self._seats.values())
        deal = _by_units if by_units else _in_turn
        dealt = deal(said, partitions_of)
        for name, seat in self._seats.items():
            seat.partitions = tuple(sorted(dealt[name]))


def _by_units(
    said: Mapping[str, Member], partitions_of: Mapping[str, int]
) -> Mapping[str, list[TopicPartition]]:
    return {
        name: [TopicPartition(topic, n) for topic in topics for n in range(partitions_of[topic])]
        for name, topics in assign_units(said, list(partitions_of)).items()
    }


def _in_turn(
    said: Mapping[str, Member], partitions_of: Mapping[str, int]
) -> Mapping[str, list[TopicPartition]]:
    """As aiokafka's round-robin assignor does it."""
    dealt: dict[str, list[TopicPartition]] = {name: [] for name in said}
    if not said:
        return dealt
    turns = itertools.cycle(said)
    wanted = {topic for member in said.values() for topic in member.topics}
    for topic in sorted(wanted & partitions_of.keys()):
        for number in range(partitions_of[topic]):
            name = next(name for name in turns if topic in said[name].topics)
            dealt[name].append(TopicPartition(topic, number))
    return dealt


def _end(answer: asyncio.Future[Joined] | None) -> None:
    """Answer a join that came to nothing."""
    if answer is not None and not answer.done():
        answer.set_exception(Unknown("the group does not know this member any more"))
        answer.exception()  # seen: the one who joined may be gone


def _is_of(seat: _Seat, client_id: str) -> bool:
    return seat.joining.client_id == client_id
