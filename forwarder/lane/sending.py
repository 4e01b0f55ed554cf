"""What a lane sends next, and when."""

from __future__ import annotations

from math import inf
from typing import Final

from forwarder.lane.delivery import WAITING, Delivery, Group
from forwarder.lane.isolate import ALONE
from forwarder.lane.parts import Parts
from forwarder.lane.probes import Probes

LOOK: Final = 500
"""Waiting deliveries that are looked at for one request, or a batch if that is more."""


class Sending:
    """Chooses groups. Deliveries of a chosen group have items; the caller marks them in flight."""

    __slots__ = ("_batch", "_concurrency", "_parts", "_paused", "_probes")

    def __init__(self, parts: Parts, probes: Probes) -> None:
        settings = parts.account.settings
        self._parts = parts
        self._probes = probes
        self._batch = settings.batch
        self._concurrency = settings.concurrency
        self._paused = settings.state == "paused"

    def wake_at(self, now: float) -> float:
        """When ``choose`` may next find something; ``inf``: not without news."""
        parts = self._parts
        if self._paused:
            return inf
        if parts.breaker.is_open:
            at = self._probes.due_at(now)
        elif len(parts.in_flight) >= self._most_in_flight():
            return inf
        else:
            at = min(parts.returned.due_at(parts.allowance), self._fresh_at())
        return max(at, parts.throttle.not_before or 0.0)

    def choose(self, now: float) -> Group | None:
        """The group to send now, if any."""
        if self.wake_at(now) > now:
            return None
        if self._parts.breaker.is_open:
            return self._probes.choose(now)
        return self._returned(now) or self._fresh(now)

    # -- closed -----------------------------------------------------------------------------
    def _most_in_flight(self) -> int:
        parts = self._parts
        if parts.throttle.resuming:
            return 1
        most = parts.doubt.most_in_flight()
        if most is None:
            most = self._concurrency if parts.proven else ALONE
        return min(most, self._concurrency)

    def _fresh_held(self) -> bool:
        """While a refused batch may mean the account, nothing new goes out with it."""
        parts = self._parts
        return parts.doubt.batch and (
            parts.returned.isolating()
            or any(a.group.isolation is not None for a in parts.in_flight.values())
        )

    def _fresh_at(self) -> float:
        window, batch = self._parts.window, self._batch
        first = window.first_waiting()
        if first is None or self._fresh_held():
            return inf
        if len(window.waiting) >= batch.events or window.waiting_bytes >= batch.bytes:
            return 0.0
        return first.arrived + batch.linger if batch.events > 1 else 0.0

    def _returned(self, now: float) -> Group | None:
        parts = self._parts
        while (group := parts.returned.take(now, parts.allowance)) is not None:
            deliveries = [d for d in group.waiting() if not parts.preparer.expired(d, now)]
            if not deliveries:
                continue
            if group.isolation is not None:
                parts.allowance.take(now)
            group.deliveries = tuple(deliveries)
            return group
        return None

    def _fresh(self, now: float) -> Group | None:
        if self._fresh_at() > now:
            return None
        chosen = self._fill(now)
        return Group(tuple(chosen), now) if chosen else None

    def _fill(self, now: float) -> list[Delivery]:
        """The longest run of waiting deliveries that fits one request. One that failed by itself
        before goes alone, so that it cannot fail others.
        """
        window, item_of = self._parts.window, self._parts.preparer.item
        left = self._batch.bytes - self._parts.account.overhead()
        most = self._batch.events
        chosen: list[Delivery] = []
        for _ in range(min(max(LOOK, most), len(window.waiting))):
            delivery = window.next_waiting()
            if delivery.state != WAITING or delivery.group is not None:
                continue
            if delivery.attempts and chosen:
                window.put_back(delivery)
                break
            item = delivery.item or item_of(delivery, now)
            if item is None:
                continue
            left -= len(item.json) + 1
            if left < 0 and chosen:
                window.put_back(delivery)
                break
            chosen.append(delivery)
            if delivery.attempts or len(chosen) == most:
                break
        return chosen
