"""``/_sandbox``: what the sandbox can be asked and told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from forwarder.sandbox.behave import Behaviour
from forwarder.sandbox.known import DESTINATIONS, KnownAccount
from forwarder.sandbox.simulator import Simulator

_HELP = """\
Simulated vendors; base URLs here: /tiktok /tradedesk /thrad

GET  /_sandbox/report                   per account: requests, events, duplicates, refusals by code,
                                        the fullest window, violations of the vendor's rules
GET  /_sandbox/received?destination=D   JSON Lines: the events taken, oldest first; the first of
                                        each request carries its body
GET  /_sandbox/behave                   the behaviours in force
POST /_sandbox/behave                   {"destination": "tiktok", "account"?: "demo-pixel",
                                        "latency"?: "2s", "hang"?: true or "after",
                                        "reset"?: true or "after", "status"?: 503, "code"?: 40100,
                                        "html"?: true, "body"?: "", "retry_after"?: 30,
                                        "rate"?: {"requests": 10, "per": "1s"}, "fraction"?: 0.1,
                                        "for"?: "30s", "click_not_found"?: "^lost-",
                                        "keep_good"?: true}
                                        in place of the earlier one of that destination or account
POST /_sandbox/accounts                 an account or a list of them; then nobody else is let in:
                                        {"destination": "tiktok", "name", "access_token",
                                        "event_source_id"?}
                                        {"destination": "tradedesk", "name", "advertiser_id" or
                                        "merchant_id", "tracker_id"?, "upixel_id"?, "secret_key"?,
                                        "data_provider_secret_key"?}
                                        {"destination": "thrad", "name", "api_key",
                                        "advertiser_api_key"?}
POST /_sandbox/reset                    forget requests and behaviours; accounts stay
"""
_ACCOUNT: TypeAdapter[KnownAccount] = TypeAdapter(KnownAccount)
_FLUSH = 256 << 10  # bytes of JSON lines that are written at once
T = TypeVar("T")


class _BadRequest(Exception):
    """What the caller sent cannot be used; the text says why."""


class Control:
    """The handlers, bound to one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._help)
        app.router.add_get("/_sandbox", self._help)
        app.router.add_get("/_sandbox/report", self._report)
        app.router.add_get("/_sandbox/received", self._received)
        app.router.add_get("/_sandbox/behave", self._behaviours)
        app.router.add_post("/_sandbox/behave", self._behave)
        app.router.add_post("/_sandbox/accounts", self._accounts)
        app.router.add_post("/_sandbox/reset", self._reset)
        app.router.add_route("*", "/_sandbox/{path:.*}", self._unknown)

    async def _help(self, _request: web.Request) -> web.Response:
        return web.Response(text=_HELP)

    async def _unknown(self, _request: web.Request) -> web.Response:
        return web.Response(status=404, text=_HELP)

    async def _report(self, _request: web.Request) -> web.Response:
        return _json(self._simulator.ledger.report())

    async def _received(self, request: web.Request) -> web.StreamResponse:
        destination = request.query.get("destination")
        if destination not in (None, *DESTINATIONS):
            return _json({"error": f"destination: one of {' '.join(DESTINATIONS)}"}, status=400)
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        await response.prepare(request)
        async for chunk in _chunks(self._simulator.ledger.received(destination)):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _behaviours(self, _request: web.Request) -> web.Response:
        return _json({"behaviours": self._in_force()})

    async def _behave(self, request: web.Request) -> web.Response:
        try:
            behaviour = await _read(request, Behaviour.model_validate)
        except _BadRequest as error:
            return _json({"error": str(error)}, status=400)
        self._simulator.behave(behaviour)
        return _json({"behaviours": self._in_force()})

    async def _accounts(self, request: web.Request) -> web.Response:
        try:
            accounts = await _read(request, _one_or_many)
        except _BadRequest as error:
            return _json({"error": str(error)}, status=400)
        for account in accounts:
            self._simulator.know(account)
        return _json({"accounts": [account.name for account in accounts]})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._simulator.reset()
        return _json({})

    def _in_force(self) -> list[object]:
        return [
            behaviour.model_dump(by_alias=True, exclude_defaults=True, mode="json")
            for behaviour in self._simulator.behaviours()
        ]


def _json(value: object, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, status=status, content_type="application/json")


def _one_or_many(value: object) -> list[KnownAccount]:
    values = value if isinstance(value, list) else [value]
    return [_ACCOUNT.validate_python(one) for one in values]


async def _read(request: web.Request, validate: Callable[[object], T]) -> T:
    try:
        return validate(orjson.loads(await request.read()))
    except orjson.JSONDecodeError:
        raise _BadRequest("the body is no JSON") from None
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise _BadRequest("; ".join(_problem(one["loc"], one["msg"]) for one in found)) from None


def _problem(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, place))}: {message}" if place else message


async def _chunks(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The lines in chunks, so that a long answer neither fills memory nor holds the loop."""
    chunk = bytearray()
    for line in lines:
        chunk += line
        if len(chunk) >= _FLUSH:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)
