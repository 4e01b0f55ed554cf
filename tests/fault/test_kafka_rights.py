"""Least privilege: each role with TLS, SCRAM and exactly the rights that docs/security.md lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.manifests.test_operations import Right, rights
from tests.support.broker import Broker
from tests.support.deployment import (
    THRAD,
    TIKTOK,
    TRADEDESK,
    Deployment,
    eventually,
    says,
)
from tests.support.deployment import web_purchases as purchases
from tests.support.load import QUICK, taken
from tests.support.vendor_tls import authority, server_context

USERS = ("admin", "forwarder-router", "forwarder-sender", "forwarder-operator", "producers")
MECHANISM = "SCRAM-SHA-256"
LOST = "lost-click"
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
}
KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


def password(user: str) -> str:
    return f"password-of-{user}"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the broker's key and certificate, and the authority's certificate."""
    folder = tmp_path_factory.mktemp("tls")
    signer = authority()
    server_context(signer, "127.0.0.1", folder)
    (folder / "ca.pem").write_bytes(signer.certificate_pem)
    return folder


@pytest.fixture(scope="module")
def guarded(tls: Path) -> Iterator[Broker]:
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="admin" password="{password("admin")}";'
    )
    known = [f"{MECHANISM}=[name={user},password={password(user)}]" for user in USERS]
    broker = Broker(
        server_properties={
            "listeners": "SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": "SASL_SSL://127.0.0.1:{port}",
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SASL_SSL",
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            "sasl.enabled.mechanisms": MECHANISM,
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": login,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(tls / "server.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(tls / "ca.pem"),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin;User:ANONYMOUS",
        },
        format_arguments=[part for one in known for part in ("--add-scram", one)],
    )
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture(scope="module")
def root(guarded: Broker, tls: Path) -> AdminClient:
    """Has given everybody their rights, and can take them away."""
    admin = AdminClient(
        {
            "bootstrap.servers": guarded.bootstrap,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(tls / "ca.pem"),
            "sasl.mechanism": MECHANISM,
            "sasl.username": "admin",
            "sasl.password": password("admin"),
        }
    )
    bindings = [binding for right in rights() if right.user in USERS for binding in acls(right)]
    for future in admin.create_acls(bindings).values():
        future.result(30)
    return admin


def acls(right: Right) -> list[AclBinding]:
    prefixed = right.pattern.endswith("*")
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    return [
        AclBinding(
            KINDS[right.kind],
            right.pattern.removesuffix("*"),
            pattern,
            f"User:{right.user}",
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
        for operation in sorted(right.operations)
    ]


def matching(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype,
        right.name,
        right.resource_pattern_type,
        right.principal,
        right.host,
        right.operation,
        right.permission_type,
    )


def as_user(user: str) -> Mapping[str, str]:
    return {
        "FORWARDER_KAFKA__SASL_USERNAME": user,
        "KAFKA_PASSWORD": password(user),
    }


async def test_each_role_works_with_its_rights_and_no_more(
    guarded: Broker, root: AdminClient, tls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def now_as(user: str) -> None:
        for name, value in as_user(user).items():
            monkeypatch.setenv(name, value)

    kafka = {
        "group_id": "conversion-forwarder",
        "events_topic": "conversions",
        "topic_prefix": "conversions",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": MECHANISM,
        "sasl_password": {"env": "KAFKA_PASSWORD"},
        "ssl_cafile": str(tls / "ca.pem"),
    }
    accounts = {"acme-pixel": TIKTOK, "acme-ttd": TRADEDESK, "acme-thrad": THRAD}
    async with Deployment(
        guarded.bootstrap, "conversions", tmp_path, accounts, kafka=kafka, delivery=QUICK
    ) as deployment:
        deployment.sandbox.behave(destination="thrad", click_not_found=LOST)
        now_as("forwarder-router")
        said = await deployment.run("run", "--role", "router", code=1)
        assert "forwarder topics create" in said
        now_as("forwarder-operator")
        await deployment.run("topics", "create")
        now_as("forwarder-router")
        router = await deployment.start("--role", "router")
        now_as("forwarder-sender")
        sender = await deployment.start("--role", "sender")
        now_as("producers")
        click = {"thrad_click_id": LOST}
        lost = purchases(1, 30, click_ids=click)
        await deployment.publish(
            [*purchases(20), *lost, *purchases(1, 31, value=-1)], "--no-validate"
        )
        await eventually(lambda: len(taken(deployment, "tiktok")) == 21, 20, what=sender.tail())
        await eventually(lambda: len(taken(deployment, "tradedesk")) == 21, 20, what=sender.tail())
        await eventually(lambda: len(taken(deployment, "thrad")) == 20, 20, what=sender.tail())

        now_as("forwarder-operator")
        assert "invalid_event" in await deployment.run("dlq", "ls")
        await deployment.run("status")
        await deployment.run("topics", "diff")

        # A new owner reads origins back; then a right is taken away, and given back.
        sender.terminate()
        assert await sender.ended() == 0
        now_as("forwarder-sender")
        sender = await deployment.start("--role", "sender")
        (write,) = (
            one
            for right in rights()
            if (right.user, right.pattern) == ("forwarder-router", "conversions.dlq")
            for one in acls(right)
            if one.operation is AclOperation.WRITE
        )
        for future in root.delete_acls([matching(write)]).values():
            future.result(30)
        now_as("producers")
        await deployment.publish([*purchases(1, 32, value=-1)], "--no-validate")
        await says(router, "write_stalled", topic="conversions.dlq")
        for future in root.create_acls([write]).values():
            future.result(30)
        await deployment.publish(purchases(1, 33))
        await eventually(lambda: "e33" in taken(deployment, "tiktok"), 20, what=router.tail())
        await says(router, "write_back", topic="conversions.dlq")

        # The right to be a member is away for less than a session, and given back.
        memberships = [
            one
            for right in rights()
            if right.user in ("forwarder-router", "forwarder-sender")
            for one in acls(right)
            if one.restype == ResourceType.GROUP and one.operation is AclOperation.READ
        ]
        for future in root.delete_acls([matching(one) for one in memberships]).values():
            future.result(30)
        await asyncio.sleep(7)
        for future in root.create_acls(memberships).values():
            future.result(30)
        await deployment.publish(purchases(1, 34))
        await eventually(lambda: "e34" in taken(deployment, "tiktok"), 40, what=sender.tail())
        assert router.process.poll() is sender.process.poll() is None
