"""How exactly vendor limits are kept, and how much of each is used, by four replicas.

    python -m benchmarks.limits --steady 120 --trouble 180

First nothing changes, then replicas are killed, frozen, added and removed all the time. More waits
than any limit lets through. Exit code 1 when a window was too full, the vendor refused a request
for its rate, or too little was used: 98% of what the arithmetic allows while nothing changes, 90%
outside the times of standing still.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.support.broker import Broker
from tests.support.deployment import Deployment
from tests.support.limits import LIMITS, Use, deployment, impose, use
from tests.support.load import Load, running

DELIVERY = {"session_timeout": "6s", "request_timeout": "3s"}
REPLICAS = 4
PAUSE = 6.0
LONGEST = 9.0
"""Seconds: the session time-out, what finding out takes, and the first token of the smallest."""


async def trouble(deployed: Deployment, seconds: float, random: Random) -> None:
    """Kill, freeze, remove, each followed by a new or woken replica."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(PAUSE)
        victim = random.choice(running(deployed))
        match random.choice(("kill", "freeze", "remove")):
            case "kill":
                victim.kill()
                await deployed.start()
            case "freeze":
                victim.freeze()
                await asyncio.sleep(8)
                victim.thaw()
            case _:
                victim.terminate()
                await victim.ended()
                await deployed.start()


def told(title: str, uses: Sequence[Use], least: float, longest: float) -> bool:
    """Print a table; whether all of it is as it must be."""
    print(f"\n{title}\n| limit | worst window | refused | longest pause | used of the possible |")
    print("|---|---|---|---|---|")
    good = True
    for one in uses:
        name = f"{one.limit.requests} per {one.limit.per:g} s ({', '.join(one.limit.accounts)})"
        still = max(one.still, default=0.0)
        print(f"| {name} | {one.worst} | {one.refused} | {still:.1f} s | {one.share:.1%} |")
        within = one.worst <= one.limit.requests and not one.refused
        good = good and within and one.share >= least and still <= longest
    return good


async def measure(arguments: argparse.Namespace, directory: Path) -> bool:
    prefix = f"limits{time.time_ns():x}"
    seconds = arguments.steady + arguments.trouble + 30
    events = int(max(limit.plan.rate for limit in LIMITS) * seconds * 1.2)
    with Broker() as broker:
        async with deployment(broker.bootstrap, prefix, directory, delivery=DELIVERY) as deployed:
            await deployed.run("topics", "create")
            impose(deployed)
            async with Load(broker.bootstrap, f"{prefix}-events", 2000, most=events):
                await asyncio.gather(*(deployed.start() for _ in range(REPLICAS)))
                await asyncio.sleep(5)
                begin = time.time()
                await asyncio.sleep(arguments.steady)
                middle = time.time()
                good = told("nothing changes", use(deployed, begin, middle), 0.98, 0.0)
                await trouble(deployed, arguments.trouble, Random(arguments.seed))
                end = time.time()
            return told("replicas come and go", use(deployed, middle, end), 0.9, LONGEST) and good


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steady", type=float, default=120.0, help="seconds")
    parser.add_argument("--trouble", type=float, default=180.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="limits-") as directory:
        good = asyncio.run(measure(arguments, Path(directory)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
