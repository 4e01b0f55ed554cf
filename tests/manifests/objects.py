"""Rendered manifests: how to get them, and how to find one's way in them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]  # JSON as the API server takes it
Manifests = Sequence[Manifest]

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
K8S = ROOT / "k8s"
WORKLOADS = ("Deployment", "Job")


def kustomize_version() -> str:
    """The version that the Makefile pins."""
    line = next(
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line.startswith("KUSTOMIZE_VERSION")
    )
    return line.split(":=")[1].strip()


def can_render() -> bool:
    """Whether kustomize is here, or can be installed."""
    return find_kustomize() is not None or shutil.which("go") is not None


def find_kustomize() -> str | None:
    """``$KUSTOMIZE``, the one that ``make kustomize`` installed, or a v5 on the path."""
    if given := os.environ.get("KUSTOMIZE"):
        return given
    installed = CACHE / f"bin/kustomize-{kustomize_version()}"
    if installed.exists():
        return str(installed)
    found = shutil.which("kustomize")
    return found if found and _run([found, "version"]).lstrip("v{").startswith("5.") else None


def install_kustomize() -> str:
    """The path of kustomize, installed with Go where it is missing (about 30 s), by one of the test
    processes.
    """
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "kustomize.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find_kustomize()
        if found is None:
            _run(["make", "-C", str(ROOT), "kustomize"])
            found = str(CACHE / f"bin/kustomize-{kustomize_version()}")
    return found


def render(kustomize: str, folder: Path) -> list[Manifest]:
    """What ``kubectl apply -k folder`` would send."""
    return [item for item in yaml.safe_load_all(_run([kustomize, "build", str(folder)])) if item]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def of_kind(manifests: Manifests, *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


@dataclass(frozen=True)
class Workload:
    """A Deployment or Job, and its pod."""

    manifest: Manifest

    @property
    def title(self) -> str:
        return name(self.manifest)

    @property
    def template(self) -> Manifest:
        found: Manifest = self.manifest["spec"]["template"]
        return found

    @property
    def pod(self) -> Manifest:
        found: Manifest = self.template["spec"]
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.template["metadata"].get("labels", {})
        return found

    @property
    def component(self) -> str:
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def container(self) -> Manifest:
        found: Manifest = self.pod["containers"][0]
        return found

    @property
    def environment(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.container.get("env", ())}

    def port(self, port: str | int) -> int | None:
        """The number of a port that the container declares, by name or number."""
        for declared in self.container.get("ports", ()):
            if port in (declared.get("name"), declared["containerPort"]):
                return int(declared["containerPort"])
        return None

    @property
    def is_forwarder(self) -> bool:
        """Ours, and reading the settings: not the demo's broker, not the sandbox."""
        return self.labels.get("app.kubernetes.io/name") == "forwarder"

    @property
    def serves(self) -> bool:
        """Runs until it is stopped; jobs end by themselves."""
        return self.is_forwarder and self.manifest["kind"] == "Deployment"


def workloads(manifests: Manifests) -> list[Workload]:
    return [Workload(manifest) for manifest in of_kind(manifests, *WORKLOADS)]


def forwarders(manifests: Manifests) -> list[Workload]:
    """Workloads that read the forwarder's settings."""
    return [workload for workload in workloads(manifests) if workload.is_forwarder]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    pairs = selector.get("matchLabels", {}).items()
    return all(labels.get(key) == value for key, value in pairs) and all(
        _fits(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _fits(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def volumes(workload: Workload, kind: str) -> Iterator[tuple[Manifest, str]]:
    """Volumes of a kind (``secret``, ``configMap``) with the path where each is mounted."""
    mounts = {mount["name"]: mount["mountPath"] for mount in workload.container["volumeMounts"]}
    for volume in workload.pod.get("volumes", ()):
        if kind in volume and volume["name"] in mounts:
            yield volume[kind], mounts[volume["name"]]
