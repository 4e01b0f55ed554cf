"""Puts together what this replica knows of itself: for the page, the probes and the gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from forwarder.credentials import Credential
from forwarder.destinations.contract import Account
from forwarder.kafka.port import TopicPartition
from forwarder.lane.budget import Budget
from forwarder.lane.lane import LaneView
from forwarder.ops.report import Report
from forwarder.ops.status import (
    AccountStatus,
    LaneStatus,
    PartitionStatus,
    RetryStatus,
    RouterStatus,
    Status,
)
from forwarder.router import Router
from forwarder.sender import Sender


@dataclass(slots=True)
class Watched:
    """What the watchdog measured last. ``behind``: records not yet committed, by partition;
    ``sick``: why a restart would help.
    """

    behind: dict[TopicPartition, int] = field(default_factory=dict)
    kafka_reachable: bool = True
    loop_lag: float = 0.0
    sick: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    version: str
    config_hash: str
    started_at: float


class Board:
    """``retries``: retry topic -> tier. ``clock``: the one that routers and senders keep."""

    def __init__(
        self,
        identity: Identity,
        accounts: Mapping[str, Account],
        queues: Mapping[str, str],
        retries: Mapping[str, str],
        events_topic: str,
        report: Report,
        credential: Callable[[str], Credential],
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._accounts = accounts
        self._queues = queues
        self._retries = retries
        self._events_topic = events_topic
        self._report = report
        self._credential = credential
        self._now = now
        self._clock = clock
        self.watched = Watched()
        self.router: Router | None = None
        self.senders: Sequence[Sender] = ()
        self.draining = False

    # -- probes ---------------------------------------------------------------------------------
    def sick(self) -> str | None:
        return self.watched.sick

    def unready(self) -> str | None:
        """Why this replica does not work now."""
        if self.draining:
            return "draining"
        members: list[Router | Sender] = [*self.senders]
        if self.router is not None:
            members.append(self.router)
        if members and all(member.joined for member in members):
            return None
        return "not yet in its groups"

    # -- status ---------------------------------------------------------------------------------
    def status(self) -> Status:
        now = self._now()
        views = {name: view for sender in self.senders for name, view in sender.views().items()}
        return Status(
            version=self._identity.version,
            config_hash=self._identity.config_hash,
            at=now,
            started_at=self._identity.started_at,
            draining=self.draining,
            ready=self.unready() is None,
            kafka_reachable=self.watched.kafka_reachable,
            accounts=tuple(
                self._account(account, views.get(name), now)
                for name, account in self._accounts.items()
            ),
            router=self._router(),
            retries=tuple(self._retry_tiers()),
            dead_letters=self._report.dead_letters(),
            budgets={
                budget.name: budget.used_ratio
                for sender in self.senders
                for budgets in sender.budgets().values()
                for budget in budgets
            },
            commit_age=dict(self._commit_ages()),
            loop_lag=self.watched.loop_lag,
        )

    def _account(self, account: Account, view: LaneView | None, now: float) -> AccountStatus:
        budgets = self._budgets_of(account.name)
        settings = account.settings
        return AccountStatus(
            name=account.name,
            destination=settings.destination,
            state=settings.state,
            lane=self._lane_or_reason(account.name, view, now),
            budget_used=max((budget.used_ratio for budget in budgets), default=None),
            requests_per_minute=self._report.requests_per_minute(account.name),
            credential_loaded_at=self._credential(account.name).loaded_at or None,
            test_code=bool(getattr(settings, "test_event_code", None)),
        )

    def _lane_or_reason(self, name: str, view: LaneView | None, now: float) -> LaneStatus | None:
        if view is not None:
            return self._lane(name, view, now)
        if any(name in sender.view.no_offset for sender in self.senders):
            waiting = self.watched.behind.get(TopicPartition(self._queues[name], 0), 0)
            return _without_offset(waiting)
        return None

    def _lane(self, name: str, view: LaneView, now: float) -> LaneStatus:
        behind = self.watched.behind.get(TopicPartition(self._queues[name], 0), 0)
        return LaneStatus(
            breaker=view.breaker,
            reason=view.reason,
            code=view.code,
            since_at=view.since,
            until_at=view.until,
            not_before_at=view.not_before,
            waiting=max(view.waiting, behind - view.finished_ahead),
            waiting_bytes=view.waiting_bytes,
            in_flight=view.in_flight,
            oldest_seconds=None
            if view.oldest_record_at is None
            else max(0.0, now - view.oldest_record_at),
            expires_in=view.expires_in,
            next_request_in=self._next_request(name, view, now),
            last_verdicts=self._report.last_verdicts(name),
        )

    def _next_request(self, name: str, view: LaneView, now: float) -> float | None:
        """When a waiting lane may send: its own pause, or its slowest budget."""
        if not view.waiting or self._accounts[name].settings.state == "paused":
            return None
        pauses = [at - now for at in (view.until, view.not_before) if at is not None]
        budgets = [budget.next_at(now) - now for budget in self._budgets_of(name)]
        return max(0.0, *pauses, *budgets)

    def _budgets_of(self, account: str) -> Sequence[Budget]:
        found = (sender.budgets().get(account) for sender in self.senders)
        return next((budgets for budgets in found if budgets is not None), ())

    def _router(self) -> RouterStatus | None:
        if self.router is None:
            return None
        view = self.router.view
        mine = [tp for tp in view.partitions if tp.topic == self._events_topic]
        behind = self.watched.behind
        lags = tuple(PartitionStatus(tp.partition, behind[tp]) for tp in mine if tp in behind)
        age = _age(view.committed_at, self._clock())
        return RouterStatus(lags, age, stalled=tuple(sorted(view.stalled_since)))

    def _retry_tiers(self) -> Iterator[RetryStatus]:
        if self.router is None:
            return
        overdue = self.router.due.overdue(self._now())
        for topic, tier in self._retries.items():
            waiting = sum(n for tp, n in self.watched.behind.items() if tp.topic == topic)
            yield RetryStatus(tier, waiting, overdue[topic])

    def _commit_ages(self) -> Iterator[tuple[str, float]]:
        clock = self._clock()
        if self.router is not None:
            age = _age(self.router.view.committed_at, clock)
            if age is not None and self.router.view.partitions:
                yield "router", age
        ages = [_age(s.view.committed_at, clock) for s in self.senders if s.view.partitions]
        known = [age for age in ages if age is not None]
        if known:
            yield "sender", max(known)


def _age(at: float | None, clock: float) -> float | None:
    return None if at is None else clock - at


def _without_offset(waiting: int) -> LaneStatus:
    """A queue that waits until an operator says where to start (``kafka.start_from``)."""
    return LaneStatus(
        breaker="open",
        reason="no_offset",
        code="",
        since_at=None,
        until_at=None,
        not_before_at=None,
        waiting=waiting,
        waiting_bytes=0,
        in_flight=0,
        oldest_seconds=None,
        expires_in=None,
        next_request_in=None,
        last_verdicts=(),
    )
