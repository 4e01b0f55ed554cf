"""TikTok's Events API 2.0: who may write, what is refused, and in which words.

Nearly everything is HTTP 200; the ``code`` in the body says what happened.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
from forwarder.sandbox.known import KnownTikTok, Register, reveals
from forwarder.sandbox.rules import Problem
from forwarder.sandbox.tiktok_rules import ENVELOPE, EVENT

PATH = "/open_api/v1.3/event/track/"
_OK = 200
_CODE_OF_STATUS = {401: "40105", 403: "40105", 429: "40100"}


class TikTok:
    """Accounts are counted by token and event source id."""

    limit = Limit(600, 60.0)
    concurrency = None

    def __init__(self, known: Register[KnownTikTok]) -> None:
        self.known = known

    def check(self, call: Call, quirks: Quirks) -> Checked:  # noqa: ARG002 - others have quirks
        if (astray := _astray(call)) is not None:
            return astray
        token = call.headers.get("access-token", "")
        body = _parsed(call.body)
        source_id = str(body.get("event_source_id", ""))
        access = self._access(token, source_id)
        if access.refusal is not None:
            return Checked(access.account, refusal=access.refusal, denied=True)
        problems = _problems(call, body)
        if problems:
            refusal = _invalid(problems)
            unverified = not access.verified
            return Checked(access.account, (), problems, refusal, unverified=unverified)
        entries = _entries(body, source_id)
        return Checked(access.account, entries, unverified=not access.verified)

    def _access(self, token: str, source_id: str) -> Access:
        if not token:
            return Access(NOBODY, Refusal(_OK, "40104", "Access token is empty."))
        mine = [one for one in self.known if reveals(one.access_token, token)]
        for one in mine:
            if one.event_source_id in (None, source_id):
                return Access(_key(token, source_id, one.name))
        account = _key(token, source_id, f"{source_id or 'no-source'}-{fingerprint(token)}")
        if self.known.open and re.fullmatch(r"[!-~]{1,512}", token):
            return Access(account, verified=False)
        if mine:
            return Access(account, Refusal(_OK, "40001", "No permission for this event source."))
        return Access(account, Refusal(_OK, "40105", "Access token is incorrect or revoked."))

    def answer(self, call: Call, reply: Reply) -> HttpAnswer:  # noqa: ARG002 - others need it
        refusal = reply.refusal
        body = {
            "code": int(refusal.code) if refusal else 0,
            "message": refusal.message if refusal else "OK",
            "request_id": f"sandbox{reply.number:015d}",
            "data": {},
        }
        headers = {"content-type": "application/json", **reply.headers}
        return HttpAnswer(refusal.status if refusal else _OK, headers, orjson.dumps(body))

    def throttled(self, retry_after: int) -> Refusal:  # noqa: ARG002 - TikTok does not say
        return Refusal(_OK, "40100", "Too many requests. Please retry in some time.")

    def injected(self, status: int | None, code: str | None) -> Refusal:
        default = "50000" if (status or 0) >= 500 else "40002"  # noqa: PLR2004 - HTTP's 5xx
        code = code or _CODE_OF_STATUS.get(status or _OK, default)
        return Refusal(status or _OK, code, "Injected by the sandbox.")


def _astray(call: Call) -> Checked | None:
    """A request that does not reach the endpoint at all."""
    if call.path != PATH:
        rule = f"Not the endpoint {PATH}"
        rule += " (the trailing slash is needed)." if call.path + "/" == PATH else "."
        return _lost(404, "path", rule)
    if call.query:
        return _lost(404, "query", "The endpoint takes no query: a token never goes into a URL.")
    if call.method != "POST":
        return _lost(405, "method", "Not POST.")
    return None


def _lost(status: int, path: str, rule: str) -> Checked:
    return Checked(NOBODY, (), [Problem(path, rule)], Refusal(status, "40002", rule))


def _key(token: str, source_id: str, label: str) -> AccountKey:
    return AccountKey(f"{fingerprint(token)}/{source_id}", label, source_id)


def _parsed(body: bytes) -> dict[str, object]:
    """The envelope, or an empty one when the body is no JSON object."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _problems(call: Call, body: dict[str, object]) -> list[Problem]:
    if not call.is_json:
        return [Problem("content-type", "Not application/json.")]
    if not body:
        return [Problem("body", "Not a JSON object.")]
    if found := ENVELOPE(body):
        return list(found)
    rule = EVENT[str(body["event_source"])]
    return [p.under(i) for i, event in enumerate(_data(body)) for p in rule(event)]


def _invalid(problems: Sequence[Problem]) -> Refusal:
    """One message for the whole request, naming the first culprit by index."""
    path, rule = problems[0]
    place = f"Batch.{path}" if path[:1].isdigit() else path
    return Refusal(_OK, "40002", f"{place}: {rule}")


def _data(body: dict[str, object]) -> list[dict[str, object]]:
    data = body["data"]
    return data if isinstance(data, list) else []


def _entries(body: dict[str, object], source_id: str) -> list[Entry]:
    return [
        Entry(i, str(one["event_id"]), ((source_id, one["event"], one["event_id"]),))
        for i, one in enumerate(_data(body))
    ]
