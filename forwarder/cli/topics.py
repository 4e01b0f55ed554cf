"""``forwarder topics``: create what is missing, show what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, TypeVar

import typer

from forwarder.cli.cluster import cluster
from forwarder.cli.console import json_line, say, table
from forwarder.cli.failures import kafka_at
from forwarder.cli.options import AsJson, Config, settings_of
from forwarder.kafka import topics
from forwarder.kafka.port import Admin, Kafka, TopicSpec
from forwarder.kafka.topics import Difference
from forwarder.ops.words import plural
from forwarder.settings import Settings
from forwarder.startup import wanted_topics

_Result = TypeVar("_Result")

app = typer.Typer(
    help="The topics that the settings need.", no_args_is_help=True, rich_markup_mode=None
)
Partitions = Annotated[
    int | None, typer.Option("--partitions", min=1, metavar="N", help="Of the events topic.")
]
Replication = Annotated[
    int | None, typer.Option("--replication", min=1, metavar="N", help="Unset: the cluster's own.")
]


@app.command("create", short_help="Create those that are missing.")
def create(
    config: Config = None,
    partitions: Partitions = None,
    replication: Replication = None,
    as_json: AsJson = False,
) -> None:
    """Create every missing topic with the right settings; what is there stays as it is."""
    settings = settings_of(config)
    created = with_admin(
        settings,
        cluster(settings),
        lambda admin: _create(admin, settings, partitions, replication),
    )
    if as_json:
        json_line({"created": created})
        return
    for name in created:
        typer.echo(name)
    say(f"{plural(len(created), 'topic')} created" if created else "nothing is missing")


@app.command("diff", short_help="Show those that are not as they must be.")
def diff(
    config: Config = None,
    partitions: Partitions = None,
    replication: Replication = None,
    as_json: AsJson = False,
) -> None:
    """Show topics that are missing or not as they must be; exit 3 if there are any."""
    settings = settings_of(config)
    found = with_admin(
        settings,
        cluster(settings),
        lambda admin: differences(admin, settings, partitions, replication),
    )
    if as_json:
        json_line([difference._asdict() for difference in found])
    elif found:
        table("Topics that differ", Difference._fields, found)
    else:
        say("every topic is as it must be")
    if found:
        raise typer.Exit(3)


def with_admin(
    settings: Settings, kafka: Kafka, work: Callable[[Admin], Awaitable[_Result]]
) -> _Result:
    """``work`` with a started admin client. Raises ``Failed`` for whatever Kafka refuses."""

    async def run() -> _Result:
        admin = kafka.admin()
        try:
            await admin.start()
            return await work(admin)
        finally:
            await admin.stop()

    with kafka_at(f"kafka {settings.kafka.bootstrap_servers}"):
        return asyncio.run(run())


async def _create(
    admin: Admin, settings: Settings, partitions: int | None, replication: int | None
) -> list[str]:
    return await topics.ensure(admin, await _specs(admin, settings, partitions, replication))


async def _specs(
    admin: Admin, settings: Settings, partitions: int | None, replication: int | None
) -> list[TopicSpec]:
    specs = await wanted_topics(admin, settings)
    if replication is not None:
        specs = [spec._replace(replication=replication) for spec in specs]
    if partitions is not None:
        specs = [_divided(spec, settings, partitions) for spec in specs]
    return specs


def _divided(spec: TopicSpec, settings: Settings, partitions: int) -> TopicSpec:
    is_events = spec.name == settings.kafka.events_topic
    return spec._replace(partitions=partitions) if is_events else spec


async def differences(
    admin: Admin, settings: Settings, partitions: int | None = None, replication: int | None = None
) -> list[Difference]:
    """Missing topics, topics that are not as they must be, and queues that no account has."""
    specs = await _specs(admin, settings, partitions, replication)
    existing = await admin.topics()
    infos = await admin.describe([spec.name for spec in specs])
    found = [
        Difference(spec.name, "topic", "present", "missing")
        for spec in topics.missing(specs, existing)
    ]
    found += topics.diff(specs, infos)
    events = infos.get(settings.kafka.events_topic)
    if partitions is not None and events is not None and events.partitions != partitions:
        found.append(Difference(events.name, "partitions", str(partitions), str(events.partitions)))
    return found + _orphans(settings, existing)


def _orphans(settings: Settings, existing: Collection[str]) -> list[Difference]:
    prefix = settings.kafka.topic_prefix
    names = topics.queues_without_account(prefix, settings.accounts, existing)
    return [Difference(name, "account", "in the settings", "missing") for name in names]
