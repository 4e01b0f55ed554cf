"""The records that the forwarder writes: the original key and bytes, with its own headers.

Header names and meanings are public: ``schemas/asyncapi.json``. Values are UTF-8, each cut at 256
bytes, at most 2 KiB together. They are replaced at each step and never grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from forwarder.event import MAX_AHEAD
from forwarder.kafka.port import Headers, Outgoing, Record

PREFIX: Final = "forwarder-"
MAX_VALUE: Final = 256
MAX_TOGETHER: Final = 2048
MAX_DIGITS: Final = 6
MOST_BEFORE_EVENT: Final = 86_400.0
"""Seconds. No producer's clock that is nearly right is so much older than the event."""
# The times that RFC 3339 can write.
LAST_SECOND: Final = 253_402_300_799.0


class MalformedHeaders(ValueError):
    """A record of our own topics carries headers that we did not write. Names the header."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What earlier rounds of a delivery left in its headers.

    ``attempts``: requests that failed on it; ``retries``: rounds through retry topics so far;
    ``replays``: times an operator sent it again, the last one as ``run``. Times: epoch seconds.
    """

    origin: str
    attempts: int = 0
    retries: int = 0
    replays: int = 0
    run: str | None = None
    first_failed_at: float | None = None
    last_failed_at: float | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a record goes to a retry topic or to the dead letters. ``code``: the vendor's, or
    ``local.<rule>``. ``message`` is scrubbed by whoever made it.
    """

    reason: str
    code: str = ""
    message: str = ""


TOO_LARGE: Final = Trouble("oversize", "local.oversize")
"""Of a record that no topic takes with its value."""


def coordinates(record: Record) -> str:
    """``topic/partition/offset``."""
    return f"{record.topic}/{record.partition}/{record.offset}"


def rfc3339(at: float) -> str:
    """Epoch seconds as ``2026-11-21T12:00:00.000Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> float:
    """Raises ``ValueError``, also for a time without an offset or before 1970."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not 0 <= time.timestamp() <= LAST_SECOND:
        raise ValueError(text)
    return time.timestamp()


def foreign_headers(headers: Headers) -> list[tuple[str, bytes | None]]:
    """The producer's own headers (``traceparent`` among them): all but ours."""
    return [pair for pair in headers if not pair[0].startswith(PREFIX)]


def read_progress(record: Record) -> Progress:
    """Progress from a queue, retry or dead-letter record. Raises ``MalformedHeaders``."""
    headers = record.headers
    if len(headers) == 1 and headers[0][0] == "forwarder-origin":  # a fresh queue record
        return Progress(origin=header_text("forwarder-origin", headers[0][1]))
    ours = {name: value for name, value in headers if name.startswith(PREFIX)}
    if "forwarder-origin" not in ours:
        raise MalformedHeaders("forwarder-origin is missing")
    return Progress(
        origin=header_text("forwarder-origin", ours["forwarder-origin"]),
        attempts=_count("forwarder-attempts", ours),
        retries=_count("forwarder-retries", ours),
        replays=_count("forwarder-replays", ours),
        run=_optional("forwarder-run", ours),
        first_failed_at=_time("forwarder-first-failed-at", ours),
        last_failed_at=_time("forwarder-last-failed-at", ours),
        account=_optional("forwarder-account", ours),
    )


def destination_of(record: Record) -> str | None:
    """The destination that a retry record or a dead letter names. Raises ``MalformedHeaders``."""
    return _optional("forwarder-destination", dict(record.headers))


def fresh(record: Record, event_time: float, now: float) -> Outgoing:
    """An event's record for a queue: same key and bytes, with its origin; and the same timestamp,
    unless no clock that is nearly right can have given it: then the event's. A queue's retention
    counts from it, and brokers may refuse it.
    """
    at = record.timestamp / 1000
    plausible = event_time - MOST_BEFORE_EVENT <= at <= now + MAX_AHEAD
    timestamp = record.timestamp if plausible else int(event_time * 1000)
    headers = foreign_headers(record.headers) if record.headers else []
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    headers.append(("forwarder-origin", origin))
    return Outgoing(record.key, record.value, headers, timestamp)


def requeued(record: Record, progress: Progress) -> Outgoing:
    """A retried or replayed record back in its queue: keeps its counts and first failure."""
    fields = {"forwarder-origin": progress.origin} | _counts(progress) | _times(progress)
    if progress.run is not None:
        fields["forwarder-run"] = progress.run
    return Outgoing(record.key, record.value, _headers(record, fields), record.timestamp)


def troubled(
    record: Record,
    progress: Progress,
    trouble: Trouble,
    *,
    destination: str | None = None,
    described: Mapping[str, str] | None = None,
    keep_value: bool = True,
) -> Outgoing:
    """The record for a retry or the dead-letter topic.

    ``progress.account`` and ``destination`` are absent where the record is invalid or unrouted.
    ``described``: what ``event_headers`` gives, on dead letters. The timestamp is the broker's or
    the client's at writing, since retry topics count their delay from it.
    """
    fields = {"forwarder-origin": progress.origin}
    if progress.account is not None:
        fields["forwarder-account"] = progress.account
    if destination is not None:
        fields["forwarder-destination"] = destination
    fields |= _counts(progress)
    fields["forwarder-reason"] = trouble.reason
    if trouble.code:
        fields["forwarder-code"] = trouble.code
    if trouble.message:
        fields["forwarder-message"] = trouble.message
    fields |= _times(progress)
    if progress.run is not None:
        fields["forwarder-run"] = progress.run
    fields |= described or {}
    value = record.value if keep_value else None
    return Outgoing(record.key, value, _headers(record, fields), None)


def oversize(
    outgoing: Outgoing,
    now: float,
    account: str | None,
    destination: str | None,
    described: Mapping[str, str],
) -> Outgoing:
    """The dead letter of a record that no topic takes: our headers alone, neither value nor the
    producer's headers, and the key only where it is short. ``described``: what ``event_headers``
    gives; the other arguments as for ``troubled``.
    """
    ours = {
        name: (raw or b"").decode(errors="replace")
        for name, raw in outgoing.headers
        if name.startswith(PREFIX)
    }
    ours.pop("forwarder-message", None)  # of what was wrong with it before
    at = rfc3339(now)
    kept = {"forwarder-first-failed-at": at, **ours, "forwarder-last-failed-at": at, **_OVERSIZE}
    told = {"forwarder-account": account, "forwarder-destination": destination}
    kept |= {name: text for name, text in told.items() if text is not None}
    kept |= {name: text for name, text in described.items() if name not in kept}
    key = outgoing.key if len(outgoing.key or b"") <= MAX_TOGETHER else None
    return Outgoing(key, None, list(_bounded(kept)))


_OVERSIZE: Final = {"forwarder-reason": TOO_LARGE.reason, "forwarder-code": TOO_LARGE.code}


def event_headers(
    *,
    event_id: str | None,
    event_name: str | None,
    event_time: float | None,
    advertiser: str | None,
    order_id: str | None,
) -> dict[str, str]:
    """Headers by which dead letters are filtered without parsing; what is unknown is left out."""
    values = {
        "forwarder-event-id": event_id,
        "forwarder-event-name": event_name,
        "forwarder-event-time": None if event_time is None else rfc3339(event_time),
        "forwarder-advertiser": advertiser,
        "forwarder-order-id": order_id,
    }
    return {name: value for name, value in values.items() if value}


def failed(progress: Progress, now: float) -> Progress:
    """The same progress after a failure at ``now``."""
    first = now if progress.first_failed_at is None else progress.first_failed_at
    return replace(progress, first_failed_at=first, last_failed_at=now)


def _counts(progress: Progress) -> dict[str, str]:
    return {
        "forwarder-attempts": str(progress.attempts),
        "forwarder-replays": str(progress.replays),
        "forwarder-retries": str(progress.retries),
    }


def _times(progress: Progress) -> dict[str, str]:
    times = {
        "forwarder-first-failed-at": progress.first_failed_at,
        "forwarder-last-failed-at": progress.last_failed_at,
    }
    return {name: rfc3339(at) for name, at in times.items() if at is not None}


def _headers(record: Record, fields: Mapping[str, str]) -> list[tuple[str, bytes | None]]:
    return [*foreign_headers(record.headers), *_bounded(fields)]


def _bounded(fields: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Our own headers, the last ones cut or left out where there is no room."""
    left = MAX_TOGETHER
    for name, text in fields.items():
        if left <= len(name):
            break
        value = cut(text, min(MAX_VALUE, left - len(name)))
        left -= len(name) + len(value)
        yield name, value


def cut(text: str, limit: int) -> bytes:
    """UTF-8 of at most ``limit`` bytes, never ending inside a character."""
    raw = text.encode(errors="replace")
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()


def header_text(name: str, value: bytes | None) -> str:
    """Of one of our own headers. Raises ``MalformedHeaders``."""
    if value is None:
        raise MalformedHeaders(f"{name} has no value")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MalformedHeaders(f"{name} is not UTF-8") from None


def _optional(name: str, ours: Mapping[str, bytes | None]) -> str | None:
    return header_text(name, ours[name]) if name in ours else None


def _count(name: str, ours: Mapping[str, bytes | None]) -> int:
    if name not in ours:
        return 0
    text = header_text(name, ours[name])
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise MalformedHeaders(f"{name} is not a count")
    return int(text)


def _time(name: str, ours: Mapping[str, bytes | None]) -> float | None:
    if name not in ours:
        return None
    try:
        return from_rfc3339(header_text(name, ours[name]))
    except ValueError:
        raise MalformedHeaders(f"{name} is not an RFC 3339 time") from None
