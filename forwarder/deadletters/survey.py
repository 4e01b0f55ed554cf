"""Counting what a replay would do, before it does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from forwarder.deadletters.explain import Today
from forwarder.deadletters.judge import Candidate, Judge, Kind
from forwarder.deadletters.letter import Letter
from forwarder.deadletters.scan import Scan

ALWAYS_TOLD = (
    Kind.EXPIRED,
    Kind.DUPLICATE,
    Kind.REPLAYED_BEFORE,
    Kind.TO_SEND,
    Kind.SENT,
)


@dataclass(slots=True)
class Counts:
    """``matched`` counts records, all others deliveries: a record of no account may become several,
    or none. ``by_account``: what is to be sent. ``rejected_today``: how many of those today's
    settings would refuse again, as far as that was looked at.
    """

    matched: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    by_account: Counter[str] = field(default_factory=Counter)
    rejected_today: int | None = None
    limit: int | None = None

    @property
    def sent(self) -> int:
        """By this run, in all of its processes."""
        return self.kinds[Kind.SENT]

    @property
    def to_send(self) -> int:
        """By this run, those already sent included."""
        counted = self.kinds[Kind.TO_SEND]
        return self.sent + (counted if self.left is None else min(counted, self.left))

    @property
    def left(self) -> int | None:
        """How many the limit still allows."""
        return None if self.limit is None else max(0, self.limit - self.sent)

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {"matched": self.matched}
        told |= {kind.value: self.kinds[kind] for kind in ALWAYS_TOLD}
        told["to_send"] = self.to_send
        others = (kind for kind in Kind if kind not in ALWAYS_TOLD and self.kinds[kind])
        told |= {kind.value: self.kinds[kind] for kind in others}
        if self.rejected_today is not None:
            told["rejected_today"] = self.rejected_today
        return told


class Survey:
    """``today``: look at what would be sent as well, where our own rules refused it; that needs the
    values.
    """

    def __init__(
        self, judge: Judge, now: Callable[[], float], *, limit: int | None, today: Today | None
    ) -> None:
        self.counts = Counts(limit=limit, rejected_today=None if today is None else 0)
        self._judge = judge
        self._now = now
        self._today = today

    async def run(self, scan: Scan, between: Callable[[], Awaitable[bool]]) -> bool:
        """Count all of ``scan``. ``between`` is awaited after every poll; false ends it early, and
        then so is what this returns. Raises ``KafkaProblem``.
        """
        while not scan.done:
            now = self._now()
            for record in await scan.read():
                judgements = self._judge.judge(record, now)
                self.counts.matched += bool(judgements)
                for kind, account, candidate in judgements:
                    self.counts.kinds[kind] += 1
                    if candidate is not None:
                        self._judge.take(candidate)
                        self.counts.by_account[account] += 1
                        self._look(candidate, now)
            if not await between():
                return False
        return True

    def _look(self, candidate: Candidate, now: float) -> None:
        if self._today is None or self.counts.rejected_today is None:
            return
        letter = Letter(candidate.record)
        if not letter.code.startswith("local."):
            return
        outlooks = self._today.outlooks(letter, now)
        fates = [o.fate for o in outlooks if o.account == candidate.account]
        self.counts.rejected_today += any(fate != "sent" for fate in fates)
