"""The sandbox over sockets: the vendors' paths, its own questions, and real faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from forwarder.http.client import AiohttpClient
from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest
from forwarder.sandbox.server import Sandbox
from tests.support.vendor_golden import (
    Json,
    thrad_conversion,
    thrad_request,
    tiktok_event,
    tiktok_request,
    tradedesk_event,
    tradedesk_request,
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[AiohttpClient]:
    client = AiohttpClient()
    yield client
    await client.close()


@pytest.fixture
async def control(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{sandbox.url}/") as session:
        yield session


def at(sandbox: Sandbox, request: HttpRequest) -> HttpRequest:
    url = request.url.replace("http://vendors", sandbox.url)
    return HttpRequest(request.method, url, request.headers, request.body)


async def test_every_vendor_answers_below_its_base_url(
    sandbox: Sandbox, client: AiohttpClient
) -> None:
    for request in (
        tiktok_request(tiktok_event()),
        tradedesk_request(tradedesk_event()),
        thrad_request(thrad_conversion()),
    ):
        answer = await client.send(at(sandbox, request), 5)
        assert isinstance(answer, HttpAnswer)
        assert answer.status == 200, answer.body


async def test_the_report_and_the_log_can_be_asked(
    sandbox: Sandbox, client: AiohttpClient, control: aiohttp.ClientSession
) -> None:
    request = tiktok_request(*[tiktok_event(event_id=f"e{n}") for n in range(1000)])
    await client.send(at(sandbox, request), 5)
    async with control.get("_sandbox/report") as answer:
        [book] = (await answer.json())["accounts"].values()
    assert (book["requests"], book["events"]) == (1, 1000)
    async with control.get("_sandbox/received", params={"destination": "tiktok"}) as answer:
        lines = [orjson.loads(line) for line in (await answer.read()).splitlines()]
    assert [line["event_id"] for line in lines] == [f"e{n}" for n in range(1000)]
    assert lines[0]["body"].encode() == request.body
    async with control.get("_sandbox/received", params={"destination": "thrad"}) as answer:
        assert await answer.read() == b""


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"reset": True}, FailureKind.RESET),
        ({"hang": True}, FailureKind.TIMEOUT),
        ({"latency": 5}, FailureKind.TIMEOUT),
    ],
)
async def test_faults_are_real_on_the_wire(
    sandbox: Sandbox,
    client: AiohttpClient,
    control: aiohttp.ClientSession,
    behaviour: Json,
    kind: FailureKind,
) -> None:
    told = {"destination": "tiktok", **behaviour}
    async with control.post("_sandbox/behave", json=told) as answer:
        assert answer.status == 200
    request = at(sandbox, tiktok_request(tiktok_event()))
    assert await client.send(request, 0.2) == HttpFailure(kind, maybe_sent=True)
    async with control.post("_sandbox/reset") as answer:
        assert answer.status == 200
    assert isinstance(await client.send(request, 5), HttpAnswer)


async def test_behaviours_in_force_can_be_asked(control: aiohttp.ClientSession) -> None:
    told = {"destination": "thrad", "status": 503, "for": "1m"}
    async with control.post("_sandbox/behave", json=told) as answer:
        said = await answer.json()
    async with control.get("_sandbox/behave") as answer:
        assert await answer.json() == said
    assert said == {"behaviours": [{"destination": "thrad", "status": 503, "for": 60.0}]}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("behave", b"{", "no JSON"),
        ("behave", b"[]", "valid dictionary"),
        ("behave", b'{"destination":"tiktok","hangs":true}', "hangs: Extra inputs"),
        ("behave", b'{"destination":"tiktok","latency":"soon"}', "500ms 20s"),
        ("accounts", b'{"destination":"tiktok","name":"a"}', "access_token: Field required"),
        ("accounts", b'{"name":"a"}', "destination"),
    ],
)
async def test_a_command_that_cannot_be_followed_says_why(
    control: aiohttp.ClientSession, path: str, body: bytes, said: str
) -> None:
    async with control.post(f"_sandbox/{path}", data=body) as answer:
        assert answer.status == 400
        assert said in (await answer.json())["error"]


async def test_an_unknown_destination_of_the_log_says_which_there_are(
    control: aiohttp.ClientSession,
) -> None:
    async with control.get("_sandbox/received", params={"destination": "meta"}) as answer:
        assert answer.status == 400
        assert "tradedesk" in (await answer.json())["error"]


async def test_accounts_can_be_configured(
    sandbox: Sandbox, client: AiohttpClient, control: aiohttp.ClientSession
) -> None:
    account = {"destination": "thrad", "name": "acme", "api_key": "key-b"}
    async with control.post("_sandbox/accounts", json=[account]) as answer:
        assert await answer.json() == {"accounts": ["acme"]}
    statuses = []
    for key in ("key-a", "key-b"):
        answer_to = await client.send(at(sandbox, thrad_request(thrad_conversion(), key=key)), 5)
        assert isinstance(answer_to, HttpAnswer)
        statuses.append(answer_to.status)
    assert statuses == [401, 200]


@pytest.mark.parametrize("path", ["", "_sandbox", "_sandbox/unknown"])
async def test_help_is_where_one_looks(control: aiohttp.ClientSession, path: str) -> None:
    async with control.get(path) as answer:
        assert "POST /_sandbox/behave" in await answer.text()


async def test_a_taken_port_is_an_os_error(sandbox: Sandbox) -> None:
    other = Sandbox(port=sandbox.port)
    with pytest.raises(OSError, match="address already in use"):
        await other.start()


async def test_stopping_ends_hanging_requests_soon(client: AiohttpClient) -> None:
    sandbox = Sandbox()
    await sandbox.start()
    sandbox.behave(destination="tiktok", hang=True)
    request = at(sandbox, tiktok_request(tiktok_event()))
    task = asyncio.create_task(client.send(request, 10))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await sandbox.stop()
        await sandbox.stop()
        assert isinstance(await task, HttpFailure)


@pytest.mark.parametrize("path", ["tiktok/open_api/v1.3/event/track/", "_sandbox/behave"])
async def test_a_body_that_cannot_be_unpacked_is_a_bad_request(
    control: aiohttp.ClientSession, path: str
) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with control.post(path, data=b"not packed", headers=headers) as answer:
        assert answer.status == 400
        assert "Content-Encoding" in await answer.text()
