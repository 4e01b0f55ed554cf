"""A deployment on this machine: settings, the sandbox in this process, and worker processes that
can be stopped, killed and frozen. What it proves is read from the vendors' side."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from forwarder.sandbox.server import Sandbox
from tests.support.broker import free_port

Event = dict[str, Any]
SECRETS = {"access_token", "secret_key", "data_provider_secret_key", "api_key"}
FORWARDER = [sys.executable, "-m", "forwarder"]


class WorkerProcess:
    """One ``forwarder run``. ``log``: its lines, kept for the test that fails."""

    def __init__(
        self,
        settings: Path,
        log: Path,
        *arguments: str,
        env: Mapping[str, str] = {},
        program: Sequence[str] = FORWARDER,
    ) -> None:
        self.port = free_port()
        self.log = log
        self._out = log.open("ab")
        self.process = subprocess.Popen(
            [*program, "run", "--config", str(settings), *arguments],
            stdout=self._out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"FORWARDER_OPS__LISTEN": f"127.0.0.1:{self.port}"} | dict(env),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def ended(self, within: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, within)

    async def ready(self, within: float = 60.0) -> None:
        """Wait for ``/readyz``; raises with the end of the log when it does not come."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(within):
            while True:
                if self.process.poll() is not None:
                    raise AssertionError(f"the worker ended:\n{self.tail()}")
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    async def metrics(self) -> dict[str, float]:
        """Every sample of ``/metrics``, by name with labels."""
        text = await fetch(f"{self.url}/metrics")
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in rows}

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await fetch(f"{self.url}/status"))
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of the log."""
        return [json.loads(x) for x in self.log.read_text().splitlines() if x.startswith("{")]

    def tail(self, size: int = 4000) -> str:
        return self.log.read_text()[-size:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.kill()
        self._out.close()


class Deployment:
    """``async with Deployment(bootstrap, prefix, directory, accounts) as d: ...``"""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        directory: Path,
        accounts: Mapping[str, Mapping[str, object]],
        **more: object,
    ) -> None:
        self.prefix = prefix
        self.directory = directory
        self.sandbox = Sandbox()
        self.workers: list[WorkerProcess] = []
        self.accounts: dict[str, dict[str, Any]] = {n: dict(a) for n, a in accounts.items()}
        self.more: dict[str, Any] = dict(more)
        self.more.setdefault("advertisers", {"acme": {"currency": "USD", "phone_region": "US"}})
        self.kafka: dict[str, Any] = {
            "bootstrap_servers": bootstrap,
            "group_id": f"{prefix}-g",
            "events_topic": f"{prefix}-events",
            "topic_prefix": prefix,
        } | dict(self.more.pop("kafka", {}))

    async def __aenter__(self) -> Self:
        await self.sandbox.start()
        self.write_settings()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.close()
        await self.sandbox.stop()
        if error is None:
            self._require_privacy()

    def _require_privacy(self) -> None:
        """No log may hold a credential, or an identifier of the events that tests publish."""
        secrets = [
            account[key] for account in self.accounts.values() for key in SECRETS & {*account}
        ]
        private = [re.escape(text) for text in secrets if isinstance(text, str)]
        found = re.compile("|".join([*private, r"@example\.com", r"\bclick-\w+", r"203\.0\.113\."]))
        for worker in self.workers:
            shown = found.search(worker.log.read_text())
            assert shown is None, f"{worker.log.name} shows {shown[0]}" if shown else ""

    # -- settings and commands ------------------------------------------------------------------
    @property
    def settings(self) -> Path:
        return self.directory / "settings.yaml"

    def write_settings(self) -> None:
        """Write (again) what ``accounts`` and ``more`` say now."""
        url = self.sandbox.url
        whole = {
            "kafka": self.kafka,
            "destinations": {
                name: {"base_url": f"{url}/{name}"} for name in ("tiktok", "tradedesk", "thrad")
            },
            "accounts": self.accounts,
            **self.more,
        }
        self.settings.write_text(yaml.safe_dump(whole, sort_keys=False))

    async def run(self, *arguments: str, code: int | None = 0, given: bytes = b"") -> str:
        """Run a command with these settings; its output. ``code``: the exit code it must have."""
        process = await asyncio.create_subprocess_exec(
            *FORWARDER,
            *arguments,
            "--config",
            str(self.settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await process.communicate(given)
        text = out.decode()
        assert code is None or process.returncode == code, text
        return text

    async def publish(self, events: Iterable[Event], *arguments: str) -> None:
        """Publish with ``forwarder publish``."""
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        await self.run("publish", "-", *arguments, given=lines)

    async def start(
        self, *arguments: str, env: Mapping[str, str] = {}, program: Sequence[str] = FORWARDER
    ) -> WorkerProcess:
        """Start one more worker, and wait until it is ready."""
        log = self.directory / f"worker-{len(self.workers)}.log"
        worker = WorkerProcess(self.settings, log, *arguments, env=env, program=program)
        self.workers.append(worker)
        await worker.ready()
        return worker

    # -- what the vendors saw -------------------------------------------------------------------
    async def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await fetch(f"{self.sandbox.url}/_sandbox/report"))
        return found

    async def received(self, destination: str) -> list[dict[str, Any]]:
        url = f"{self.sandbox.url}/_sandbox/received?destination={destination}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
        return [json.loads(line) for line in text.splitlines()]

    async def event_ids(self, destination: str) -> Counter[str]:
        """How often the vendor took each event id (an order id where it has no event ids)."""
        return Counter(row["event_id"] for row in await self.received(destination))


async def fetch(url: str) -> str:
    """The body that ``url`` answers, whatever its status."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def eventually(
    check: Callable[[], Any], within: float = 60.0, every: float = 0.2, *, what: str = ""
) -> None:
    """Wait until ``check`` (may be async) gives something true."""
    until = time.monotonic() + within
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        if time.monotonic() > until:
            raise AssertionError(f"not within {within:g} s: {what or check}")
        await asyncio.sleep(every)


async def says(worker: WorkerProcess, action: str, within: float = 20.0, **fields: Any) -> None:
    """Wait until the worker's log holds such a line."""

    def said() -> bool:
        return any(
            line["action"] == action and fields.items() <= line.items() for line in worker.lines()
        )

    await eventually(said, within, what=f"{action} {fields}: {worker.tail()}")


def web_purchases(number: int, start: int = 0, **more: object) -> Sequence[Event]:
    """Purchases that every destination takes."""
    return [
        {
            "event_id": f"e{i}",
            "event_name": "purchase",
            "event_time": time.time(),
            "advertiser": "acme",
            "user": {"email": f"user{i}@example.com", "ip_address": "203.0.113.7"},
            "click_ids": {"thrad_click_id": f"click-{i}"},
            "page": {"url": "https://shop.example/thanks"},
            "order_id": f"o{i}",
            "value": "19.90",
            "currency": "USD",
            **more,
        }
        for i in range(start, start + number)
    ]


TIKTOK: dict[str, object] = {
    "destination": "tiktok",
    "advertisers": ["acme"],
    "event_source": "web",
    "event_source_id": "C4ABCDEFGHIJ",
    "access_token": "token-of-acme-pixel",
}
TRADEDESK: dict[str, object] = {
    "destination": "tradedesk",
    "advertisers": ["acme"],
    "advertiser_id": "abc1234",
    "tracker_id": "tr1",
    "secret_key": "sandbox-secret-key",
}
THRAD: dict[str, object] = {
    "destination": "thrad",
    "advertisers": ["acme"],
    "api_key": "key-of-acme-thrad",
    "budgets": [{"requests": 100_000, "per": "10s"}],
}
