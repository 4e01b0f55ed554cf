"""How much of the replica's memory one lane may fill with waiting records."""

from __future__ import annotations


class Memory:
    """``delivery.memory``, shared by the lanes of this replica that have something waiting."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._waiting: dict[str, int] = {}

    def waiting(self, destination: str, lanes: int) -> None:
        self._waiting[destination] = lanes

    @property
    def share(self) -> int:
        """Bytes that one lane may hold."""
        return self._total // max(1, sum(self._waiting.values()))
