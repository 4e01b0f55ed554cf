"""A cluster in memory behind the commands that read Kafka, filled as workers fill it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from forwarder.cli import scanning
from forwarder.kafka.memory import MemoryCluster
from forwarder.kafka.port import Committed, Outgoing, TopicPartition
from forwarder.kafka.records import Progress, fresh, requeued
from tests.unit.deadletters.build import DLQ, dead, event, stored

ACCOUNTS = {"acme-pixel": "tiktok", "acme-ttd": "tradedesk", "acme-thrad": "thrad"}
RETRIES = ("conversions.retry.1m", "conversions.retry.10m", "conversions.retry.1h")
SETTLEMENTS = "settlements"


class Cluster:
    """``kafka``: the cluster itself. Times are seconds before now."""

    def __init__(self) -> None:
        self.kafka = MemoryCluster(time.time)
        self.kafka.add_topic("conversions", 2)
        self.kafka.add_topic(DLQ, 2)
        self.kafka.add_topic("conversions.replays")
        self.kafka.add_topic(SETTLEMENTS)
        for name in ACCOUNTS:
            self.kafka.add_topic(f"conversions.queue.{name}")
        for name in RETRIES:
            self.kafka.add_topic(name, 1, {"message.timestamp.type": "LogAppendTime"})

    def letter(self, number: int, *, ago: float = 60.0, **more: Any) -> None:
        """A dead letter, ``number`` its event's."""
        now = time.time()
        more.setdefault("event_time", now - 3600)
        made = dead(number, failed_at=now - ago, **more)
        self.kafka.put(TopicPartition(DLQ, number % 2), [made])

    def publish(self, number: int, **more: Any) -> None:
        more.setdefault("event_time", time.time() - 60)
        value = json.dumps(event(number, **more)).encode()
        self.kafka.put(TopicPartition("conversions", 0), [Outgoing(b"k", value, ())])

    def route(self, offset: int, accounts: Sequence[str] = tuple(ACCOUNTS)) -> None:
        """The router has read so far, and this event is in the queues."""
        records = self.kafka.records("conversions")
        at = records[offset].timestamp / 1000
        for account in accounts:
            self.kafka.put(queue(account), [fresh(records[offset], at, at)])
        self.commit("conversion-forwarder", TopicPartition("conversions", 0), offset + 1)

    def replayed(self, number: int, account: str, run: str, replays: int = 1) -> None:
        """Back in its queue, as a run writes it."""
        made = stored(dead(number, account=account, event_time=time.time() - 60))
        progress = Progress(f"conversions/0/{number}", replays=replays, run=run)
        self.kafka.put(queue(account), [requeued(made, progress)._replace(timestamp=None)])

    def send(self, account: str, offset: int, metadata: str = "") -> None:
        """The account's sender has committed so far."""
        group = f"conversion-forwarder.senders.{ACCOUNTS[account]}"
        self.commit(group, queue(account), offset, metadata)

    def commit(self, group: str, at: TopicPartition, offset: int, metadata: str = "") -> None:
        async def commit() -> None:  # a group lives on a loop
            self.kafka.group(group).commit_from_outside({at: Committed(offset, metadata)})

        asyncio.run(commit())

    def settle(self, **told: str) -> None:
        value = json.dumps(told).encode()
        self.kafka.put(TopicPartition(SETTLEMENTS, 0), [Outgoing(None, value, ())])


def queue(account: str) -> TopicPartition:
    return TopicPartition(f"conversions.queue.{account}", 0)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()

    def connect(_: object, **__: object) -> object:
        made.kafka.network._changes = None  # of the loop of an earlier command
        return made.kafka.client("cli")

    monkeypatch.setattr(scanning, "cluster", connect)
    return made
