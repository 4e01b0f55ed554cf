"""What is measured end to end, each in a fresh deployment (or a fresh yardstick) of its own.

CPU is that of the worker's process alone, from the moment before the events are published to the
moment when the last one is at the sink, so start-up is left out and nothing else is.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.events import stream
from benchmarks.process import pin, used
from benchmarks.rig import Rig, Settings, accounts
from tests.support.broker import ROOT
from tests.support.deployment import WorkerProcess

WARM = 6_000
PACED_SECONDS = 3.0
TICK = 0.02


@dataclass(frozen=True)
class Measured:
    """One run. ``cpu_us``: microseconds of the worker's CPU for each delivery; ``rate``: deliveries
    a second of wall time; ``p50_ms``, ``p99_ms``: from publishing to the sink at a quarter of that.
    """

    deliveries: int
    cpu_us: float
    rate: float
    peak_mib: float
    p50_ms: float | None = None
    p99_ms: float | None = None


Scenario = Callable[[Rig, float], Awaitable[Measured]]
"""Takes the rig and how large a run is, as a part of a full one."""


@dataclass
class Watch:
    """Takes the time and the CPU of some processes."""

    pids: Sequence[int]

    def start(self) -> None:
        self._cpu = used(*self.pids).cpu
        self._at = time.perf_counter()

    def stop(self, deliveries: int) -> Measured:
        seconds = time.perf_counter() - self._at
        after = used(*self.pids)
        cpu = after.cpu - self._cpu
        return Measured(deliveries, cpu / deliveries * 1e6, deliveries / seconds, after.peak)


# -- the forwarder --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Load:
    """``kinds``: destinations of the accounts. ``dealt``: each event is for one account only."""

    kinds: Sequence[str]
    events: int
    dealt: bool = False
    delay_ms: int = 0
    replicas: int = 1
    concurrency: int = 8
    paced: bool = True

    def accounts(self) -> Mapping[str, Settings]:
        made = accounts(self.kinds, concurrency=self.concurrency)
        if self.dealt:
            for index, account in enumerate(made.values()):
                account["advertisers"] = [f"shop{index:02d}"]
        return made

    @property
    def advertisers(self) -> int:
        return len(self.kinds) if self.dealt else 1

    @property
    def copies(self) -> int:
        return 1 if self.dealt else len(self.kinds)


async def end_to_end(load: Load, rig: Rig, size: float) -> Measured:
    """Events in, requests out, everything on."""
    name, number = rig.new_name("timed"), round(load.events * size)
    settings = await rig.deployment(name, load.accounts(), delay_ms=load.delay_ms)
    workers: list[WorkerProcess] = []
    try:
        for _ in range(load.replicas):
            workers.append(await rig.worker(settings))  # noqa: PERF401 - those of a failed start too
        return await _fed(rig, load, name, number, [w.process.pid for w in workers])
    finally:
        for worker in workers:
            worker.close()


async def _fed(rig: Rig, load: Load, name: str, number: int, pids: Sequence[int]) -> Measured:
    warm = min(WARM, number)
    topic, watch = f"{name}-events", Watch(pids)
    await rig.publish(topic, stream(warm, load.advertisers))
    await rig.sink.reached(name, warm * load.copies)
    await asyncio.sleep(1.5)  # until that is committed
    watch.start()
    await rig.publish(topic, stream(number, load.advertisers, warm))
    await rig.sink.reached(name, (warm + number) * load.copies)
    measured = watch.stop(number * load.copies)
    if not load.paced:
        return measured
    ages = await _paced(rig, load, name, warm + number, measured.rate / load.copies / 4)
    return replace(measured, p50_ms=quantile(ages, 0.5), p99_ms=quantile(ages, 0.99))


async def _paced(rig: Rig, load: Load, name: str, start: int, rate: float) -> list[float]:
    """Ages of the events of some seconds at ``rate`` events a second."""
    await rig.sink.ages(name)
    for _ in range(round(PACED_SECONDS / TICK)):
        step = round(rate * TICK)
        await rig.publish(f"{name}-events", stream(step, load.advertisers, start))
        start += step
        await asyncio.sleep(TICK)
    await rig.sink.reached(name, start * load.copies)
    return await rig.sink.ages(name)


def quantile(ordered: Sequence[float], part: float) -> float | None:
    """``None``: there are none."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


async def router_then_sender(rig: Rig, size: float) -> tuple[Measured, Measured]:
    """The two halves of one account's way, one after the other: each with the core to itself."""
    name, number = rig.new_name("halves"), round(100_000 * size)
    settings = await rig.deployment(name, Load(["tiktok"], number).accounts())
    queue = TopicPartition(f"{name}.queue.tiktok-0", 0)
    router = await _router_alone(rig, settings, name, number, queue)
    sender = await _sender_alone(rig, settings, name, number)
    return router, sender


async def _router_alone(
    rig: Rig, settings: Path, name: str, number: int, queue: TopicPartition
) -> Measured:
    worker = await rig.worker(settings, "--role", "router")
    try:
        watch = Watch([worker.process.pid])
        await rig.publish(f"{name}-events", stream(WARM))
        await _filled(rig, queue, WARM)
        watch.start()
        await rig.publish(f"{name}-events", stream(number, start=WARM))
        await _filled(rig, queue, WARM + number)
        measured = watch.stop(number)
        worker.terminate()
        await worker.ended()
        return measured
    finally:
        worker.close()


async def _filled(rig: Rig, queue: TopicPartition, number: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.bootstrap)
    await consumer.start()
    try:
        async with asyncio.timeout(300):
            while (await consumer.end_offsets([queue]))[queue] < number:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.02)
    finally:
        await consumer.stop()


async def _sender_alone(rig: Rig, settings: Path, name: str, number: int) -> Measured:
    """Its backlog waits already, so the first tenth is the warming up."""
    worker = await rig.worker(settings, "--role", "sender")
    try:
        watch = Watch([worker.process.pid])
        await rig.sink.reached(name, WARM)
        watch.start()
        before = await rig.sink.events(name)
        await rig.sink.reached(name, WARM + number)
        return watch.stop(WARM + number - before)
    finally:
        worker.close()


# -- the yardsticks -------------------------------------------------------------------------------
async def bare_loop(
    rig: Rig, size: float, *, events: int = 100_000, batch: int = 1000, at_once: int = 8, delay: int
) -> Measured:
    """aiokafka, pydantic, aiohttp, and nothing else."""
    name, number = rig.new_name("bare"), round(events * size)
    topic = f"{name}-events"
    await rig.create_topic(topic, 6)
    warm = min(WARM, number)
    arguments = [rig.bootstrap, topic, warm + number, batch, at_once]
    process = await _yardstick(rig, "loop", f"{rig.sink.url}/{name}/{delay}/", *arguments)
    try:
        await _told(process)
        return await _fed(rig, Load(["bare"], number, paced=False), name, number, [process.pid])
    finally:
        process.kill()
        process.wait()


async def bare_posts(rig: Rig, size: float, *, events: int, at_once: int, delay: int) -> Measured:
    """aiohttp alone: bodies that are ready, one POST each."""
    name, number = rig.new_name("posts"), round(events * size)
    url = f"{rig.sink.url}/{name}/{delay}/"
    process = await _yardstick(rig, "post", url, number, at_once)
    try:
        watch = Watch([process.pid])
        watch.start()
        await _told(process)
        await rig.sink.reached(name, number)
        return watch.stop(number)
    finally:
        process.kill()
        process.wait()


async def _yardstick(rig: Rig, *arguments: object) -> subprocess.Popen[bytes]:
    process = _started(rig.worker_core, *map(str, arguments))
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"ready\n"
    return process


def _started(core: int, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.bare", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pin(process.pid, core)
    return process


async def _told(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


def _forwarder(kinds: Sequence[str], events: int, **more: int | bool) -> Scenario:
    return partial(end_to_end, Load(kinds, events, **more))  # type: ignore[arg-type]


SCENARIOS: Mapping[str, Scenario] = {
    "bare loop": partial(bare_loop, delay=0),
    "one account": _forwarder(["tiktok"], 100_000),
    "three batching accounts": _forwarder(["tiktok", "tiktok", "tradedesk"], 50_000),
    "30 accounts": _forwarder(["tiktok"] * 30, 100_000, dealt=True),
    "three destinations": _forwarder(["tiktok", "tradedesk", "thrad"], 8_000),
    "bare POSTs, 0 ms": partial(bare_posts, events=20_000, at_once=8, delay=0),
    "bare loop, one POST per event, 0 ms": partial(
        bare_loop, events=20_000, batch=1, at_once=8, delay=0
    ),
    "one event per POST, 0 ms": _forwarder(["thrad"], 20_000),
    "bare POSTs, 50 ms": partial(bare_posts, events=10_000, at_once=64, delay=50),
    "bare loop, one POST per event, 50 ms": partial(
        bare_loop, events=10_000, batch=1, at_once=64, delay=50
    ),
    "one event per POST, 50 ms": _forwarder(["thrad"], 10_000, delay_ms=50, concurrency=64),
    "four accounts, one replica": _forwarder(["tiktok"] * 4, 100_000, dealt=True),
    "four accounts, two replicas": _forwarder(["tiktok"] * 4, 100_000, dealt=True, replicas=2),
}
