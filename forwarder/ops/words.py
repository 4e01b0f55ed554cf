"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """``4 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``: two units at most, never below 0."""
    whole = int(max(seconds, 0))
    for index, (size, unit) in enumerate(_SPANS):
        if whole >= size:
            rest = whole % size
            more, name = _SPANS[index + 1] if index + 1 < len(_SPANS) else (1, "s")
            tail = f" {rest // more} {name}" if rest >= more and unit != "min" else ""
            return f"{whole // size} {unit}{tail}"
    return f"{whole} s"


def moment(at: float, now: float) -> str:
    """``12:03 UTC``, with the day when it is not today's."""
    then, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    day = "" if then.date() == today.date() else f"{then.day} {then:%b} "
    return f"{day}{then:%H:%M} UTC"


def count(n: float) -> str:
    """``1,234``, from a million ``1.2 M``."""
    return f"{n / 1e6:,.1f} M" if n >= 1e6 else f"{int(n):,}"  # noqa: PLR2004 - as documented


def size(n: float) -> str:
    """``812 B``, ``1.4 KiB``, ``3.0 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":  # noqa: PLR2004 - what a KiB is
            break
        n /= 1024
    return f"{int(n)} B" if unit == "B" else f"{n:.1f} {unit}"


def plural(n: int, word: str) -> str:
    return f"{count(n)} {word}" if n == 1 else f"{count(n)} {word}s"
