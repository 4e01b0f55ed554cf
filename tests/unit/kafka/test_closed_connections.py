"""aiokafka on uvloop, where a write to a connection that was closed is an error of its own kind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from forwarder.kafka import reader

METADATA = {3: (0, 13)}


@contextlib.asynccontextmanager
async def _closed() -> AsyncIterator[Any]:
    """A connection that the broker has reset, before anybody read that from it."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection: Any = AIOKafkaConnection(host, port)
    connection._versions = METADATA
    connection._reader, connection._writer = await asyncio.open_connection(host, port)
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            await connection._reader.read()
    try:
        yield connection
    finally:
        server.close()


WRITES: dict[str, Callable[[Any], Any]] = {
    "request": lambda connection: connection.send(MetadataRequest([])),
    "token": lambda connection: connection._send_sasl_token(b"token"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_to_a_closed_connection_is_a_broken_connection(name: str) -> None:
    """Else the task that keeps the metadata ends by it, and the member is deaf from then on."""

    async def scenario() -> None:
        async with _closed() as connection:
            with pytest.raises(KafkaConnectionError):  # at once: with no answer it takes 40 s
                await WRITES[name](connection)
            assert not connection.connected()

    uvloop.run(scenario())


async def test_a_connection_that_does_not_answer_is_hung_up() -> None:
    """Else aiokafka asks for metadata there again and again, though the broker answers others."""

    async def listen(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while await source.read(1024):
            pass
        sink.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection: Any = AIOKafkaConnection(host, port, request_timeout_ms=50)
    connection._versions = METADATA
    connection._reader, connection._writer = await asyncio.open_connection(host, port)
    connection._read_task = asyncio.create_task(asyncio.sleep(60))
    with pytest.raises(TimeoutError):
        await connection.send(MetadataRequest([]))
    await asyncio.sleep(0)
    assert not connection.connected()
    server.close()
    await asyncio.sleep(0.05)  # the other side hears of it


async def test_a_consumer_whose_tasks_ended_badly_can_be_closed() -> None:
    """What ended them is not raised instead: it would hide why the process stops."""

    async def ends_badly() -> None:
        raise RuntimeError("the handler is closed")

    inner = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    inner._client._sync_task = asyncio.create_task(ends_badly())
    await asyncio.sleep(0)
    await reader.close(inner, 1.0)
    assert inner._closed


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_connection_that_does_not_end_is_given_up(stopped: bool) -> None:
    """As with TLS, where the other side has a say; the second try finds the first one cancelled."""
    inner = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    ending = asyncio.get_running_loop().create_future()

    async def close() -> None:
        await asyncio.gather(ending)

    inner._client.close = close
    closing = asyncio.create_task(reader.close(inner, 0.02))
    if stopped:
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    else:
        await closing
    assert ending.cancelled()
