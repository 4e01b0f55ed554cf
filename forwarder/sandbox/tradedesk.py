"""The Trade Desk's real-time conversions: signature, per-event errors, no dedup."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import orjson
from pydantic import SecretStr

from forwarder.http.port import HttpAnswer
from forwarder.sandbox.contract import (
    NOBODY,
    Access,
    AccountKey,
    Call,
    Checked,
    Entry,
    Limit,
    NamedError,
    Quirks,
    Refusal,
    Reply,
)
from forwarder.sandbox.known import KnownTradeDesk, Register
from forwarder.sandbox.rules import Problem
from forwarder.sandbox.tradedesk_rules import advice, error_name, event_problems

PATH = "/track/realtimeconversion"
MAX_BYTES = 28_600_000
Event = Mapping[str, object]


class TradeDesk:
    """Accounts are counted by advertiser or merchant id."""

    limit = Limit(600, 60.0)
    concurrency = 4

    def __init__(self, known: Register[KnownTradeDesk]) -> None:
        self.known = known

    def check(self, call: Call, quirks: Quirks) -> Checked:
        if (astray := _astray(call)) is not None:
            return astray
        data = _data(call.body)
        if not data:
            return _lost(400, "body", 'Not {"data": [one or more objects]}.')
        access = self._access(call, data[0])
        if access.refusal is not None:
            return Checked(access.account, refusal=access.refusal, denied=True)
        return _judged(access, data, quirks)

    def _access(self, call: Call, event: Event) -> Access:
        account_id = str(event.get("adv", event.get("merchant_id", "")))
        known = self._known(event)
        label = known.name if known else account_id or "no-advertiser"
        account = AccountKey(account_id, label, account_id)
        if known is not None:
            return Access(account, _forged(call, known) or _untracked(known, event))
        if not self.known.open:
            return Access(account, _refusal(402, "402", "Unknown advertiser."))
        signature = call.headers.get("ttdsignature")
        if signature is not None and not re.fullmatch(r"[A-Za-z0-9+/]{27}=", signature):
            return Access(account, _refusal(401, "401", "TtdSignature is no HMAC-SHA1 in base64."))
        return Access(account, verified=False)

    def _known(self, event: Event) -> KnownTradeDesk | None:
        ids = (event.get("adv"), event.get("merchant_id"))
        return next(
            (one for one in self.known if (one.advertiser_id, one.merchant_id) == ids), None
        )

    def answer(self, call: Call, reply: Reply) -> HttpAnswer:  # noqa: ARG002 - others need it
        refusal = reply.refusal
        named = refusal.named if refusal else ()
        body = {
            "Message": refusal.message if refusal and not named else None,
            "EventResponses": [_event_response(one) for one in named],
        }
        headers = {
            "content-type": "application/json",
            "x-ttd-request-id": f"sandbox{reply.number:015d}",
            **reply.headers,
        }
        if refusal and refusal.retry_after is not None:
            headers.setdefault("retry-after", str(refusal.retry_after))
        return HttpAnswer(refusal.status if refusal else 200, headers, orjson.dumps(body))

    def throttled(self, retry_after: int) -> Refusal:
        return Refusal(429, "429", "Too many requests.", (), retry_after)

    def injected(self, status: int | None, code: str | None) -> Refusal:
        if code is None:
            return _refusal(status or 400, str(status), "Injected by the sandbox.")
        named = (NamedError(0, code, "Injected by the sandbox."),)
        return Refusal(status or 400, code, "", named)


def signature_of(secret: SecretStr, body: bytes) -> str:
    """Base64 of HMAC-SHA1 over the exact bytes of the body."""
    mac = hmac.digest(secret.get_secret_value().encode(), body, hashlib.sha1)
    return base64.b64encode(mac).decode()


def _astray(call: Call) -> Checked | None:
    if call.path != PATH:
        return _lost(404, "path", f"Not the endpoint {PATH}.")
    if call.query:
        return _lost(404, "query", "The endpoint takes no query.")
    if call.method != "POST":
        return _lost(405, "method", "Not POST.")
    if not call.is_json:
        return _lost(415, "content-type", "Not application/json.")
    if len(call.body) > MAX_BYTES:
        return _lost(413, "body", f"More than {MAX_BYTES} bytes.")
    return None


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, code, message)


def _lost(status: int, path: str, rule: str) -> Checked:
    return Checked(NOBODY, (), [Problem(path, rule)], _refusal(status, str(status), rule))


def _data(body: bytes) -> list[dict[str, object]] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    data = found.get("data") if isinstance(found, dict) and set(found) == {"data"} else None
    if isinstance(data, list) and all(isinstance(one, dict) for one in data):
        return data
    return None


def _forged(call: Call, known: KnownTradeDesk) -> Refusal | None:
    for header, secret in (
        ("ttdsignature", known.secret_key),
        ("ttdsignature-dp", known.data_provider_secret_key),
    ):
        given = call.headers.get(header, "")
        if secret and not hmac.compare_digest(
            given.encode(), signature_of(secret, call.body).encode()
        ):
            return _refusal(401, "401", f"{header} does not fit the body.")
    return None


def _untracked(known: KnownTradeDesk, event: Event) -> Refusal | None:
    """402: the tracker or the pixel is not the account's."""
    for field, expected in (("tracker_id", known.tracker_id), ("upixel_id", known.upixel_id)):
        given = event.get(field)
        if expected is not None and given is not None and given != expected:
            return _refusal(402, "402", f"Unknown {field}.")
    return None


def _judged(access: Access, data: Sequence[Event], quirks: Quirks) -> Checked:
    problems: list[Problem] = []
    named: list[NamedError] = []
    good: list[Entry] = []
    for index, event in enumerate(data):
        refused = [*event_problems(event), *_stranger(event, data[0])]
        problems += [problem.under(index) for problem in (*refused, *advice(event))]
        if refused:
            path, rule = refused[0]
            named.append(NamedError(index, error_name(path), f"{path}: {rule}"))
        else:
            good.append(_entry(index, event))
    refusal = Refusal(400, named[0].error, "", tuple(named)) if named else None
    kept = good if quirks.keep_good or not named else ()
    return Checked(access.account, kept, problems, refusal, unverified=not access.verified)


def _stranger(event: Event, first: Event) -> list[Problem]:
    ids = ("adv", "merchant_id")
    if all(event.get(name) == first.get(name) for name in ids):
        return []
    return [Problem("adv", "Not the account of the request's first event.")]


def _entry(index: int, event: Event) -> Entry:
    order_id = str(event.get("order_id", ""))
    tracker = event.get("tracker_id", event.get("upixel_id"))
    return Entry(index, order_id, ((tracker, event.get("event_name"), order_id),))


def _event_response(error: NamedError) -> dict[str, object]:
    return {
        "EventIndex": error.position,
        "EventErrors": [{"Error": error.error, "ErrorMessage": error.message}],
        "EventWarnings": [],
        "Successful": False,
    }
