"""A real Kafka and several replicas under steady load, with something breaking all the time.

    make soak MINUTES=20
    python -m benchmarks.soak --minutes 2.5 --only kill --every 20     # one fault alone, in rhythm

Replicas are killed, frozen, stopped, added; the broker is killed and frozen; vendors fail, hang,
reset and throttle. At the end everything that was published must have been taken by every vendor,
nothing may be left in a queue, repeats must be explained by what was done, and the memory of the
replica that lived through it all must be flat. Exit code 1 otherwise. The same seed draws the same
faults; what they hit is up to the machine.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from forwarder.destinations import DESTINATIONS
from forwarder.kafka.topics import EVENTS_PARTITIONS
from forwarder.router import POLL_RECORDS
from tests.support.broker import ARTIFACTS, Broker
from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    WorkerProcess,
    eventually,
)
from tests.support.load import Load, running, waiting

ACCOUNTS: Mapping[str, Mapping[str, object]] = {
    "one-pixel": TIKTOK,
    "one-ttd": TRADEDESK,
    "one-thrad": {**THRAD, "concurrency": 16},
}
DELIVERY = {"session_timeout": "6s", "request_timeout": "3s"}
MOST_REPLICAS = 4
VENDOR_TROUBLE: list[dict[str, object]] = [
    {"status": 503},
    {"status": 503, "fraction": 0.3},
    {"status": 502, "html": True},
    {"hang": True, "fraction": 0.2},
    {"reset": True, "fraction": 0.5},
    {"status": 429, "retry_after": "3s", "fraction": 0.5},
    {"latency": "1500ms"},
]
UNSURE = 4.0
"""Seconds for which deliveries go on without commits when the broker goes: half the session
time-out, and what was in flight."""
POLL_BATCHES = 2 * POLL_RECORDS
"""What a router's crash writes twice at most; vendors without dedup never see it."""
LAST_WAIT = 900.0
"""Seconds for what is left at the end: deliveries may be in the retry topic of ten minutes."""
GROWTH = 1.1


@dataclass
class Seen:
    """What happened. ``sizes``: (seconds, MiB) of the replica that lives through it all."""

    actions: Counter[str] = field(default_factory=Counter)
    sizes: list[tuple[float, float]] = field(default_factory=list)
    explained: Counter[str] = field(default_factory=Counter)
    """By destination: repeats that what was done may have made."""
    last: str = ""

    def note(self, action: str) -> None:
        self.actions[action] += 1
        self.last = action


class Chaos:
    """Breaks things, one at a time. The first ``spared`` replicas are frozen, but never ended."""

    def __init__(
        self, broker: Broker, deployment: Deployment, random: Random, seen: Seen, plan: Namespace
    ) -> None:
        self._spared = 0 if plan.only else 1
        self._rate = plan.rate
        self._broker = broker
        self._deployment = deployment
        self._random = random
        self._seen = seen
        self.kinds: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "kill": (4, self._kill),
            "freeze": (3, self._freeze),
            "stop": (3, self._stop),
            "add": (2, self._add),
            "broker": (1, self._restart_broker),
            "broker_freeze": (1, self._freeze_broker),
            "vendor": (6, self._vendor),
        }

    async def act(self, only: str | None) -> None:
        names = [only] if only else list(self.kinds)
        weights = [self.kinds[name][0] for name in names]
        (name,) = self._random.choices(names, weights)
        self._seen.note(name)
        await self.kinds[name][1]()

    def _victim(self) -> WorkerProcess:
        """Any but the spared, unless they are alone."""
        living = running(self._deployment)
        return self._random.choice(living[self._spared :] or living)

    async def _explain(self, more: float = 0.0) -> None:
        """What a crash now may repeat: all that is not committed, whoever had it, and ``more``."""
        deployment, bootstrap = self._deployment, self._broker.bootstrap
        prefix = deployment.prefix
        routed = await waiting(bootstrap, f"{prefix}-g", [f"{prefix}-events"], EVENTS_PARTITIONS)
        again = min(POLL_BATCHES, routed + more)
        for name, account in deployment.accounts.items():
            kind = account["destination"]
            group, queue = f"{prefix}-g.senders.{kind}", f"{prefix}.queue.{name}"
            sent = await waiting(bootstrap, group, [queue]) + more
            dropped = not DESTINATIONS[kind].traits.dedups
            self._seen.explained[kind] += round(sent if dropped else sent + again)

    async def _kill(self) -> None:
        self._victim().kill()
        await self._explain()
        await self._deployment.start()

    async def _freeze(self) -> None:
        victim = self._random.choice(running(self._deployment))
        victim.freeze()
        await self._explain()
        await asyncio.sleep(self._random.uniform(2, 15))
        victim.thaw()

    async def _stop(self) -> None:
        victim = self._victim()
        if len(running(self._deployment)) > 1:
            victim.terminate()
            if await victim.ended(60) != 0:
                raise AssertionError(f"a stop ended badly:\n{victim.tail()}")
        if len(running(self._deployment)) < 2:
            await self._deployment.start()

    async def _add(self) -> None:
        if len(running(self._deployment)) < MOST_REPLICAS:
            await self._deployment.start()

    async def _restart_broker(self) -> None:
        await self._explain(UNSURE * self._rate)
        await asyncio.to_thread(self._broker.kill)
        await asyncio.sleep(self._random.uniform(0, 20))
        await asyncio.to_thread(self._broker.start)

    async def _freeze_broker(self) -> None:
        await self._explain(UNSURE * self._rate)
        self._broker.freeze()
        await asyncio.sleep(self._random.uniform(2, 20))
        self._broker.thaw()

    async def _vendor(self) -> None:
        trouble = self._random.choice(VENDOR_TROUBLE)
        name = self._random.choice(sorted(DESTINATIONS))
        calm(self._deployment, name, **trouble)
        seconds = self._random.uniform(3, 20)
        asyncio.get_running_loop().call_later(seconds, calm, self._deployment, name)


def calm(deployment: Deployment, *names: str, **trouble: object) -> None:
    """Vendors without limits, as they are but for ``trouble``."""
    for name in names:
        rate = {"requests": 10**6, "per": 1}
        deployment.sandbox.behave(destination=name, rate=rate, **trouble)


def taken(deployment: Deployment) -> dict[str, tuple[int, int]]:
    """By destination: different events that were taken, and events above one each."""
    books = deployment.sandbox.simulator.ledger.report()["accounts"]
    assert isinstance(books, dict)
    found = dict.fromkeys(DESTINATIONS, (0, 0))
    for book in books.values():
        unique, events = found[book["destination"]]
        found[book["destination"]] = (
            unique + book["unique_event_ids"],
            events + book["events"] - book["unique_event_ids"],
        )
    return found


def size(worker: WorkerProcess) -> float:
    """Resident MiB; 0 for one that has ended."""
    if worker.process.poll() is not None:
        return 0.0
    for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def watch(deployment: Deployment, load: Load, seen: Seen, began: float) -> None:
    """A live line, and the size of the first replica."""
    while True:
        await asyncio.sleep(2)
        elapsed = time.monotonic() - began
        seen.sizes.append((elapsed, size(deployment.workers[0])))
        counts = " ".join(
            f"{name} {unique} (+{more})" for name, (unique, more) in taken(deployment).items()
        )
        line = (
            f"{elapsed:6.0f} s  published {load.published}  {counts}  "
            f"replicas {len(running(deployment))}  {seen.sizes[-1][1]:.0f} MiB  {seen.last}"
        )
        print(f"\r\x1b[K{line}" if sys.stdout.isatty() else line, end="", flush=True)
        if not sys.stdout.isatty():
            print()


async def settle(deployment: Deployment, bootstrap: str, load: Load) -> list[str]:
    """Wait for what is left; what is wrong then."""

    def all_taken() -> bool:
        return all(unique >= load.published for unique, _ in taken(deployment).values())

    problems: list[str] = []
    try:
        await eventually(all_taken, LAST_WAIT, 1.0)
    except AssertionError:
        counts = taken(deployment).items()
        lost = {name: load.published - unique for name, (unique, _) in counts}
        problems.append(f"lost: {lost}")

    async def all_committed() -> bool:
        left = [
            await waiting(
                bootstrap,
                f"{deployment.prefix}-g.senders.{account['destination']}",
                [f"{deployment.prefix}.queue.{name}"],
            )
            for name, account in deployment.accounts.items()
        ]
        return not any(left)

    try:
        await eventually(all_committed, 60, 1.0)
    except AssertionError:
        problems.append("a queue is not read to its end: a lane is stuck")
    return problems


def repeats(deployment: Deployment, seen: Seen) -> list[str]:
    """Those that nothing explains."""
    return [
        f"{name}: {more} repeats, explained are {seen.explained[name]}"
        for name, (_, more) in taken(deployment).items()
        if more > seen.explained[name]
    ]


def growth(seen: Seen) -> tuple[float, float]:
    """The most MiB before the last third, and in it: what waits at a vendor in trouble takes memory
    whenever that is, but what leaks goes on.
    """
    sizes = [mib for _, mib in seen.sizes]
    late = 2 * len(sizes) // 3
    return max(sizes[:late], default=0.0), max(sizes[late:], default=0.0)


async def soak(arguments: Namespace, directory: Path) -> int:
    seen, random = Seen(), Random(arguments.seed)
    prefix = f"soak{time.time_ns():x}"
    with Broker(heap="1g") as broker:
        deployment = Deployment(broker.bootstrap, prefix, directory, ACCOUNTS, delivery=DELIVERY)
        async with deployment:
            await deployment.run("topics", "create")
            calm(deployment, *DESTINATIONS)
            await asyncio.gather(*(deployment.start() for _ in range(arguments.replicas)))
            chaos = Chaos(broker, deployment, random, seen, arguments)
            began = time.monotonic()
            most = round(arguments.rate * arguments.minutes * 60)
            async with Load(broker.bootstrap, f"{prefix}-events", arguments.rate, most) as load:
                watching = asyncio.create_task(watch(deployment, load, seen, began))
                while (elapsed := time.monotonic() - began) < arguments.minutes * 60:
                    every = arguments.every
                    pause = every - elapsed % every if every else random.uniform(3, 12)
                    await asyncio.sleep(min(pause, arguments.minutes * 60 - elapsed))
                    await chaos.act(arguments.only)
                await load.stop()
                calm(deployment, *DESTINATIONS)
                problems = await settle(deployment, broker.bootstrap, load)
                watching.cancel()
            problems += repeats(deployment, seen)
            problems += [
                f"replica {number} ended by itself:\n{worker.tail(2000)}"
                for number, worker in enumerate(deployment.workers)
                if worker.process.poll() not in (None, 0, -9)
            ]
            before, after = growth(seen)
            if after > before * GROWTH:
                problems.append(f"memory grew from {before:.0f} to {after:.0f} MiB")
            if problems:
                keep_logs(deployment)
            return told(load, deployment, seen, problems)


def keep_logs(deployment: Deployment) -> None:
    place = ARTIFACTS / deployment.prefix
    place.mkdir(parents=True, exist_ok=True)
    for worker in deployment.workers:
        (place / worker.log.name).write_bytes(worker.log.read_bytes())
    print(f"logs: {place}")


def told(load: Load, deployment: Deployment, seen: Seen, problems: list[str]) -> int:
    """The result in words; the exit code."""
    before, after = growth(seen)
    print(f"\npublished {load.published}; done: {dict(sorted(seen.actions.items()))}")
    for name, (unique, more) in taken(deployment).items():
        print(
            f"{name}: lost {load.published - unique}, repeated {more} "
            f"(explained are {seen.explained[name]})"
        )
    print(
        f"most memory of the first replica: {before:.0f} MiB in the first two thirds, "
        f"{after:.0f} MiB in the last"
    )
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


def main() -> int:
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--replicas", type=int, default=3, help="at the start")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="this kind of fault alone: kill, freeze, stop, broker...")
    parser.add_argument("--every", type=float, help="seconds between faults, in place of 3 to 12")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the publisher's, not the workers'
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        return asyncio.run(soak(arguments, Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
