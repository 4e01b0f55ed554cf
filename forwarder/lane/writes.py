"""Deliveries that leave a lane by a record: to the dead letters or to a retry topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from forwarder.lane.delivery import WRITING, Delivery, Write, WriteKind
from forwarder.lane.tally import Ledger
from forwarder.lane.window import Window


class Cause(NamedTuple):
    """Why a delivery leaves, as its headers will say."""

    reason: str
    code: str = ""
    message: str = ""


class Writes:
    """Holds each write until it was handed out, and its delivery until that is acknowledged."""

    __slots__ = ("_handed", "_ledger", "_pending", "_window", "highest_handed")

    def __init__(self, window: Window, ledger: Ledger) -> None:
        self._window = window
        self._ledger = ledger
        self._pending: list[Write] = []
        self._handed: dict[int, Write] = {}
        self.highest_handed = -1

    def __len__(self) -> int:
        return len(self._pending) + len(self._handed)

    def dead_letter(self, delivery: Delivery, cause: Cause, now: float) -> None:
        self._add(WriteKind.DEAD_LETTER, delivery, cause, now)

    def retry(self, delivery: Delivery, cause: Cause, now: float, tier: int | None = None) -> None:
        """``tier``: after a failed round; ``None``: moved without one, which counts as no round."""
        self._add(WriteKind.RETRY, delivery, cause, now, tier)

    def take(self) -> Sequence[Write]:
        """Writes not handed out before."""
        taken, self._pending = self._pending, []
        for write in taken:
            offset = write.delivery.offset
            self._handed[offset] = write
            self.highest_handed = max(self.highest_handed, offset)
        return taken

    def take_up_to(self, offset: int) -> Sequence[Write]:
        """As ``take``, but what lies above ``offset`` is given up: its record is read again."""
        self._pending = [w for w in self._pending if w.delivery.offset <= offset]
        return self.take()

    def written(self, writes: Sequence[Write]) -> None:
        """Finish the deliveries of acknowledged writes; one told twice changes nothing."""
        for write in writes:
            if self._handed.pop(write.delivery.offset, None) is None:
                continue
            self._window.finish((write.delivery,))
            if write.kind is WriteKind.DEAD_LETTER:
                self._ledger.ended(write.delivery, "dead_lettered", write.reason, write.code)

    def unwritten(self, writes: Sequence[Write]) -> None:
        """Hand these out again."""
        for write in writes:
            if self._handed.pop(write.delivery.offset, None) is not None:
                self._pending.append(write)

    def _add(
        self,
        kind: WriteKind,
        delivery: Delivery,
        cause: Cause,
        now: float,
        tier: int | None = None,
    ) -> None:
        group = delivery.group
        charged = 0 if group is None else group.charged
        first = delivery.first_failed_at
        if first is None:
            first = now if group is None or group.first_failed_at is None else group.first_failed_at
        delivery.state = WRITING
        delivery.item = None
        self._pending.append(
            Write(
                kind=kind,
                delivery=delivery,
                reason=cause.reason,
                code=cause.code,
                message=cause.message,
                tier=tier or 0,
                attempts=delivery.attempts + charged,
                retries=delivery.retries + (tier is not None),
                first_failed_at=first,
                failed_at=now,
            )
        )
