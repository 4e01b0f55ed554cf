"""Promises that are broken at one moment: a commit before what it stands for, a write or a request
after the lease.
"""

from __future__ import annotations

from forwarder.kafka.port import TopicPartition
from tests.support.simulated.ledger import QUEUE, RETRY, Ledger, Queued

A_LITTLE = 1e-6


class Settled:
    """``term``: seconds for which a commit is a lease. ``poll_records``: of a router's batch."""

    def __init__(self, ledger: Ledger, term: float, poll_records: int) -> None:
        self._ledger = ledger
        self._term = term
        self._poll_records = poll_records

    def check_lease(self, group: str, replica: str, what: str) -> None:
        """Somebody is about to write or send. The coordinator took a commit at least as late as
        the replica sent it, so what is too old here is too old there.
        """
        last = self._ledger.commits.get((group, replica))
        age = None if last is None else self._ledger.now() - last
        if age is None or age > self._term + A_LITTLE:
            seen = "without any commit" if age is None else f"{age:.3f} s after its last commit"
            self._ledger.break_("without a lease", what, replica, seen)

    def check_uncommitted(self, replica: str, number: int) -> None:
        """A router went without a word. Its successor writes two poll batches again at most."""
        if number > 2 * self._poll_records:
            self._ledger.break_("more than two batches written again", replica, number)

    def check(self, group: str, at: TopicPartition, offset: int, replica: str) -> None:
        """A commit was accepted."""
        before = self._ledger.committed.get(at, 0)
        if offset == before:
            return
        self._ledger.say("committed", f"{at.topic}/{at.partition}", offset, replica)
        self._ledger.committed[at] = offset
        if offset < before:
            self._ledger.break_("a commit went back", group, at, before, offset, replica)
        if offset > len(self._ledger.records[at]):
            self._ledger.break_("a commit beyond the end", group, at, offset, replica)
            return
        for number in range(before, offset):
            if (missing := self._missing(at, number)) is not None:
                where = f"{at.topic}/{at.partition}/{number}"
                self._ledger.break_("committed too early", where, missing, replica)

    def _missing(self, at: TopicPartition, offset: int) -> str | None:
        """What of the record's consequences has not happened yet."""
        if at.topic == self._ledger.events_topic:
            return self._not_routed(f"{at.topic}/{at.partition}/{offset}")
        record = self._ledger.records[at][offset]
        assert record is not None
        if RETRY in at.topic:
            return self._not_requeued(record, f"{at.topic}/{at.partition}/{offset}")
        return self._not_finished(record) if QUEUE in at.topic else None

    def _not_routed(self, origin: str) -> str | None:
        ledger, event = self._ledger, self._ledger.published[origin]
        if event.dies is not None:
            return None if ledger.dead.get((origin, "")) else "no dead letter"
        for account, expected in event.expected.items():
            written = ledger.in_queue.get((origin, account)) or ledger.dead.get((origin, account))
            if expected not in ("skip", "maybe") and not written:
                return f"not in the queue of {account}"
        return None

    def _not_requeued(self, record: Queued, where: str) -> str | None:
        ledger, pair = self._ledger, (record.origin, record.account)
        if any(queued.number > record.number for queued in ledger.in_queue.get(pair, ())):
            return None
        stray = (where, record.account), (where, ""), pair
        return None if any(ledger.dead.get(key) for key in stray) else "not in its queue again"

    def _not_finished(self, record: Queued) -> str | None:
        ledger, pair = self._ledger, (record.origin, record.account)
        event = ledger.published[record.origin]
        if event.expected.get(record.account) == "skip" or ledger.dead.get(pair):
            return None
        if any(retry.number > record.number for retry in ledger.in_retry.get(pair, ())):
            return None
        if record.fresh and self._comes_again(record, pair):
            return None
        return None if ledger.takes(pair) else f"{event.event_id} neither sent nor written"

    def _comes_again(self, record: Queued, pair: tuple[str, str]) -> bool:
        """Whether ``record`` may be dropped as a router's repeat: the first one of its origin waits
        in a retry topic, or came back to the queue behind ``record``.
        """
        back = [one for one in self._ledger.in_queue.get(pair, ()) if not one.fresh]
        moved = len(self._ledger.in_retry.get(pair, ()))
        return len(back) < moved or any(one.number > record.number for one in back)
