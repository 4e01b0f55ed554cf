"""Vendors that misbehave on the wire: each ends in one honest answer, in bounded time and memory.

Every test has a short time limit of its own: a client that hangs fails it.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder.http.client import AiohttpClient
from forwarder.http.port import MAX_BODY, FailureKind, HttpAnswer, HttpFailure, HttpRequest
from tests.support.broker import free_port
from tests.support.vendor import RawServer, Talk, Wire, raw_server
from tests.support.vendor_tls import authority, server_context

pytestmark = pytest.mark.timeout(20)
SHORT = 0.3
LONG = 5.0
RESET = HttpFailure(FailureKind.RESET, maybe_sent=True)
PROTOCOL = HttpFailure(FailureKind.PROTOCOL, maybe_sent=True)
TOO_LARGE = HttpFailure(FailureKind.TOO_LARGE, maybe_sent=True)
UNSENT = {kind: HttpFailure(kind, maybe_sent=False) for kind in FailureKind}


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient()
    yield client
    await client.close()


def post(url: str, body: bytes = b'{"data":[]}') -> HttpRequest:
    return HttpRequest("POST", url, {"Content-Type": "application/json"}, body)


async def outcome(
    client: AiohttpClient, talk: Talk, timeout: float = LONG
) -> HttpAnswer | HttpFailure:
    """What one POST to a server that behaves like ``talk`` ends in; it is sent once only."""
    async with raw_server(talk) as server:
        answer = await client.send(post(server.url), timeout)
        assert server.connections <= 1
        return answer


def saying(data: bytes, *, then_hang: bool = False) -> Talk:
    async def talk(wire: Wire) -> None:
        await wire.request()
        await wire.write(data)
        if then_hang:
            await wire.gone()

    return talk


async def test_refused(client: AiohttpClient) -> None:
    answer = await client.send(post(f"http://127.0.0.1:{free_port()}/"), LONG)
    assert answer == UNSENT[FailureKind.REFUSED]


async def test_a_name_that_does_not_exist(client: AiohttpClient) -> None:
    answer = await client.send(post("https://vendor.invalid/track"), LONG)
    assert answer == UNSENT[FailureKind.DNS]


async def test_reset_before_the_request_is_read(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        wire.reset()

    answer = await outcome(client, talk)
    assert isinstance(answer, HttpFailure)
    assert answer.kind is FailureKind.RESET


async def test_reset_after_the_request(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()
        wire.reset()

    assert await outcome(client, talk) == RESET


async def test_closed_without_an_answer(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()

    assert await outcome(client, talk) == RESET


async def test_reset_amid_the_answer(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()
        await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.sleep(0.05)  # or the reset overtakes the head
        wire.reset()

    assert await outcome(client, talk) == RESET


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"]
)
async def test_truncated_body(client: AiohttpClient, head: bytes) -> None:
    answer = await outcome(client, saying(b"HTTP/1.1 200 OK\r\n" + head + b'{"code":0}'))
    assert answer == RESET


async def test_hang_before_the_answer(client: AiohttpClient) -> None:
    answer = await outcome(client, saying(b"", then_hang=True), SHORT)
    assert answer == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)


async def test_hang_amid_the_answer(client: AiohttpClient) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    answer = await outcome(client, saying(head, then_hang=True), SHORT)
    assert answer == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)


async def test_slow_drip_cannot_stretch_the_time_limit(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()
        await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await wire.write(b"x")
            await asyncio.sleep(SHORT / 10)

    before = asyncio.get_running_loop().time()
    answer = await outcome(client, talk, SHORT)
    assert answer == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)
    assert asyncio.get_running_loop().time() - before < SHORT + 1


async def test_a_tls_handshake_that_hangs_sends_nothing(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.gone()

    async with raw_server(talk) as server:
        url = server.url.replace("http://", "https://")
        answer = await client.send(post(url), SHORT)
    assert answer == UNSENT[FailureKind.TIMEOUT]


async def test_waiting_for_a_free_connection_sends_nothing() -> None:
    client = AiohttpClient(connections=1)
    async with raw_server(saying(b"", then_hang=True)) as server:
        first = asyncio.create_task(client.send(post(server.url), 2 * SHORT))
        await asyncio.sleep(SHORT / 3)
        assert await client.send(post(server.url), SHORT / 3) == UNSENT[FailureKind.TIMEOUT]
        assert server.connections == 1
        assert await first == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)
    await client.close()


async def test_a_gateways_html_is_an_answer(client: AiohttpClient) -> None:
    html = b"<html><body>502 Bad Gateway</body></html>"
    head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 41\r\n\r\n"
    answer = await outcome(client, saying(head + html))
    assert answer == HttpAnswer(502, {"content-type": "text/html", "content-length": "41"}, html)


@pytest.mark.parametrize("body", [b"{not json", b"", b"\xff\xfe", b"null"])
async def test_a_body_that_is_no_json_is_an_answer(client: AiohttpClient, body: bytes) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()
        await wire.answer(body, "Content-Type: application/json")

    answer = await outcome(client, talk)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (200, body)


async def test_a_body_until_the_connection_closes_is_an_answer(client: AiohttpClient) -> None:
    answer = await outcome(client, saying(b"HTTP/1.1 200 OK\r\n\r\n{}"))
    assert answer == HttpAnswer(200, {}, b"{}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(
    client: AiohttpClient, status: int
) -> None:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    answer = await outcome(client, saying(head.encode()))
    assert isinstance(answer, HttpAnswer)
    assert answer.status == status


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    ],
    ids=["no-http", "length", "long-header", "many-headers", "chunk-size", "encoding"],
)
async def test_what_is_not_http_breaks_the_protocol(client: AiohttpClient, garbage: bytes) -> None:
    assert await outcome(client, saying(garbage, then_hang=True)) == PROTOCOL


async def endless(wire: Wire, sent: RawServer, head: bytes, chunk: bytes) -> None:
    await wire.request()
    await wire.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
    while True:
        await wire.write(chunk)
        sent.bytes_sent += len(chunk)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_huge_body_is_not_read_on(client: AiohttpClient, announced: bool) -> None:
    counter = RawServer(0)
    head = b"Content-Length: 1000000000\r\n" if announced else b""

    async def talk(wire: Wire) -> None:
        await endless(wire, counter, head, b"x" * 65536)

    assert await outcome(client, talk) == TOO_LARGE
    assert counter.bytes_sent < MAX_BODY + (16 << 20)  # what the kernel's buffers may hold


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\0" * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


async def test_a_gzip_bomb_is_not_unpacked(client: AiohttpClient) -> None:
    packed = bomb(256 << 20)  # about 260 KiB
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    tracemalloc.start()
    try:
        assert await outcome(client, saying(head.encode() + packed, then_hang=True)) == TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


async def test_a_packed_answer_is_unpacked(client: AiohttpClient) -> None:
    packed = gzip.compress(b'{"code":0}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    answer = await outcome(client, saying(head.encode() + packed))
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b'{"code":0}'


async def test_a_connection_is_used_again(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.answer(b"{}")

    async with raw_server(talk) as server:
        for _ in range(3):
            assert isinstance(await client.send(post(server.url), LONG), HttpAnswer)
        assert server.connections == 1


async def test_a_connection_closed_while_idle_is_replaced(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.request()
        await wire.answer(b"{}")

    async with raw_server(talk) as server:
        assert isinstance(await client.send(post(server.url), LONG), HttpAnswer)
        await asyncio.sleep(0.05)  # the server's FIN arrives
        assert isinstance(await client.send(post(server.url), LONG), HttpAnswer)
        assert server.connections == 2


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_stale_connection_is_a_reset_and_nothing_is_sent_again(
    client: AiohttpClient, method: str
) -> None:
    """The server closes just as the next request is under way: whether it took it is unknown."""

    async def talk(wire: Wire) -> None:
        server.requests.append(await wire.request())
        await wire.answer(b"{}")
        server.requests.append(await wire.request())

    async with raw_server(talk) as server:
        request = HttpRequest(method, server.url, {}, b"{}" if method == "POST" else b"")
        assert isinstance(await client.send(request, LONG), HttpAnswer)
        assert await client.send(request, LONG) == RESET
        assert len(server.requests) == 2
        assert server.connections == 1


async def test_a_body_above_one_mebibyte_is_sent_whole(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        server.requests.append(await wire.request())
        await wire.answer(b"{}")

    body = b"0123456789" * 300_000
    async with raw_server(talk) as server:
        assert isinstance(await client.send(post(server.url, body), LONG), HttpAnswer)
        assert server.requests[0].endswith(b"\r\n\r\n" + body)


async def test_a_body_that_the_server_never_reads(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await asyncio.sleep(60)

    async with raw_server(talk) as server:
        answer = await client.send(post(server.url, b"x" * (32 << 20)), SHORT)
    assert answer == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("no-url", {}),
        ("ftp://127.0.0.1/", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://", {}),
        ("http://127.0.0.1/", {"Access-Token": "line\r\nbreak"}),
    ],
)
async def test_what_cannot_be_sent_is_a_failure_too(
    client: AiohttpClient, url: str, headers: dict[str, str]
) -> None:
    async with raw_server(saying(b"")) as server:
        there = url.replace("127.0.0.1/", f"127.0.0.1:{server.port}/")
        answer = await client.send(HttpRequest("POST", there, headers, b"{}"), LONG)
        assert answer == UNSENT[FailureKind.PROTOCOL]
        assert server.requests == []


async def test_an_untrusted_certificate(client: AiohttpClient, tmp_path: Path) -> None:
    _, tls = _authority_and_server(tmp_path)
    async with raw_server(saying(b"HTTP/1.1 200 OK\r\n\r\n"), tls) as server:
        assert await client.send(post(server.url), LONG) == UNSENT[FailureKind.TLS]


async def test_a_certificate_of_the_given_authority(tmp_path: Path) -> None:
    cafile, tls = _authority_and_server(tmp_path)
    client = AiohttpClient(ssl_cafile=cafile)
    async with raw_server(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), tls) as server:
        assert isinstance(await client.send(post(server.url), LONG), HttpAnswer)
    await client.close()


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    cafile, tls = _authority_and_server(tmp_path, name="vendor.example")
    client = AiohttpClient(ssl_cafile=cafile)
    async with raw_server(saying(b"HTTP/1.1 200 OK\r\n\r\n"), tls) as server:
        assert await client.send(post(server.url), LONG) == UNSENT[FailureKind.TLS]
    await client.close()


async def test_plain_text_where_tls_is_expected(client: AiohttpClient) -> None:
    async def talk(wire: Wire) -> None:
        await wire.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(talk) as server:
        url = server.url.replace("http://", "https://")
        assert await client.send(post(url), LONG) == UNSENT[FailureKind.TLS]


def _authority_and_server(folder: Path, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    signer = authority()
    cafile = folder / "ca.pem"
    cafile.write_bytes(signer.certificate_pem)
    return cafile, server_context(signer, name, folder)


async def test_a_request_withheld_after_connecting_puts_not_one_byte_on_the_wire() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(wire: Wire) -> None:
        received.put_nowait(await wire.reader.read(1))

    client = AiohttpClient()
    async with raw_server(listen) as server:
        request = HttpRequest("POST", server.url, {}, b"{}")
        answer = await client.send(request, 2, permitted=lambda: False)
        await client.close()
        assert await asyncio.wait_for(received.get(), 5) == b""
    assert answer == HttpFailure(FailureKind.WITHHELD, maybe_sent=False)
