"""One Kafka cluster, through aiokafka."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from forwarder.kafka.admin import AiokafkaAdmin
from forwarder.kafka.connection import Connection
from forwarder.kafka.consumer import AiokafkaConsumer
from forwarder.kafka.port import Admin, Consumer, Kafka, Producer, Reader, Rebalance
from forwarder.kafka.producer import AiokafkaProducer
from forwarder.kafka.reader import AiokafkaReader


@dataclass(frozen=True, slots=True)
class AiokafkaCluster:
    """``Kafka``. Clients are made on a running event loop and live on it."""

    connection: Connection
    client_id: str = "forwarder"

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        rebalance: Rebalance,
        *,
        units: Mapping[str, str] | None = None,
        client_id: str = "forwarder",
    ) -> Consumer:
        return AiokafkaConsumer(
            self.connection, group, topics, rebalance, units=units, client_id=client_id
        )

    def reader(self, group: str | None = None) -> Reader:
        return AiokafkaReader(self.connection, group, self.client_id)

    def producer(self) -> Producer:
        return AiokafkaProducer(self.connection, self.client_id)

    def admin(self) -> Admin:
        return AiokafkaAdmin(self.connection, self.client_id)


def open_kafka(connection: Connection) -> Kafka:
    """The cluster at ``connection``. Connects when a client is started, not before."""
    return AiokafkaCluster(connection)
