"""A real Kafka, the sink and worker processes, each on the core where it belongs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.process import cores, pin
from tests.support.broker import ROOT, Broker
from tests.support.deployment import WorkerProcess, fetch

BATCH = 500 * 1024
EVENTS_PARTITIONS = 6
NO_LIMIT = {"requests": 6_000_000, "per": "60s"}
Settings = dict[str, object]


class Sink:
    """The process of ``sink.py``, as seen from outside."""

    def __init__(self, core: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sink"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        pin(self._process.pid, core)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    async def events(self, tag: str) -> int:
        """How many events came under ``tag``."""
        counts: dict[str, list[int]] = json.loads(await fetch(f"{self.url}/count"))
        return counts.get(tag, [0, 0])[1]

    async def ages(self, tag: str) -> list[float]:
        """Milliseconds from publishing to the sink, sorted, since the last call."""
        found: list[int] = json.loads(await fetch(f"{self.url}/ages/{tag}"))
        return sorted(age / 1000 for age in found)

    async def reached(self, tag: str, number: int, within: float = 300.0) -> None:
        """Wait until so many events came under ``tag``."""
        until = time.monotonic() + within
        while (seen := await self.events(tag)) < number:
            if time.monotonic() > until:
                raise TimeoutError(f"{seen} of {number} events of {tag} within {within:g} s")
            await asyncio.sleep(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Rig:
    """``async with Rig() as rig``: broker, sink and publisher on one core, workers on another."""

    def __init__(self) -> None:
        self.worker_core, self.other_core = cores()
        os.sched_setaffinity(0, {self.other_core})
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        self._broker = Broker(
            heap="1g",
            # Flushes and clean-ups in the middle of a run would be its noise.
            server_properties={"log.retention.check.interval.ms": "3600000"},
        )
        self.bootstrap = os.environ.get("KAFKA_BOOTSTRAP", "")

    async def __aenter__(self) -> Self:
        if not self.bootstrap:
            self.bootstrap = (await asyncio.to_thread(self._broker.start)).bootstrap
        self.sink = Sink(self.other_core)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, max_batch_size=BATCH, acks=1, linger_ms=0
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._producer.stop()
        self.sink.close()
        self._broker.close()
        self._directory.cleanup()

    def new_name(self, what: str) -> str:
        """A prefix that no other run has."""
        return f"{what}-{uuid.uuid4().hex[:8]}"

    async def create_topic(self, name: str, partitions: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            await admin.close()

    async def deployment(
        self, name: str, accounts: Mapping[str, Settings], *, delay_ms: int = 0, **more: object
    ) -> Path:
        """Settings of a deployment whose vendors are the sink, under the tag ``name``; and its
        events topic, ``<name>-events``.
        """
        base_url = f"{self.sink.url}/{name}/{delay_ms}"
        whole: Settings = {
            "kafka": {
                "bootstrap_servers": self.bootstrap,
                "group_id": name,
                "events_topic": f"{name}-events",
                "topic_prefix": name,
            },
            "destinations": {
                kind: {"base_url": base_url} for kind in ("tiktok", "tradedesk", "thrad")
            },
            "advertisers": {"*": {"currency": "USD", "phone_region": "US"}},
            "accounts": accounts,
            **more,
        }
        await self.create_topic(f"{name}-events", EVENTS_PARTITIONS)
        path = Path(self._directory.name) / f"{name}.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False))
        return path

    async def worker(self, settings: Path, *arguments: str) -> WorkerProcess:
        """A worker on its core, in its groups."""
        log = Path(self._directory.name) / f"{uuid.uuid4().hex[:8]}.log"
        worker = WorkerProcess(settings, log, *arguments)
        pin(worker.process.pid, self.worker_core)
        try:
            await worker.ready(60)
        except BaseException:
            worker.close()
            raise
        return worker

    async def publish(
        self, topic: str, records: Iterable[tuple[bytes, bytes]], partition: int = 0
    ) -> None:
        """Write all, in full batches, dealt to the topic's partitions in turn."""
        acknowledged = []
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                acknowledged.append(await self._sent(batch, topic, partition))
                batch, partition = self._producer.create_batch(), partition + 1
                batch.append(key=key, value=value, timestamp=None)
        acknowledged.append(await self._sent(batch, topic, partition))
        await asyncio.gather(*acknowledged)

    async def _sent(self, batch: object, topic: str, number: int) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await self._producer.send_batch(
            batch, topic, partition=number % EVENTS_PARTITIONS
        )
        return future


def accounts(kinds: Iterable[str], **more: object) -> dict[str, Settings]:
    """One account of each of these destinations, without a limit that could be felt. ``more``
    goes to each.
    """
    return {f"{kind}-{number}": _account(kind, number) | more for number, kind in enumerate(kinds)}


_ACCOUNTS: Mapping[str, Settings] = {
    "tiktok": {"event_source": "web", "event_source_id": "C4ABCDEFGHIJ"},
    "tradedesk": {"advertiser_id": "abc1234", "tracker_id": "tr1"},
    "thrad": {},
}
_SECRETS = {"tiktok": "access_token", "tradedesk": "secret_key", "thrad": "api_key"}


def _account(kind: str, number: int) -> Settings:
    """Two accounts with one credential would have to share their limit."""
    return {
        "destination": kind,
        "advertisers": ["*"],
        "budgets": [NO_LIMIT],
        _SECRETS[kind]: f"secret-{number}",
        **_ACCOUNTS[kind],
    }
