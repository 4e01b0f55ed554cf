"""What every ``HttpClient`` promises, held against the real one and the one for simulations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from forwarder.http.client import AiohttpClient
from forwarder.http.memory import REFUSED, MemoryClient
from forwarder.http.port import (
    MAX_BODY,
    FailureKind,
    HttpAnswer,
    HttpClient,
    HttpFailure,
    HttpRequest,
)
from tests.support.broker import free_port
from tests.support.vendor import Wire, raw_server

Vendor = Callable[[HttpRequest], Awaitable[HttpAnswer | HttpFailure]]
NEVER_SENT = HttpFailure(FailureKind.REFUSED, maybe_sent=False)


@dataclass
class World:
    """A client, and a vendor that a test can replace."""

    client: HttpClient
    url: str
    arrived: list[HttpRequest]
    vendor: Vendor
    nobody: Callable[[], str]  # a URL where nothing listens

    def post(self, body: bytes = b"{}", url: str = "", **headers: str) -> HttpRequest:
        return HttpRequest("POST", url or self.url, headers, body)


async def fine(_request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(200, {"X-Request-Id": "r1"}, b'{"code":0}')


async def never(_request: HttpRequest) -> HttpAnswer:
    await asyncio.sleep(3600)
    raise AssertionError


def answering(status: int, body: bytes = b"", **headers: str) -> Vendor:
    async def vendor(_request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(status, headers, body)

    return vendor


async def reset(_request: HttpRequest) -> HttpFailure:
    return HttpFailure(FailureKind.RESET, maybe_sent=True)


@pytest.fixture
async def over_sockets() -> AsyncIterator[World]:
    client = AiohttpClient()

    async def talk(wire: Wire) -> None:
        while True:
            request = _parsed(await wire.request())
            there.arrived.append(request)
            answer = await there.vendor(request)
            if isinstance(answer, HttpFailure):
                wire.reset()
                return
            headers = [f"{name}: {value}" for name, value in answer.headers.items()]
            await wire.answer(answer.body, *headers, status=f"{answer.status} Status")

    async with raw_server(talk) as server:
        nobody = f"http://127.0.0.1:{free_port()}/"
        there = World(client, server.url, [], fine, lambda: nobody)
        yield there
        await client.close()


@pytest.fixture
async def in_memory() -> AsyncIterator[World]:
    async def vendor(request: HttpRequest) -> HttpAnswer | HttpFailure:
        there.arrived.append(request)
        return await there.vendor(request)

    def nobody() -> str:
        client.script = lambda _request: REFUSED
        return "http://vendor/"

    client = MemoryClient(vendor)
    there = World(client, "http://vendor/path", [], fine, nobody)
    yield there
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await client.settle()


@pytest.fixture(params=["over_sockets", "in_memory"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def _parsed(raw: bytes) -> HttpRequest:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return HttpRequest(first.split()[0], first.split()[1], headers, body)


async def test_the_request_arrives_byte_for_byte(world: World) -> None:
    body = bytes(range(256)) * 5
    await world.client.send(world.post(body, **{"Access-Token": "t", "X-Odd": "a b"}), 5)
    [request] = world.arrived
    assert request.method == "POST"
    assert request.body == body
    assert request.headers["Access-Token"] == "t"
    assert request.headers["X-Odd"] == "a b"


async def test_an_answer_is_whole_and_its_header_names_are_lower_case(world: World) -> None:
    answer = await world.client.send(world.post(), 5)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 200
    assert answer.body == b'{"code":0}'
    assert answer.headers["x-request-id"] == "r1"


async def test_long_and_many_headers_are_no_reason_to_send_again(world: World) -> None:
    """A proxy may add what it likes to an answer."""
    for headers in ({"set-cookie": "c" * 60_000}, {f"x-{n}": "v" for n in range(900)}):
        world.vendor = answering(200, b"{}", **headers)
        answer = await world.client.send(world.post(), 5)
        assert isinstance(answer, HttpAnswer)
        assert answer.headers.items() >= headers.items()


@pytest.mark.parametrize("status", [302, 307, 400, 404, 429, 503])
async def test_every_status_is_an_answer_and_no_redirect_is_followed(
    world: World, status: int
) -> None:
    world.vendor = answering(status, b"body", Location="/elsewhere")
    answer = await world.client.send(world.post(), 5)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (status, b"body")
    assert len(world.arrived) == 1


async def test_no_answer_in_time_is_a_time_out_that_may_have_been_sent(world: World) -> None:
    world.vendor = never
    before = asyncio.get_running_loop().time()
    answer = await world.client.send(world.post(), 0.1)
    assert answer == HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)
    assert asyncio.get_running_loop().time() - before < 2


async def test_a_client_works_on_after_a_time_out(world: World) -> None:
    world.vendor = never
    await world.client.send(world.post(), 0.05)
    world.vendor = fine
    assert isinstance(await world.client.send(world.post(), 5), HttpAnswer)


async def test_nobody_there_is_refused_and_surely_not_sent(world: World) -> None:
    assert await world.client.send(world.post(url=world.nobody()), 5) == NEVER_SENT
    assert world.arrived == []


async def test_a_reset_may_have_been_sent_and_is_not_sent_again(world: World) -> None:
    world.vendor = reset
    answer = await world.client.send(world.post(), 5)
    assert answer == HttpFailure(FailureKind.RESET, maybe_sent=True)
    assert len(world.arrived) == 1


async def test_a_body_of_the_limit_is_read_and_a_longer_one_is_too_large(world: World) -> None:
    world.vendor = answering(200, b"x" * MAX_BODY)
    answer = await world.client.send(world.post(), 5)
    assert isinstance(answer, HttpAnswer)
    assert len(answer.body) == MAX_BODY
    world.vendor = answering(200, b"x" * (MAX_BODY + 1))
    answer = await world.client.send(world.post(), 5)
    assert answer == HttpFailure(FailureKind.TOO_LARGE, maybe_sent=True)


async def test_requests_do_not_wait_for_each_other(world: World) -> None:
    held = asyncio.Event()

    async def hold_the_first(request: HttpRequest) -> HttpAnswer:
        if request.body == b"first":
            await held.wait()
        return HttpAnswer(200, {}, request.body)

    world.vendor = hold_the_first
    first = asyncio.create_task(world.client.send(world.post(b"first"), 5))
    second = await world.client.send(world.post(b"second"), 5)
    assert isinstance(second, HttpAnswer)
    assert second.body == b"second"
    held.set()
    answer = await first
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b"first"


async def test_cancellation_passes_through_and_the_client_works_on(world: World) -> None:
    arrived = asyncio.Event()

    async def never_but_noted(request: HttpRequest) -> HttpAnswer:
        arrived.set()
        return await never(request)

    world.vendor = never_but_noted
    task = asyncio.create_task(world.client.send(world.post(), 5))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.vendor = fine
    assert isinstance(await world.client.send(world.post(), 5), HttpAnswer)


async def test_close_may_be_called_twice_and_then_nothing_is_sent(world: World) -> None:
    await world.client.close()
    await world.client.close()
    answer = await world.client.send(world.post(), 5)
    assert answer == HttpFailure(FailureKind.RESET, maybe_sent=False)
    assert world.arrived == []


async def test_what_is_not_permitted_right_before_the_write_never_leaves(world: World) -> None:
    answer = await world.client.send(world.post(b'{"a":1}'), 2, permitted=lambda: False)
    assert answer == HttpFailure(FailureKind.WITHHELD, maybe_sent=False)
    assert world.arrived == []
    again = await world.client.send(world.post(b'{"a":1}'), 2, permitted=lambda: True)
    assert isinstance(again, HttpAnswer)
