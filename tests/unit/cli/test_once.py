"""``send`` keeps an account's budget by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.cli.send import Once, pause
from forwarder.credentials import Credential
from forwarder.event import AdvertiserDefaults, decode
from forwarder.http.memory import MemoryClient
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.settings import bind_accounts, load
from tests.unit.cli.conftest import event, jsonl


async def accept(_request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(200, {}, b'{"status": "ok"}')


def test_the_pause_is_that_of_the_slowest_budget(settings: Path) -> None:
    loaded = load(settings, {})
    assert pause(loaded, "acme-pixel") == pytest.approx(60 / 600 / 0.98)
    assert pause(loaded, "acme-thrad") == pytest.approx(3600 / 1000 / 0.98)


async def test_requests_are_a_pause_apart(settings: Path) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    account = bind_accounts(load(settings, {}))["acme-thrad"]
    once = Once(account, Credential(1, {"api_key": "k"}), 1.0, 3.6, sleep)
    decoded = decode(jsonl(event()), {"acme": AdvertiserDefaults("USD")}, 1.8e9)
    skipped = decode(jsonl(event(event_name="login")), {"acme": AdvertiserDefaults("USD")}, 1.8e9)
    client = MemoryClient(accept)
    verdicts = [(await once.send(one, client)).verdict for one in (decoded, skipped, decoded)]
    assert verdicts == ["delivered", "skipped", "delivered"]
    assert slept == [3.6]
    assert len(client.arrivals) == 2
    await client.close()
