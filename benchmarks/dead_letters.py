"""A million dead letters on a real Kafka: what ``dlq stats`` needs of time and memory.

    .venv/bin/python benchmarks/dead_letters.py [--letters 1000000]

Starts a broker, fills the dead-letter topic, then runs the command as users do and reads its own
figures and the highest memory that its process had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.memory_log import MemoryRecord
from forwarder.kafka.port import Outgoing
from forwarder.kafka.records import Progress, Trouble, event_headers, troubled
from tests.support.broker import Broker
from tests.support.deployment import web_purchases

ACCOUNTS = (("acme-pixel", "tiktok"), ("acme-ttd", "tradedesk"), ("acme-thrad", "thrad"))
CODES = ("local.page_url_missing", "40002", "40105", "local.value_missing")
HOURS = 12
BATCH = 5_000
SETTINGS = """\
kafka: {{bootstrap_servers: "{bootstrap}"}}
advertisers: {{acme: {{currency: USD}}}}
accounts:
  acme-pixel: {{destination: tiktok, advertisers: [acme], event_source_id: C4ABCDEFGHIJ,
    access_token: none}}
  acme-ttd: {{destination: tradedesk, advertisers: [acme], advertiser_id: abc1234,
    tracker_id: tr1, secret_key: none}}
  acme-thrad: {{destination: thrad, advertisers: [acme], api_key: none}}
"""


def letters(number: int) -> Iterator[Outgoing]:
    (event,) = web_purchases(1)
    now, value = time.time(), b""
    for n in range(number):
        event["event_id"] = f"event-{n}"
        if n % 100 == 0:
            value = json.dumps(event).encode()
        account, destination = ACCOUNTS[n % len(ACCOUNTS)]
        failed_at = now - 3600 * (n % HOURS)
        record = MemoryRecord("conversions", 0, n, 0, event["event_id"].encode(), value, ())
        progress = Progress(
            f"conversions/{n % 24}/{n}",
            first_failed_at=failed_at,
            last_failed_at=failed_at,
            account=account,
        )
        described = event_headers(
            event_id=event["event_id"],
            event_name="purchase",
            event_time=failed_at - 60,
            advertiser="acme",
            order_id=f"order-{n}",
        )
        trouble = Trouble("rejected", CODES[n % len(CODES)], "a web event needs page.url")
        yield troubled(record, progress, trouble, destination=destination, described=described)


async def fill(bootstrap: str, number: int) -> None:
    producer = open_kafka(Connection(bootstrap)).producer()
    await producer.start()
    batch: list[Outgoing] = []
    for letter in letters(number):
        batch.append(letter)
        if len(batch) == BATCH:
            await producer.write("conversions.dlq", batch)
            batch = []
    await producer.write("conversions.dlq", batch)
    await producer.stop()


def run(settings: Path, *arguments: str) -> tuple[str, float, float]:
    """Output, seconds, and highest memory in MB of a command."""
    started = time.monotonic()
    command = [sys.executable, "-m", "forwarder", *arguments, "--config", str(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, out
    return out, time.monotonic() - started, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000)
    number: int = parser.parse_args(arguments).letters
    with Broker() as broker, tempfile.TemporaryDirectory() as directory:
        settings = Path(directory) / "settings.yaml"
        settings.write_text(SETTINGS.format(bootstrap=broker.bootstrap))
        run(settings, "topics", "create")
        asyncio.run(fill(broker.bootstrap, number))
        for name, command in (
            ("stats", ("dlq", "stats", "--json")),
            ("stats, one account", ("dlq", "stats", "--json", "--account", "acme-ttd")),
            ("replay --dry-run", ("replay", "--dry-run", "--json", "--reason", "rejected")),
        ):
            out, seconds, memory = run(settings, *command)
            told = json.loads(out.splitlines()[-1])
            found = told.get("total", told.get("matched"))
            rate = told.get("records_per_second", round(number / seconds))
            figures = f"{rate:>7,} records/s  {memory:5.0f} MB  {seconds:.1f} s"
            print(f"{name:20} {found:>9,} found  {figures}")


if __name__ == "__main__":
    main()
