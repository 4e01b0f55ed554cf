"""Writing what our own producer refuses to write."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


async def write_large(bootstrap: str, topic: str, value: bytes) -> None:
    """One record of any size that the topic takes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=8_000_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


class Foreign(str):
    """A header's name as a client writes it that does not keep it to UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return b"\xff-" + str(self).encode()


async def write_foreign(bootstrap: str, topic: str, value: bytes) -> None:
    """One record with a header whose name is no UTF-8."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 1 << 20)
        batch.append(timestamp=None, key=None, value=value, headers=[(Foreign("name"), b"1")])
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()
