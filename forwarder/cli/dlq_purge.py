"""``forwarder dlq purge``: delete dead letters for good."""

from __future__ import annotations

import getpass
import time
import uuid
from typing import Annotated, NamedTuple

import typer

from forwarder.cli.console import json_line, say
from forwarder.cli.failures import Failed
from forwarder.cli.filters import time_option
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.scanning import on_kafka
from forwarder.deadletters import scan
from forwarder.deadletters.ledger import purged
from forwarder.kafka.port import Kafka, TopicPartition
from forwarder.kafka.records import rfc3339
from forwarder.ops.words import plural
from forwarder.problems import Problem
from forwarder.settings import Settings

By = Annotated[
    str | None,
    typer.Option("--by", metavar="WHO", help="Who does it, for the audit; else the OS user."),
]


class Doomed(NamedTuple):
    """What a purge deletes: below these offsets, so many records."""

    before: dict[TopicPartition, int]
    number: int


def purge(
    before: Annotated[
        str, typer.Option("--before", metavar="TIME", help="Those written before: 7d, 2026-01-31.")
    ],
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Delete every dead letter that was written before a time, whatever it is about.

    Says how many, and asks. It leaves an audit record. Exit 3 if there are none.
    """
    settings = settings_of(config)
    at = time_option("--before", before, time.time())
    doomed = on_kafka(settings, lambda kafka: _look(kafka, settings, at))
    if not doomed.number:
        if as_json:
            json_line({"purged": 0, "before": rfc3339(at)})
        say(f"no dead letter was written before {rfc3339(at)}")
        raise typer.Exit(3)
    if not yes:
        _ask(doomed.number, at)
    on_kafka(settings, lambda kafka: _delete(kafka, settings, doomed, at, who(by)))
    if as_json:
        json_line({"purged": doomed.number, "before": rfc3339(at)})
    say(f"{plural(doomed.number, 'dead letter')} deleted")


def who(by: str | None) -> str:
    """The name for the audit."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        return "unknown"


def _ask(number: int, at: float) -> None:
    question = f"Delete {plural(number, 'dead letter')} written before {rfc3339(at)} for good?"
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        fix = "add --yes where nobody can answer"
        raise Failed([Problem("forwarder dlq purge", "nobody answered", fix)]) from None
    if not agreed:
        raise Failed([Problem("forwarder dlq purge", "not confirmed: nothing was deleted")])


async def _look(kafka: Kafka, settings: Settings, at: float) -> Doomed:
    admin, reader = kafka.admin(), kafka.reader()
    try:
        await admin.start()
        await reader.start()
        parts = await scan.partitions(admin, settings.kafka.dead_letter_topic)
        bounds = await reader.bounds(parts)
        kept = await reader.offsets_at(dict.fromkeys(parts, max(0, int(at * 1000))))
    finally:
        await reader.stop()
        await admin.stop()
    before = {}
    for part, (first, end) in bounds.items():
        offset = kept[part]
        offset = end if offset is None else min(offset, end)
        if offset > first:
            before[part] = offset
    return Doomed(before, sum(offset - bounds[part][0] for part, offset in before.items()))


async def _delete(kafka: Kafka, settings: Settings, doomed: Doomed, at: float, by: str) -> None:
    """The audit record comes first: a purge that nobody can see must not happen."""
    admin, producer = kafka.admin(), kafka.producer()
    try:
        await admin.start()
        await producer.start()
        partitions = {str(part.partition): offset for part, offset in doomed.before.items()}
        counts = {"purged": doomed.number, "below": partitions}
        record = purged(uuid.uuid4().hex[:12], by, at, counts, time.time())
        await scan.partitions(admin, settings.kafka.replays_topic)
        await producer.write(settings.kafka.replays_topic, [record], 0)
        await admin.delete_records(doomed.before)
    finally:
        await producer.stop()
        await admin.stop()
