"""What The Trade Desk's answers mean: the vendor page's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from forwarder.destinations.answers import by_status, error_name, fields, parsed, scrub, token
from forwarder.destinations.contract import Reading, Refusal, Verdict
from forwarder.http.port import HttpAnswer

_OK = 200
_REFUSED = 400
_UNAVAILABLE = 503


def read(answer: HttpAnswer, count: int, now: float, *, accept_rest: bool) -> Reading:
    """See ``Account.read``. ``accept_rest``: deliveries that a refusal does not name were kept."""
    body = fields(parsed(answer.body))
    named = dict(_refusals(body, count))
    id_ = token(answer.headers.get("x-ttd-request-id"))
    message = scrub(body.get("Message")) or next((r.message for r in named.values()), "")
    if answer.status == _OK:
        verdict = Verdict.REJECTED if named else Verdict.DELIVERED
        return Reading(
            verdict,
            code="200",
            message=message,
            request_id=id_,
            named=named,
            rest_delivered=bool(named),
        )
    reading = by_status(answer, now, message=message, id_=id_)
    if answer.status == _REFUSED:
        return replace(reading, named=named, rest_delivered=accept_rest and bool(named))
    if answer.status == _UNAVAILABLE and reading.retry_after is not None:
        return replace(reading, verdict=Verdict.THROTTLED)
    return reading


def _refusals(body: Mapping[str, object], count: int) -> Iterator[tuple[int, Refusal]]:
    responses = body.get("EventResponses")
    for response in responses if isinstance(responses, list) else ():
        entry = fields(response)
        index = entry.get("EventIndex")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
            continue
        found = entry.get("EventErrors")
        errors = [fields(error) for error in found] if isinstance(found, list) else []
        if entry.get("Successful") is False or (errors and entry.get("Successful") is not True):
            yield index, _refusal(errors)


def _refusal(errors: list[Mapping[str, object]]) -> Refusal:
    first = errors[0] if errors else {}
    code = error_name(first.get("Error")) or str(_REFUSED)
    return Refusal(code, scrub(first.get("ErrorMessage")))
