"""One suite for every implementation of the Kafka port: what it says is what all of them do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from forwarder.kafka.port import Admin, Kafka, Producer, Reader, TopicSpec
from tests.support.kafka_harness import Cluster, InMemoryCluster, RealCluster


@pytest.fixture(params=["memory", "broker"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    if request.param == "memory":
        return InMemoryCluster()
    return RealCluster(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
async def kafka(cluster: Cluster) -> Kafka:
    return cluster.client()


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Admin]:
    made = kafka.admin()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[Producer]:
    made = kafka.producer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def topic(admin: Admin, unique: str) -> str:
    await admin.create([TopicSpec(unique, 1, -1, {})])
    return unique


@pytest.fixture
async def reader(kafka: Kafka) -> AsyncIterator[Reader]:
    made = kafka.reader()
    await made.start()
    yield made
    await made.stop()
