"""Thrad: one conversion a request, dedup by key, and the call that checks an advertiser's key."""

from __future__ import annotations

import re

import orjson

from forwarder.http.port import HttpAnswer
from forwarder.sandbox.contract import (
    NOBODY,
    Access,
    AccountKey,
    Call,
    Checked,
    Entry,
    Limit,
    Quirks,
    Refusal,
    Reply,
    fingerprint,
)
from forwarder.sandbox.known import KnownThrad, Register, reveals
from forwarder.sandbox.rules import (
    CURRENCY,
    FINE,
    URL,
    Problem,
    Problems,
    date_time,
    number,
    record,
    text,
)

PATH = "/api/conversion"
AD_ACCOUNT_PATH = "/v1/ad_account"
_AD_ACCOUNT = {
    "id": "sandbox-ad-account",
    "name": "Sandbox",
    "url": "https://shop.example",
    "timezone": "UTC",
    "currency_code": "USD",
}


def _kept(_value: object) -> Problems:
    """Unknown fields are stored by Thrad; that we send none is advice."""
    return FINE


_REQUIRED = {
    "click_id": text(),
    "conversion_time": date_time,
    "conversion_value": number(),
    "currency": CURRENCY,
}
_OPTIONAL = {
    **dict.fromkeys(("event_type", "order_id", "event_id", "tag_id"), text()),
    **dict.fromkeys(("user_agent", "session_id", "client_id"), text()),
    "page_url": URL,
    "referrer": text(),
}
_CONVERSION = record(_REQUIRED, _OPTIONAL, other=_kept)


class Thrad:
    """Accounts are counted by key. The advertiser's ``ak_`` key is an account of its own."""

    limit = Limit(1000, 3600.0)
    concurrency = None

    def __init__(self, known: Register[KnownThrad]) -> None:
        self.known = known

    def check(self, call: Call, quirks: Quirks) -> Checked:
        if (astray := _astray(call)) is not None:
            return astray
        access = self._access(call)
        if access.refusal is not None:
            return Checked(access.account, refusal=access.refusal, denied=True)
        if call.path == AD_ACCOUNT_PATH:
            return Checked(access.account, unverified=not access.verified)
        return _judged(access, call, quirks)

    def _access(self, call: Call) -> Access:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return Access(NOBODY, Refusal(401, "401", "Missing bearer token"))
        advertisers = call.path == AD_ACCOUNT_PATH
        for one in self.known:
            if reveals(one.api_key, key):
                return Access(_key(key, one.name))
            if advertisers and reveals(one.advertiser_api_key, key):
                return Access(_key(key, f"{one.name}-advertiser"))
        account = _key(key, f"key-{fingerprint(key)}")
        well_formed = re.fullmatch(r"ak_[!-~]+" if advertisers else r"[!-~]{1,512}", key)
        if self.known.open and well_formed:
            return Access(account, verified=False)
        return Access(account, Refusal(401, "401", "Invalid API key"))

    def answer(self, call: Call, reply: Reply) -> HttpAnswer:
        headers = {"content-type": "application/json", **reply.headers}
        if reply.refusal is not None:
            if reply.refusal.retry_after is not None:
                headers.setdefault("retry-after", str(reply.refusal.retry_after))
            return HttpAnswer(reply.refusal.status, headers, _error(call, reply.refusal))
        body: object = {"status": "duplicate" if reply.duplicates else "ok"}
        if call.path == AD_ACCOUNT_PATH:
            body = _AD_ACCOUNT
        return HttpAnswer(200, headers, orjson.dumps(body))

    def throttled(self, retry_after: int) -> Refusal:
        return Refusal(429, "429", "Rate limit exceeded", (), retry_after)

    def injected(self, status: int | None, code: str | None) -> Refusal:
        return Refusal(status or 400, str(status or code), code or "Injected by the sandbox")


def _astray(call: Call) -> Checked | None:
    method = {PATH: "POST", AD_ACCOUNT_PATH: "GET"}.get(call.path)
    if method is None:
        return _lost(404, "path", f"Neither {PATH} nor {AD_ACCOUNT_PATH}.")
    if call.query:
        return _lost(404, "query", "The endpoint takes no query.")
    if call.method != method:
        return _lost(405, "method", f"Not {method}.")
    return None


def _lost(status: int, path: str, rule: str) -> Checked:
    return Checked(NOBODY, (), [Problem(path, rule)], Refusal(status, str(status), rule))


def _key(key: str, label: str) -> AccountKey:
    return AccountKey(fingerprint(key), label, label)


def _judged(access: Access, call: Call, quirks: Quirks) -> Checked:
    body = _parsed(call)
    refused = _refused(call, body)
    problems = [*refused, *_advice(call, body, verified=access.verified)]
    refusal: Refusal | None = None
    if refused:
        path, rule = refused[0]
        refusal = Refusal(422, "422", f"{path}: {rule}")
    elif quirks.click_not_found and quirks.click_not_found.search(str(body["click_id"])):
        refusal = Refusal(404, "404", "Click not found")
    entries = [] if refusal else [_entry(call, body)]
    return Checked(access.account, entries, problems, refusal, unverified=not access.verified)


def _parsed(call: Call) -> dict[str, object]:
    try:
        found = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _refused(call: Call, body: dict[str, object]) -> list[Problem]:
    if not call.is_json:
        return [Problem("content-type", "Not application/json.")]
    return list(_CONVERSION(body)) if body else [Problem("body", "Not a JSON object.")]


def _advice(call: Call, body: dict[str, object], *, verified: bool) -> list[Problem]:
    """What Thrad takes and a caller should not do all the same."""
    known = _REQUIRED.keys() | _OPTIONAL.keys()
    found = [Problem(key, "Unknown field.") for key in body if key not in known]
    if not call.headers.get("idempotency-key", "").strip():
        found.append(Problem("idempotency-key", "Left out."))
    if not verified and call.headers.get("authorization", "")[7:].startswith("ak_"):
        found.append(Problem("authorization", "An ak_ key belongs to the advertiser API only."))
    found += [
        Problem(key, "Holds an e-mail address.")
        for key in ("client_id", "session_id")
        if "@" in str(body.get(key, ""))
    ]
    return found


def _entry(call: Call, body: dict[str, object]) -> Entry:
    click = (body["click_id"], body.get("event_type", "purchase_completed"))
    dedup: list[tuple[object, ...]] = []
    if key := call.headers.get("idempotency-key", "").strip():
        dedup.append(("key", key, *click))
    if "order_id" in body:
        dedup.append(("order", body["order_id"], *click))
    return Entry(0, str(body.get("event_id", "")), tuple(dedup))


def _error(call: Call, refusal: Refusal) -> bytes:
    """The advertiser API has an error object; the conversion API answers as FastAPI does."""
    if call.path == AD_ACCOUNT_PATH:
        missing = refusal.message.startswith("Missing")
        code = {401: "auth_required" if missing else "invalid_api_key", 429: "rate_limit_exceeded"}
        kind = {401: "authentication_error", 429: "rate_limit_error"}
        error = {
            "message": refusal.message,
            "type": kind.get(refusal.status, "api_error"),
            "param": None,
            "code": code.get(refusal.status, refusal.code),
        }
        return orjson.dumps({"error": error})
    if refusal.status == 422:  # noqa: PLR2004 - FastAPI's validation error has a shape of its own
        place, _, rule = refusal.message.partition(": ")
        detail = [{"loc": ["body", *place.split(".")], "msg": rule, "type": "value_error"}]
        return orjson.dumps({"detail": detail})
    return orjson.dumps({"detail": refusal.message})
