"""What of a lane survives its owner: a short text kept with each commit (``Committed.metadata``).

A new owner's lane starts from it, and ``status`` shows it. Whatever stands there, reading it never
fails: a text that cannot be understood is a closed breaker, since the first answers tell the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import orjson

VERSION: Final = 1
MAX_BYTES: Final = 512
MAX_REASON: Final = 32
MAX_CODE: Final = 64
MAX_TIME: Final = 1e11


@dataclass(frozen=True, slots=True)
class KeptState:
    """Times in epoch seconds. ``pause``: seconds between the probes now; ``not_before``: the vendor
    asked to wait until then, which was a ``wait`` of so many seconds, ``throttles`` times in a row;
    ``only_rejected``: nothing but rejections speaks against the account.
    """

    breaker: str = "closed"
    reason: str = ""
    code: str = ""
    since: float | None = None
    until: float | None = None
    pause: float = 0.0
    only_rejected: bool = False
    not_before: float | None = None
    wait: float = math.inf
    throttles: int = 0


def encode(state: KeptState) -> str:
    """At most ``MAX_BYTES`` bytes of ASCII."""
    fields: dict[str, object] = {"v": VERSION, "breaker": state.breaker}
    if state.breaker != "closed":
        fields |= {
            "reason": _short(state.reason, MAX_REASON),
            "code": _short(state.code, MAX_CODE),
            "since": _rounded(state.since),
            "until": _rounded(state.until),
            "pause": _rounded(state.pause),
            "rejected": state.only_rejected,
        }
    if state.not_before is not None:
        fields |= {"not_before": _rounded(state.not_before), "throttles": min(state.throttles, 99)}
        if state.wait < MAX_TIME:
            fields["wait"] = _rounded(state.wait)
    return orjson.dumps(fields).decode()


def decode(text: str) -> KeptState:
    """Never raises."""
    fields = _fields(text)
    if fields.get("v") != VERSION:
        return KeptState()
    is_open = fields.get("breaker") in ("open", "probing")
    not_before = _time(fields.get("not_before"))
    wait = _time(fields.get("wait"))
    kept = KeptState(
        not_before=not_before,
        wait=math.inf if wait is None else wait,
        throttles=int(_time(fields.get("throttles")) or 0),
    )
    if not is_open:
        return kept
    return replace(
        kept,
        breaker="open",
        reason=_text(fields.get("reason"), MAX_REASON),
        code=_text(fields.get("code"), MAX_CODE),
        since=_time(fields.get("since")),
        until=_time(fields.get("until")),
        pause=_time(fields.get("pause")) or 0.0,
        only_rejected=fields.get("rejected") is True,
    )


def _fields(text: str) -> dict[str, object]:
    try:
        fields = orjson.loads(text.encode()[: 4 * MAX_BYTES])
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _short(text: str, limit: int) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "?" for c in text)[
        :limit
    ]


def _text(value: object, limit: int) -> str:
    return _short(value, limit) if isinstance(value, str) else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < MAX_TIME else None
