"""Writing what our own producer refuses to write."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer


async def write_large(bootstrap: str, topic: str, value: bytes) -> None:
    """One record of any size that the topic takes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=8_000_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()
