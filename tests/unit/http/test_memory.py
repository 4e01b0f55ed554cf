"""The network of simulations: what is late, lost or doubled, to the moment."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.http.memory import LOST_ANSWER, Arrival, Fate, MemoryClient
from forwarder.http.port import FailureKind, HttpAnswer, HttpFailure, HttpRequest
from tests.support.vendor_clock import run_virtually

REQUEST = HttpRequest("POST", "http://vendor/", {}, b"1")
TIMEOUT = HttpFailure(FailureKind.TIMEOUT, maybe_sent=True)


async def fine(_request: HttpRequest) -> HttpAnswer:
    return HttpAnswer(200, {}, b"ok")


def test_an_answer_takes_both_ways_and_the_vendors_time() -> None:
    async def vendor(request: HttpRequest) -> HttpAnswer:
        await asyncio.sleep(0.5)
        return await fine(request)

    async def main() -> None:
        client = MemoryClient(vendor, lambda _: Fate((0.25,), 1.0))
        assert await client.send(REQUEST, 2.0) == HttpAnswer(200, {}, b"ok")
        assert asyncio.get_running_loop().time() == pytest.approx(1.75)
        assert client.arrivals == [Arrival(0.25, 0.0, REQUEST)]

    run_virtually(main())


def test_a_request_can_arrive_after_its_sender_gave_up() -> None:
    async def main() -> None:
        client = MemoryClient(fine, lambda _: Fate((30.0,)))
        assert await client.send(REQUEST, 7.0) == TIMEOUT
        assert asyncio.get_running_loop().time() == pytest.approx(7.0)
        assert client.arrivals == []
        await client.settle()
        assert [(one.at, one.sent_at) for one in client.arrivals] == [(30.0, 0.0)]

    run_virtually(main())


def test_a_request_can_arrive_after_its_sender_crashed_or_closed() -> None:
    async def main() -> None:
        client = MemoryClient(fine, lambda _: Fate((5.0,)))
        task = asyncio.create_task(client.send(REQUEST, 7.0))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()
        await client.settle()
        assert [one.at for one in client.arrivals] == [5.0]

    run_virtually(main())


def test_a_request_can_arrive_twice_and_the_first_answer_counts() -> None:
    answers = iter([b"first", b"second"])

    async def vendor(_request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(200, {}, next(answers))

    async def main() -> None:
        client = MemoryClient(vendor, lambda _: Fate((0.0, 3.0)))
        assert await client.send(REQUEST, 7.0) == HttpAnswer(200, {}, b"first")
        await client.settle()
        assert [one.at for one in client.arrivals] == [0.0, 3.0]

    run_virtually(main())


def test_a_request_can_get_lost_or_its_answer() -> None:
    async def main() -> None:
        client = MemoryClient(fine, lambda _: Fate(()))
        assert await client.send(REQUEST, 1.0) == TIMEOUT
        assert client.arrivals == []
        client.script = lambda _: LOST_ANSWER
        assert await client.send(REQUEST, 1.0) == TIMEOUT
        assert len(client.arrivals) == 1

    run_virtually(main())


def test_a_failure_can_hide_that_the_vendor_took_it() -> None:
    reset = HttpFailure(FailureKind.RESET, maybe_sent=True)

    async def main() -> None:
        client = MemoryClient(fine, lambda _: Fate((0.5,), 0.5, reset))
        assert await client.send(REQUEST, 7.0) == reset
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)
        assert len(client.arrivals) == 1

    run_virtually(main())


def test_several_senders_can_share_the_vendors_log() -> None:
    async def main() -> None:
        log: list[Arrival] = []
        one = MemoryClient(fine, lambda _: Fate((2.0,)), log)
        other = MemoryClient(fine, lambda _: Fate((1.0,)), log)
        await asyncio.gather(one.send(REQUEST, 5), other.send(REQUEST, 5))
        assert [arrival.at for arrival in log] == [1.0, 2.0]

    run_virtually(main())


def test_a_fault_of_the_vendor_itself_comes_to_light() -> None:
    async def broken(_request: HttpRequest) -> HttpAnswer:
        raise KeyError("a fault of the test")

    async def main() -> None:
        client = MemoryClient(broken)
        assert await client.send(REQUEST, 1.0) == TIMEOUT
        with pytest.raises(KeyError):
            await client.settle()

    run_virtually(main())
