"""Probes, metrics and the status page over HTTP, on ``ops.listen``.

For people and machines inside the network: read-only, small, no log line for a request. At most
``MAX_AT_ONCE`` requests are answered at the same time, each within ``TIME_LIMIT`` seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web

from forwarder.ops import metrics, page
from forwarder.ops.status import Status, to_json

TIME_LIMIT: Final = 5.0
MAX_AT_ONCE: Final = 16
MAX_QUERY: Final = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotListen(Exception):
    """The address of ``ops.listen`` cannot be used. The text says which, why, and what to do."""


class Health(Protocol):
    """What the probes ask. Both answers must be at hand: nothing is awaited for them."""

    def sick(self) -> str | None:
        """Why a restart would help; ``None``: it would not (Kafka away, a vendor down, waiting)."""
        ...

    def unready(self) -> str | None:
        """Why this replica does not work now (not joined, draining); ``None``: it does."""
        ...


class OpsServer:
    """The server. ``status`` is asked at every look; ``render_metrics`` as ``Metrics.page``."""

    def __init__(
        self,
        listen: str,
        health: Health,
        status: Callable[[], Status],
        render_metrics: Callable[[], Callable[[], bytes]],
    ) -> None:
        self._host, self._port = parse_listen(listen)
        self._health = health
        self._status = status
        self._metrics = render_metrics
        self._runner: web.AppRunner | None = None
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    @property
    def port(self) -> int:
        """The port in use: of interest when ``listen`` asked for any (port 0)."""
        assert self._runner is not None, "not started"
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises ``CannotListen``."""
        app = web.Application(middlewares=[self._bounded], client_max_size=1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/status", self._status_json)
        app.router.add_get("/", self._status_page)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=30.0, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise CannotListen(_advice(self._host, self._port, error)) from None
        self._runner = runner

    async def stop(self) -> None:
        """Close. May be called twice, and without ``start``."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _bounded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._slots.locked():
            return _text("busy\n", 503)
        async with self._slots:
            try:
                async with asyncio.timeout(TIME_LIMIT):
                    response = await handler(request)
            except TimeoutError:
                response = _text("too slow\n", 503)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _probe(self._health.sick())

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _probe(self._health.unready())

    async def _metrics_page(self, _request: web.Request) -> web.Response:
        body = await asyncio.to_thread(self._metrics())
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _status_json(self, _request: web.Request) -> web.Response:
        return web.Response(body=to_json(self._status()), content_type="application/json")

    async def _status_page(self, request: web.Request) -> web.Response:
        view = page.View(
            search=request.query.get("q", "")[:MAX_QUERY],
            show=request.query.get("show", "")[:MAX_QUERY],
            sort=request.query.get("sort", "")[:MAX_QUERY],
        )
        html = await asyncio.to_thread(page.render, self._status(), view)
        return web.Response(text=html, content_type="text/html", headers=page.HEADERS)


def parse_listen(listen: str) -> tuple[str, int]:
    """``0.0.0.0:8080``, ``[::1]:8080`` or ``:8080`` (all interfaces). Raises ``CannotListen``."""
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) <= 65535):  # noqa: PLR2004
        raise CannotListen(f"ops.listen: {listen!r} is not HOST:PORT, such as 0.0.0.0:8080")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - what a setting without host asks for


def _advice(host: str, port: int, error: OSError) -> str:
    reason = os.strerror(error.errno).lower() if error.errno else "not an address of this machine"
    return (
        f"ops.listen: cannot listen on {host}:{port}: {reason}. "
        "Stop what uses it, or set another (FORWARDER_OPS__LISTEN)"
    )


def _probe(problem: str | None) -> web.Response:
    return _text("ok\n", 200) if problem is None else _text(f"{problem}\n", 503)


def _text(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status)
