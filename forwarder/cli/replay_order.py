"""What a replay is asked to do: checked, and made into the work of a run."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from forwarder.cli.dlq_show import today_of
from forwarder.cli.filters import checked, destinations
from forwarder.cli.rates import rates
from forwarder.deadletters import scan
from forwarder.deadletters.desk import Clocks
from forwarder.deadletters.explain import Today
from forwarder.deadletters.judge import EventJudge, Judge, LetterJudge, Rules
from forwarder.deadletters.ledger import Ledger, Run
from forwarder.deadletters.marks import Marks
from forwarder.deadletters.pace import Pace
from forwarder.deadletters.query import Filters, unknown_accounts
from forwarder.deadletters.resolve import GoOn, queued_origins
from forwarder.deadletters.scan import Span
from forwarder.deadletters.work import DLQ, EVENTS, Places, Watcher, Work
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Traits
from forwarder.kafka.port import Admin, Kafka, Reader, Refused, TopicPartition
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings

MAX_REPLAYS: Final = 3
AHEAD: Final = 600.0
"""Seconds by which an event may be younger than its record: its producer's clock is ahead."""
_RUN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FAILURES: Final = ("reason", "code", "destination", "failed_since", "failed_until")


@dataclass(frozen=True, slots=True)
class Order:
    """``account``: of source ``events``, the one that gets them."""

    source: str
    rules: Rules
    account: str = ""

    @property
    def filters(self) -> Filters:
        return self.rules.filters

    def options(self) -> dict[str, object]:
        """As the ledger keeps them."""
        rules = self.rules
        return {
            "account": self.account,
            "max_replays": rules.max_replays,
            "again": rules.again,
            "allow_duplicates": rules.allow_duplicates,
        }


def order_of(run: Run) -> Order:
    """What the run was asked to do when it was started."""
    most = run.options.get("max_replays")
    rules = Rules(
        filters=Filters.of(run.filters),
        max_replays=most if isinstance(most, int) else MAX_REPLAYS,
        again=run.options.get("again") is True,
        allow_duplicates=run.options.get("allow_duplicates") is True,
    )
    return Order(run.source, rules, str(run.options.get("account", "")))


# -- checking -------------------------------------------------------------------------------------
def checked_order(source: str, rules: Rules, settings: Settings) -> Order:
    """Raises ``Problems`` with all that cannot work."""
    filters = checked(rules.filters, settings)
    wrong = unknown_accounts(filters, settings.accounts)
    wrong += [_paused(settings, name) for name in filters.account if _is(settings, name, "paused")]
    if source == EVENTS:
        wrong += _wrong_for_events(filters, settings)
    if wrong:
        raise Problems(wrong)
    if source == DLQ:
        return Order(DLQ, rules)
    return Order(EVENTS, rules, filters.account[0])


def _is(settings: Settings, name: str, state: str) -> bool:
    account = settings.accounts.get(name)
    return account is not None and account.state == state


def _paused(settings: Settings, name: str) -> Problem:
    rule = f"{name} is paused: what joins its queue is not sent"
    place = settings.place("accounts", name, "state")
    return Problem("--account", rule, f"set {place} to active, and restart the workers")


def _wrong_for_events(filters: Filters, settings: Settings) -> list[Problem]:
    wrong = []
    if len(filters.account) != 1:
        rule = "source events needs exactly one account"
        wrong.append(Problem("--account", rule, "name the account that is to get the events"))
    if filters.event_since is None:
        fix = "add a time such as --event-since 2026-01-31 or 24h"
        wrong.append(Problem("--event-since", "source events needs it", fix))
    for name in _FAILURES:
        if getattr(filters, name):
            rule = "is about dead letters, but the source is events"
            wrong.append(Problem(f"--{name.replace('_', '-')}", rule, "leave it out"))
    for name in filters.account:
        if _is(settings, name, "draining"):
            rule = f"{name} is draining: no event is routed to it any more"
            wrong.append(Problem("--account", rule, "set its state to active"))
    return wrong


def checked_run_id(text: str) -> str:
    """Raises ``Problems``: it becomes part of a group's name."""
    if _RUN_ID.fullmatch(text):
        return text
    rule = "is made of up to 64 of the characters a-z A-Z 0-9 . _ -"
    raise Problems([Problem("--run-id", rule, "see forwarder replay ls")])


def new_run_id(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


# -- making ---------------------------------------------------------------------------------------
async def new_run(kafka: Kafka, settings: Settings, order: Order, run_id: str, by: str) -> Run:
    """The run, with the ends of its source as they are now. Raises ``KafkaProblem``."""
    topic = settings.kafka.dead_letter_topic if order.source == DLQ else settings.kafka.events_topic
    admin, reader = kafka.admin(), kafka.reader()
    try:
        await admin.start()
        await reader.start()
        await _require(admin, settings, order)
        spans = await _spans(admin, reader, settings, order, topic)
    finally:
        await reader.stop()
        await admin.stop()
    now = time.time()
    return Run(
        id=run_id,
        source=order.source,
        topic=topic,
        by=by,
        started_at=now,
        token=secrets.token_hex(6),
        alive_at=now,
        filters=order.filters.told(),
        options=order.options(),
        spans={at.partition: (span.start, span.end) for at, span in spans.items()},
    )


async def _require(admin: Admin, settings: Settings, order: Order) -> None:
    """The ledger and every queue that may be written to."""
    names = order.filters.account or tuple(settings.accounts)
    wanted = [settings.kafka.replays_topic, *(settings.kafka.queue_topic(name) for name in names)]
    there = await admin.topics()
    missing = [topic for topic in wanted if topic not in there]
    if missing:
        raise Refused(f"missing topics: {', '.join(missing)}")


async def _spans(
    admin: Admin, reader: Reader, settings: Settings, order: Order, topic: str
) -> dict[TopicPartition, Span]:
    parts = await scan.partitions(admin, topic)
    if order.source == DLQ:
        return await scan.spans(reader, parts, order.filters.failed_since)
    since = order.filters.event_since
    spans = await scan.spans(reader, parts, None if since is None else since - AHEAD)
    # what no router has read yet will reach the account anyway
    routed = await admin.committed(settings.kafka.group_id)
    for at, span in spans.items():
        if at in routed:
            spans[at] = Span(min(span.start, routed[at].offset), min(span.end, routed[at].offset))
    return spans


@dataclass(frozen=True, slots=True)
class Speed:
    """``rate``: records a second, of the whole run. ``share``: of each account's budget."""

    rate: float | None = None
    share: float | None = None


def work_of(
    kafka: Kafka,
    settings: Settings,
    run: Run,
    speed: Speed,
    clocks: Clocks,
    watcher: Watcher,
    *,
    look: bool,
) -> Work:
    """``look``: see whether today's settings would refuse again what they refused."""
    order = order_of(run)
    today = today_of(settings)
    traits = traits_by_account(settings)
    places = _places(settings, run.id)
    reach = {name: rate.events for name, rate in rates(settings).items()}
    share = speed.share
    shares = {} if share is None else {name: share * reach[name] for name in reach}
    return Work(
        kafka=kafka,
        run=run,
        places=places,
        judging=_judging(order, today, traits, places, run.id, clocks.steady),
        pace=lambda: Pace(places.batches, clocks.steady(), rate=speed.rate, shares=shares),
        clocks=clocks,
        watcher=watcher,
        limit=order.filters.limit,
        today=today if look and order.source == DLQ else None,
    )


def traits_by_account(settings: Settings) -> dict[str, Traits]:
    """What the rest must know of each account's vendor."""
    return {
        name: DESTINATIONS[account.destination].traits_of(account)
        for name, account in settings.accounts.items()
    }


def _places(settings: Settings, run_id: str) -> Places:
    kafka = settings.kafka
    return Places(
        ledger=kafka.replays_topic,
        queues={name: kafka.queue_topic(name) for name in settings.accounts},
        senders={n: kafka.sender_group(d) for n, d in destinations(settings).items()},
        batches={name: account.batch.events for name, account in settings.accounts.items()},
        group=f"{kafka.group_id}.replay.{run_id}",
    )


def _judging(
    order: Order,
    today: Today,
    traits: Mapping[str, Traits],
    places: Places,
    run_id: str,
    clock: Callable[[], float],
) -> Callable[[Ledger, Reader, GoOn], Awaitable[Judge]]:
    async def letters(ledger: Ledger, _: Reader, __: GoOn) -> Judge:
        return LetterJudge(today, traits, order.rules, ledger, run_id)

    async def events(ledger: Ledger, reader: Reader, go_on: GoOn) -> Judge:
        account = today.accounts[order.account]
        queued = Marks()
        if not traits[account.name].dedups and not order.rules.allow_duplicates:
            queue = TopicPartition(places.queues[account.name], 0)
            queued = await queued_origins(account.name, queue, reader, clock, run_id, go_on)
        return EventJudge(
            today, traits, order.rules, ledger, run_id, account=account, queued=queued
        )

    return letters if order.source == DLQ else events
