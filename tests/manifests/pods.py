"""Checks of single pods. Each returns what is wrong, in words; nothing when all is well."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import kubernetes_validate

from forwarder.cli.main import main
from forwarder.units import size
from tests.manifests import crds
from tests.manifests.objects import (
    ROOT,
    Manifest,
    Manifests,
    Workload,
    forwarders,
    name,
    workloads,
)

KUBERNETES = ("1.31", "1.37")  # the oldest version that has all we use, and the newest checked

_POD_SECURITY: dict[str, object] = {"runAsNonRoot": True, "seccompProfile.type": "RuntimeDefault"}
_CONTAINER_SECURITY: dict[str, object] = {
    "allowPrivilegeEscalation": False,
    "capabilities.drop": ["ALL"],
}
_PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
_SIZES = {"Mi": "MiB", "Gi": "GiB", "Ki": "KiB"}


def schemas(manifests: Manifests) -> Iterator[str]:
    """Every field is known to the API server."""
    for manifest in manifests:
        if (manifest["apiVersion"], manifest["kind"]) in crds.SPECS:
            yield from (f"{name(manifest)}: {text}" for text in crds.problems(manifest))
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                at = ".".join(str(part) for part in error.path)
                yield f"{name(manifest)}: {at} {error.message[:200]} ({version})"
            except kubernetes_validate.SchemaNotFoundError:
                yield f"{name(manifest)}: no schema of this kind ({version})"


def security(manifests: Manifests) -> Iterator[str]:
    """The restricted pod security standard, and for our own containers a read-only root."""
    for workload in workloads(manifests):
        pod, container = workload.pod, workload.container
        yield from _differs(workload, pod.get("securityContext", {}), _POD_SECURITY)
        context = container.get("securityContext", {})
        yield from _differs(workload, context, _CONTAINER_SECURITY)
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.title}: automountServiceAccountToken is not false"
        if pod.get("enableServiceLinks") is not False:
            yield f"{workload.title}: enableServiceLinks is not false"
        if _ours(container) and context.get("readOnlyRootFilesystem") is not True:
            yield f"{workload.title}: readOnlyRootFilesystem is not true"
        if not isinstance(pod.get("securityContext", {}).get("runAsUser"), int):
            yield f"{workload.title}: runAsUser is no number"
        if any(mount["mountPath"] == "/" for mount in container.get("volumeMounts", ())):
            yield f"{workload.title}: mounts over /"


def _differs(
    workload: Workload, context: Mapping[str, Any], wanted: Mapping[str, object]
) -> Iterator[str]:
    for path, value in wanted.items():
        found: Any = context
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found != value:
            yield f"{workload.title}: {path} is {found}, not {value}"


def _ours(container: Manifest) -> bool:
    return "conversion-forwarder" in container["image"]


def images(manifests: Manifests) -> Iterator[str]:
    """An exact version or a digest; ours is the version of this repository."""
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for workload in workloads(manifests):
        image = workload.container["image"]
        tag = re.search(r":(\d+\.\d+[\w.-]*)$|@sha256:[0-9a-f]{64}$", image)
        if tag is None:
            yield f"{workload.title}: {image} is not pinned"
        elif _ours(workload.container) and version and tag[1] not in (None, version[1]):
            yield f"{workload.title}: {image} is not version {version[1]}"


def probes(manifests: Manifests) -> Iterator[str]:
    """The three probes of a replica, on a port that it has."""
    for workload in forwarders(manifests):
        if not workload.serves:
            continue
        for probe, path in _PROBES.items():
            get = workload.container.get(probe, {}).get("httpGet", {})
            if get.get("path") != path:
                yield f"{workload.title}: {probe} does not ask {path}"
            elif workload.port(get["port"]) is None:
                yield f"{workload.title}: {probe} asks port {get['port']}, which is not declared"


def resources(manifests: Manifests) -> Iterator[str]:
    """Requests for both, a limit for memory only: a throttled loop loses its queues."""
    for workload in workloads(manifests):
        given = workload.container.get("resources", {})
        missing = {"cpu", "memory"} - given.get("requests", {}).keys()
        yield from (f"{workload.title}: no request for {what}" for what in sorted(missing))
        if "memory" not in given.get("limits", {}):
            yield f"{workload.title}: no memory limit"
        if "cpu" in given.get("limits", {}):
            yield f"{workload.title}: has a CPU limit"


def memory_limit(workload: Workload) -> int:
    """Bytes that the container may take."""
    text = workload.container["resources"]["limits"]["memory"]
    return size(text[:-2] + _SIZES[text[-2:]])


def commands(manifests: Manifests) -> Iterator[str]:
    """What our image is told to run is a command with options that it has."""
    for workload in workloads(manifests):
        arguments = workload.container.get("args", [])
        numbers = [argument for argument in arguments if not isinstance(argument, str)]
        yield from (f"{workload.title}: argument {number!r} is no text" for number in numbers)
        if "command" in workload.container:
            yield f"{workload.title}: replaces the image's entrypoint"
        if _ours(workload.container) and not numbers and not understood(arguments):
            yield f"{workload.title}: forwarder {' '.join(arguments)} is not understood"


def understood(arguments: Sequence[str]) -> bool:
    """Whether the program knows this command and its options; it is not run."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main([*arguments, "--help"]) == 0
