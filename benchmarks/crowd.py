"""What accounts cost that have nothing to send, or may not: 10 busy accounts alone, and the same 10
beside 290 that are idle or blocked, on one replica, in turns.

    python -m benchmarks.crowd --turns 7

Half of the others are idle. The other half's credential is refused, with records that wait; the 10
alone have had as many records before, and sent them. Exit code 1 when they cost more than 25% above
the 10 alone, in CPU or in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass
class Scene:
    """A deployment with so many ``others``, and what its worker has cost: ``cpu`` in percent of a
    core, by turn.
    """

    others: int
    name: str
    worker: WorkerProcess
    cpu: list[float] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.worker.process.pid


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


async def scene(rig: Rig, others: int) -> Scene:
    name = rig.new_name("crowd")
    settings = await rig.deployment(name, settled(rig, others))
    await create_topics(settings)
    made = Scene(others, name, await rig.worker(settings))
    await fed(rig, made)
    await load(rig, name, 500.0, 5.0)
    await asyncio.sleep(5)
    forget_peak(made.pid)
    return made


async def turn(rig: Rig, one: Scene, rate: float, seconds: float) -> None:
    before = used(one.pid).cpu
    await load(rig, one.name, rate, seconds)
    one.cpu.append((used(one.pid).cpu - before) / seconds * 100)


async def create_topics(settings: Path) -> None:
    """Beforehand: a broker takes its time for hundreds."""
    command = [*FORWARDER, "topics", "create", "--config", str(settings)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0
    await asyncio.sleep(20)


async def fed(rig: Rig, one: Scene) -> None:
    """What comes before the measurement: the same number of records, with and without a crowd."""
    blocked = OTHERS // 2
    if one.others:
        await rig.publish(f"{one.name}-events", backlog(one.others))
        await eventually(lambda: all_blocked(one.worker, blocked), 300, 1.0)
    else:
        await rig.publish(f"{one.name}-events", stream(blocked * BACKLOG, BUSY))
        await rig.sink.reached(one.name, blocked * BACKLOG)


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
    scenes: list[Scene] = []
    async with Rig() as rig:
        try:
            for others in (0, OTHERS):
                scenes.append(await scene(rig, others))  # noqa: PERF401 - ended below, all of them
            for _ in range(arguments.turns):
                for one in scenes:
                    await turn(rig, one, arguments.rate, arguments.seconds)
            return told(*scenes)
        finally:
            for one in scenes:
                one.worker.close()


def told(alone: Scene, crowd: Scene) -> bool:
    print("| accounts | CPU, by turn | memory | peak |\n|---|---|---|---|")
    for one in (alone, crowd):
        turns = " ".join(f"{cpu:.1f}%" for cpu in one.cpu)
        peak = used(one.pid).peak
        print(f"| {BUSY + one.others} | {turns} | {resident(one.pid):.0f} MiB | {peak:.0f} MiB |")
    ratios = (
        statistics.median(crowd.cpu) / statistics.median(alone.cpu),
        resident(crowd.pid) / resident(alone.pid),
        used(crowd.pid).peak / used(alone.pid).peak,
    )
    print(
        f"| {BUSY + crowd.others} to {BUSY} | {ratios[0]:.2f} | {ratios[1]:.2f} | {ratios[2]:.2f} |"
    )
    return max(ratios) <= MOST


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second, of all")
    parser.add_argument("--seconds", type=float, default=6.0)
    return 0 if asyncio.run(measure(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
