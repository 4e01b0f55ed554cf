"""What TikTok's answers mean (vendor page, *Answers*): the body's code outranks the status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import orjson

from forwarder.destinations.answers import by_status, parsed, retry_after, scrub, token
from forwarder.destinations.contract import Reading, Refusal, Verdict
from forwarder.http.port import HttpAnswer

_OK = 200
_DELIVERED = 0
_PARTIAL = 20001
_THROTTLED = frozenset({40016, 40100, 40132, 40133})
_TRANSIENT = frozenset({_PARTIAL, 40202, 40902, 40903, 40913, 60001}) | frozenset(
    range(50000, 60000)
)
_MISCONFIGURED = frozenset({40001, *range(40101, 40108), 40110, 40113, 40131})
_REJECTED = range(40000, 50000)
_MAX_LOOKED_AT = 1 << 16  # characters: more would name each of 1,000 events at length
_CODE = re.compile(r"[0-9]{1,6}")
_INDEX = re.compile(
    r"(?<![\w.\]])(?:batch|data|events?)\s{0,2}[.\[/]\s{0,2}(\d{1,4})(?!\d)", re.IGNORECASE
)
"""``Batch.0.properties``, ``data[0].event``: the position of a refused event. [S]"""


def read(answer: HttpAnswer, count: int, now: float) -> Reading:
    """See ``Account.read``."""
    body = parsed(answer.body)
    if not isinstance(body, dict):
        return _unsaid(by_status(answer, now))
    code = _code(body.get("code"))
    verdict = _verdict(code, answer.status)
    id_ = token(body.get("request_id"))
    message = body.get("message")
    if verdict is None:
        said = "" if code in (None, _DELIVERED) else str(code)
        reading = by_status(answer, now, code=said, message=scrub(message), id_=id_)
        return reading if code is None else _unsaid(reading)
    return Reading(
        verdict,
        code=str(code),
        message=scrub(_with_data(message, body)) if code == _PARTIAL else scrub(message),
        request_id=id_,
        retry_after=retry_after(answer, now),
        named=_named(message, str(code), count) if verdict is Verdict.REJECTED else {},
    )


def _unsaid(reading: Reading) -> Reading:
    """The status alone, from a gateway or beside a code that nobody knows, refuses no event."""
    if reading.verdict is Verdict.REJECTED and not reading.split:
        return replace(reading, verdict=Verdict.TRANSIENT)
    return reading


def _code(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return int(value) if isinstance(value, str) and _CODE.fullmatch(value) else None


def _verdict(code: int | None, status: int) -> Verdict | None:
    """``None``: the code settles nothing, so the status does."""
    if code == _DELIVERED:
        return Verdict.DELIVERED if status == _OK else None
    if code is None:
        return None
    if code in _THROTTLED:
        return Verdict.THROTTLED
    if code in _TRANSIENT:
        return Verdict.TRANSIENT
    if code in _MISCONFIGURED:
        return Verdict.MISCONFIGURED
    return Verdict.REJECTED if code in _REJECTED else None


def _with_data(message: object, body: Mapping[str, object]) -> str:
    """A partial success tells more in ``data``."""
    return f"{message} data: {orjson.dumps(body.get('data')).decode()}"


def _named(message: object, code: str, count: int) -> dict[int, Refusal]:
    if not isinstance(message, str):
        return {}
    found = list(_INDEX.finditer(message[:_MAX_LOOKED_AT]))
    ends = [*(match.start() for match in found[1:]), len(message)]
    named: dict[int, Refusal] = {}
    for match, end in zip(found, ends, strict=False):
        index = int(match[1])
        if index < count and index not in named:
            named[index] = Refusal(code, scrub(message[match.start() : end]))
    return named
