"""Mistakes in how pods are built, connected and shut off."""

from __future__ import annotations

from tests.manifests.seeding import (
    Mistake,
    container,
    kafka_trigger,
    one,
    pod,
    rename_settings,
    scaling,
)

MISTAKES = [
    Mistake(
        "a misspelt name that KEDA would ignore",
        lambda o: kafka_trigger(o)["metadata"].update(lagTreshold="10"),
        "schemas",
        "lagTreshold",
    ),
    Mistake(
        "a disruption budget of nobody",
        lambda o: one(o, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "forwarder"}
        ),
        "selectors",
        "0 Deployments",
    ),
    Mistake(
        "a selector that misses its pods",
        lambda o: one(o, "Deployment")["spec"]["selector"]["matchLabels"].update(
            {"app.kubernetes.io/name": "forwarders"}
        ),
        "selectors",
        "does not select its own pods",
    ),
    Mistake(
        "a router that selects senders too",
        lambda o: one(o, "Deployment", "forwarder-router")["spec"]["selector"]["matchLabels"].pop(
            "app.kubernetes.io/component"
        ),
        "selectors",
        "forwarder-sender too",
        "overlays/split-roles",
    ),
    Mistake(
        "a spread by others' labels",
        lambda o: pod(o)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "sender"}
        ),
        "selectors",
        "spreads over",
    ),
    Mistake(
        "a monitor that misses the pods",
        lambda o: one(o, "PodMonitor")["spec"]["selector"]["matchExpressions"][0].update(
            values=["sender"]
        ),
        "monitors",
        "misses",
    ),
    Mistake(
        "a monitor of a port that is not there",
        lambda o: one(o, "PodMonitor")["spec"]["podMetricsEndpoints"][0].update(port="metrics"),
        "monitors",
        "no port metrics",
    ),
    Mistake(
        "a service that leads nowhere",
        lambda o: one(o, "Service", "sandbox")["spec"]["ports"][0].update(targetPort="web"),
        "selectors",
        "port web",
        "overlays/demo",
    ),
    Mistake(
        "a policy of nobody",
        lambda o: one(o, "NetworkPolicy", "allow-metrics")["spec"]["podSelector"][
            "matchLabels"
        ].update({"app.kubernetes.io/name": "worker"}),
        "selectors",
        "selects no pod",
    ),
    Mistake(
        "no default deny",
        lambda o: o.remove(one(o, "NetworkPolicy", "default-deny")),
        "network",
        "denies everything",
    ),
    Mistake(
        "a default deny with a hole",
        lambda o: one(o, "NetworkPolicy", "default-deny")["spec"].update(egress=[{}]),
        "network",
        "allows something to every pod",
    ),
    Mistake(
        "Kafka out of reach",
        lambda o: one(o, "NetworkPolicy", "allow-kafka")["spec"]["egress"][0]["ports"][0].update(
            port=9093
        ),
        "network",
        "port 9092",
    ),
    Mistake(
        "routers on the internet",
        lambda o: one(o, "NetworkPolicy", "allow-vendors")["spec"]["podSelector"].pop(
            "matchExpressions"
        ),
        "network",
        "without sending",
        "overlays/split-roles",
    ),
    Mistake(
        "a Secret under another name",
        lambda o: one(o, "ExternalSecret", "forwarder-kafka")["spec"]["target"].update(name="kfk"),
        "references",
        "no Secret forwarder-kafka",
    ),
    Mistake(
        "settings under a fixed name",
        lambda o: rename_settings(o, "forwarder-settings"),
        "references",
        "no hash",
    ),
    Mistake(
        "a ServiceAccount that is not there",
        lambda o: pod(o).update(serviceAccountName="admin"),
        "references",
        "ServiceAccount admin",
    ),
    Mistake(
        "a volume that is not mounted",
        lambda o: container(o)["volumeMounts"].pop(),
        "references",
        "both declared and mounted",
    ),
    Mistake(
        "a token in the pod",
        lambda o: pod(o).pop("automountServiceAccountToken"),
        "security",
        "automountServiceAccountToken",
    ),
    Mistake(
        "variables of every Service",
        lambda o: pod(o).pop("enableServiceLinks"),
        "security",
        "enableServiceLinks",
    ),
    Mistake(
        "root allowed",
        lambda o: pod(o)["securityContext"].pop("runAsNonRoot"),
        "security",
        "runAsNonRoot",
    ),
    Mistake(
        "no seccomp profile",
        lambda o: pod(o)["securityContext"].pop("seccompProfile"),
        "security",
        "seccompProfile",
    ),
    Mistake(
        "a writable root",
        lambda o: container(o)["securityContext"].pop("readOnlyRootFilesystem"),
        "security",
        "readOnlyRootFilesystem",
    ),
    Mistake(
        "capabilities kept",
        lambda o: container(o)["securityContext"].pop("capabilities"),
        "security",
        "capabilities.drop",
    ),
    Mistake(
        "a job that may become more than it is",
        lambda o: container(o, "Job")["securityContext"].update(allowPrivilegeEscalation=True),
        "security",
        "allowPrivilegeEscalation",
        "jobs/replay",
    ),
    Mistake(
        "the newest image",
        lambda o: container(o).update(image="registry.example.com/conversion-forwarder:latest"),
        "images",
        "not pinned",
    ),
    Mistake(
        "an image without a tag",
        lambda o: container(o).update(image="registry.example.com/conversion-forwarder"),
        "images",
        "not pinned",
    ),
    Mistake(
        "an old image",
        lambda o: container(o).update(image="registry.example.com/conversion-forwarder:0.0.1"),
        "images",
        "not version",
    ),
    Mistake(
        "no liveness probe",
        lambda o: container(o).pop("livenessProbe"),
        "probes",
        "livenessProbe",
    ),
    Mistake(
        "readiness asked where only life shows",
        lambda o: container(o)["readinessProbe"]["httpGet"].update(path="/healthz"),
        "probes",
        "/readyz",
    ),
    Mistake(
        "a probe of another port",
        lambda o: container(o)["startupProbe"]["httpGet"].update(port="http"),
        "probes",
        "port http",
    ),
    Mistake(
        "no memory limit",
        lambda o: container(o, "Job")["resources"].pop("limits"),
        "resources",
        "no memory limit",
        "jobs/topics",
    ),
    Mistake(
        "a CPU limit",
        lambda o: container(o)["resources"]["limits"].update(cpu="1"),
        "resources",
        "CPU limit",
    ),
    Mistake(
        "a namespace that lets anything run",
        lambda o: one(o, "Namespace")["metadata"]["labels"].clear(),
        "namespace",
        "restricted",
    ),
    Mistake(
        "an object in another namespace",
        lambda o: one(o, "PodMonitor")["metadata"].update(namespace="default"),
        "namespace",
        "PodMonitor",
    ),
    Mistake(
        "a field that Kubernetes does not know",
        lambda o: pod(o).update(terminationGracePeriod=75),
        "schemas",
        "terminationGracePeriod",
    ),
    Mistake(
        "a field that KEDA does not know",
        lambda o: scaling(o).update(minReplicas=2),
        "schemas",
        "minReplicas",
    ),
    Mistake(
        "a required field left out",
        lambda o: one(o, "ExternalSecret")["spec"]["data"][0].pop("remoteRef"),
        "schemas",
        "remoteRef missing",
    ),
    Mistake(
        "a field of the wrong type",
        lambda o: one(o, "PodMonitor")["spec"]["podMetricsEndpoints"][0].update(interval=15),
        "schemas",
        "interval",
    ),
    Mistake(
        "a kind that nobody knows",
        lambda o: one(o, "PodDisruptionBudget").update(kind="PodDisruptionBudgets"),
        "schemas",
        "no schema",
    ),
]
