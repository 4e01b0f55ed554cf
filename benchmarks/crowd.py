"""What accounts cost that have nothing to send, or may not: 10 busy accounts alone, and the same 10
beside 290 that are idle or blocked, on one replica, in pairs.

    python -m benchmarks.crowd --pairs 3

Half of the others are idle. The other half's credential is refused, with records that wait; the 10
alone have had as many records before, and sent them. Exit code 1 when the median of the pairs is
more than 25% above the 10 alone, in CPU or in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.events import advertiser, event, stream
from benchmarks.process import used
from benchmarks.rig import Rig, Settings, accounts
from tests.support.deployment import FORWARDER, WorkerProcess, eventually

BUSY = 10
OTHERS = 290
BACKLOG = 500
"""Events for each account that is blocked."""
TICK = 0.02
MOST = 1.25


@dataclass(frozen=True)
class Cost:
    """``cpu``: percent of a core. Memory in MiB: at the end, and the most since the load began."""

    cpu: float
    memory: float
    peak: float


def settled(rig: Rig, others: int) -> Mapping[str, Settings]:
    """The busy ones, one advertiser each, and the others: every second one is refused."""
    made = accounts(["tiktok"] * (BUSY + others))
    for number, account in enumerate(made.values()):
        account["advertisers"] = [f"shop{number:02d}"]
        if number >= BUSY:
            if number % 2:
                account["base_url"] = f"{rig.sink.url}/refused"
            else:
                account["advertisers"] = ["nobody"]
    return made


async def cost(rig: Rig, others: int, rate: float, seconds: float) -> Cost:
    name = rig.new_name("crowd")
    settings = await rig.deployment(name, settled(rig, others))
    await create_topics(settings)
    worker = await rig.worker(settings)
    try:
        await fed(rig, worker, name, others)
        await load(rig, name, rate, 5.0)
        await asyncio.sleep(5)
        pid = worker.process.pid
        forget_peak(pid)
        before = used(pid).cpu
        await load(rig, name, rate, seconds)
        after = used(pid)
        return Cost((after.cpu - before) / seconds * 100, resident(pid), after.peak)
    finally:
        worker.close()


async def create_topics(settings: Path) -> None:
    """Beforehand: a broker takes its time for hundreds."""
    command = [*FORWARDER, "topics", "create", "--config", str(settings)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0
    await asyncio.sleep(5)


async def fed(rig: Rig, worker: WorkerProcess, name: str, others: int) -> None:
    """What comes before the measurement: the same number of records, with and without a crowd."""
    blocked = OTHERS // 2
    if others:
        await rig.publish(f"{name}-events", backlog(others))
        await eventually(lambda: all_blocked(worker, blocked), 300, 1.0)
    else:
        await rig.publish(f"{name}-events", stream(blocked * BACKLOG, BUSY))
        await rig.sink.reached(name, blocked * BACKLOG)


def backlog(others: int) -> Iterator[tuple[bytes, bytes]]:
    """As many events for each account that is refused."""
    for number in range(BACKLOG):
        for account in range(BUSY + 1, BUSY + others, 2):
            yield b"", event(number, advertiser(account))


async def all_blocked(worker: WorkerProcess, number: int) -> bool:
    """Whether so many breakers are open, with all that was published."""
    lanes = [account["lane"] for account in (await worker.status())["accounts"]]
    open_ = [lane for lane in lanes if lane is not None and lane["breaker"] != "closed"]
    return len(open_) >= number and all(lane["waiting"] >= BACKLOG for lane in open_)


async def load(rig: Rig, name: str, rate: float, seconds: float) -> None:
    """Evenly to the busy accounts; until all of it is at the vendors."""
    start, sent = time.monotonic(), 0
    before = await rig.sink.events(name)
    while (elapsed := time.monotonic() - start) < seconds:
        due = round(elapsed * rate) - sent
        await rig.publish(f"{name}-events", stream(due, BUSY, sent), partition=sent)
        sent += due
        await asyncio.sleep(TICK)
    await rig.sink.reached(name, before + sent, 60)


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


async def measure(arguments: argparse.Namespace) -> bool:
    print("| | CPU | memory | peak |\n|---|---|---|---|")
    ratios: list[tuple[float, float, float]] = []
    async with Rig() as rig:
        for _ in range(arguments.pairs):
            pair = []
            for others in (0, OTHERS):
                one = await cost(rig, others, arguments.rate, arguments.seconds)
                print(
                    f"| {BUSY} + {others} | {one.cpu:.1f}% | {one.memory:.0f} MiB "
                    f"| {one.peak:.0f} MiB |",
                    flush=True,
                )
                pair.append(one)
            alone, crowd = pair
            ratios.append(
                (crowd.cpu / alone.cpu, crowd.memory / alone.memory, crowd.peak / alone.peak)
            )
    cpu, memory, peak = (statistics.median(one) for one in zip(*ratios, strict=True))
    print(f"| median of the ratios | {cpu:.2f} | {memory:.2f} | {peak:.2f} |")
    return bool(max(cpu, memory, peak) <= MOST)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second, of all")
    parser.add_argument("--seconds", type=float, default=20.0)
    return 0 if asyncio.run(measure(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
