"""All checks of rendered manifests, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.manifests import loaded, pods, scaling, wiring
from tests.manifests.objects import Manifests

Check = Callable[[Manifests], Iterable[str]]

CHECKS: dict[str, Check] = {
    "schemas": pods.schemas,
    "security": pods.security,
    "images": pods.images,
    "probes": pods.probes,
    "resources": pods.resources,
    "commands": pods.commands,
    "settings": loaded.settings,
    "grace": loaded.grace,
    "memory": loaded.memory,
    "address": loaded.address,
    "secret files": loaded.secret_files,
    "vendor secrets": loaded.vendor_secrets,
    "selectors": wiring.selectors,
    "monitors": wiring.monitors,
    "references": wiring.references,
    "namespace": wiring.namespace,
    "network": wiring.network,
    "replicas": scaling.replicas,
    "scaled objects": scaling.scaled_objects,
}
