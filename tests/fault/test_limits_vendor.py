"""A vendor of another make: it counts what arrives, which is late by as much as the network likes,
in an exact window for each key, and asks to come again in every form that HTTP knows.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from email.utils import formatdate
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from tests.support.broker import Broker
from tests.support.deployment import Deployment, WorkerProcess, eventually, says, web_purchases
from tests.support.load import QUICK, Load, logs, running, worst_window
from tests.support.topics import records

REQUESTS, PER = 40, 4.0
LIMIT = {"requests": REQUESTS, "per": f"{PER:g}s"}
UNPROVEN = 5
"""Requests that an account may have under way before one was delivered."""
LATE = 0.35
"""Seconds by which a request may arrive after it was sent."""


class Vendor:
    """By key: when each request arrived, and what to answer instead of ``ok`` (headers of a 429).
    ``ids``: what was taken, by key.
    """

    def __init__(self) -> None:
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        self.busy: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.always_busy: set[str] = set()
        self.revoked: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.ids: dict[str, list[str]] = defaultdict(list)
        self.told_at: dict[str, float] = {}
        self._random = Random(5)

    def again(self, key: str) -> float:
        """When the first request came that was not under way when it was asked to wait."""
        return min(at for at in self.arrivals[key] if at > self.told_at[key] + 1)

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers["Authorization"].removeprefix("Bearer key-of-")
        body = await request.json()
        await asyncio.sleep(self._random.uniform(0, LATE))
        now = time.time()
        self.arrivals[key].append(now)
        if key in self.revoked:
            self.refused[key] += 1
            return web.json_response({"detail": "Invalid API key"}, status=401)
        if sum(at > now - PER for at in self.arrivals[key]) > REQUESTS:
            self.refused[key] += 1
            return web.json_response({}, status=429)
        if self.busy[key]:
            self.told_at[key] = now
            return web.json_response({}, status=429, headers=self.busy[key].pop())
        if key in self.always_busy:
            return web.json_response({}, status=429)
        self.ids[key].append(body["event_id"])
        return web.json_response({"status": "ok"})


@pytest.fixture
async def vendor() -> AsyncIterator[tuple[Vendor, str]]:
    made, app = Vendor(), web.Application()
    app.router.add_post("/api/conversion", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def account(url: str, key: object, budget: object = LIMIT) -> dict[str, object]:
    return {
        "destination": "thrad",
        "base_url": url,
        "advertisers": ["acme"],
        "api_key": key,
        "budgets": [budget],
        "concurrency": 8,
    }


async def test_late_arrivals_and_a_rotated_key_keep_every_window(
    broker: Broker, unique: str, tmp_path: Path, vendor: tuple[Vendor, str]
) -> None:
    thrad, url = vendor
    secret = tmp_path / "key"
    secret.write_text("key-of-old\n")
    accounts = {"acme-thrad": account(url, {"file": str(secret)})}
    async with Deployment(broker.bootstrap, unique, tmp_path, accounts, delivery=QUICK) as deployed:
        await deployed.run("topics", "create")
        async with Load(broker.bootstrap, f"{unique}-events", rate=1000, most=2000):
            await asyncio.gather(*(deployed.start() for _ in range(2)))
            await asyncio.sleep(5)
            owner = await owner_of(deployed)
            secret.write_text("")  # as an editor leaves it for a moment
            await says(owner, "credential_unreadable", account="acme-thrad", within=6)
            before = len(thrad.arrivals["old"])
            await asyncio.sleep(1)
            assert len(thrad.arrivals["old"]) > before
            fresh = tmp_path / "fresh"
            fresh.write_text("key-of-new")
            fresh.replace(secret)
            await eventually(lambda: thrad.ids["new"], 6, what=owner.tail())
            await asyncio.sleep(2 * LATE + 0.1)
            thrad.revoked.add("old")  # what is sent with it from now on was sent too late
            await asyncio.sleep(4)
            owner.kill()
            sent = len(thrad.ids["new"])
            assert sent
            await eventually(lambda: len(thrad.ids["new"]) >= sent + REQUESTS, 60)
        for key, times in thrad.arrivals.items():
            assert worst_window(times, PER) <= REQUESTS, key
        assert not thrad.refused, logs(deployed)


def steady(times: Sequence[float]) -> int:
    """Requests of six seconds, when it was under way."""
    begin = min(times) + 2
    return sum(begin <= at < begin + 6 for at in times)


async def owner_of(deployed: Deployment) -> WorkerProcess:
    for worker in running(deployed):
        if any(one["lane"] is not None for one in (await worker.status())["accounts"]):
            return worker
    raise AssertionError("nobody owns it")


async def test_every_way_to_ask_for_a_pause_is_kept_and_meets_nobody_else(
    broker: Broker, unique: str, tmp_path: Path, vendor: tuple[Vendor, str]
) -> None:
    thrad, url = vendor
    secret = tmp_path / "absurd"
    secret.write_text("key-of-absurd")
    accounts = {
        name: account(url, {"file": str(secret)} if name == "absurd" else f"key-of-{name}")
        for name in ("seconds", "date", "absurd", "well")
    }
    accounts |= {n: account(url, f"key-of-{n}", "app") for n in ("storm", "first", "second")}
    thrad.busy |= {"seconds": [{"Retry-After": "5"}], "absurd": [{"Retry-After": "9" * 11}]}
    thrad.always_busy.add("storm")
    async with Deployment(
        broker.bootstrap, unique, tmp_path, accounts, budgets={"app": LIMIT}
    ) as deployed:
        await deployed.run("topics", "create")
        worker = await deployed.start()
        date = time.time() + 6
        thrad.busy["date"] = [{"Retry-After": formatdate(date, usegmt=True)}]
        await deployed.publish(web_purchases(90))
        await eventually(lambda: len(thrad.ids["well"]) == 90, 60, what=worker.tail())
        await eventually(lambda: len(thrad.ids["seconds"]) == 90, 60, what=worker.tail())
        assert thrad.again("seconds") >= thrad.told_at["seconds"] + 5
        assert thrad.again("date") >= date - 1
        assert len(thrad.arrivals["absurd"]) <= UNPROVEN
        lanes = {one["name"]: one["lane"] for one in (await worker.status())["accounts"]}
        assert lanes["absurd"]["not_before_at"] <= time.time() + 3600
        both = sorted(thrad.arrivals["first"] + thrad.arrivals["second"])
        assert len(thrad.arrivals["storm"]) <= UNPROVEN + 1
        assert steady(both) >= 0.85 * steady(thrad.arrivals["well"])
        assert worst_window([*both, *thrad.arrivals["storm"]], PER) <= REQUESTS
        secret.write_text("key-of-sane")  # another key was not asked to wait
        await eventually(lambda: len(thrad.ids["sane"] + thrad.ids["absurd"]) == 90, 60)
        assert not thrad.refused
        for topic in (f"{unique}.dlq", f"{unique}.retry.1m"):
            assert await records(broker.bootstrap, topic) == []
