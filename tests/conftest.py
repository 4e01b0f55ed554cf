"""What every tier of tests may use: a real broker, and names that are nobody else's."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.broker import Broker

# A busy machine must not make an example fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
