"""How every aiokafka client starts, finds its topics without creating any, and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError

from forwarder.kafka import inside
from forwarder.kafka.port import Refused

# A topic that was just created is not known to every broker at once: how often to ask again.
PATIENCE: Final = 8
PAUSE: Final = 0.25


async def started(start: Callable[[], Awaitable[None]], client: Any, seconds: float) -> None:
    """Await the start of an aiokafka client, which has ``seconds`` to find a host that answers.

    It calls every failure to connect the same; this raises what a connection raises, so that a
    wrong password is not taken for a broker that is down.
    """
    inside.share_out(client, seconds)
    try:
        await start()
    except KafkaConnectionError:
        await inside.connect_once(client)
        raise


async def stopped(
    stop: Callable[[], Awaitable[None]], abandon: Callable[[float], Awaitable[None]], seconds: float
) -> None:
    """Await the stop of an aiokafka client, or abandon it after ``seconds``.

    Its own waits for as long as a broker is silent, raises what ended one of its tasks long ago,
    and is cancelled with those that it cancels; this does none of these.
    """
    try:
        async with asyncio.timeout(seconds):
            await stop()
    except (RuntimeError, OSError, TimeoutError):  # theirs are RuntimeErrors, too
        await abandon(1.0)
    except asyncio.CancelledError:
        await abandon(1.0)
        if inside.is_meant():
            raise


async def require_topics(client: Any, topics: Collection[str]) -> None:
    """Return when the client knows all of them.

    ``client``: an aiokafka client. Raises ``Refused`` with the names of those that are missing or
    not to be seen by this principal. Asks for as long as no broker answers: limit its time.
    """
    answers = 0
    while missing := _unknown(client, topics):
        for topic in missing:
            client.add_topic(topic)
        answers += bool(await client.force_metadata_update())
        missing = _unknown(client, topics)
        if hidden := sorted(missing & client.cluster.unauthorized_topics):
            raise Refused(f"not authorised to see topics: {', '.join(hidden)}")
        if missing and answers > PATIENCE:
            raise Refused(f"missing topics: {', '.join(sorted(missing))}")
        if missing:
            await asyncio.sleep(PAUSE)


def _unknown(client: Any, topics: Collection[str]) -> set[str]:
    return {topic for topic in topics if not client.cluster.partitions_for_topic(topic)}
