"""Durations (``500ms 20s 5m 24h 28d``), sizes (``256KiB 1MiB``) and counts in settings."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST: Final = 36_500 * 86_400.0
_LARGEST: Final = 1 << 40
_DIGITS: Final = 18
_BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def duration(value: object) -> float:
    """Seconds of ``"500ms"``, ``"20s"``, ``"5m"``, ``"24h"``, ``"28d"``, or of a number of seconds.

    Raises ``ValueError`` with the forms that are understood.
    """
    seconds = _seconds(value)
    if seconds > _LONGEST:
        raise ValueError("must be at most 36500d")
    return seconds


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", str(value).strip())
    if match:
        return float(match[1]) * _SECONDS[match[2]]
    if str(value).strip() == "0":
        return 0.0
    raise ValueError("a duration is a number and a unit: 500ms 20s 5m 24h 28d")


def size(value: object) -> int:
    """Bytes of ``"256KiB"``, ``"1MiB"``, or of a whole number of bytes.

    Raises ``ValueError`` with the forms that are understood.
    """
    match = re.fullmatch(r"(\d+)\s*(|B|KiB|MiB|GiB)", str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError("a size is a whole number and a unit: 256KiB 1MiB")
    if len(match[1]) > _DIGITS or (found := int(match[1]) * _BYTES[match[2]]) > _LARGEST:
        raise ValueError("must be at most 1024GiB")
    return found


Duration = Annotated[float, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size)]
Count = Annotated[int, Field(gt=0, le=10**9)]
