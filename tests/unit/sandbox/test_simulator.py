"""The machine around the vendors: rates, faults on demand, accounts, the report and the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest
from forwarder.sandbox.behave import Behaviour
from forwarder.sandbox.known import KnownThrad, KnownTikTok
from forwarder.sandbox.simulator import Simulator
from tests.support.vendor_clock import run_virtually
from tests.support.vendor_golden import (
    Json,
    thrad_conversion,
    thrad_request,
    tiktok_event,
    tiktok_request,
    tradedesk_event,
    tradedesk_request,
)

RESET = HttpFailure(FailureKind.RESET, maybe_sent=True)
Test = Callable[["World"], Coroutine[None, None, None]]


class World:
    """A simulator on the loop's clock, and shorthands to talk to it."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.simulator = Simulator(self.loop.time, epoch=1000.0, **options)

    def behave(self, **behaviour: object) -> None:
        self.simulator.behave(Behaviour.model_validate(behaviour))

    async def tiktok(self, event_id: str = "e1", token: str = "token-a") -> int | HttpFailure:
        """TikTok's code for one event."""
        answer = await self.ask(tiktok_request(tiktok_event(event_id=event_id), token=token))
        return answer if isinstance(answer, HttpFailure) else int(orjson.loads(answer.body)["code"])

    async def ask(self, request: HttpRequest) -> HttpAnswer | HttpFailure:
        return await self.simulator.answer(request)

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        answer = await self.ask(request)
        assert isinstance(answer, HttpAnswer)
        return answer

    def books(self) -> dict[str, Json]:
        accounts = self.simulator.ledger.report()["accounts"]
        assert isinstance(accounts, dict)
        return accounts

    def book(self) -> Json:
        [book] = self.books().values()
        return book

    def received(self, destination: str | None = None) -> list[Json]:
        return [orjson.loads(line) for line in self.simulator.ledger.received(destination)]


def virtually(test: Test) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            await test(World())

        run_virtually(main())

    run.__name__ = test.__name__
    return run


# --- rates


@virtually
async def test_the_default_rate_is_600_in_any_60_seconds(world: World) -> None:
    codes = [await world.tiktok(f"e{n}") for n in range(601)]
    assert codes == [0] * 600 + [40100]
    book = world.book()
    assert book["worst_window"] == {"requests": 601, "limit": 600, "per": 60.0}
    assert book["violations"] == {"More than 600 requests in 60 s.": 1}
    assert book["refusals"] == {"40100": 1}
    assert book["events"] == 600
    await asyncio.sleep(60)
    assert await world.tiktok() == 0


@virtually
async def test_accounts_have_budgets_of_their_own(world: World) -> None:
    world.behave(destination="tiktok", rate={"requests": 1, "per": "1m"})
    assert [await world.tiktok(token=token) for token in ("a", "a", "b")] == [0, 40100, 0]
    assert len(world.books()) == 2


@virtually
async def test_above_the_rate_others_answer_429_with_the_time_to_wait(world: World) -> None:
    rate = {"requests": 1, "per": 10}
    world.behave(destination="tradedesk", rate=rate)
    world.behave(destination="thrad", rate=rate)
    for request in (tradedesk_request(tradedesk_event()), thrad_request(thrad_conversion())):
        assert (await world.answer(request)).status == 200
        await asyncio.sleep(2.5)
        answer = await world.answer(request)
        assert (answer.status, answer.headers["retry-after"]) == (429, "10")


@virtually
async def test_a_rate_with_retry_after_of_the_users_choice(world: World) -> None:
    world.behave(destination="tiktok", rate={"requests": 1, "per": 10}, retry_after="90s")
    request = tiktok_request(tiktok_event())
    assert "retry-after" not in (await world.answer(request)).headers
    assert (await world.answer(request)).headers["retry-after"] == "90"


@virtually
async def test_more_callers_at_once_than_the_vendor_likes(world: World) -> None:
    world.behave(destination="tradedesk", latency="1s")
    request = tradedesk_request(tradedesk_event())
    await asyncio.gather(*[world.answer(request) for _ in range(4)])
    assert world.book()["violations"] == {}
    await asyncio.gather(*[world.answer(request) for _ in range(6)])
    assert world.book()["violations"] == {"More than 4 requests at once.": 2}
    assert world.book()["most_in_flight"] == 6


# --- faults


@virtually
async def test_latency_delays_the_answer(world: World) -> None:
    world.behave(destination="tiktok", latency="2500ms")
    assert await world.tiktok() == 0
    assert world.loop.time() == pytest.approx(2.5)


@pytest.mark.parametrize(("when", "events"), [(True, 0), ("before", 0), ("after", 1)])
@pytest.mark.parametrize("fault", ["hang", "reset"])
def test_a_request_can_end_before_or_after_it_is_taken(
    fault: str, when: object, events: int
) -> None:
    async def main() -> None:
        world = World()
        world.behave(destination="tiktok", **{fault: when})
        try:
            async with asyncio.timeout(30):
                assert await world.tiktok() == RESET
        except TimeoutError:
            assert fault == "hang"
        else:
            assert fault == "reset"
        assert world.book()["events"] == events
        assert world.book()["requests"] == 1

    run_virtually(main())


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ({"code": 40105}, 200, 40105),
        ({"code": "40100"}, 200, 40100),
        ({"status": 503}, 503, 50000),
        ({"status": 429}, 429, 40100),
        ({"status": 401}, 401, 40105),
        ({"status": 504, "code": 51000}, 504, 51000),
    ],
)
def test_tiktok_answers_as_told(behaviour: Json, status: int, code: int) -> None:
    async def main() -> None:
        world = World()
        world.behave(destination="tiktok", **behaviour)
        answer = await world.answer(tiktok_request(tiktok_event()))
        assert (answer.status, orjson.loads(answer.body)["code"]) == (status, code)
        assert world.book()["events"] == 0
        assert sum(world.book()["refusals"].values()) == 1
        assert world.book()["violations"] == {}

    run_virtually(main())


@virtually
async def test_html_of_a_gateway(world: World) -> None:
    world.behave(destination="tiktok", html=True)
    answer = await world.answer(tiktok_request(tiktok_event()))
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert answer.body.startswith(b"<html>")
    assert world.book()["refusals"] == {"502": 1}


@virtually
async def test_a_strange_answer_to_a_request_that_is_taken(world: World) -> None:
    world.behave(destination="tradedesk", status=200, body="")
    answer = await world.answer(tradedesk_request(tradedesk_event()))
    assert (answer.status, answer.body) == (200, b"")
    assert world.book()["events"] == 1


@virtually
async def test_codes_of_the_other_vendors(world: World) -> None:
    world.behave(destination="tradedesk", code="InvalidPrivacySetting")
    world.behave(destination="thrad", status=404, code="Click not found", retry_after=7)
    answer = await world.answer(tradedesk_request(tradedesk_event()))
    [response] = orjson.loads(answer.body)["EventResponses"]
    assert response["EventErrors"][0]["Error"] == "InvalidPrivacySetting"
    answer = await world.answer(thrad_request(thrad_conversion()))
    assert orjson.loads(answer.body) == {"detail": "Click not found"}
    assert (answer.status, answer.headers["retry-after"]) == (404, "7")


@virtually
async def test_a_fraction_is_spread_evenly(world: World) -> None:
    world.behave(destination="tiktok", code=50000, fraction=0.25)
    codes = [await world.tiktok(f"e{n}") for n in range(8)]
    assert codes == [0, 0, 0, 50000] * 2


@virtually
async def test_the_rate_holds_for_requests_outside_the_fraction_too(world: World) -> None:
    world.behave(destination="tiktok", code=50000, fraction=0.5, rate={"requests": 2, "per": "1m"})
    assert [await world.tiktok(f"e{n}") for n in range(4)] == [0, 50000, 40100, 50000]


@virtually
async def test_a_behaviour_ends_by_itself(world: World) -> None:
    world.behave(destination="tiktok", code=50000, **{"for": "30s"})
    assert await world.tiktok() == 50000
    await asyncio.sleep(29.9)
    assert await world.tiktok() == 50000
    await asyncio.sleep(0.1)
    assert await world.tiktok() == 0
    assert world.simulator.behaviours() == []


@virtually
async def test_the_last_behaviour_of_a_scope_counts_and_accounts_come_first(world: World) -> None:
    world.behave(destination="tiktok", code=50000)
    world.behave(destination="tiktok", code=50001)
    assert await world.tiktok() == 50001
    world.behave(destination="tiktok", account="PIXEL", code=50002)
    assert await world.tiktok() == 50002
    world.behave(destination="tiktok")
    assert await world.tiktok() == 50002
    assert (await world.answer(thrad_request(thrad_conversion()))).status == 200


@virtually
async def test_keep_good_takes_the_others_of_a_refused_request(world: World) -> None:
    bad = {**tradedesk_event("bad"), "value": 1}
    request = tradedesk_request(tradedesk_event("good"), bad)
    assert (await world.answer(request)).status == 400
    assert world.received() == []
    world.behave(destination="tradedesk", keep_good=True)
    assert (await world.answer(request)).status == 400
    assert [line["event_id"] for line in world.received()] == ["good"]


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"destination": "meta"},
        {"destination": "tiktok", "latencies": 1},
        {"destination": "tiktok", "latency": "soon"},
        {"destination": "tiktok", "latency": -1},
        {"destination": "tiktok", "fraction": 2},
        {"destination": "tiktok", "rate": 10},
        {"destination": "tiktok", "rate": {"requests": 0, "per": 1}},
        {"destination": "tiktok", "status": 99},
        {"destination": "tiktok", "code": "InvalidPrivacySetting"},
        {"destination": "tiktok", "hang": "later"},
        {"destination": "thrad", "account": "a", "click_not_found": "x"},
        {"destination": "thrad", "click_not_found": "("},
    ],
)
def test_a_behaviour_that_makes_no_sense_is_an_error(behaviour: Json) -> None:
    with pytest.raises(ValidationError):
        Behaviour.model_validate(behaviour)


# --- accounts, report and log


@virtually
async def test_an_account_configured_later_closes_its_destination_only(world: World) -> None:
    assert await world.tiktok() == 0
    known = KnownTikTok(destination="tiktok", name="acme", access_token=SecretStr("new"))
    world.simulator.know(known)
    assert [await world.tiktok(), await world.tiktok(token="new")] == [40105, 0]
    assert (await world.answer(thrad_request(thrad_conversion()))).status == 200


@virtually
async def test_a_new_key_has_a_fresh_budget_and_the_old_one_stops(world: World) -> None:
    def known(key: str) -> KnownThrad:
        return KnownThrad(destination="thrad", name="acme", api_key=SecretStr(key))

    world.simulator.know(known("old"))
    world.behave(destination="thrad", rate={"requests": 1, "per": "1h"})
    request = thrad_request(thrad_conversion(), key="old")
    assert [(await world.answer(request)).status for _ in range(2)] == [200, 429]
    world.simulator.know(known("new"))
    assert (await world.answer(request)).status == 401
    request = thrad_request(thrad_conversion("2"), key="new", idempotency_key="i2")
    assert (await world.answer(request)).status == 200
    assert sum(book["events"] for book in world.books().values()) == 2


@virtually
async def test_a_conversion_sent_again_under_a_new_key_is_a_duplicate(world: World) -> None:
    for key in ("old", "new"):
        secret = SecretStr(key)
        world.simulator.know(KnownThrad(destination="thrad", name="acme", api_key=secret))
        answer = await world.answer(thrad_request(thrad_conversion(), key=key))
    assert orjson.loads(answer.body) == {"status": "duplicate"}


@virtually
async def test_duplicates_are_counted_by_each_vendors_key(world: World) -> None:
    await world.tiktok("e1")
    await world.tiktok("e1")
    await world.answer(tiktok_request({**tiktok_event(event_id="e1"), "event": "Lead"}))
    book = world.book()
    assert (book["events"], book["unique_event_ids"], book["duplicates"]) == (3, 1, 1)
    assert [line["duplicate"] for line in world.received()] == [False, True, False]


@virtually
async def test_the_log_holds_what_arrived_byte_for_byte(world: World) -> None:
    await asyncio.sleep(2)
    request = tiktok_request(tiktok_event(event_id="a"), tiktok_event(event_id="ü"))
    body = orjson.dumps(orjson.loads(request.body), option=orjson.OPT_INDENT_2)
    await world.answer(HttpRequest("POST", request.url, request.headers, body))
    await world.answer(thrad_request(thrad_conversion()))
    first, second = world.received("tiktok")
    assert first["body"].encode() == body
    assert "body" not in second
    assert first["item"] == tiktok_event(event_id="a")
    assert second["item"] == tiktok_event(event_id="ü")
    assert (first["event_id"], second["event_id"], second["index"]) == ("a", "ü", 1)
    assert first["request"] == second["request"]
    assert first["received_at"] == 1002.0
    [thrad] = world.received("thrad")
    assert thrad["idempotency_key"] == "i1"
    assert thrad["account"].startswith("key-")
    assert len(world.received()) == 3


def test_the_log_forgets_the_oldest_and_says_so() -> None:
    async def main() -> None:
        world = World(keep=2)
        for name in ("a", "b", "c"):
            await world.tiktok(name)
        assert [line["event_id"] for line in world.received()] == ["b", "c"]
        report = world.simulator.ledger.report()
        assert (report["received_kept"], report["received_dropped"]) == (2, 1)
        assert world.book()["unique_event_ids"] == 3

    run_virtually(main())


def test_the_log_is_bounded_in_bytes_too() -> None:
    async def main() -> None:
        world = World(keep_bytes=5000)
        for number in range(20):
            await world.tiktok(f"e{number}")
        kept = [line["body"] for line in world.received()]
        assert 0 < sum(map(len, kept)) <= 5000

    run_virtually(main())


@virtually
async def test_reset_forgets_requests_and_behaviours(world: World) -> None:
    world.behave(destination="tiktok", code=50000)
    await world.tiktok()
    world.simulator.reset()
    assert (world.books(), world.received(), world.simulator.behaviours()) == ({}, [], [])
    assert await world.tiktok() == 0


@virtually
async def test_different_violations_are_counted_apart_up_to_a_limit(world: World) -> None:
    for number in range(300):
        event = {**tiktok_event(), f"unknown{number}": 1}
        await world.answer(tiktok_request(event))
    violations = world.book()["violations"]
    assert violations["[].unknown0: Unknown field."] == 1
    assert violations["others"] == 100
    assert len(violations) == 201


@virtually
async def test_violations_of_many_rows_are_one_kind(world: World) -> None:
    events: Sequence[Json] = [{**tiktok_event(event_id=f"{n}"), "x": 1} for n in range(3)]
    await world.answer(tiktok_request(*events))
    assert world.book()["violations"] == {"[].x: Unknown field.": 3}


@virtually
async def test_an_unknown_base_url_is_not_found(world: World) -> None:
    answer = await world.answer(HttpRequest("POST", "http://vendors/meta/events", {}, b"{}"))
    assert answer.status == 404
    assert b"/tiktok" in answer.body


@virtually
async def test_a_caller_that_gives_up_leaves_no_request_in_flight(world: World) -> None:
    world.behave(destination="tiktok", hang="after")
    task = asyncio.create_task(world.tiktok("e1"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.behave(destination="tiktok")
    assert await world.tiktok("e2") == 0
    assert (world.book()["most_in_flight"], world.book()["events"]) == (1, 2)
