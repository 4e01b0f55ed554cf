"""The sandbox on a socket: the vendors below ``/tiktok``, ``/tradedesk`` and ``/thrad``, and its
own questions and commands below ``/_sandbox``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from aiohttp import web

from forwarder.http.port import HttpFailure, HttpRequest
from forwarder.sandbox.behave import Behaviour
from forwarder.sandbox.control import Control
from forwarder.sandbox.known import KnownAccount
from forwarder.sandbox.settings_sample import SAMPLES, sample_settings
from forwarder.sandbox.simulator import Simulator

_LARGEST = 64 << 20  # bytes; above every vendor's limit, so that the vendor refuses, not the server


class Sandbox:
    """The simulated vendors on one port.

    ``port`` 0 takes a free one; ``url`` is known after ``start``. ``accounts``: the only ones that
    are let in at their destination; without any, all well-formed credentials are taken on trust,
    except those of the sample settings, which are checked. ``keep``: events that ``received``
    remembers. In one process: ``async with Sandbox() as sandbox: ...``.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        accounts: Sequence[KnownAccount] = (),
        keep: int = 200_000,
    ) -> None:
        self.host = host
        self.port = port
        self.simulator = Simulator(
            time.monotonic,
            epoch=time.time() - time.monotonic(),
            accounts=accounts,
            samples=SAMPLES,
            keep=keep,
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def settings(self) -> str:
        """YAML that points a forwarder at this sandbox."""
        return sample_settings(self.url)

    async def start(self) -> None:
        """Listen. Raises ``OSError`` when the address cannot be had."""
        # a caller that hangs up ends its request here too: a hanging answer must not linger
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=1024)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and drop all connections. May be called twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def behave(self, **behaviour: object) -> None:
        """``POST /_sandbox/behave`` without the socket; raises ``ValueError``."""
        self.simulator.behave(Behaviour.model_validate(behaviour))

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST, middlewares=[_readable])
        Control(self.simulator).add_to(app)
        app.router.add_route("*", "/{path:.*}", self._vendor)
        return app

    async def _vendor(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = await self.simulator.answer(
            HttpRequest(request.method, request.raw_path, request.headers, body)
        )
        if isinstance(answer, HttpFailure):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # nobody reads it any more
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@web.middleware
async def _readable(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A body that is not packed as its headers say is the caller's mistake, not the sandbox's."""
    try:
        return await handler(request)
    except web.RequestPayloadError:
        return web.Response(status=400, text="the body is not encoded as Content-Encoding says\n")
