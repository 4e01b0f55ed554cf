"""Mistakes in what pods are told and how many there are."""

from __future__ import annotations

from tests.manifests.seeding import (
    Mistake,
    container,
    edit,
    kafka_trigger,
    mount,
    one,
    pod,
    scaling,
)

MISTAKES = [
    Mistake(
        "a misspelt settings key",
        lambda o: edit(o, "worker.yaml", "request_timeout", "request_timout"),
        "settings",
        "request_timout",
    ),
    Mistake(
        "a misspelt block of settings",
        lambda o: edit(o, "worker.yaml", "delivery:", "delivry:"),
        "settings",
        "delivry",
    ),
    Mistake(
        "settings that contradict each other",
        lambda o: edit(o, "accounts.yaml", "tiktok-app]", "tiktok-ap]"),
        "settings",
        "tiktok-ap",
    ),
    Mistake(
        "a misspelt variable",
        lambda o: container(o)["env"].append({"name": "FORWARDER_KAFKA__GROUPID", "value": "x"}),
        "settings",
        "FORWARDER_KAFKA__GROUPID",
    ),
    Mistake(
        "settings mounted elsewhere",
        lambda o: container(o)["env"].clear(),
        "settings",
        "FORWARDER_CONFIG",
    ),
    Mistake(
        "a grace period too short",
        lambda o: pod(o).update(terminationGracePeriodSeconds=30),
        "grace",
        "30 s",
    ),
    Mistake(
        "a request time-out that outgrew the grace period",
        lambda o: edit(o, "worker.yaml", "request_timeout: 7s", "request_timeout: 60s"),
        "grace",
        "stop takes up to",
    ),
    Mistake(
        "no grace period at all",
        lambda o: pod(o).pop("terminationGracePeriodSeconds"),
        "grace",
        "30 s",
    ),
    Mistake(
        "more memory for lanes than the pod has",
        lambda o: edit(o, "worker.yaml", "memory: 256MiB", "memory: 2GiB"),
        "memory",
        "memory limit",
    ),
    Mistake(
        "another port in the settings",
        lambda o: edit(o, "worker.yaml", ":8080", ":9090"),
        "address",
        "9090",
    ),
    Mistake(
        "probes closed to the kubelet",
        lambda o: edit(o, "worker.yaml", "0.0.0.0:8080", "127.0.0.1:8080"),
        "address",
        "127.0.0.1",
    ),
    Mistake(
        "another group in the ScaledObject",
        lambda o: kafka_trigger(o)["metadata"].update(consumerGroup="forwarder"),
        "scaled objects",
        "consumerGroup",
    ),
    Mistake(
        "another group in the settings",
        lambda o: edit(o, "kafka.yaml", "group_id: conversion-", "group_id: c-"),
        "scaled objects",
        "consumerGroup",
    ),
    Mistake(
        "scaling by a queue",
        lambda o: kafka_trigger(o)["metadata"].update(topic="conversions.queue.acme-pixel"),
        "scaled objects",
        "topic",
    ),
    Mistake(
        "scaling by a retry topic too",
        lambda o: scaling(o)["triggers"].append(
            {
                **kafka_trigger(o),
                "metadata": {**kafka_trigger(o)["metadata"], "topic": "conversions.retry.1m"},
            }
        ),
        "scaled objects",
        "conversions.retry.1m",
    ),
    Mistake(
        "KEDA's default reset policy",
        lambda o: kafka_trigger(o)["metadata"].pop("offsetResetPolicy"),
        "scaled objects",
        "offsetResetPolicy",
    ),
    Mistake(
        "lag that nobody can work off counted",
        lambda o: kafka_trigger(o)["metadata"].update(excludePersistentLag="false"),
        "scaled objects",
        "excludePersistentLag",
    ),
    Mistake(
        "more replicas than partitions",
        lambda o: scaling(o).update(maxReplicaCount=30),
        "scaled objects",
        "24 partitions",
    ),
    Mistake(
        "scaling to one replica",
        lambda o: scaling(o).update(minReplicaCount=1),
        "scaled objects",
        "below 2",
    ),
    Mistake(
        "scaling down in strides",
        lambda o: scaling(o)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"][
            "policies"
        ][0].update(value=4),
        "scaled objects",
        "one pod at a time",
    ),
    Mistake(
        "scaling what is not there",
        lambda o: scaling(o)["scaleTargetRef"].update(name="worker"),
        "scaled objects",
        "no Deployment",
    ),
    Mistake(
        "a lost way to log in",
        lambda o: kafka_trigger(o).pop("authenticationRef"),
        "scaled objects",
        "TriggerAuthentication",
    ),
    Mistake(
        "a key that the Secret does not have",
        lambda o: one(o, "TriggerAuthentication")["spec"]["secretTargetRef"][1].update(key="pw"),
        "scaled objects",
        "no key pw",
    ),
    Mistake(
        "replicas stated twice",
        lambda o: one(o, "Deployment")["spec"].update(replicas=3),
        "replicas",
        "ScaledObject owns",
    ),
    Mistake(
        "one replica only",
        lambda o: one(o, "Deployment", "forwarder")["spec"].update(replicas=1),
        "replicas",
        "fewer than 2",
        "base",
    ),
    Mistake(
        "no disruption budget",
        lambda o: o.remove(one(o, "PodDisruptionBudget")),
        "replicas",
        "PodDisruptionBudget",
    ),
    Mistake(
        "all replicas on one host",
        lambda o: pod(o)["topologySpreadConstraints"].pop(),
        "replicas",
        "not spread",
    ),
    Mistake(
        "vendors' secrets at a router",
        lambda o: mount(pod(o), "credentials", "forwarder-credentials"),
        "vendor secrets",
        "vendors' secrets",
        "overlays/split-roles",
    ),
    Mistake(
        "all Kafka users' passwords in one pod",
        lambda o: pod(o)["volumes"][0]["secret"].pop("items"),
        "vendor secrets",
        "passwords of 0",
    ),
    Mistake(
        "an account without a secret",
        lambda o: one(o, "ExternalSecret", "forwarder-credentials")["spec"]["data"].pop(),
        "secret files",
        "acme-thrad",
    ),
    Mistake(
        "another path in the settings",
        lambda o: edit(o, "accounts.yaml", "forwarder/secrets/acme-ttd", "forwarder/acme-ttd"),
        "secret files",
        "/etc/forwarder/acme-ttd",
    ),
    Mistake(
        "a bare number as an argument",
        lambda o: container(o, "Job")["args"].append(3),
        "commands",
        "argument 3",
        "jobs/topics",
    ),
    Mistake(
        "a misspelt command",
        lambda o: container(o, "Job")["args"].__setitem__(0, "topic"),
        "commands",
        "not understood",
        "jobs/topics",
    ),
    Mistake(
        "an option that is not there",
        lambda o: container(o, "Job")["args"].append("--replicas=3"),
        "commands",
        "not understood",
        "jobs/topics",
    ),
]
