"""Commits that fail when nobody waits for them any more."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import RequestTimedOutError
from aiokafka.structs import OffsetAndMetadata

from forwarder.kafka import inside


class Silent:
    """As much of a coordinator as a commit asks, with a broker that gives no answer."""

    group_id, generation, member_id, coordinator_id = "g", 1, "m", 0

    async def _send_req(self, _: object) -> None:
        await asyncio.sleep(0.01)
        raise RequestTimedOutError


PLACE = {TopicPartition("t", 0): OffsetAndMetadata(1, "")}


@pytest.mark.parametrize("waits", [True, False])
async def test_it_says_nothing_about_them_at_the_end(waits: bool) -> None:
    assert inside.__name__  # which mends aiokafka
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    commit = asyncio.shield(GroupCoordinator._do_commit_offsets(Silent(), None, PLACE))
    if waits:
        with pytest.raises(RequestTimedOutError):
            await commit
    else:
        await asyncio.sleep(0)
        commit.cancel()
        await asyncio.sleep(0.03)
    del commit
    gc.collect()
    assert told == []
