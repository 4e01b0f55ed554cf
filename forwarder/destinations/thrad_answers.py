"""What Thrad's answers mean: the vendor page's table. Errors come in two shapes, or as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from forwarder.destinations.answers import by_status, error_name, fields, parsed, scrub, text
from forwarder.destinations.contract import Reading, Verdict
from forwarder.http.port import HttpAnswer

_OK = 200
_NOT_FOUND = 404
_DELIVERED = Reading(Verdict.DELIVERED, code="ok")
_DUPLICATE = Reading(Verdict.DELIVERED, code="duplicate", duplicate=True)


def read(answer: HttpAnswer, now: float) -> Reading:
    """See ``Account.read``."""
    body = parsed(answer.body)
    status = fields(body).get("status")
    if answer.status == _OK and status in ("ok", "duplicate"):
        return _DELIVERED if status == "ok" else _DUPLICATE
    error = fields(fields(body).get("error"))
    words = _words(answer, body)
    code = error_name(error.get("code")) or ""
    reading = by_status(answer, now, code=code, message=scrub(words))
    if answer.status == _NOT_FOUND and _of_the_click(words):
        return replace(reading, verdict=Verdict.TRANSIENT, later=True)
    return reading


def _of_the_click(words: str) -> bool:
    """Whether the click is unknown (it may still arrive), rather than the path."""
    said = words.strip().rstrip(".").lower()
    return said != "not found" and not said.startswith("<")


def _words(answer: HttpAnswer, body: object) -> str:
    """``{"error": {"message": …}}``, ``{"detail": …}`` [I], or plain text."""
    if isinstance(body, str):
        return body
    error, detail = fields(body).get("error"), fields(body).get("detail")
    for said in (fields(error).get("message"), error, detail, fields(body).get("message")):
        if isinstance(said, str):
            return said
    if isinstance(detail, list):
        return "; ".join(_validation(detail))
    return text(answer.body) if body is None else ""


def _validation(detail: list[object]) -> Iterator[str]:
    """Where and what, never the ``input``: that is the event's."""
    for entry in map(fields, detail[:8]):
        place, rule = entry.get("loc"), entry.get("msg")
        path = ".".join(str(part) for part in place) if isinstance(place, list) else ""
        yield f"{path}: {rule}" if path else str(rule)
