"""Checks of what the pods are told: settings, grace period, memory, secrets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from forwarder import router, sender
from forwarder.credentials import SecretSource
from forwarder.kafka.connection import Connection
from forwarder.settings import Settings, SettingsProblems, load
from tests.manifests.objects import (
    Manifests,
    Workload,
    forwarders,
    of_kind,
    volumes,
)
from tests.manifests.pods import memory_limit

MIB = 1 << 20
OTHER_STOPS = 5.0  # HTTP client, probes' server, interpreter
BASE_MEMORY = 128 * MIB  # nothing to do: 68 MiB, measured; and what is made ahead: 32 MiB
OBJECTS = 2.0  # a waiting record with its objects, in its bytes


def settings_of(workload: Workload, manifests: Manifests) -> Settings:
    """What the forwarder in this pod would load. Raises ``SettingsProblems``, ``LookupError``."""
    mounted = [source["name"] for source, _ in volumes(workload, "configMap")]
    for config in of_kind(manifests, "ConfigMap"):
        if config["metadata"]["name"] in mounted:
            return load_files(config["data"], workload.environment)
    raise LookupError(f"no ConfigMap {' '.join(mounted)}")


def load_files(files: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """The settings in a ConfigMap's data."""
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            Path(folder, file).write_text(text)
        return load(Path(folder), environment)


def settings(manifests: Manifests) -> Iterator[str]:
    """Settings load, and the pod looks where they are mounted."""
    for workload in forwarders(manifests):
        try:
            settings_of(workload, manifests)
        except (SettingsProblems, LookupError) as error:
            yield f"{workload.title}: {error}"
        paths = [path for _, path in volumes(workload, "configMap")]
        if [workload.environment.get("FORWARDER_CONFIG")] != paths:
            yield f"{workload.title}: FORWARDER_CONFIG is not where the settings are mounted"


def _readable(manifests: Manifests) -> Iterator[tuple[Workload, Settings]]:
    """Workloads whose settings load; the others are told of by ``settings``."""
    for workload in forwarders(manifests):
        try:
            yield workload, settings_of(workload, manifests)
        except (SettingsProblems, LookupError):
            continue


def stop_seconds(settings: Settings) -> float:
    """The longest stop: router and senders drain side by side, then consumers, producer and admin
    client close. In words: docs/operations.md, "How long a stop takes".
    """
    requests = settings.delivery.request_timeout + 1
    drained = max(router.DRAIN_SECONDS, requests + sender.DRAIN_SECONDS)
    return drained + 3 * Connection("").stop_timeout + OTHER_STOPS


def grace(manifests: Manifests) -> Iterator[str]:
    """A pod is not killed while it still drains."""
    for workload, loaded in _readable(manifests):
        given, needed = workload.pod.get("terminationGracePeriodSeconds", 30), stop_seconds(loaded)
        if workload.serves and given <= needed:
            yield f"{workload.title}: grace period of {given} s, a stop takes up to {needed:g} s"


def memory_needed(settings: Settings) -> float:
    """Bytes that a replica with both roles may take: see docs/operations.md."""
    consumers = 1 + len({account.destination for account in settings.accounts.values()})
    fetched = consumers * Connection("").fetch_bytes
    return BASE_MEMORY + fetched + settings.delivery.memory * OBJECTS


def memory(manifests: Manifests) -> Iterator[str]:
    """The limit holds what the settings allow in memory."""
    for workload, loaded in _readable(manifests):
        needed = memory_needed(loaded)
        if workload.serves and memory_limit(workload) < needed:
            yield f"{workload.title}: memory limit below the {needed / MIB:.0f} MiB it may need"


def address(manifests: Manifests) -> Iterator[str]:
    """The probes' port is the one that the settings open, to more than loopback."""
    for workload, loaded in _readable(manifests):
        host, port = loaded.ops.address
        if workload.serves and (workload.port("ops") != port or host.startswith("127.")):
            yield f"{workload.title}: ops.listen is {loaded.ops.listen}, not the port named ops"


def secret_files(manifests: Manifests) -> Iterator[str]:
    """Every secret file that a role reads is mounted, and something in the folder provides it."""
    provided = _provided(manifests)
    if not provided:
        return  # base: whoever uses it brings the Secret
    for workload, loaded in _readable(manifests):
        there = set(_mounted_files(workload, provided))
        for path in _needed_files(workload, loaded):
            if str(path) not in there:
                yield f"{workload.title}: nothing provides {path}"


def vendor_secrets(manifests: Manifests) -> Iterator[str]:
    """Only pods that send hold vendors' secrets; a pod holds the key of one Kafka user."""
    for workload in forwarders(manifests):
        sources = [source for source, _ in volumes(workload, "secret")]
        names = {source["secretName"].rsplit("-", 1)[0] for source in sources}
        names |= {source["secretName"] for source in sources}
        if workload.component not in ("worker", "sender") and "forwarder-credentials" in names:
            yield f"{workload.title}: mounts vendors' secrets"
        for source in sources:
            keys = {item["key"] for item in source.get("items", ())} - {"ca.crt"}
            if source["secretName"] == "forwarder-kafka" and len(keys) != 1:
                yield f"{workload.title}: mounts the passwords of {len(keys)} Kafka users"


def _provided(manifests: Manifests) -> dict[str, set[str]]:
    """Secrets and their keys, as this folder makes them."""
    found = {
        secret["metadata"]["name"]: set(secret.get("data", {}) | secret.get("stringData", {}))
        for secret in of_kind(manifests, "Secret")
    }
    for external in of_kind(manifests, "ExternalSecret"):
        keys = {item["secretKey"] for item in external["spec"]["data"]}
        found[external["spec"]["target"]["name"]] = keys
    return found


def _mounted_files(workload: Workload, provided: Mapping[str, set[str]]) -> Iterator[str]:
    for source, mount in volumes(workload, "secret"):
        keys = provided.get(source["secretName"], set())
        items = source.get("items", [{"key": key, "path": key} for key in keys])
        yield from (f"{mount}/{item['path']}" for item in items if item["key"] in keys)


def _needed_files(workload: Workload, loaded: Settings) -> Iterator[Path]:
    kafka = loaded.kafka
    sources: list[Any] = [kafka.sasl_password]
    if workload.component in ("worker", "sender"):
        for account in loaded.accounts.values():
            sources += account.secrets().values()
    for source in sources:
        if isinstance(source, SecretSource) and source.file is not None:
            yield source.file
    for path in (kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile):
        if path is not None:
            yield path
