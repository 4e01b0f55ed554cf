"""What to say about an account, and about all of them in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from forwarder.ops.status import AccountStatus, LaneStatus, Status
from forwarder.ops.words import count, moment, plural, span

EXPIRY_NEAR: Final = 7200.0
"""Below so many seconds to the first expiry an account needs somebody (the alert says the same)."""

NAMED: Final = 2
"""Up to so many accounts in trouble are named in the headline."""


class Condition(StrEnum):
    """An account in one word; the order is that of urgency."""

    BLOCKED = "breaker open"
    PROBING = "probing"
    EXPIRING = "expiring"
    THROTTLED = "throttled"
    TEST = "test code"
    DELIVERING = "delivering"
    IDLE = "idle"
    DRAINING = "draining"
    PAUSED = "paused"
    ELSEWHERE = "elsewhere"


URGENCY: Final = {condition: rank for rank, condition in enumerate(Condition)}
ATTENTION: Final = frozenset(
    (Condition.BLOCKED, Condition.PROBING, Condition.EXPIRING, Condition.THROTTLED, Condition.TEST)
)
_GROUPS: Final = (
    (Condition.DELIVERING, "delivering"),
    (Condition.IDLE, "idle"),
    (Condition.EXPIRING, "about to expire"),
    (Condition.TEST, "with a test code"),
    (Condition.PAUSED, "paused"),
    (Condition.DRAINING, "draining"),
    (Condition.ELSEWHERE, "at other replicas"),
)
_WAITING: Final = (Condition.BLOCKED, Condition.PROBING, Condition.THROTTLED)


def condition(account: AccountStatus, now: float) -> Condition:
    lane = account.lane
    if lane is None:
        return Condition.ELSEWHERE
    if lane.breaker != "closed":
        return Condition.BLOCKED if lane.breaker == "open" else Condition.PROBING
    if lane.expires_in is not None and lane.expires_in < EXPIRY_NEAR:
        return Condition.EXPIRING
    return _unbroken(account, lane, now)


def _unbroken(account: AccountStatus, lane: LaneStatus, now: float) -> Condition:
    if account.state == "paused":
        return Condition.PAUSED
    if lane.not_before_at is not None and lane.not_before_at > now:
        return Condition.THROTTLED
    if account.test_code:
        return Condition.TEST
    if account.state == "draining":
        return Condition.DRAINING
    busy = lane.waiting or lane.in_flight or any(account.requests_per_minute[-5:])
    return Condition.DELIVERING if busy else Condition.IDLE


def explain(account: AccountStatus, now: float) -> str:
    """Why the account is in its condition, and until when: reads on after the condition's word.
    Empty when there is nothing to say.
    """
    lane = account.lane
    if lane is None:
        return "its queue belongs to another replica"
    parts = [_breaker(lane, now)] if lane.breaker != "closed" else []
    if lane.not_before_at is not None and lane.not_before_at > now:
        at = moment(lane.not_before_at, now)
        parts.append(f"until {at}, {span(lane.not_before_at - now)} more: the vendor asked for it")
    if lane.expires_in is not None and lane.expires_in < EXPIRY_NEAR:
        parts.append(f"the oldest delivery expires in {span(lane.expires_in)}")
    parts += _settings_say(account)
    return "; ".join(parts)


def _settings_say(account: AccountStatus) -> list[str]:
    said = {
        "paused": "paused in the settings: queued, not sent",
        "draining": "draining: not routed any more, what waits is still sent",
    }
    parts = [said[account.state]] if account.state in said else []
    if account.test_code:
        parts.append("a test code is on: nothing counts at the vendor")
    return parts


def _breaker(lane: LaneStatus, now: float) -> str:
    since = "" if lane.since_at is None else f"since {moment(lane.since_at, now)} "
    code = f" (code {lane.code})" if lane.code else ""
    text = f"{since}because {lane.reason or 'requests failed'}{code}"
    if lane.until_at is not None and lane.until_at > now:
        text += f", next probe in {span(lane.until_at - now)}"
    return text


def headline(status: Status) -> str:
    """The replica in one or two sentences: what is broken first."""
    first = []
    if not status.kafka_reachable:
        first.append("Kafka does not answer: nothing is read or sent.")
    if status.router is not None and status.router.stalled:
        topics = ", ".join(status.router.stalled)
        first.append(f"{topics}: no acknowledgement, so no event is routed here.")
    if status.draining:
        first.append("Stopping: what is in flight ends, nothing new starts.")
    again = sum(retry.waiting for retry in status.retries)
    last = [retries_line(again)] if again else []
    return " ".join([*first, accounts_line(status.accounts, status.at), *last])


def retries_line(waiting: int) -> str:
    """``waiting``: deliveries that no account's queue holds now."""
    return f"{count(waiting)} in retry topics."


def accounts_line(accounts: Sequence[AccountStatus], now: float) -> str:
    """``3 accounts delivering, 1 waiting: breaker open since ... because ...``."""
    if not accounts:
        return "No accounts in the settings."
    found = Counter(condition(account, now) for account in accounts)
    groups = [(found[which], word) for which, word in _GROUPS]
    waiting = sum(found[which] for which in _WAITING)
    said = [(n, word) for n, word in (*groups, (waiting, "waiting")) if n]
    first, *others = said
    line = ", ".join(
        [f"{plural(first[0], 'account')} {first[1]}", *(f"{count(n)} {w}" for n, w in others)]
    )
    return f"{line}: {_reasons(accounts, now)}." if waiting else f"{line}."


def _reasons(accounts: Sequence[AccountStatus], now: float) -> str:
    waiting = [account for account in accounts if condition(account, now) in _WAITING]
    if len(waiting) <= NAMED:
        return "; ".join(
            f"{account.name}, {condition(account, now)} {explain(account, now)}"
            for account in waiting
        )
    kinds = Counter(condition(account, now) for account in waiting)
    return ", ".join(f"{count(n)} {kind}" for kind, n in sorted(kinds.items(), key=_by_urgency))


def _by_urgency(pair: tuple[Condition, int]) -> int:
    return URGENCY[pair[0]]
