"""The promises that only a whole run can show: nothing lost, repeats with a reason, no limit
broken, and no account in trouble by another's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from forwarder.budgets import terms
from forwarder.destinations import DESTINATIONS
from tests.support.simulated.events import LONG
from tests.support.simulated.ledger import Ledger, Pair, Published, Sent
from tests.support.simulated.plan import Plan
from tests.support.simulated.vendors import QUIET

LATE: Final = 6.0
"""Seconds within which an account with a big budget has its events when no replica falters."""

STEPS: Final = 4.0
"""Seconds for all that must happen beside waiting: to join, to open lanes, to commit first."""
TWICE: Final = ("kill", "kill_all", "stop", "freeze", "cut", "isolate")
"""Faults with two rebalances: one goes, one comes."""

RESTARTED: Final = 9.0
"""Seconds after which a replica that ended is there again."""
UNHEARD: Final = 240.0
"""Seconds that all may take when a consumer joins no more: a rebalance waits for it, and then the
watchdog ends it.
"""

REASONS: Final[Mapping[str, frozenset[str]]] = {
    "deliver": frozenset({"exhausted"}),
    "refused": frozenset({"rejected", "exhausted"}),
    "die": frozenset({"rejected", "expired"}),
    "late": frozenset({"expired", "exhausted"}),
    "skip": frozenset(),
    "wait": frozenset({"expired"}),
    "maybe": frozenset({"rejected", "expired", "exhausted"}),
}


class Promises:
    """Judges one run. Breaches go into the ledger."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan
        self._settings = plan.upgraded

    def judge(self, arrivals: Sequence[Sent]) -> None:
        for event in self._ledger.published.values():
            self._balanced(event)
        for pair in list(self._ledger.requests):
            self._repeated(pair)
        for pair in list(self._ledger.in_queue):
            self._written_again(pair)
        for name, windows in self._windows(arrivals).items():
            self._within(name, *windows)
        if (
            self._plan.profile in ("vendors", "planned", "crashes")
            and QUIET in self._settings.accounts
        ):
            self._isolated()

    # -- nothing lost, nothing silent -----------------------------------------------------------
    def _balanced(self, event: Published) -> None:
        """Each pair has come to the end that it must have, or waits, or is retried."""
        ledger = self._ledger
        if event.dies is not None:
            found = {dead.reason for dead in ledger.dead.get((event.origin, event.account), ())}
            if found != {event.dies}:
                ledger.break_("a wrong dead letter", event.event_id, event.dies, found)
            return
        for account, expected in event.expected.items():
            pair = (event.origin, account)
            reasons = {dead.reason for dead in ledger.dead.get(pair, ())}
            self._ended_well(event, account, expected, reasons)
            never = expected == "maybe" and pair not in ledger.in_queue
            ended = ledger.takes(pair) or reasons or expected == "skip" or never
            if not ended and not self.pending(pair):
                ledger.break_("lost", event.event_id, account, expected)

    def _ended_well(self, event: Published, account: str, expected: str, reasons: set[str]) -> None:
        ledger, pair = self._ledger, (event.origin, account)
        allowed = REASONS[expected]
        if self._plan.small and event.event_id.startswith(LONG):
            allowed |= {"oversize"}
        if any(sent.refused for sent in ledger.requests.get(pair, ())):
            allowed |= {"rejected"}
        if not reasons <= allowed:
            ledger.break_("a wrong dead letter", event.event_id, account, expected, reasons)
        if expected in ("skip", "die", "wait") and ledger.requests.get(pair):
            ledger.break_("sent what must not be sent", event.event_id, account, expected)

    def pending(self, pair: Pair) -> bool:
        """Whether it waits in its queue or in a retry topic."""
        ledger = self._ledger
        for topics in (ledger.in_queue, ledger.in_retry):
            numbers = {queued.number for queued in topics.get(pair, ())}
            if numbers and any(
                record is not None and record.number in numbers
                for at, records in ledger.records.items()
                for record in records[ledger.committed.get(at, 0) :]
            ):
                return True
        return False

    # -- repeats --------------------------------------------------------------------------------
    def _repeated(self, pair: Pair) -> None:
        """Every delivery after the first has its reason: an answer that nobody got, a crash above
        the watermark, a record that was written twice.
        """
        ledger = self._ledger
        takes = ledger.takes(pair)
        if len(takes) <= 1:
            return
        unanswered = sum(sent.ambiguous for sent in takes[:-1])
        excused = unanswered + ledger.lost_to_senders[pair] + self._copies(pair)
        if len(takes) > 1 + excused:
            event_id = ledger.published[pair[0]].event_id
            told = [(s.replica, round(s.at, 3), s.clean) for s in takes]
            ledger.break_("repeated without a reason", event_id, pair[1], told)

    def _copies(self, pair: Pair) -> int:
        """Records of it that are one too many, and reach the vendor as that."""
        ledger = self._ledger
        queued = ledger.in_queue[pair]
        fresh = sum(record.fresh for record in queued)
        again = len(queued) - fresh
        destination = self._settings.accounts[pair[1]].destination
        dropped = not DESTINATIONS[destination].traits.dedups
        copies = 0 if dropped else fresh - 1
        return copies + max(0, again - len(ledger.in_retry[pair])) + ledger.unsure[pair]

    def _written_again(self, pair: Pair) -> None:
        """A second record for a queue has its reason, too: a router that did not give back what it
        had, or a write without an answer.
        """
        ledger = self._ledger
        fresh = sum(record.fresh for record in ledger.in_queue[pair])
        excused = ledger.lost_to_routers[pair[0]] + ledger.unsure[pair]
        if fresh > 1 + excused:
            ledger.break_("routed again without a reason", *pair, fresh)

    # -- limits ---------------------------------------------------------------------------------
    def _windows(
        self, arrivals: Sequence[Sent]
    ) -> Mapping[str, tuple[int, float, Sequence[float]]]:
        """Arrivals by budget; one that is an account's own counts for each credential."""
        times: dict[str, list[float]] = defaultdict(list)
        limits: dict[str, tuple[int, float]] = {}
        for sent in arrivals:
            assert sent.arrived is not None
            for one in terms(self._settings, sent.account):
                name = one.name if one.shared else f"{one.name} {sent.credential}"
                times[name].append(sent.arrived)
                limits[name] = (one.requests, one.per)
        return {name: (*limits[name], sorted(found)) for name, found in times.items()}

    def _within(self, name: str, requests: int, per: float, times: Sequence[float]) -> None:
        window: deque[float] = deque()
        for at in times:
            window.append(at)
            while window[0] <= at - per:
                window.popleft()
            if len(window) > requests:
                self._ledger.break_("limit", name, f"{len(window)} of {requests} until {at:.3f}")
                return

    # -- isolation ------------------------------------------------------------------------------
    def _isolated(self) -> None:
        """An account with a big budget and a fair vendor has its events in time, whatever becomes
        of others; each fault of a replica may hold it up once.
        """
        for event, first in self._first_takes(QUIET):
            took = None if first is None or first.arrived is None else first.arrived - event.at
            if took is None or took > self._patience(event.at, took):
                told = "never" if took is None else f"after {took:.1f} s"
                self._ledger.break_("slowed down", QUIET, event.event_id, told)

    def _patience(self, at: float, took: float) -> float:
        delivery = self._settings.delivery
        pause = max(delivery.request_timeout + 7, delivery.session_timeout + 2) + STEPS
        before = at - delivery.session_timeout - STEPS - RESTARTED
        faults = [f for f in self._plan.faults if f.kind != "credential" and f.at < at + took]
        if any(f.kind == "deaf" for f in faults):
            return UNHEARD
        met = [f for f in faults if f.at + f.lasts > before]
        pauses = sum(2 if f.kind in TWICE else 1 for f in met)
        gone = sum(f.kind == "scale_down" and f not in met for f in faults)
        spare = self._plan.replicas // (2 if self._plan.split else 1) - gone - len(met)
        alone = sum(f.lasts + RESTARTED for f in met if spare <= 0 and f.kind in TWICE)
        return LATE + pauses * pause + alone

    def _first_takes(self, account: str) -> Iterator[tuple[Published, Sent | None]]:
        for event in self._ledger.published.values():
            if event.expected.get(account) == "deliver":
                takes = self._ledger.takes((event.origin, account))
                yield event, takes[0] if takes else None
