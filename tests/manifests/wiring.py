"""Checks of what points at what: selectors, names, network, namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.manifests.objects import (
    Manifest,
    Manifests,
    Workload,
    forwarders,
    name,
    of_kind,
    selects,
    workloads,
)

_HASHED = re.compile(r"-[a-z0-9]{10}$")
_CLUSTER_WIDE = ("Namespace",)
_VENDORS = 443


def selectors(manifests: Manifests) -> Iterator[str]:
    """Deployments, budgets, services, monitors and policies select the pods they mean."""
    deployments = [w for w in workloads(manifests) if w.manifest["kind"] == "Deployment"]
    for workload in deployments:
        yield from _own_pods(workload, deployments)
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        chosen = [w for w in deployments if selects(budget["spec"]["selector"], w.labels)]
        if len(chosen) != 1:
            yield f"{name(budget)}: selects the pods of {len(chosen)} Deployments"
    for service in of_kind(manifests, "Service"):
        labels = {"matchLabels": service["spec"]["selector"]}
        chosen = [w for w in deployments if selects(labels, w.labels)]
        if len(chosen) != 1:
            yield f"{name(service)}: selects the pods of {len(chosen)} Deployments"
        for port in service["spec"]["ports"]:
            if any(w.port(port["targetPort"]) is None for w in chosen):
                yield f"{name(service)}: port {port['targetPort']} is not declared"
    yield from _policies(manifests)


def _own_pods(workload: Workload, deployments: list[Workload]) -> Iterator[str]:
    selector = workload.manifest["spec"]["selector"]
    if not selects(selector, workload.labels):
        yield f"{workload.title}: does not select its own pods"
    others = [w.title for w in deployments if w is not workload and selects(selector, w.labels)]
    if others:
        yield f"{workload.title}: selects the pods of {', '.join(others)} too"
    for spread in workload.pod.get("topologySpreadConstraints", ()):
        if not selects(spread["labelSelector"], workload.labels):
            yield f"{workload.title}: spreads over {spread['topologyKey']} by others' labels"


def _policies(manifests: Manifests) -> Iterator[str]:
    pods = workloads(manifests)
    for policy in of_kind(manifests, "NetworkPolicy"):
        if not any(selects(policy["spec"]["podSelector"], pod.labels) for pod in pods):
            jobs_only = all(pod.manifest["kind"] == "Job" for pod in pods)
            if pods and not jobs_only:  # the jobs' folders carry the worker's policies along
                yield f"{name(policy)}: selects no pod"


def monitors(manifests: Manifests) -> Iterator[str]:
    """Where a PodMonitor is, it scrapes every replica and nothing else."""
    for monitor in of_kind(manifests, "PodMonitor"):
        for workload in workloads(manifests):
            chosen = selects(monitor["spec"]["selector"], workload.labels)
            if chosen != workload.serves:
                yield f"{name(monitor)}: {'wrongly takes' if chosen else 'misses'} {workload.title}"
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if chosen and workload.port(endpoint["port"]) is None:
                    yield f"{name(monitor)}: {workload.title} has no port {endpoint['port']}"
                if endpoint.get("path") != "/metrics":
                    yield f"{name(monitor)}: scrapes {endpoint.get('path')}"


def references(manifests: Manifests) -> Iterator[str]:
    """Names that pods refer to exist; settings carry a hash, so that a change rolls the pods."""
    there = {(item["kind"], item["metadata"]["name"]) for item in manifests}
    secrets = {item["spec"]["target"]["name"] for item in of_kind(manifests, "ExternalSecret")}
    external = bool(secrets)
    secrets |= {found for kind, found in there if kind == "Secret"}
    for workload in workloads(manifests):
        account = workload.pod.get("serviceAccountName")
        if account is not None and ("ServiceAccount", account) not in there:
            yield f"{workload.title}: no ServiceAccount {account}"
        for volume in workload.pod.get("volumes", ()):
            config = volume.get("configMap", {}).get("name")
            if config is not None and ("ConfigMap", config) not in there:
                yield f"{workload.title}: no ConfigMap {config}"
            if config is not None and not _HASHED.search(config):
                yield f"{workload.title}: ConfigMap {config} has no hash in its name"
            secret = volume.get("secret", {}).get("secretName")
            if secret is not None and external and secret not in secrets:
                yield f"{workload.title}: no Secret {secret}"
        yield from _mounts(workload)


def _mounts(workload: Workload) -> Iterator[str]:
    mounted = {mount["name"] for mount in workload.container.get("volumeMounts", ())}
    declared = {volume["name"] for volume in workload.pod.get("volumes", ())}
    for volume in sorted(mounted ^ declared):
        yield f"{workload.title}: volume {volume} is not both declared and mounted"


def namespace(manifests: Manifests) -> Iterator[str]:
    """One namespace for all, which enforces the restricted pod security standard."""
    for space in of_kind(manifests, "Namespace"):
        if space["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name(space)}: does not enforce restricted pod security"
    names = {space["metadata"]["name"] for space in of_kind(manifests, "Namespace")}
    for manifest in manifests:
        if manifest["kind"] in _CLUSTER_WIDE:
            continue
        if manifest["metadata"].get("namespace") not in names:
            yield f"{name(manifest)}: is not in a namespace of this folder"
    for account in of_kind(manifests, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{name(account)}: mounts its token"


def network(manifests: Manifests) -> Iterator[str]:
    """All is denied but DNS, Kafka, the vendors for pods that send, and metrics in."""
    policies = of_kind(manifests, "NetworkPolicy")
    deny = [p for p in policies if not p["spec"]["podSelector"]]
    if not any(_denies_all(policy) for policy in deny):
        yield "no NetworkPolicy denies everything by default"
    for policy in deny:
        if not _denies_all(policy):
            yield f"{name(policy)}: allows something to every pod"
    for workload in forwarders(manifests):
        mine = [p for p in policies if selects(p["spec"]["podSelector"], workload.labels)]
        out = [rule for policy in mine for rule in policy["spec"].get("egress", ())]
        for port in (53, 9092):
            if not any(_opens(rule, port) for rule in out):
                yield f"{workload.title}: cannot reach port {port}"
        ingress = [rule for policy in mine for rule in policy["spec"].get("ingress", ())]
        if workload.serves and not any(_opens(rule, 8080) for rule in ingress):
            yield f"{workload.title}: cannot be scraped"
        vendors = any(_opens(rule, _VENDORS) for rule in out)
        if vendors and workload.component not in ("worker", "sender"):
            yield f"{workload.title}: reaches the internet without sending"
        if any(not rule.get("ports") for rule in [*out, *ingress]):
            yield f"{workload.title}: a NetworkPolicy opens every port"


def _denies_all(policy: Manifest) -> bool:
    spec = policy["spec"]
    both = set(spec.get("policyTypes", ())) == {"Ingress", "Egress"}
    return both and not spec.get("ingress") and not spec.get("egress")


def _opens(rule: Manifest, port: int) -> bool:
    return any(
        item["port"] <= port <= item.get("endPort", item["port"]) for item in rule.get("ports", ())
    )
