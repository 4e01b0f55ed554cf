"""What a seeded mistake is, and short ways to the places in manifests where it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.manifests.objects import Manifest, of_kind, workloads

Objects = list[Manifest]


@dataclass(frozen=True)
class Mistake:
    """What somebody did, where, and which check must say so, naming what."""

    what: str
    seed: Callable[[Objects], object]
    check: str
    says: str
    folder: str = "overlays/production"


def one(objects: Objects, kind: str, name: str | None = None) -> Manifest:
    """The first object of a kind whose name starts like this."""
    found = of_kind(objects, kind)
    return next(item for item in found if item["metadata"]["name"].startswith(name or ""))


def pod(objects: Objects, kind: str = "Deployment") -> Manifest:
    found: Manifest = one(objects, kind, "forwarder")["spec"]["template"]["spec"]
    return found


def container(objects: Objects, kind: str = "Deployment") -> Manifest:
    found: Manifest = pod(objects, kind)["containers"][0]
    return found


def data(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = one(objects, "ConfigMap", "forwarder-settings-")["data"]
    return found


def kafka_trigger(objects: Objects) -> Manifest:
    found: Manifest = one(objects, "ScaledObject", "forwarder-events")["spec"]["triggers"][0]
    return found


def scaling(objects: Objects) -> Manifest:
    found: Manifest = one(objects, "ScaledObject", "forwarder-events")["spec"]
    return found


def edit(objects: Objects, file: str, old: str, new: str) -> None:
    """Change the text of a settings file; the text must be there."""
    assert old in data(objects)[file]
    data(objects)[file] = data(objects)[file].replace(old, new)


def mount(spec: Manifest, name: str, secret: str) -> None:
    """Put a Secret into a pod."""
    spec["volumes"].append({"name": name, "secret": {"secretName": secret}})
    at = {"name": name, "mountPath": "/etc/forwarder/secrets"}
    spec["containers"][0]["volumeMounts"].append(at)


def rename_settings(objects: Objects, name: str) -> None:
    """Give the settings another name, wherever it stands."""
    one(objects, "ConfigMap", "forwarder-settings-")["metadata"]["name"] = name
    for workload in workloads(objects):
        for volume in workload.pod["volumes"]:
            if "configMap" in volume:
                volume["configMap"]["name"] = name
