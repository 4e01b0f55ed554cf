"""The HTTP client on aiohttp: the only module that knows aiohttp's errors.

What aiohttp raises, and what it becomes (``maybe_sent`` in brackets)::

    ClientConnectorError        REFUSED [no]    nothing listens there, no route, TCP time-out
      ClientConnectorDNSError   DNS     [no]
      ClientSSLError            TLS     [no]    handshake or certificate
    TimeoutError                TIMEOUT [once the body began to go out]
    ClientPayloadError          RESET   [yes]   the answer ended early
      from ContentEncodingError PROTOCOL [yes]  the answer's compression is broken
    ClientConnectionError       RESET   [yes]   also an idle connection that the server had closed
    all others                  PROTOCOL        not HTTP, or a URL or header that cannot be sent
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    StreamReader,
    TCPConnector,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import ContentEncodingError
from aiohttp.payload import Payload

from forwarder.http.port import (
    MAX_BODY,
    FailureKind,
    HttpAnswer,
    HttpFailure,
    HttpRequest,
    always,
)

KEEP_ALIVE = 15.0
"""Seconds that an idle connection is kept: below the vendors' own."""
LONGEST_HEADER = 64 * 1024
MOST_HEADERS = 1000
"""More of them is no HTTP. aiohttp's own limits are lower than what proxies in between may add, and
an answer that is not understood is asked for again."""
_NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_NEVER_SENT = (FailureKind.DNS, FailureKind.TLS, FailureKind.REFUSED)


class _Body(Payload):
    """A request's bytes, and whether they have begun to leave: until then the vendor has nothing.

    ``BytesPayload`` would do but for its warning above 1 MiB, which a batch may exceed.
    """

    _value: bytes
    _autoclose = True

    def __init__(self, value: bytes, permitted: Callable[[], bool]) -> None:
        super().__init__(value)
        self._size = len(value)
        self._permitted = permitted
        self.started = False
        self.withheld = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        # The headers wait in the writer for the body: nothing has left yet.
        if not self._permitted():
            self.withheld = True
            raise _Withheld
        self.started = True
        await writer.write(self._value if content_length is None else self._value[:content_length])


class _Withheld(Exception):
    """The caller may not send any more."""


class AiohttpClient:
    """``HttpClient`` over one connection pool. Make it inside a running event loop.

    A POST is written to one connection once: aiohttp repeats no POST, and its silent repeat of a
    GET on a stale connection is switched off, since budgets count requests. Cookies, redirects,
    proxies and ``.netrc`` of the environment are ignored.

    ``connections``: open at once to all hosts, 0 for no limit (lanes bound their own requests);
    a request that waits for one uses its time-out. ``ssl_cafile``: a PEM bundle to trust
    instead of the system's. Raises ``OSError`` when that file cannot be read or holds no
    certificate.
    """

    def __init__(self, *, connections: int = 0, ssl_cafile: Path | None = None) -> None:
        connector = TCPConnector(
            limit=connections,
            keepalive_timeout=KEEP_ALIVE,
            ttl_dns_cache=30,
            ssl=ssl.create_default_context(cafile=ssl_cafile),
        )
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": "conversion-forwarder"},
            skip_auto_headers=("Accept-Encoding",),
            timeout=_NO_TIMEOUT,
            trust_env=False,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
        )
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp offers no other way

    async def send(
        self,
        request: HttpRequest,
        timeout: float,
        permitted: Callable[[], bool] = always,
    ) -> HttpAnswer | HttpFailure:
        """See the port. The time limit covers name look-up, connecting, sending and reading."""
        if self._session.closed:
            return HttpFailure(FailureKind.RESET, maybe_sent=False)
        body = _Body(request.body, permitted) if request.body else None
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(request, body)
        except Exception as error:  # noqa: BLE001 - the port lets nothing but cancellation out
            if body is not None and body.withheld:
                return HttpFailure(FailureKind.WITHHELD, maybe_sent=False)
            return _failure(error, sent=body is None or body.started)

    async def close(self) -> None:
        await self._session.close()

    async def _exchange(self, request: HttpRequest, body: _Body | None) -> HttpAnswer | HttpFailure:
        response = await self._session.request(
            request.method, request.url, headers=request.headers, data=body, allow_redirects=False
        )
        try:
            content = await _read(response.content)
        finally:
            response.close()  # a read-out answer has given its connection back already
        if content is None:
            return HttpFailure(FailureKind.TOO_LARGE, maybe_sent=True)
        return HttpAnswer(response.status, _headers(response), content)


def _headers(response: ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


async def _read(stream: StreamReader) -> bytes | None:
    """All of an answer, unpacked; ``None`` as soon as it passes ``MAX_BODY``.

    The stream unpacks in steps of a few hundred KiB at most, so a gzip bomb ends here too.
    """
    first = await stream.readany()
    if stream.at_eof() and len(first) <= MAX_BODY:
        return first
    content = bytearray(first)
    while len(content) <= MAX_BODY:
        more = await stream.readany()
        if not more:
            return bytes(content)
        content += more
    return None


def _failure(error: Exception, *, sent: bool) -> HttpFailure:
    kind = _kind(error)
    return HttpFailure(kind, maybe_sent=sent and kind not in _NEVER_SENT)


def _kind(error: Exception) -> FailureKind:  # noqa: PLR0911 - one line for each kind
    match error:
        case ClientConnectorDNSError():
            return FailureKind.DNS
        case ClientSSLError():
            return FailureKind.TLS
        case ClientConnectorError():
            return FailureKind.REFUSED
        case TimeoutError():
            return FailureKind.TIMEOUT
        case ClientPayloadError() if isinstance(error.__cause__, ContentEncodingError):
            return FailureKind.PROTOCOL
        case ClientPayloadError() | ClientConnectionError() | OSError():
            return FailureKind.RESET
        case _:
            return FailureKind.PROTOCOL
