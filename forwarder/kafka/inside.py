"""What we need of aiokafka and it does not offer in public: all of it is here."""
# ruff: noqa: SLF001 - this is the one module that reaches inside; each line says what for

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, create_conn
from aiokafka.consumer import fetcher as fetching
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    ProducerClosed,
    RequestTimedOutError,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from forwarder.kafka.header_names import Answer

LONG_SECONDS: Final = 40.0
"""For the answers that may take long: see ``_patient``."""


def client(consumer: AIOKafkaConsumer) -> Any:
    """Its connection pool and metadata."""
    return consumer._client


def admin_client(admin: AIOKafkaAdminClient) -> Any:
    return admin._client


async def first_assignment(consumer: AIOKafkaConsumer) -> None:
    """Wait as its own ``start`` does: raises what the coordinator refused."""
    await consumer._subscription.wait_for_assignment()


def is_member(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group still knows it, as far as it was told."""
    return bool(consumer._coordinator.member_id)


def check(consumer: AIOKafkaConsumer) -> None:
    """Raise what its coordinator could not do; until somebody takes that, it does nothing."""
    consumer._coordinator.check_errors()


def join_again(consumer: AIOKafkaConsumer) -> None:
    """Join once more if its heartbeat has ended: that was refused, which every poll tells from then
    on, also when the right is back. Only a join starts another one.
    """
    coordinator = consumer._coordinator
    heartbeat = coordinator._heartbeat_task
    if heartbeat is not None and heartbeat.done():
        coordinator.request_rejoin()


@contextlib.contextmanager
def polling(consumer: AIOKafkaConsumer) -> Iterator[None]:
    """Count as a poll: without one for ``max_poll_interval_ms`` a member neither stays nor joins.

    Its own counter is left wrong by a poll that is cancelled or fails; this puts it right.
    """
    subscription = consumer._subscription
    subscription._fetch_count = 1
    try:
        yield
    finally:
        subscription._fetch_count = 0
        subscription._last_fetch_ended = time.monotonic()


async def committed(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> Mapping[TopicPartition, Any]:
    """Offsets with their metadata; the public call drops the metadata, and takes one at a time."""
    found: Mapping[TopicPartition, Any] = await consumer._coordinator.fetch_committed_offsets(
        list(partitions)
    )
    return found


def waiting(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Records between position and end of each partition, as of its last fetch."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    states = {partition: assignment.state_value(partition) for partition in assignment.tps}
    return {
        partition: max(0, state.highwater - state.position)
        for partition, state in states.items()
        if state.has_valid_position and state.highwater is not None
    }


class Fetched:
    """What an answer to a fetch holds of one partition: up to 1 MiB.

    aiokafka's own refers to itself by its generator. Dropped before it is read to its end (by a
    pause, a seek, a rebalance) it waits for the garbage collector, which counts objects and not
    bytes: hundreds of MiB are a few hundred objects. This one is freed when it is dropped.
    """

    __slots__ = ("_each", "_records")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._records = PartitionRecords(*arguments, **options)
        self._each = _each(self._records)

    def __iter__(self) -> Any:
        return self._each

    def __next__(self) -> Any:
        return next(self._each)

    @property
    def next_fetch_offset(self) -> int:
        offset: int = self._records.next_fetch_offset
        return offset

    def __del__(self) -> None:
        self._records._records_iterator = None


def _each(records: Any) -> Iterator[Any]:
    """Its records, also those behind a header name that is no UTF-8."""
    try:
        yield from records._records_iterator
    except UnicodeDecodeError:
        records._records = records._records.tolerant()
        records._records_iterator = records._unpack_records()
        yield from records._records_iterator


fetching.PartitionRecords = Fetched
fetching.MemoryRecords = Answer


def _broken_if_closed(write: Callable[..., Any]) -> Callable[..., Any]:
    """A write to a connection that the broker has just closed fails as a broken connection.

    uvloop raises a bare ``RuntimeError`` there, for which aiokafka is not prepared (its issue
    1038): the task that keeps the metadata ends by it without a word, and a member that has lost
    its coordinator never finds it again.
    """

    @functools.wraps(write)
    def checked(connection: AIOKafkaConnection, *arguments: Any, **options: Any) -> Any:
        try:
            return write(connection, *arguments, **options)
        except KafkaError:
            raise
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"connection closed: {error}") from error

    return checked


def _patient(send: Callable[..., Any]) -> Callable[..., Any]:
    """A join is answered when the slowest member has given back what it had, and a fetch when many
    MiB came over a slow line. Only these may take long: all else that a silent broker is asked for
    must end soon, so that another is found.
    """

    @functools.wraps(send)
    def sent(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
        usual = connection._request_timeout
        if isinstance(request, JoinGroupRequest | SyncGroupRequest | FetchRequest):
            connection._request_timeout = max(LONG_SECONDS, usual)
        try:
            answer = send(connection, request, expect_response)
        finally:
            connection._request_timeout = usual
        return _answered(connection, answer)

    return sent


async def _answered(connection: AIOKafkaConnection, answer: Any) -> Any:
    """The answer. Where none comes the connection is of no use: aiokafka keeps it after a question
    of its own, for metadata, and asks there again and again.
    """
    try:
        return await answer
    except TimeoutError:
        close = functools.partial(connection.close, reason=CloseReason.CONNECTION_TIMEOUT)
        asyncio.get_running_loop().call_soon(close)
        raise


AIOKafkaConnection.send = _broken_if_closed(_patient(AIOKafkaConnection.send))
AIOKafkaConnection._send_sasl_token = _broken_if_closed(AIOKafkaConnection._send_sasl_token)


def _seen(ended: asyncio.Future[Any]) -> None:
    """Nobody else looks at how it ended."""
    if not ended.cancelled():
        ended.exception()


def _never_unseen(commit: Callable[..., Any]) -> Callable[..., asyncio.Task[Any]]:
    """A commit that nobody waits for any more fails without a traceback at the end of the process:
    aiokafka shields it from whoever gives up waiting, and then nobody looks at it.
    """

    @functools.wraps(commit)
    def started(coordinator: GroupCoordinator, *arguments: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(commit(coordinator, *arguments))
        task.add_done_callback(_seen)
        return task

    return started


GroupCoordinator._do_commit_offsets = _never_unseen(GroupCoordinator._do_commit_offsets)


def forget(consumer: AIOKafkaConsumer) -> None:
    """Drop what it fetched and nobody read, once it is closed: its own cycles hold that, too."""
    if consumer._fetcher is not None:
        consumer._fetcher._records.clear()


async def abandon(consumer: AIOKafkaConsumer, seconds: float) -> None:
    """Cut what its own ``stop`` could not end in time: tasks first, then connections."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks = [
        getattr(coordinator, "_coordination_task", None),
        getattr(coordinator, "_heartbeat_task", None),
        getattr(coordinator, "_commit_refresh_task", None),
        getattr(fetcher, "_fetch_task", None),
        *getattr(fetcher, "_pending_tasks", ()),
    ]
    left = [task for task in tasks if task is not None and not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=seconds)
    await _close(consumer._client, seconds)


async def abandon_producer(producer: AIOKafkaProducer, seconds: float) -> None:
    """The same for a producer, which would try its last batches for ever: they are dropped."""
    producer._closed = True
    _drop_batches(producer._message_accumulator)
    sender = producer._sender.sender_task
    if sender is not None and not sender.done():
        # It trips over the batches that have failed already, and its own callback over that: a
        # producer without transactions has none to fail.
        sender.remove_done_callback(producer._sender._fail_all)
        sender.add_done_callback(_seen)
        sender.cancel()
        await asyncio.wait([sender], timeout=seconds)
    await _close(producer.client, seconds)


def _drop_batches(accumulator: Any) -> None:
    """All of them, whose writers have gone."""
    held = [batch for batches in accumulator._batches.values() for batch in batches]
    held += accumulator._pending_batches
    # Of a batch that was to be sent once more it would look there for it, and fail.
    accumulator._pending_batches.update(held)
    accumulator.fail_all(ProducerClosed())
    for batch in held:
        for future in (batch.future, batch._drain_waiter):
            if future.done():
                _seen(future)


async def _close(client: Any, seconds: float) -> None:
    if client._sync_task is not None and client._sync_task.done():
        client._sync_task = None  # what ended it would be raised instead of closing connections
    try:
        async with asyncio.timeout(seconds):
            await client.close()
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        if is_meant():
            raise


def is_meant() -> bool:
    """Whether the cancellation at hand is that of the task that runs: else a future was cancelled
    for which it waited, as with a connection whose first closing was given up.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def share_out(client: Any, seconds: float) -> None:
    """Give each of the hosts that it may start from an equal part of ``seconds``: one that hangs
    would use up all of it.
    """
    bootstrap = client.bootstrap

    async def in_turn() -> None:
        usual = client._request_timeout_ms
        client._request_timeout_ms = min(usual, round(seconds * 1000 / len(client.hosts)))
        try:
            await bootstrap()
        finally:
            client._request_timeout_ms = usual

    client.bootstrap = in_turn


def _by_any(send: Callable[..., Any]) -> Callable[..., Any]:
    """What any broker can answer goes to another one where one is gone or hangs: aiokafka's admin
    asks one at random, once. Each has an equal part of the time.
    """

    @functools.wraps(send)
    async def sent(admin: AIOKafkaAdminClient, request: Any, node_id: int | None = None) -> Any:
        nodes = [broker.nodeId for broker in admin._client.cluster.brokers()]
        if node_id is not None or not nodes:
            return await send(admin, request, node_id)
        share = admin._client._request_timeout_ms / 1000 / len(nodes)
        first, *others = random.sample(nodes, len(nodes))
        for another in others:
            with contextlib.suppress(NodeNotReadyError, RequestTimedOutError, TimeoutError):
                async with asyncio.timeout(share):
                    return await send(admin, request, another)
        return await send(admin, request, first)

    return sent


AIOKafkaAdminClient._send_request = _by_any(AIOKafkaAdminClient._send_request)


async def connect_once(client: Any) -> None:
    """Connect to one bootstrap server as the client would, and hang up."""
    host, port, _ = client.hosts[0]
    connection = await create_conn(
        host,
        port,
        client_id=client._client_id,
        request_timeout_ms=client._request_timeout_ms,
        ssl_context=client._ssl_context,
        security_protocol=client._security_protocol,
        sasl_mechanism=client._sasl_mechanism,
        sasl_plain_username=client._sasl_plain_username,
        sasl_plain_password=client._sasl_plain_password,
    )
    await connection.close()
