"""What an account calls an event, resolved once per name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forwarder.destinations.contract import Skipped
from forwarder.destinations.settings import EventSettings
from forwarder.names import canonical, is_standard

EXCLUDED = Skipped("event_excluded")
UNMAPPED = Skipped("unmapped_event")
_MAX_CACHED = 4096  # producers may invent names without end


def passed(event_name: str) -> str | Skipped:
    """``custom: pass``: a custom event keeps the spelling it was published with."""
    return event_name


class EventNames:
    """Account ``except``, ``only`` → ``names`` → the vendor's table → custom."""

    def __init__(
        self,
        settings: EventSettings,
        table: Mapping[str, str],
        custom: Callable[[str], str | Skipped] = passed,
    ) -> None:
        """``table``: vendor names by canonical name; standard names that it lacks are unmapped.
        ``custom``: what becomes of a name that is not standard, where custom events pass.
        """
        self._except = frozenset(map(canonical, settings.except_))
        self._only = frozenset(map(canonical, settings.only))
        self._names = {canonical(key): name for key, name in settings.names.items()}
        self._table = table
        self._custom = custom if settings.custom == "pass" else lambda _: UNMAPPED
        self._resolved: dict[str, str | Skipped] = {}

    def of(self, event_name: str) -> str | Skipped:
        """The vendor's name for an event published as ``event_name``."""
        found = self._resolved.get(event_name)
        if found is None:
            if len(self._resolved) >= _MAX_CACHED:
                self._resolved.clear()
            found = self._resolved[event_name] = self._resolve(event_name)
        return found

    def _resolve(self, event_name: str) -> str | Skipped:
        key = canonical(event_name)
        if key in self._except or (self._only and key not in self._only):
            return EXCLUDED
        if key in self._names:
            return self._names[key]
        if key in self._table:
            return self._table[key]
        if is_standard(event_name):
            return UNMAPPED
        return self._custom(event_name)
