from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest

from forwarder.ops import gauges, server
from forwarder.ops.metrics import Metrics
from forwarder.ops.server import CannotListen, OpsServer, parse_listen
from forwarder.ops.status import Status
from tests.support import statuses


@dataclass
class World:
    """A running server, and what its parts answer."""

    sick_because: str | None = None
    unready_because: str | None = None
    port: int = 0
    render: Callable[[], bytes] | None = None

    def sick(self) -> str | None:
        return self.sick_because

    def unready(self) -> str | None:
        return self.unready_because

    def status(self) -> Status:
        return statuses.trouble()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    metrics = Metrics(version="1", config_hash="abc")
    metrics.watch(lambda: gauges.readings(world.status()))
    ops = OpsServer("127.0.0.1:0", world, world.status, lambda: world.render or metrics.page())
    await ops.start()
    world.port = ops.port
    yield world
    await ops.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_healthy_and_ready(world: World, http: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/readyz"):
        async with http.get(world.url(path)) as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_a_probe_that_fails_says_why(world: World, http: aiohttp.ClientSession) -> None:
    world.sick_because, world.unready_because = "no progress for 2 min", "draining"
    async with http.get(world.url("/healthz")) as answer:
        assert (answer.status, await answer.text()) == (503, "no progress for 2 min\n")
    async with http.get(world.url("/readyz")) as answer:
        assert (answer.status, await answer.text()) == (503, "draining\n")


async def test_metrics(world: World, http: aiohttp.ClientSession) -> None:
    async with http.get(world.url("/metrics")) as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'forwarder_waiting{account="nova-pixel"} 48211.0' in text
    assert 'forwarder_build_info{config_hash="abc",version="1"} 1.0' in text


async def test_metrics_are_rendered_beside_the_loop(
    world: World, http: aiohttp.ClientSession
) -> None:
    seen: list[int] = []

    def render() -> bytes:
        seen.append(threading.get_ident())
        return b"x 1\n"

    world.render = render
    async with http.get(world.url("/metrics")) as answer:
        assert await answer.read() == b"x 1\n"
    assert seen != [threading.get_ident()]


async def test_status(world: World, http: aiohttp.ClientSession) -> None:
    async with http.get(world.url("/status")) as answer:
        assert answer.content_type == "application/json"
        assert len(json.loads(await answer.read())["accounts"]) == 4


async def test_the_page_and_its_view(world: World, http: aiohttp.ClientSession) -> None:
    async with http.get(world.url("/?q=nova&sort=name")) as answer:
        text = await answer.text()
        assert answer.content_type == "text/html"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "nova-pixel" in text
    assert "acme-ttd" not in text


async def test_it_only_reads(world: World, http: aiohttp.ClientSession) -> None:
    async with http.post(world.url("/status"), data=b"x") as answer:
        assert answer.status == 405
    async with http.get(world.url("/etc")) as answer:
        assert answer.status == 404


async def test_slow_and_many_are_turned_away(
    world: World, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TIME_LIMIT", 0.2)
    release = threading.Event()

    def render() -> bytes:
        release.wait(20)
        return b""

    world.render = render

    async def ask() -> str:
        async with http.get(world.url("/metrics")) as answer:
            assert answer.status == 503
            return await answer.text()

    answers = await asyncio.gather(*(ask() for _ in range(server.MAX_AT_ONCE + 1)))
    release.set()
    assert sorted(answers) == ["busy\n"] + ["too slow\n"] * server.MAX_AT_ONCE
    async with http.get(world.url("/healthz")) as answer:
        assert answer.status == 200


async def test_a_taken_port_is_one_clear_line(world: World) -> None:
    second = OpsServer(f"127.0.0.1:{world.port}", world, world.status, lambda: lambda: b"")
    with pytest.raises(CannotListen) as caught:
        await second.start()
    assert str(caught.value) == (
        f"ops.listen: cannot listen on 127.0.0.1:{world.port}: address already in use. "
        "Stop what uses it, or set another (FORWARDER_OPS__LISTEN)"
    )
    await second.stop()


async def test_an_address_of_another_machine(world: World) -> None:
    other = OpsServer("192.0.2.1:8080", world, world.status, lambda: lambda: b"")
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:8080"):
        await other.start()


async def test_a_name_that_is_no_address(world: World) -> None:
    other = OpsServer("no-such-host.invalid:0", world, world.status, lambda: lambda: b"")
    with pytest.raises(CannotListen, match=r"no-such-host\.invalid"):
        await other.start()


async def test_stop_frees_the_port_and_may_come_twice() -> None:
    world = World()
    ops = OpsServer("127.0.0.1:0", world, world.status, lambda: lambda: b"")
    await ops.stop()
    await ops.start()
    port = ops.port
    await ops.stop()
    await ops.stop()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("listen", "wanted"),
    [
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("[::1]:80", ("::1", 80)),
        (":9000", ("0.0.0.0", 9000)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses(listen: str, wanted: tuple[str, int]) -> None:
    assert parse_listen(listen) == wanted


@pytest.mark.parametrize("listen", ["8080", "host", "host:", "host:http", "host:70000", "host:-1"])
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(CannotListen, match="HOST:PORT"):
        parse_listen(listen)
