"""``forwarder status``: what waits, where, since when and why, from Kafka alone."""

from __future__ import annotations

import time
from typing import Annotated, Final

import typer

from forwarder.cli.console import json_line, say, table
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.cli.scanning import on_kafka
from forwarder.kafka.port import Kafka
from forwarder.kafka.records import rfc3339
from forwarder.ops.condition import Condition, accounts_line, retries_line
from forwarder.ops.words import count, plural, span
from forwarder.overview import AccountOverview, Observer, Overview
from forwarder.settings import Settings

SCANNED: Final = 100_000
UNSENT: Final = "no sender"
"""In place of delivering, where nobody does."""
COLUMNS: Final = (
    "account",
    "condition",
    "waiting",
    "oldest",
    "retrying",
    "dead in 1 h",
    "owner",
)


def status(
    config: Config = None,
    most: Annotated[
        int,
        typer.Option(
            "--scan", min=0, metavar="N", help="Retries and dead letters to read, each at most."
        ),
    ] = SCANNED,
    as_json: AsJson = False,
) -> None:
    """Tell what waits at each account, since when and why, and who looks after it.

    Reads Kafka alone, so it works while no worker does. Dead letters: those of the last hour.
    """
    settings = settings_of(config)
    found = on_kafka(settings, lambda kafka: _look(kafka, settings, most))
    if as_json:
        json_line(_as_json(found))
    else:
        _print(found)


async def _look(kafka: Kafka, settings: Settings, most: int) -> Overview:
    admin, reader = kafka.admin(), kafka.reader()
    try:
        await admin.start()
        await reader.start()
        return await Observer(admin, reader, settings, most).look(time.time())
    finally:
        await reader.stop()
        await admin.stop()


def _print(found: Overview) -> None:
    at_least = "" if found.complete else "at least "
    typer.echo(_headline(found))
    typer.echo("")
    table("Accounts", COLUMNS, [_row(one, found.at, at_least) for one in found.accounts])
    typer.echo("")
    whys: dict[str, list[str]] = {}
    for one in found.accounts:
        whys.setdefault(_why(one, found.at), []).append(one.status.name)
    for why, names in whys.items():
        if why:
            typer.echo(f"{', '.join(names)}: {why}")
    routers = f"routed by {', '.join(found.routers)}" if found.routers else "no router runs"
    typer.echo(f"events topic: {count(found.unrouted)} not routed yet, {routers}")
    if found.whole_dead_lettered:
        number = f"{at_least}{count(found.whole_dead_lettered)}"
        typer.echo(f"dead letters of no account in the last hour: {number}")
    for topic, left in found.orphans.items():
        typer.echo(f"queue without an account: {topic}, {count(left)} left in it")
    if not found.complete:
        say("not all retries and dead letters were read: see --scan")


def _headline(found: Overview) -> str:
    left = [one for one in found.accounts if _condition(one, found.at) == UNSENT]
    others = [one.status for one in found.accounts if one not in left]
    said = [f"{plural(len(left), 'account')} with events, but without a sender."] if left else []
    said += [accounts_line(others, found.at)] if others or not left else []
    again = sum(one.retrying for one in found.accounts)
    said += [retries_line(again)] if again else []
    return " ".join(said)


def _row(one: AccountOverview, now: float, at_least: str) -> tuple[object, ...]:
    lane = one.status.lane
    oldest = None if lane is None else lane.oldest_seconds
    return (
        one.status.name,
        _condition(one, now),
        None if lane is None else count(lane.waiting),
        None if oldest is None else span(oldest),
        f"{at_least}{count(one.retrying)}",
        f"{at_least}{count(one.dead_lettered)}",
        one.owner or "nobody",
    )


def _condition(one: AccountOverview, now: float) -> str:
    if one.status.lane is None:
        return "no queue"
    told = one.condition(now)
    unsent = told is Condition.DELIVERING and one.owner is None
    return UNSENT if unsent else told.value


def _why(one: AccountOverview, now: float) -> str:
    return "run forwarder topics create" if one.status.lane is None else one.why(now)


def _as_json(found: Overview) -> dict[str, object]:
    return {
        "at": rfc3339(found.at),
        "accounts": [_account(one, found.at) for one in found.accounts],
        "events": {"waiting": found.unrouted, "routers": list(found.routers)},
        "dead_lettered_without_account": found.whole_dead_lettered,
        "queues_without_account": [
            {"topic": topic, "waiting": left} for topic, left in found.orphans.items()
        ],
        "complete": found.complete,
    }


def _account(one: AccountOverview, now: float) -> dict[str, object]:
    lane = one.status.lane
    told: dict[str, object] = {
        "account": one.status.name,
        "destination": one.status.destination,
        "state": one.status.state,
        "condition": _condition(one, now),
        "why": _why(one, now),
        "owner": one.owner,
        "retrying": one.retrying,
        "dead_lettered_last_hour": one.dead_lettered,
    }
    if lane is None:
        return told | {"waiting": 0, "oldest_waiting_seconds": None}
    return told | {
        "waiting": lane.waiting,
        "oldest_waiting_seconds": lane.oldest_seconds,
        "seconds_to_expiry": lane.expires_in,
        "breaker": {
            "state": lane.breaker,
            "reason": lane.reason,
            "code": lane.code,
            "since": _time(lane.since_at),
            "until": _time(lane.until_at),
        },
        "not_before": _time(lane.not_before_at),
    }


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
