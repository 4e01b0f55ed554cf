"""How much waits in accounts' queues: what the senders have committed against where they end."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.deadletters.pace import Room
from forwarder.deadletters.work import Places
from forwarder.kafka.port import Admin, Committed, Reader, TopicPartition


class Queues:
    """``reader``: its own, which reads nothing: one that waits for records at the end of a topic
    keeps its other requests waiting.
    """

    def __init__(self, admin: Admin, reader: Reader, places: Places) -> None:
        self._admin = admin
        self._reader = reader
        self._places = places

    async def start(self) -> None:
        await self._admin.start()
        await self._reader.start()

    async def stop(self) -> None:
        await self._reader.stop()
        await self._admin.stop()

    async def look(self, accounts: Sequence[str]) -> dict[str, Room]:
        """Raises ``KafkaProblem``."""
        queues = {name: TopicPartition(self._places.queues[name], 0) for name in accounts}
        committed: dict[TopicPartition, Committed] = {}
        for group in {self._places.senders[name] for name in accounts}:
            committed |= await self._admin.committed(group)
        # bounds come after the commits, so that the difference is never too small
        bounds = await self._reader.bounds(list(queues.values()))
        rooms = {}
        for name, at in queues.items():
            first, end = bounds[at]
            place = committed.get(at, Committed(first))
            rooms[name] = Room(max(0, end - max(first, place.offset)), end, place.metadata)
        return rooms
