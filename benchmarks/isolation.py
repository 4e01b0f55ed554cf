"""Two healthy accounts alone, and beside four in trouble: one hangs, one resets, one answers 401,
one 40100 inside HTTP 200. Rate and latency of the healthy ones, measured in one run, in turns.

    python -m benchmarks.isolation --turns 3 --seconds 15

Exit code 1 when a healthy account keeps less than 95% of its rate, or its median latency is more
than 10% above what it has alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

from tests.support.broker import Broker
from tests.support.deployment import Deployment, WorkerProcess
from tests.support.isolation import HEALTHY, TROUBLE, account, publish, source

LEAST = 0.95
MOST = 1.1
SETTLES = 1.5
Rows = list[tuple[float, float]]
"""When an event was published, and when the vendor had it."""


def arrived(deployed: Deployment, name: str) -> Rows:
    rows = map(orjson.loads, deployed.sandbox.simulator.ledger.received("tiktok"))
    mine = (row for row in rows if row["account"].startswith(source(name)))
    return [(int(r["event_id"].split("-")[0]) / 1000, r["received_at"]) for r in mine]


async def opened(worker: WorkerProcess) -> set[str]:
    accounts = (await worker.status())["accounts"]
    return {a["name"] for a in accounts if a["lane"] and a["lane"]["breaker"] != "closed"}


async def measure(arguments: argparse.Namespace, directory: Path) -> bool:
    prefix = f"isolation{time.time_ns():x}"
    accounts: dict[str, dict[str, object]] = {n: account(n, "acme", "calm") for n in HEALTHY}
    accounts |= {name: account(name, "acme") for name in TROUBLE}
    for one in accounts.values():
        del one["batch"]  # as it comes
    published: dict[str, int] = defaultdict(int)
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with Broker() as broker:
        async with Deployment(
            broker.bootstrap, prefix, directory, accounts, advertisers={"*": {"currency": "USD"}}
        ) as deployed:
            await deployed.run("topics", "create")
            for name, trouble in TROUBLE.items():
                deployed.sandbox.behave(destination="tiktok", account=source(name), **trouble)
            worker = await deployed.start()
            producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks=1)
            await producer.start()
            topic = f"{prefix}-events"
            await publish(producer, topic, "calm", 3)
            for _ in range(arguments.turns):
                for advertiser in ("calm", "acme"):
                    since = time.time()
                    published[advertiser] += await publish(
                        producer, topic, advertiser, arguments.seconds
                    )
                    await asyncio.sleep(SETTLES)
                    spans[advertiser].append((since, time.time()))
            await producer.stop()
            print(f"breakers open in the end: {', '.join(sorted(await opened(worker)))}")
            kept = [
                told(name, arrived(deployed, name), published, spans, arguments.seconds)
                for name in HEALTHY
            ]
            return all(kept)


def told(
    name: str,
    rows: Rows,
    published: dict[str, int],
    spans: dict[str, list[tuple[float, float]]],
    seconds: float,
) -> bool:
    medians, rates = {}, {}
    for advertiser, times in spans.items():
        took = [
            at - then for then, at in rows if any(since <= then < until for since, until in times)
        ]
        medians[advertiser] = statistics.median(took)
        rates[advertiser] = len(took) / seconds / len(times)
        print(
            f"{name}, {'alone' if advertiser == 'calm' else 'beside'}: "
            f"{rates[advertiser]:.1f}/s of {published[advertiser] / seconds / len(times):.1f}/s, "
            f"median {medians[advertiser] * 1000:.0f} ms"
        )
    rate, latency = rates["acme"] / rates["calm"], medians["acme"] / medians["calm"]
    print(f"{name}: {rate:.1%} of the rate, {latency - 1:+.1%} latency")
    return rate >= LEAST and latency <= MOST


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    with tempfile.TemporaryDirectory(prefix="isolation-") as directory:
        return 0 if asyncio.run(measure(parser.parse_args(), Path(directory))) else 1


if __name__ == "__main__":
    sys.exit(main())
