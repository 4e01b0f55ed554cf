"""The driver of a lane that is over: nothing of it may stay, not even for the garbage collector,
which looks at what lived for a while only after hours.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from forwarder.driver import Driver
from forwarder.http.memory import MemoryClient
from forwarder.http.port import HttpAnswer, HttpFailure, HttpRequest
from forwarder.kafka.port import TopicPartition
from forwarder.lane.lane import Lane
from forwarder.lease import Lease
from tests.unit.lane import fakes


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collection."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class _Owner:
    """What a driver needs of its sender. Requests get no answer."""

    async def commit(self, offsets: object) -> None:
        """As a consumer's: every commit is acknowledged."""

    async def hang(self, _: HttpRequest) -> HttpAnswer | HttpFailure:
        await asyncio.Event().wait()
        raise AssertionError

    async def drive(self, records: int) -> Driver:
        lease = Lease(cast("Any", self), 15.0, lambda: fakes.START)
        await lease.commit({})
        account = fakes.account(linger=0.0)
        driver = Driver(
            account,
            TopicPartition("conversions.queue.acme", 0),
            fakes.lane(account),
            (),
            fakes.credential,
            lease,
            MemoryClient(self.hang),
            request_timeout=7.0,
            now=lambda: fakes.START,
            changed=lambda _: None,
            requested=lambda *_: None,
        )
        driver.lane.add([cast("Any", fakes.record(n)) for n in range(records)], fakes.START)
        driver.nudge()
        for _ in range(10):
            await asyncio.sleep(0)
        return driver


def _lanes() -> int:
    return sum(type(one) is Lane for one in gc.get_objects())


async def _ended(driver: Driver) -> None:
    await driver.end(0.0)
    driver.abandon()


async def _abandoned(driver: Driver) -> None:
    driver.abandon()


@pytest.mark.parametrize("over", [_ended, _abandoned])
@pytest.mark.parametrize("records", [0, 1], ids=["idle", "in flight"])
async def test_nothing_stays_of_a_lane_that_is_over(
    uncollected: None, over: Callable[[Driver], Any], records: int
) -> None:
    before = _lanes()
    driver = await _Owner().drive(records)
    assert _lanes() == before + 1
    assert (driver.lane.view(fakes.START).in_flight > 0) == (records > 0)
    await over(driver)
    del driver
    for _ in range(10):
        await asyncio.sleep(0)
    assert _lanes() == before


async def test_a_fault_of_ours_in_an_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its deliveries are in flight for ever, and all looks well."""

    async def delivers(_: HttpRequest) -> HttpAnswer | HttpFailure:
        return fakes.DELIVERED

    def fails(*_: object) -> None:
        raise AssertionError("ours")

    owner = _Owner()
    monkeypatch.setattr(owner, "hang", delivers)
    monkeypatch.setattr(fakes.FakeAccount, "read", fails)
    driver = await owner.drive(1)
    assert isinstance(driver.failed, AssertionError)
    driver.abandon()
