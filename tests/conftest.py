"""What every tier of tests may use: a real broker, and names that are nobody else's."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.broker import Broker

# A busy machine must not make an example fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


WAITING = {"browser", "contract", "fault", "integration"}
"""Tiers whose tests wait for real processes; those of the others compute."""
DONE_BEFORE_THE_END = 0.85


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the files that wait evenly among those that compute, so that several processes of tests
    need the cores all the time, and let no long one come last.
    """
    tiers: dict[bool, list[Path]] = {True: [], False: []}
    for path in dict.fromkeys(item.path for item in items):
        tiers[not WAITING.isdisjoint(path.parts)].append(path)
    place = {
        path: (DONE_BEFORE_THE_END if waiting else 1.0) * number / len(files)
        for waiting, files in tiers.items()
        for number, path in enumerate(files)
    }
    items.sort(key=lambda item: place[item.path])  # stable: a file's tests keep their order


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Address of the broker that all tests share. It creates topics by itself, as real ones do."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield given
        return
    broker = Broker()
    try:
        yield broker.start().bootstrap
    finally:
        broker.close()


@pytest.fixture
def unique() -> str:
    """A prefix for topics and groups, so that tests can share one broker."""
    return f"t{uuid.uuid4().hex[:12]}"
