"""A broker that tests of faults may kill, freeze and cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.support.broker import Broker, free_port
from tests.support.proxy import Proxy


@dataclass(frozen=True)
class Wire:
    """Ports of the broker's second listener: what it listens on, and what it tells its clients."""

    inner: int
    outer: int


@pytest.fixture(scope="session")
def wire() -> Wire:
    return Wire(free_port(), free_port())


@pytest.fixture(scope="session")
def mortal(wire: Wire) -> Iterator[Broker]:
    clients = "PLAINTEXT://127.0.0.1:{port}"
    broker = Broker(
        server_properties={
            "listeners": f"{clients},WIRE://127.0.0.1:{wire.inner},"
            "CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"{clients},WIRE://127.0.0.1:{wire.outer}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,WIRE:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }
    )
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def broker(mortal: Broker) -> Iterator[Broker]:
    """Up and awake at the start of each test, whatever the one before did."""
    yield mortal.start()
    mortal.thaw()


@pytest.fixture
async def proxy(wire: Wire, broker: Broker) -> AsyncIterator[Proxy]:
    """A way to the broker that can be cut: ``proxied`` in a worker's environment takes it."""
    async with Proxy(wire.outer, wire.inner) as proxy:
        yield proxy


@pytest.fixture
def proxied(wire: Wire) -> dict[str, str]:
    return {"FORWARDER_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{wire.outer}"}
