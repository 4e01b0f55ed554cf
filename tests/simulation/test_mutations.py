"""The simulation can fail: each of these breakages is caught by one of a few seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from forwarder.destinations.contract import Account
from forwarder.kafka.port import Record, TopicPartition
from forwarder.lane.lane import Lane, Write, WriteKind
from forwarder.lease import Lease
from forwarder.opening import Opener, Place
from forwarder.router import Router
from forwarder.sender import Sender
from forwarder.writer import Writer
from tests.support.simulated.world import run

SEEDS = range(60)

Mutation = Callable[[pytest.MonkeyPatch], None]


def commit_before_the_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """A router commits a batch and then writes it."""
    settle = Router._settle

    async def hasty(
        self: Router, polled: Mapping[TopicPartition, Sequence[Record]], epoch: int
    ) -> None:
        before = dict(self._next)
        self._next |= {
            at: records[-1].offset + 1
            for at, records in polled.items()
            if records and at.topic == self._topics.events and at in self._next
        }
        if self._next != before:
            await self._commit_progress()
        await settle(self, polled, epoch)

    patch.setattr(Router, "_settle", hasty)


def skip_the_fence(patch: pytest.MonkeyPatch) -> None:
    """Lanes go on after their queue was given to another one."""
    patch.setattr(Sender, "_fence", lambda self: None)


def drop_the_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lease, "held", property(lambda self: True))


def forget_the_dead_letter(patch: pytest.MonkeyPatch) -> None:
    """A dead letter is written without waiting for its acknowledgement."""
    write = Writer.write

    async def forgetful(
        self: Writer, account: Account, topic: str, writes: Sequence[Write]
    ) -> None:
        if any(one.kind is WriteKind.DEAD_LETTER for one in writes):
            task = asyncio.ensure_future(write(self, account, topic, writes))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            await write(self, account, topic, writes)

    patch.setattr(Writer, "write", forgetful)


def reuse_a_window(patch: pytest.MonkeyPatch) -> None:
    """A queue that comes back gets the lane that it had before."""
    opened = Opener.open
    drained = Lane.drain

    async def reused(self: Opener, at: TopicPartition, start: Place) -> Lane:
        kept: dict[TopicPartition, Lane] = self.__dict__.setdefault("kept", {})
        if at not in kept:
            kept[at] = await opened(self, at, start)
        return kept[at]

    def drain(self: Lane, now: float) -> Sequence[Write]:
        try:
            return drained(self, now)
        finally:
            self._ended = False

    patch.setattr(Opener, "open", reused)
    patch.setattr(Lane, "drain", drain)


MUTATIONS: Sequence[Mutation] = (
    commit_before_the_acknowledgement,
    skip_the_fence,
    drop_the_lease,
    forget_the_dead_letter,
    reuse_a_window,
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_each_breakage_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    assert any(run(seed).violations for seed in SEEDS)
