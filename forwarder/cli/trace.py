"""``forwarder trace``: what became of one event at each account."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from forwarder.cli.console import json_line, say, table
from forwarder.cli.dlq_show import today_of
from forwarder.cli.filters import time_option
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.scanning import Bar, bar, on_kafka
from forwarder.cli.trace_search import Names, Search, Wanted
from forwarder.deadletters import scan
from forwarder.kafka.port import Admin, Kafka, Reader, TopicPartition
from forwarder.kafka.records import rfc3339
from forwarder.kafka.topics import retry_topics
from forwarder.problems import Problem, Problems
from forwarder.settings import Settings
from forwarder.tracing import Fate, Occurrence, fates

PROVABLE: Final = ("delivered", "skipped")
"""States that the settlements topic would prove."""
COLUMNS: Final = ("account", "state", "proof", "at", "reason", "code", "detail")


def trace(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="The event's id.", show_default=False)
    ] = "",
    order_id: Annotated[
        str, typer.Option("--order-id", metavar="ID", help="Or the order's.", show_default=False)
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Read what was written from then on.")
    ] = "24h",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Tell what became of one event at each account: delivered, skipped, waiting, and so on.

    Reads events, queues, retries, dead letters, the replays and, if kafka.settlements_topic is on,
    the settlements, which prove what vendors answered. Without them an event that was sent is
    delivered without proof: finished, no dead letter. Exit 3 when nothing is known of it.
    """
    settings = settings_of(config)
    if not (event_id or order_id):
        rule = "which event is meant is not said"
        raise Problems([Problem("forwarder trace", rule, "give its EVENT_ID, or --order-id")])
    start = time_option("--since", since, time.time())
    wanted = Wanted(event_id, order_id)
    search = on_kafka(settings, lambda kafka: _search(kafka, settings, wanted, start))
    found = [_told(one, settings) for one in search]
    if as_json:
        json_line({"event_id": event_id, "order_id": order_id, "occurrences": found})
    for one in [] if as_json else found:
        _print(one)
    _say_unproven(found, settings)
    if not found:
        say(f"unknown: no topic tells of it since {rfc3339(start)}; an earlier --since reads more")
        raise typer.Exit(3)


def _say_unproven(found: Sequence[Mapping[str, object]], settings: Settings) -> None:
    accounts = [fate for one in found for fate in _accounts(one)]
    if not any(fate["state"] in PROVABLE and not fate["proven"] for fate in accounts):
        return
    topic = settings.kafka.settlements_topic
    if topic is None:
        say("not proven: set kafka.settlements_topic, and what vendors answer from then on is kept")
    else:
        say(f"not proven: {topic} does not tell of it (any more, or it was skipped by a router)")


def _told(occurrence: Occurrence, settings: Settings) -> dict[str, object]:
    concluded = fates(occurrence, today_of(settings), time.time())
    return {
        "origin": occurrence.origin,
        "event_id": occurrence.event_id,
        "published_at": None if occurrence.at is None else rfc3339(occurrence.at),
        "accounts": [_fate(fate, settings) for fate in concluded],
    }


def _fate(fate: Fate, settings: Settings) -> dict[str, object]:
    account = settings.accounts.get(fate.account)
    return {
        "account": fate.account,
        "destination": "" if account is None else account.destination,
        "state": fate.state,
        "proven": fate.proven,
        "at": rfc3339(fate.at) if isinstance(fate.at, float) else fate.at,
        "reason": fate.reason,
        "code": fate.code,
        "request_id": fate.request_id,
        "detail": fate.why,
        "replayed": [one._asdict() for one in fate.replayed],
    }


def _print(found: Mapping[str, object]) -> None:
    published = found["published_at"] or "its record is gone"
    title = f"event {found['event_id']} ({found['origin']}, {published})"
    table(title, COLUMNS, [_row(fate) for fate in _accounts(found)])


def _accounts(found: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    accounts = found["accounts"]
    assert isinstance(accounts, list)
    return accounts


def _row(fate: Mapping[str, object]) -> Sequence[object]:
    replayed = fate["replayed"]
    assert isinstance(replayed, list)
    detail = [str(fate["detail"])] if fate["detail"] else []
    detail += [f"request id {fate['request_id']}"] if fate["request_id"] else []
    detail += [f"replayed by {one['run']} at {one['at']}" for one in replayed]
    return (
        fate["account"] or "(no account)",
        fate["state"],
        "proven" if fate["proven"] else "not proven",
        fate["at"],
        fate["reason"] or None,
        fate["code"] or None,
        "; ".join(detail) or None,
    )


# -- reading --------------------------------------------------------------------------------------
async def _search(
    kafka: Kafka, settings: Settings, wanted: Wanted, since: float
) -> list[Occurrence]:
    admin, reader = kafka.admin(), kafka.reader()
    try:
        await admin.start()
        await reader.start()
        names = _names(settings)
        await scan.partitions(admin, names.events)
        there = await admin.topics()
        search = Search(wanted, names, await _committed(admin, settings), today_of(settings))
        topics = [names.events, *names.queues, *names.retries, names.dead_letters]
        with bar("looking for it") as shown:
            await _read(reader, _partitions(topics, there), since, search, shown)
        later = [names.settlements, names.ledger] if search.found or wanted.event_id else []
        with bar("reading settlements and replays") as shown:
            await _read(reader, _partitions(later, there), since, search, shown)
        return sorted(search.found.values(), key=lambda one: (one.at or 0.0, one.origin))
    finally:
        await reader.stop()
        await admin.stop()


def _names(settings: Settings) -> Names:
    kafka = settings.kafka
    return Names(
        events=kafka.events_topic,
        queues={kafka.queue_topic(name): name for name in settings.accounts},
        retries={topic: float(delay) for topic, delay in retry_topics(kafka.topic_prefix)},
        dead_letters=kafka.dead_letter_topic,
        settlements=kafka.settlements_topic,
        ledger=kafka.replays_topic,
    )


async def _committed(admin: Admin, settings: Settings) -> dict[TopicPartition, int]:
    kafka = settings.kafka
    destinations = sorted({account.destination for account in settings.accounts.values()})
    groups = [kafka.group_id, *(kafka.sender_group(name) for name in destinations)]
    found: dict[TopicPartition, int] = {}
    for group in groups:
        found |= {at: place.offset for at, place in (await admin.committed(group)).items()}
    return found


def _partitions(topics: Sequence[str | None], there: Mapping[str, int]) -> list[TopicPartition]:
    """Of the topics that exist."""
    return [
        TopicPartition(topic, number)
        for topic in topics
        if topic is not None
        for number in range(there.get(topic, 0))
    ]


async def _read(
    reader: Reader, parts: Sequence[TopicPartition], since: float, search: Search, shown: Bar
) -> None:
    spans = await scan.spans(reader, parts, since)
    reading = scan.Scan(reader, spans, time.monotonic, foreign=True)
    total = reading.left
    async for records in reading.batches():
        for record in records:
            search.add(record)
        shown.at(total - reading.left, total)
