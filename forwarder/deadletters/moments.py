"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from forwarder.units import duration

_AGE: Final = re.compile(r"\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
FORMS: Final = "2026-01-31T09:00:00Z, 2026-01-31, 2h (that long ago), today, yesterday or now"


def moment(text: str, now: float) -> float:
    """Epoch seconds. Days are UTC and stand for the moment they begin; ``2h`` is two hours ago.

    Raises ``ValueError`` with the forms that are understood.
    """
    word = text.strip().lower()
    if _AGE.fullmatch(word):
        return now - duration(word)
    if word in ("now", "today", "yesterday"):
        return now if word == "now" else _midnight(now, days=int(word == "yesterday"))
    try:
        at = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise ValueError(f"is no time; write {FORMS}") from None
    if at.tzinfo is None and _DAY.fullmatch(word):
        at = at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise ValueError(f"has no time zone; write {at.isoformat()}Z for UTC, or +02:00 and so on")
    return at.timestamp()


def _midnight(now: float, days: int) -> float:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=days)).timestamp()
