"""Durations (``500ms 20s 5m 24h 28d``) and sizes (``256KiB 1MiB``) as settings write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def duration(value: object) -> float:
    """Seconds of ``"500ms"``, ``"20s"``, ``"5m"``, ``"24h"``, ``"28d"``, or of a number of seconds.

    Raises ``ValueError`` with the forms that are understood.
    """
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
    if match and not isinstance(value, bool):
        return int(match[1]) * _BYTES[match[2]]
    raise ValueError("a size is a whole number and a unit: 256KiB 1MiB")


Duration = Annotated[float, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size)]
