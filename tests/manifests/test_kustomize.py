"""Every folder of k8s/ that is meant to be applied renders and passes every check."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pytest
import yaml

from forwarder.sandbox import settings_sample
from forwarder.sandbox.settings_sample import sample_settings
from tests.manifests.checks import CHECKS
from tests.manifests.loaded import load_files
from tests.manifests.objects import K8S, Manifest, Workload, forwarders, of_kind, workloads
from tests.manifests.scaling import PARTITIONS

Rendered = Callable[[str], list[Manifest]]

CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule", "ExternalSecret"}
SHARED = {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy"}
BASE = SHARED | {"Deployment", "PodDisruptionBudget"}
KINDS: Mapping[str, set[str]] = {
    "base": BASE,
    "overlays/demo": BASE | {"Service", "Secret"},
    "overlays/production": BASE | CUSTOM,
    "overlays/split-roles": BASE | CUSTOM,
    "jobs/topics": SHARED | {"Job", "ExternalSecret"},
    "jobs/replay": SHARED | {"Job", "ExternalSecret"},
}


def workload(manifests: list[Manifest], name: str) -> Workload:
    return next(w for w in workloads(manifests) if w.manifest["metadata"]["name"] == name)


def test_every_folder_that_can_be_applied_is_checked() -> None:
    applied = {
        str(file.parent.relative_to(K8S))
        for file in [*K8S.glob("overlays/*/*.yaml"), *K8S.glob("jobs/*/*.yaml")]
        if file.name == "kustomization.yaml"
    }
    assert applied | {"base"} == KINDS.keys()


@pytest.mark.parametrize("folder", KINDS)
def test_it_has_what_it_says(rendered: Rendered, folder: str) -> None:
    assert {manifest["kind"] for manifest in rendered(folder)} == KINDS[folder]


@pytest.mark.parametrize("folder", KINDS)
@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong(rendered: Rendered, folder: str, check: str) -> None:
    assert list(CHECKS[check](rendered(folder))) == []


def test_one_deployment_runs_both_roles_unless_they_are_split(rendered: Rendered) -> None:
    whole = forwarders(rendered("overlays/production"))
    assert [w.container["args"] for w in whole] == [["run"]]
    split = {w.component: w.container["args"] for w in forwarders(rendered("overlays/split-roles"))}
    assert split == {"router": ["run", "--role", "router"], "sender": ["run", "--role", "sender"]}


def test_roles_have_kafka_users_of_their_own(rendered: Rendered) -> None:
    users = {
        w.component: w.environment["FORWARDER_KAFKA__SASL_USERNAME"]
        for w in forwarders(rendered("overlays/split-roles"))
    }
    assert users == {"router": "forwarder-router", "sender": "forwarder-sender"}


def test_routers_scale_by_lag_and_senders_by_cpu(rendered: Rendered) -> None:
    scaled = {
        item["spec"]["scaleTargetRef"]["name"]: [t["type"] for t in item["spec"]["triggers"]]
        for item in of_kind(rendered("overlays/split-roles"), "ScaledObject")
    }
    assert scaled == {"forwarder-router": ["kafka"], "forwarder-sender": ["cpu"]}


def test_the_topics_job_makes_as_many_partitions_as_replicas_may_come(rendered: Rendered) -> None:
    args = workload(rendered("jobs/topics"), "forwarder-topics").container["args"]
    assert args[:2] == ["topics", "create"]
    assert args[args.index("--partitions") + 1] == str(PARTITIONS)


def test_a_replay_starts_as_a_dry_run_that_can_be_resumed(rendered: Rendered) -> None:
    args = workload(rendered("jobs/replay"), "forwarder-replay").container["args"]
    assert args[0] == "replay"
    assert "--dry-run" in args
    assert any(argument.startswith("--run-id=") for argument in args)


def test_changed_settings_get_another_name(rendered: Rendered) -> None:
    names = {
        config["metadata"]["name"]
        for folder in ("base", "overlays/demo", "overlays/production")
        for config in of_kind(rendered(folder), "ConfigMap")
        if config["metadata"]["name"].startswith("forwarder-settings-")
    }
    assert len(names) == 3


def test_jobs_and_production_share_their_settings(rendered: Rendered) -> None:
    def settings(folder: str) -> Manifest:
        configs = of_kind(rendered(folder), "ConfigMap")
        return next(c for c in configs if c["metadata"]["name"].startswith("forwarder-settings-"))

    production = settings("overlays/production")
    for folder in ("overlays/split-roles", "jobs/topics", "jobs/replay"):
        assert settings(folder) == production


def test_the_demo_uses_the_accounts_that_the_sandbox_knows(rendered: Rendered) -> None:
    data = of_kind(rendered("overlays/demo"), "ConfigMap")[0]["data"]
    sample = load_files({"sample.yaml": sample_settings("http://sandbox:8900")}, {})
    extra = {"advertiser_api_key", "access_token", "secret_key", "api_key"}
    wanted = {name: a.model_dump(exclude=extra) for name, a in sample.accounts.items()}
    found = load_files(data, {}).accounts
    assert {name: a.model_dump(exclude=extra) for name, a in found.items()} == wanted
    secret = of_kind(rendered("overlays/demo"), "Secret")[0]["data"]
    given = {name: base64.b64decode(text).decode() for name, text in secret.items()}
    assert given == {
        "demo-pixel": settings_sample.PIXEL_TOKEN,
        "demo-ttd": settings_sample.TRADE_DESK_SECRET,
        "demo-thrad": settings_sample.THRAD_KEY,
    }


def test_the_demo_reaches_nothing_outside(rendered: Rendered) -> None:
    for policy in of_kind(rendered("overlays/demo"), "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            blocks = [peer["ipBlock"]["cidr"] for peer in rule.get("to", ()) if "ipBlock" in peer]
            assert blocks in ([], ["169.254.20.10/32"])


def test_the_demo_brings_what_its_settings_lead_to(rendered: Rendered) -> None:
    manifests = rendered("overlays/demo")
    services = {
        f"{service['metadata']['name']}:{port['port']}"
        for service in of_kind(manifests, "Service")
        for port in service["spec"]["ports"]
    }
    settings = load_files(of_kind(manifests, "ConfigMap")[0]["data"], {})
    urls = {urlsplit(account.base_url).netloc for account in settings.accounts.values()}
    assert {settings.kafka.bootstrap_servers} | urls == services


def test_the_dashboard_is_shipped_where_grafana_looks(rendered: Rendered) -> None:
    for folder in ("overlays/production", "overlays/split-roles"):
        labelled = [
            config
            for config in of_kind(rendered(folder), "ConfigMap")
            if config["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        ]
        assert [list(config["data"]) for config in labelled] == [["dashboard.json"]]


def test_no_manifest_holds_a_secret() -> None:
    """Only the demo makes a Secret, of values that its sandbox takes from anybody."""
    for file in K8S.rglob("*.yaml"):
        for manifest in yaml.safe_load_all(file.read_text()):
            assert manifest.get("kind") != "Secret", file
            if "secretGenerator" in manifest:
                assert file == K8S / "overlays/demo/kustomization.yaml"
