"""The published fields of the custom resources that the overlays use.

A line is a field and its type; ``*`` marks a required one; what is indented stands below it.
An ``object`` without fields below it takes any. Read from the definitions that KEDA, the
Prometheus Operator and the External Secrets Operator publish (August 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.manifests.objects import Manifest

_SCALING_RULES = """
      policies: array
        periodSeconds*: integer
        type*: string
        value*: integer
      selectPolicy: string
      stabilizationWindowSeconds: integer
      tolerance: any
"""

_SCALED_OBJECT = f"""
scaleTargetRef*: object
  apiVersion: string
  envSourceContainerName: string
  kind: string
  name*: string
minReplicaCount: integer
maxReplicaCount: integer
idleReplicaCount: integer
pollingInterval: integer
cooldownPeriod: integer
initialCooldownPeriod: integer
fallback: object
  behavior: string
  failureThreshold*: integer
  replicas*: integer
advanced: object
  restoreToOriginalReplicaCount: boolean
  scalingModifiers: object
  horizontalPodAutoscalerConfig: object
    name: string
    behavior: object
     scaleDown: object{_SCALING_RULES.rstrip()}
     scaleUp: object{_SCALING_RULES.rstrip()}
triggers*: array
  type*: string
  name: string
  metricType: string
  useCachedMetrics: boolean
  metadata*: object
  authenticationRef: object
    kind: string
    name*: string
"""

_TRIGGER_AUTHENTICATION = """
secretTargetRef: array
  parameter*: string
  name*: string
  key*: string
configMapTargetRef: array
  parameter*: string
  name*: string
  key*: string
env: array
  parameter*: string
  name*: string
  containerName: string
podIdentity: object
hashiCorpVault: object
azureKeyVault: object
gcpSecretManager: object
awsSecretManager: object
boundServiceAccountToken: array
filePath: string
oauth2: object
"""

_POD_MONITOR = """
selector*: object
  matchLabels: object
  matchExpressions: array
    key*: string
    operator*: string
    values: array
podMetricsEndpoints: array
  port: string
  portNumber: integer
  targetPort: any
  path: string
  scheme: string
  params: object
  interval: string
  scrapeTimeout: string
  honorLabels: boolean
  honorTimestamps: boolean
  trackTimestampsStaleness: boolean
  filterRunning: boolean
  followRedirects: boolean
  enableHttp2: boolean
  metricRelabelings: array
  relabelings: array
  authorization: object
  basicAuth: object
  bearerTokenSecret: object
  oauth2: object
  tlsConfig: object
  proxyUrl: string
  noProxy: string
  proxyFromEnvironment: boolean
  proxyConnectHeader: object
namespaceSelector: object
  any: boolean
  matchNames: array
attachMetadata: object
  node: boolean
jobLabel: string
podTargetLabels: array
bodySizeLimit: string
sampleLimit: integer
targetLimit: integer
labelLimit: integer
labelNameLengthLimit: integer
labelValueLengthLimit: integer
keepDroppedTargets: integer
scrapeClass: string
scrapeProtocols: array
fallbackScrapeProtocol: string
scrapeClassicHistograms: boolean
scrapeNativeHistograms: boolean
convertClassicHistogramsToNHCB: boolean
nativeHistogramBucketLimit: integer
nativeHistogramMinBucketFactor: any
selectorMechanism: string
"""

_PROMETHEUS_RULE = """
groups: array
  name*: string
  interval: string
  labels: object
  limit: integer
  query_offset: string
  partial_response_strategy: string
  rules: array
    alert: string
    record: string
    expr*: any
    for: string
    keep_firing_for: string
    labels: object
    annotations: object
"""

_REMOTE_REF = """
    key*: string
    property: string
    version: string
    metadataPolicy: string
    conversionStrategy: string
    decodingStrategy: string
    nullBytePolicy: string
"""

_EXTERNAL_SECRET = f"""
secretStoreRef: object
  kind: string
  name: string
refreshInterval: string
refreshPolicy: string
syncWindows: object
target: object
  name: string
  creationPolicy: string
  deletionPolicy: string
  immutable: boolean
  manifest: object
  template: object
data: array
  secretKey*: string
  remoteRef*: object{_REMOTE_REF.rstrip()}
  sourceRef: object
dataFrom: array
  extract: object{_REMOTE_REF.rstrip()}
  find: object
  rewrite: array
  sourceRef: object
"""

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "any": (object,),
}


@dataclass
class Field:
    """One field: its type, whether it must be there, and what may stand below it."""

    type: str
    required: bool = False
    below: dict[str, Field] = field(default_factory=dict)


def table(text: str) -> Field:
    """The tree that the indentation of ``text`` draws."""
    root = Field("object")
    above = [(-1, root)]
    for line in text.splitlines():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        key, kind = line.strip().split(": ")
        while above[-1][0] >= depth:
            above.pop()
        entry = Field(kind, required=key.endswith("*"))
        above[-1][1].below[key.rstrip("*")] = entry
        above.append((depth, entry))
    return root


SPECS: dict[tuple[str, str], Field] = {
    ("keda.sh/v1alpha1", "ScaledObject"): table(_SCALED_OBJECT),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): table(_TRIGGER_AUTHENTICATION),
    ("monitoring.coreos.com/v1", "PodMonitor"): table(_POD_MONITOR),
    ("monitoring.coreos.com/v1", "PrometheusRule"): table(_PROMETHEUS_RULE),
    ("external-secrets.io/v1", "ExternalSecret"): table(_EXTERNAL_SECRET),
}

# The metadata of KEDA's triggers is a free map in its definition; these are the names it reads.
TRIGGER_METADATA = {
    "kafka": {
        "bootstrapServers", "consumerGroup", "topic", "partitionLimitation", "lagThreshold",
        "activationLagThreshold", "offsetResetPolicy", "allowIdleConsumers",
        "excludePersistentLag", "scaleToZeroOnInvalidOffset", "limitToPartitionsWithLag",
        "ensureEvenDistributionOfPartitions", "fullMetadata", "version", "tls", "unsafeSsl",
        "sasl", "saslTokenProvider", "awsRegion",
    },
    "cpu": {"value", "containerName"},
}  # fmt: skip
TRIGGER_SECRETS = {"username", "password", "ca", "cert", "key", "keyPassword", "sasl", "tls"}


def problems(manifest: Manifest) -> list[str]:
    """What the API server would refuse, and names in KEDA's free maps that KEDA does not read."""
    spec = SPECS[manifest["apiVersion"], manifest["kind"]]
    found = list(_check(manifest["spec"], spec, "spec"))
    for trigger in manifest["spec"].get("triggers", ()):
        known = TRIGGER_METADATA.get(trigger["type"], set())
        found += [f"spec.triggers: {key} unknown" for key in trigger["metadata"].keys() - known]
        texts = trigger["metadata"].values()
        found += [f"spec.triggers: {text!r} is no text" for text in texts if type(text) is not str]
    if manifest["kind"] == "TriggerAuthentication":
        given = {item["parameter"] for item in manifest["spec"].get("secretTargetRef", ())}
        found += [f"spec.secretTargetRef: {key} unknown" for key in given - TRIGGER_SECRETS]
    return found


def _check(value: Any, spec: Field, at: str) -> Iterator[str]:
    if not _is(value, spec.type):
        yield f"{at}: {value!r} is no {spec.type}"
        return
    if not spec.below:
        return
    for item in value if isinstance(value, list) else [value]:
        for key, inner in item.items():
            if key not in spec.below:
                yield f"{at}: {key} unknown"
            else:
                yield from _check(inner, spec.below[key], f"{at}.{key}")
        missing = {key for key, entry in spec.below.items() if entry.required} - item.keys()
        for key in sorted(missing):
            yield f"{at}: {key} missing"


def _is(value: object, kind: str) -> bool:
    if kind == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[kind])
