"""Checks of how many replicas there are, and how they come and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forwarder.settings import Settings, SettingsProblems
from tests.manifests.loaded import settings_of
from tests.manifests.objects import (
    Manifest,
    Manifests,
    Workload,
    name,
    of_kind,
    selects,
    workloads,
)

PARTITIONS = 24  # of the events topic, as the topics Job makes it
_SASL = {"SCRAM-SHA-512": "scram_sha512", "SCRAM-SHA-256": "scram_sha256", "PLAIN": "plaintext"}


def replicas(manifests: Manifests) -> Iterator[str]:
    """Two at least, stated by one side only; guarded by a budget and spread."""
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in of_kind(manifests, "ScaledObject")}
    budgets = of_kind(manifests, "PodDisruptionBudget")
    for workload in [w for w in workloads(manifests) if w.serves]:
        spec = workload.manifest["spec"]
        if workload.manifest["metadata"]["name"] in scaled:
            if "replicas" in spec:
                yield f"{workload.title}: states replicas, which the ScaledObject owns"
        elif spec.get("replicas", 1) < 2:
            yield f"{workload.title}: fewer than 2 replicas"
        if not any(selects(budget["spec"]["selector"], workload.labels) for budget in budgets):
            yield f"{workload.title}: no PodDisruptionBudget"
        keys = {item["topologyKey"] for item in workload.pod.get("topologySpreadConstraints", ())}
        if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{workload.title}: not spread over zones and hosts"


def scaled_objects(manifests: Manifests) -> Iterator[str]:
    """Scale what exists, by the right lag, within bounds and slowly."""
    deployments = {w.manifest["metadata"]["name"]: w for w in workloads(manifests) if w.serves}
    for scaled in of_kind(manifests, "ScaledObject"):
        target = deployments.get(scaled["spec"]["scaleTargetRef"]["name"])
        if target is None:
            yield f"{name(scaled)}: scales no Deployment of this folder"
            continue
        yield from (f"{name(scaled)}: {text}" for text in _bounds(scaled["spec"]))
        for trigger in scaled["spec"]["triggers"]:
            for text in _trigger(trigger, target, manifests):
                yield f"{name(scaled)}: {text}"


def _bounds(spec: Mapping[str, Any]) -> Iterator[str]:
    least, most = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    if least < 2:
        yield f"minReplicaCount {least} is below 2"
    if not least <= most <= PARTITIONS:
        yield f"maxReplicaCount {most} is not within {least} and {PARTITIONS} partitions"
    behavior = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    down = behavior.get("behavior", {}).get("scaleDown", {})
    steps = [(item["type"], item["value"]) for item in down.get("policies", ())]
    if steps != [("Pods", 1)]:
        yield f"scales down by {steps}, not one pod at a time"
    if down.get("stabilizationWindowSeconds", 300) < 600:
        yield "scales down after less than 10 minutes"


def _trigger(trigger: Mapping[str, Any], target: Workload, manifests: Manifests) -> Iterator[str]:
    if trigger["type"] == "cpu":
        if target.component != "sender":
            yield "scales by CPU what should scale by lag"
        if "cpu" not in target.container["resources"].get("requests", {}):
            yield "needs a CPU request of its target"
    elif trigger["type"] != "kafka":
        yield f"unexpected trigger {trigger['type']}"
    else:
        if target.component not in ("worker", "router"):
            yield "scales by the events topic what does not read it"
        try:
            loaded = settings_of(target, manifests)
        except (SettingsProblems, LookupError):
            return
        yield from _agrees(trigger["metadata"], loaded)
        yield from _authentication(trigger, loaded, manifests)


def _agrees(metadata: Mapping[str, str], loaded: Settings) -> Iterator[str]:
    kafka = loaded.kafka
    wanted = {
        "bootstrapServers": kafka.bootstrap_servers,
        "consumerGroup": kafka.group_id,
        "topic": kafka.events_topic,
        "offsetResetPolicy": "earliest",
        "excludePersistentLag": "true",
        "sasl": _SASL.get(kafka.sasl_mechanism or "", "none"),
        "tls": "enable" if kafka.security_protocol.endswith("SSL") else "disable",
    }
    defaults = {"sasl": "none", "tls": "disable"}
    for key, value in wanted.items():
        if metadata.get(key, defaults.get(key)) != value:
            yield f"{key} is {metadata.get(key)}, the settings say {value}"


def _authentication(
    trigger: Mapping[str, Any], loaded: Settings, manifests: Manifests
) -> Iterator[str]:
    if loaded.kafka.sasl_mechanism is None:
        return
    wanted = trigger.get("authenticationRef", {}).get("name")
    for authentication in of_kind(manifests, "TriggerAuthentication"):
        if authentication["metadata"]["name"] == wanted:
            yield from _keys(authentication, manifests)
            return
    yield f"no TriggerAuthentication {wanted}"


def _keys(authentication: Manifest, manifests: Manifests) -> Iterator[str]:
    there = {
        (external["spec"]["target"]["name"], item["secretKey"])
        for external in of_kind(manifests, "ExternalSecret")
        for item in external["spec"]["data"]
    }
    for item in authentication["spec"]["secretTargetRef"]:
        if (item["name"], item["key"]) not in there:
            yield f"no key {item['key']} in Secret {item['name']}"
