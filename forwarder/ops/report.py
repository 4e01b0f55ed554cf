"""What routers and senders tell of their work, kept as metrics, log lines and page data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forwarder.kafka.records import rfc3339
from forwarder.lane.lane import Alert, Tally
from forwarder.ops.logs import Log
from forwarder.ops.metrics import AccountMetrics, Metrics
from forwarder.ops.status import DeadLetters, LastHour, LastVerdict, Sparkline, Verdicts
from forwarder.plan import Plan


class Report:
    """One process's report. ``destinations``: destination by account of the settings."""

    def __init__(
        self,
        metrics: Metrics,
        log: Log,
        destinations: Mapping[str, str],
        now: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._destinations = destinations
        self._now = now
        self._requests = {name: Sparkline(now()) for name in destinations}
        self._verdicts = {name: Verdicts() for name in destinations}
        self._dead = LastHour()

    # -- from the router ------------------------------------------------------------------------
    def planned(self, plan: Plan) -> None:
        """A poll batch is written."""
        for (topic, outcome), n in plan.records.items():
            self._metrics.records(topic, outcome, n)
        for reason, n in plan.whole_dead.items():
            self._dead.add(self._now(), "", reason, n)
        for (account, reason), n in plan.skipped.items():
            self._ended(account, "skipped", reason, n)
        for (account, reason), n in plan.dead_lettered.items():
            self._ended(account, "dead_lettered", reason, n)
        if plan.unknown_fields:
            self._metrics.unknown_fields(plan.unknown_fields)
        if plan.dropped_fields:
            self._metrics.dropped_fields(plan.dropped_fields)

    def oversize(self, account: str | None, n: int) -> None:
        """Records were too large for their queue."""
        if account is not None:
            self._ended(account, "dead_lettered", "oversize", n)

    def write_failed(self, topic: str) -> None:
        """A write was refused, or not acknowledged in time."""
        self._metrics.write_failed(topic)

    # -- from senders ---------------------------------------------------------------------------
    def rebalanced(self, role: str) -> None:
        self._metrics.rebalanced(role)

    def requested(self, account: str, seconds: float, deliveries: int) -> None:
        """A request ended."""
        self._metrics.account(account, self._destinations[account]).request(seconds, deliveries)
        self._requests[account].add(self._now(), 1)

    def tallied(self, account: str, tally: Tally, now: float) -> None:
        """What a lane did since the last call."""
        metrics = self._metrics.account(account, self._destinations[account])
        metrics.ended(tally.outcomes)
        metrics.answered(tally.requests)
        self._timed(metrics, tally, now)
        for verdict, code in tally.requests:
            self._verdicts[account].add(now, verdict, code)
        for (outcome, reason), n in tally.outcomes.items():
            if outcome == "dead_lettered":
                self._dead.add(now, account, reason, n)
        for alert in tally.alerts:
            self._say(account, alert)

    @staticmethod
    def _timed(metrics: AccountMetrics, tally: Tally, now: float) -> None:
        for one in tally.settled:
            if one.outcome != "delivered":
                continue
            delivered = one.deliveries
            metrics.latencies([now - d.record.timestamp / 1000 for d in delivered])
            metrics.ages([now - d.event_time for d in delivered if d.event_time is not None])

    def retrying(self, account: str, tier: str, n: int) -> None:
        """Retries are written to the topic of ``tier``."""
        self._metrics.account(account, self._destinations[account]).retrying(tier, n)

    def _say(self, account: str, alert: Alert) -> None:
        opened = alert.action == "breaker_opened"
        write = self._log.error if opened else self._log.info
        write(
            alert.action,
            account=account,
            reason=alert.reason,
            code=alert.code,
            message=alert.message,
            until=None if alert.until is None else rfc3339(alert.until),
        )

    def _ended(self, account: str, outcome: str, reason: str, n: int) -> None:
        if account not in self._destinations:
            return
        self._metrics.account(account, self._destinations[account]).ended({(outcome, reason): n})
        if outcome == "dead_lettered":
            self._dead.add(self._now(), account, reason, n)

    # -- for the page ---------------------------------------------------------------------------
    def outcomes(self, account: str) -> Mapping[tuple[str, str], int]:
        """Deliveries that ended, by (outcome, reason)."""
        return self._metrics.account(account, self._destinations[account]).outcomes()

    def requests_per_minute(self, account: str) -> tuple[int, ...]:
        return self._requests[account].points(self._now())

    def last_verdicts(self, account: str) -> tuple[LastVerdict, ...]:
        return self._verdicts[account].latest()

    def dead_letters(self) -> tuple[DeadLetters, ...]:
        return self._dead.counts(self._now())
