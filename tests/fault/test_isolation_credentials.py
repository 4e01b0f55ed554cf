"""A revoked key, and events that a vendor refuses: only what is at fault pays for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from forwarder.sandbox.known import KnownTikTok
from tests.support.broker import Broker
from tests.support.deployment import TIKTOK, Deployment, eventually, says
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken
from tests.support.topics import header, records

OLD, NEW = "token-that-is-revoked", "token-that-is-new"


def mount(directory: Path, name: str, text: str) -> None:
    """A secret as Kubernetes mounts it: a new directory, and one link that is swapped."""
    (directory / name).mkdir()
    (directory / name / "token").write_text(text + "\n")
    (directory / "..new").symlink_to(name)
    (directory / "..new").rename(directory / "..data")


async def test_a_revoked_key_costs_nothing_once_there_is_a_new_one(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    mount(secrets, "..first", OLD)
    (secrets / "token").symlink_to("..data/token")
    account = {**TIKTOK, "access_token": {"file": str(secrets / "token")}}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, {"acme-pixel": account}, delivery=QUICK
    ) as deployment:
        known = KnownTikTok(destination="tiktok", name="known", access_token=NEW)
        deployment.sandbox.simulator.know(known)
        await deployment.run("topics", "create")
        worker = await deployment.start()
        await deployment.publish(purchases(500))
        await says(worker, "breaker_opened", account="acme-pixel")
        await asyncio.sleep(8)
        # A deploy meanwhile neither forgets the breaker nor repeats its alert.
        heir = await deployment.start()
        worker.terminate()
        assert await worker.ended() == 0
        await asyncio.sleep(3)
        mount(secrets, "..second", NEW)
        await eventually(lambda: len(taken(deployment, "tiktok")) == 500, 20, what=heir.tail())
        assert set(taken(deployment, "tiktok").values()) == {1}
        lines = worker.lines() + heir.lines()
        assert Counter(x["action"] for x in lines)["breaker_opened"] == 1
        assert await records(broker.bootstrap, f"{unique}.dlq") == []
        assert await records(broker.bootstrap, f"{unique}.retry.1m") == []
        books = (await deployment.report())["accounts"].values()
        assert sum(book["requests"] for book in books if book["refusals"]) <= 8


class Picky:
    """TikTok, refusing whole requests for the events that it does not like, without naming them."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.all_bad = False
        self.requests = 0
        self.taken: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        ids = [event["event_id"] for event in orjson.loads(await request.read())["data"]]
        if self.all_bad or not self.bad.isdisjoint(ids):
            return web.json_response({"code": 40002, "message": "Invalid.", "request_id": "r"})
        self.taken.update(ids)
        return web.json_response({"code": 0, "message": "OK", "request_id": "r"})


@pytest.fixture
async def picky() -> AsyncIterator[tuple[Picky, str]]:
    vendor, app = Picky(), web.Application(client_max_size=1 << 26)
    app.router.add_post("/{path:.*}", vendor.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield vendor, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_five_bad_events_among_five_thousand(
    broker: Broker, unique: str, tmp_path: Path, picky: tuple[Picky, str]
) -> None:
    vendor, url = picky
    vendor.bad = {f"e{number}" for number in (3, 1234, 1235, 3000, 4999)}
    account = {**TIKTOK, "base_url": url, "budgets": [{"requests": 6000, "per": "60s"}]}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, {"acme-pixel": account}, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        await deployment.publish(purchases(5000))
        worker = await deployment.start()
        await eventually(lambda: len(vendor.taken) == 4995, 60, what=worker.tail())

        async def all_dead() -> bool:
            return len(await records(broker.bootstrap, f"{unique}.dlq")) == 5

        await eventually(all_dead, 20, what=worker.tail())
        letters = await records(broker.bootstrap, f"{unique}.dlq")
        assert {header(one, "event-id") for one in letters} == vendor.bad
        assert {header(one, "reason") for one in letters} == {"rejected"}
        assert set(vendor.taken.values()) == {1}
        assert vendor.requests < 120


@pytest.mark.parametrize("kind", ["batches", "one event a request"])
async def test_an_account_that_is_all_wrong_asks_little_and_loses_nothing(
    broker: Broker, unique: str, tmp_path: Path, picky: tuple[Picky, str], kind: str
) -> None:
    vendor, url = picky
    vendor.all_bad = True
    account = {**TIKTOK, "base_url": url}
    if kind != "batches":
        account["batch"] = {"events": 1}
    async with Deployment(
        broker.bootstrap, unique, tmp_path, {"acme-pixel": account}, delivery=QUICK
    ) as deployment:
        await deployment.run("topics", "create")
        await deployment.publish(purchases(3000))
        worker = await deployment.start()
        await says(worker, "breaker_opened", account="acme-pixel")
        assert vendor.requests < (20 if kind == "batches" else 6)
        assert await records(broker.bootstrap, f"{unique}.dlq") == []
