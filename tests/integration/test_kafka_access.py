"""A cluster with passwords and access rules: what is refused is said clearly, and at once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from forwarder.kafka import topics
from forwarder.kafka.client import open_kafka
from forwarder.kafka.connection import Connection
from forwarder.kafka.port import Committed, Outgoing, Producer, Refused, TopicPartition, TopicSpec
from tests.support.broker import Broker
from tests.support.kafka_harness import Listener

JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="admin" password="admin-secret" user_admin="admin-secret" user_app="app-secret";'
)
PROPERTIES = {
    "listeners": "SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
    "advertised.listeners": "SASL_PLAINTEXT://127.0.0.1:{port}",
    "listener.security.protocol.map": "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "SASL_PLAINTEXT",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config": JAAS,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS",
}
ALLOWED = [
    (ResourceType.TOPIC, "ours", AclOperation.READ),
    (ResourceType.TOPIC, "ours", AclOperation.WRITE),
    (ResourceType.TOPIC, "ours", AclOperation.DESCRIBE),
    (ResourceType.TOPIC, "ours", AclOperation.DESCRIBE_CONFIGS),
    (ResourceType.GROUP, "ours", AclOperation.READ),
]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    broker = Broker(server_properties=PROPERTIES)
    try:
        yield broker.start()
    finally:
        broker.close()


def root(broker: Broker) -> AdminClient:
    return AdminClient(
        {
            "bootstrap.servers": broker.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "admin",
            "sasl.password": "admin-secret",
        }
    )


@pytest.fixture(scope="module")
def app(guarded: Broker) -> Connection:
    """The connection of a principal that may use ``ours*`` and nothing else."""
    prefixed, allow = ResourcePatternType.PREFIXED, AclPermissionType.ALLOW
    rules = [
        AclBinding(kind, name, prefixed, "User:app", "*", operation, allow)
        for kind, name, operation in ALLOWED
    ]
    admin = root(guarded)
    for future in admin.create_acls(rules).values():
        future.result(30)
    return Connection(
        guarded.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_username="app",
        sasl_password="app-secret",
        session_timeout=6.0,
    )


@pytest.fixture
async def ours(app: Connection, unique: str) -> str:
    powerful = dataclasses.replace(app, sasl_username="admin", sasl_password="admin-secret")
    admin = open_kafka(powerful).admin()
    await admin.start()
    names = [f"ours-{unique}", f"theirs-{unique}"]
    await admin.create([TopicSpec(name, 1, -1, {}) for name in names])
    await admin.stop()
    return names[0]


async def test_the_right_password_may_read_write_and_commit(app: Connection, ours: str) -> None:
    kafka = open_kafka(app)
    producer = kafka.producer()
    await producer.start()
    await producer.write(ours, [Outgoing(b"k", b"v", [])])
    consumer = kafka.consumer(ours, [ours], Listener())
    await consumer.start()
    async with asyncio.timeout(20):
        while not await consumer.poll(None, 1, 0.5):
            pass
    await consumer.commit({TopicPartition(ours, 0): Committed(1)})
    await consumer.stop()
    await producer.stop()


async def test_a_wrong_password_is_refused_and_not_shown(app: Connection, ours: str) -> None:
    wrong = dataclasses.replace(app, sasl_password="a-wrong-one")
    kafka = open_kafka(wrong)
    starts = [
        kafka.producer().start,
        kafka.admin().start,
        kafka.reader().start,
        kafka.consumer(ours, [ours], Listener()).start,
    ]
    for start in starts:
        with pytest.raises(Refused) as caught:
            await start()
        assert "a-wrong-one" not in str(caught.value)
    assert "a-wrong-one" not in repr(wrong)


async def test_topics_that_may_not_be_used_are_named(app: Connection, ours: str) -> None:
    theirs = ours.replace("ours", "theirs")
    kafka = open_kafka(app)
    producer, admin = kafka.producer(), kafka.admin()
    await producer.start()
    await admin.start()
    with pytest.raises(Refused, match=theirs):
        await producer.write(theirs, [Outgoing(None, b"v", [])])
    with pytest.raises(Refused, match=theirs):
        await kafka.consumer(ours, [theirs], Listener()).start()
    assert theirs not in await admin.topics()
    assert await admin.describe([theirs]) == {}
    await producer.stop()
    await admin.stop()


async def test_a_group_that_may_not_be_joined_is_refused(app: Connection, ours: str) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(Refused):
            await open_kafka(app).consumer("theirs", [ours], Listener()).start()


async def test_topics_that_may_not_be_created_are_named_with_the_way_out(
    app: Connection, ours: str
) -> None:
    admin = open_kafka(app).admin()
    await admin.start()
    specs = topics.plan(f"{ours}-new", {"acme": 3600.0}, events_topic=ours)
    with pytest.raises(Refused, match="forwarder topics create") as caught:
        await topics.ensure(admin, specs)
    assert f"{ours}-new.queue.acme" in str(caught.value)
    await admin.stop()


async def test_one_reason_that_keeps_many_topics_from_being_created_is_told_once(
    app: Connection, ours: str
) -> None:
    powerful = dataclasses.replace(app, sasl_username="admin", sasl_password="admin-secret")
    admin = open_kafka(powerful).admin()
    await admin.start()
    specs = topics.plan(f"{ours}-new", {"acme": 3600.0}, events_topic=ours, replication=3)
    with pytest.raises(Refused) as caught:
        await topics.ensure(admin, specs)
    await admin.stop()
    told = str(caught.value)
    assert f"{ours}-new.queue.acme" in told
    assert f"{ours}-new.dlq" in told
    assert told.count("replication factor of 3") == 1


async def test_writing_is_possible_once_it_is_allowed(
    app: Connection, ours: str, guarded: Broker
) -> None:
    """A refused batch must not leave the producer out of sequence."""
    kafka = open_kafka(app)
    producer = kafka.producer()
    await producer.start()
    await producer.write(ours, [Outgoing(None, b"1", [])])
    literal, deny = ResourcePatternType.LITERAL, AclPermissionType.DENY
    rule = (ResourceType.TOPIC, ours, literal, "User:app", "*", AclOperation.WRITE, deny)
    admin = root(guarded)
    for future in admin.create_acls([AclBinding(*rule)]).values():
        future.result(30)
    await until_written(producer, ours, expected=False)
    for future in admin.delete_acls([AclBindingFilter(*rule)]).values():
        future.result(30)
    await until_written(producer, ours, expected=True)
    await producer.stop()


async def until_written(producer: Producer, topic: str, *, expected: bool) -> None:
    """Write until that is refused, or is not any more: rules take a moment to arrive."""
    async with asyncio.timeout(20):
        while True:
            try:
                await producer.write(topic, [Outgoing(None, b"v", [])])
                written = True
            except Refused:
                written = False
            if written is expected:
                return
            await asyncio.sleep(0.1)
