"""Reading answers: what all vendors' answers have in common. Nothing here raises, whatever a body
or header holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

from forwarder.credentials import Credential
from forwarder.destinations.contract import Reading, Refusal, Verdict
from forwarder.http.port import HttpAnswer, HttpRequest
from forwarder.surrogates import mended

MAX_MESSAGE = 256
MAX_WAIT = 86_400.0
"""Seconds. The longest ``Retry-After`` that is believed."""
LONGEST_WINDOW = 3600.0
"""Seconds: of any vendor's limit. Waited for where more than ``MAX_WAIT`` is asked for."""
_MAX_READ = 2048  # characters of a message that are looked at
_SHORTEST_SECRET = 4
_NO_SECRETS = frozenset({"application/json", "Bearer"})
_WORD = "[A-Za-z0-9_+/=-]"


def _unquoted(match: re.Match[str]) -> str:
    return match[1] or '"…"'  # a key of JSON is a field's name, and helps


_SECRETS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(
            r"""([{,]"[A-Za-z_]{1,40}":)|(?<![A-Za-z0-9])(["'`]).*?(?:\2(?![A-Za-z0-9])|$)"""
        ),
        _unquoted,
    ),
    (re.compile(r"(https?://)(?:[^\s/?#]*@)?([^\s?#]*)[?#]\S*"), r"\1\2"),
    (re.compile(r"(?<!\S)\S*?(?:@|%40)\S*"), "…"),
    (re.compile(r"(?i)\b(bearer|token|key|secret|signature)(\s*[=:]\s*|\s+)(?=\S*\d)\S+"), r"\1 …"),
    (re.compile(r"(?i)(?<![0-9a-z:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![0-9a-z:])"), "…"),
    (re.compile(r"(?<![0-9A-Za-z.])\d{1,3}(?:\.\d{1,3}){3}(?![0-9A-Za-z])"), "…"),
    (re.compile(r"(?<![A-Za-z0-9_])\+?\(?\d(?:[\s().-]{0,2}\d){6,}"), "…"),
    (re.compile(rf"(?<!{_WORD})(?=[A-Za-z_+/=-]*[0-9]){_WORD}{{16,}}"), "…"),
    (re.compile(rf"{_WORD}{{40,}}"), "…"),
)


def scrub(message: object) -> str:
    """A vendor's words without what could be a credential or a person's: e-mail addresses, numbers
    as long as a phone's, digests, tokens, IP addresses, quoted values, queries of URLs. One line,
    at most 256 bytes.
    """
    if not isinstance(message, str):
        return ""
    text = " ".join(_readable(message[: _MAX_READ + 1]).split())
    if len(message) > _MAX_READ:
        text = text.rpartition(" ")[0]  # the last word may be cut, and so look harmless
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return _cut(text)


def unechoed(reading: Reading, request: HttpRequest, credential: Credential) -> Reading:
    """The same without the account's secrets, and what the request carried in its headers: a
    credential that looks like no secret passes ``scrub``, and some vendors repeat the one that
    they refuse.
    """
    if reading.verdict is Verdict.DELIVERED and not reading.message and not reading.request_id:
        return reading
    words = [word for value in request.headers.values() for word in value.split()]
    words += credential.secrets.values()
    secret = [word for word in words if len(word) >= _SHORTEST_SECRET and word not in _NO_SECRETS]
    named = {
        index: Refusal(_without(refusal.code, secret), _without(refusal.message, secret))
        for index, refusal in reading.named.items()
    }
    return replace(
        reading,
        code=_without(reading.code, secret),
        message=_without(reading.message, secret),
        request_id=None if reading.request_id is None else _without(reading.request_id, secret),
        named=named,
    )


def _without(message: str, secret: Iterable[str]) -> str:
    """``message`` without these words, nor the part of one that a cut has left at its end."""
    for word in secret:
        message = message.replace(word, "…")
        for length in range(len(word) - 1, _SHORTEST_SECRET - 1, -1):
            if message.endswith(word[:length]):
                message = message[:-length] + "…"
                break
    return message


def _readable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _cut(text: str) -> str:
    return text.encode("utf-8", "ignore")[:MAX_MESSAGE].decode("utf-8", "ignore")


def parsed(body: bytes) -> object:
    """The JSON value in a body; ``None`` where there is none. A byte order mark, and halves of
    characters that lost their other half, do not hide what an answer says.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    value: object = None
    try:
        value = orjson.loads(body)
    except ValueError:
        with suppress(ValueError):
            value = orjson.loads(mended(body))
    return value


def fields(value: object) -> Mapping[str, object]:
    """A JSON object, empty where the vendor sent something else."""
    return value if isinstance(value, dict) else {}


def text(body: bytes) -> str:
    """A body as words, for vendors that answer in plain text."""
    return body[: _MAX_READ * 4].decode("utf-8", "replace")


def retry_after(answer: HttpAnswer, now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or as a date."""
    value = answer.headers.get("retry-after", "")[:64].strip()
    seconds = _seconds(value, answer.headers.get("date", "")[:64], now)
    if seconds is None or not math.isfinite(seconds):
        return None
    return max(seconds, 0.0) if seconds <= MAX_WAIT else LONGEST_WINDOW


def _seconds(value: str, sent: str, now: float) -> float | None:
    """``sent``: the answer's own date. A date to come again is by the clock that wrote both."""
    if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", value):
        return float(value)
    until, there = _date(value), _date(sent)
    return None if until is None else until - (now if there is None else there)


def _date(value: str) -> float | None:
    """Epoch seconds of an HTTP date."""
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def token(value: object, at_most: int = 128) -> str | None:
    """A vendor's id or error name, if it is one: a short word that may stand in logs."""
    if isinstance(value, str) and len(value) <= at_most and _TOKEN.fullmatch(value):
        return value
    return None


def error_name(value: object) -> str | None:
    """A vendor's name of an error, for labels and headers: nothing that could be a credential or a
    person's, which some repeat there.
    """
    name = token(value, at_most=64)
    return name if name is not None and scrub(name) == name else None


_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_CREDENTIAL = frozenset({401, 402, 403})
_REJECTED = frozenset({400, 404, 422})
_THROTTLED = 429
_TOO_LARGE = 413


def by_status(
    answer: HttpAnswer, now: float, *, code: str = "", message: str = "", id_: str | None = None
) -> Reading:
    """What a status means where the vendor says nothing more exact."""
    status = answer.status
    verdict = Verdict.TRANSIENT
    if status == _THROTTLED:
        verdict = Verdict.THROTTLED
    elif status in _CREDENTIAL:
        verdict = Verdict.MISCONFIGURED
    elif status in _REJECTED or status == _TOO_LARGE:
        verdict = Verdict.REJECTED
    return Reading(
        verdict,
        code=code or str(status),
        message=message,
        request_id=id_,
        retry_after=retry_after(answer, now),
        split=status == _TOO_LARGE,
    )
