"""Which topics there are, asked in a way that creates none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

from forwarder.kafka.port import Refused, Unavailable

# A topic that was just created is not known to every broker at once.
PATIENCE: Final = 3.0
PAUSE: Final = 0.25


async def require_topics(client: Any, topics: Collection[str]) -> None:
    """Return when the client knows all of them.

    ``client``: an aiokafka client. Raises ``Refused`` with the names of those that are missing or
    not to be seen by this principal, ``Unavailable`` when no broker answers.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while missing := _unknown(client, topics):
        for topic in missing:
            client.add_topic(topic)
        if not await client.force_metadata_update():
            raise Unavailable("no broker answers a request for metadata")
        missing = _unknown(client, topics)
        if missing and loop.time() > deadline:
            hidden = sorted(missing & client.cluster.unauthorized_topics)
            raise Refused(_unauthorised(hidden) if hidden else _missing(sorted(missing)))
        if missing:
            await asyncio.sleep(PAUSE)


def _unknown(client: Any, topics: Collection[str]) -> set[str]:
    return {topic for topic in topics if not client.cluster.partitions_for_topic(topic)}


def _missing(topics: list[str]) -> str:
    return f"missing topics: {', '.join(topics)}"


def _unauthorised(topics: list[str]) -> str:
    return f"not authorised to see topics: {', '.join(topics)}"
