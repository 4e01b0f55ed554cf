"""How each vendor's requests are read and its answers written."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from forwarder.http.port import HttpAnswer, HttpRequest


@dataclass(slots=True)
class Door:
    """One account at its vendor. ``keys``: its secrets that are let in. ``named``: whether the
    vendor says which events of a request it refuses.
    """

    destination: str
    keys: list[str]
    named: bool
    concurrency: int


def account_of(request: HttpRequest) -> str:
    return (urlsplit(request.url).hostname or "").partition(".")[0]


def read(door: Door, request: HttpRequest) -> tuple[str, tuple[str, ...]]:
    """Secret and event ids of a request."""
    body = orjson.loads(request.body)
    match door.destination:
        case "tiktok":
            return request.headers["Access-Token"], tuple(e["event_id"] for e in body["data"])
        case "tradedesk":
            key = next((k for k in door.keys if _signature(k, request) == _signed(request)), "?")
            return key, tuple(e["order_id"] for e in body["data"])
        case _:
            return request.headers["Authorization"].removeprefix("Bearer "), (body["event_id"],)


def _signature(key: str, request: HttpRequest) -> str:
    return base64.b64encode(hmac.digest(key.encode(), request.body, "sha1")).decode()


def _signed(request: HttpRequest) -> str:
    return request.headers["TtdSignature"]


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(status, dict(headers or {}), orjson.dumps(body))


def ok(door: Door) -> HttpAnswer:
    match door.destination:
        case "tiktok":
            return json_answer(200, {"code": 0, "message": "OK", "request_id": "r", "data": {}})
        case "tradedesk":
            return json_answer(200, {"Message": None, "EventResponses": []})
        case _:
            return json_answer(200, {"status": "ok"})


def throttled(door: Door, headers: Mapping[str, str]) -> HttpAnswer:
    if door.destination == "tiktok":
        return json_answer(200, {"code": 40100, "message": "Too many requests"}, headers)
    return json_answer(429, {}, headers)


def unauthorized(door: Door) -> HttpAnswer:
    if door.destination == "tiktok":
        return json_answer(200, {"code": 40105, "message": "Access token is incorrect"})
    return json_answer(401, {"detail": "Invalid API key"})


def refused(door: Door, named: Sequence[int] = ()) -> HttpAnswer:
    match door.destination:
        case "tiktok":
            told = "; ".join(f"Batch.{i}.event_id: Not valid" for i in named) or "Not valid"
            return json_answer(200, {"code": 40002, "message": told})
        case "tradedesk":
            errors = [{"Error": "Invalid", "ErrorMessage": "no"}]
            told_of = [{"EventIndex": i, "EventErrors": errors, "Successful": False} for i in named]
            return json_answer(400, {"Message": "Invalid", "EventResponses": told_of})
        case _:
            return json_answer(400, {"detail": "Click missing bid id"})
