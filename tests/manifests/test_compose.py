"""compose.yaml, read where there is no Docker: files exist, settings load, ports agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from forwarder.sandbox.settings_sample import sample_settings
from forwarder.settings import load
from tests.manifests.loaded import memory_needed, stop_seconds
from tests.manifests.objects import ROOT
from tests.manifests.pods import understood

SETTINGS = ROOT / "compose/settings.yaml"
Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    found: dict[str, Service] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def bind_mounts(service: Service) -> dict[str, str]:
    """Path in the repository -> path in the container."""
    pairs = [volume.split(":") for volume in service.get("volumes", ())]
    return {pair[0]: pair[1] for pair in pairs if pair[0].startswith("./")}


def test_it_has_the_broker_the_sandbox_the_worker_and_both_views(
    services: dict[str, Service],
) -> None:
    assert services.keys() == {"kafka", "sandbox", "worker", "prometheus", "grafana"}


def test_every_image_is_an_exact_version(services: dict[str, Service]) -> None:
    for title, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), title


def test_ports_are_open_to_this_machine_only(services: dict[str, Service]) -> None:
    for title, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{title}: {port}"


def test_mounted_files_exist_and_are_read_only(services: dict[str, Service]) -> None:
    for title, service in services.items():
        for source in bind_mounts(service):
            assert (ROOT / source).is_file(), f"{title}: {source}"
            assert any(volume.startswith(source) and volume.endswith(":ro")
                       for volume in service["volumes"]), f"{title}: {source}"  # fmt: skip


@pytest.mark.parametrize("title", ["worker", "sandbox"])
def test_ours_run_without_rights(services: dict[str, Service], title: str) -> None:
    service = services[title]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_settings_load_and_lead_to_the_services(services: dict[str, Service]) -> None:
    settings = load(SETTINGS, {})
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"PLAINTEXT://{settings.kafka.bootstrap_servers}" in listeners
    command = services["sandbox"]["command"]
    port = command[command.index("--port") + 1]
    for account in settings.accounts.values():
        assert account.base_url == f"http://sandbox:{port}/{account.destination}"


def test_the_sandbox_knows_the_accounts(tmp_path: Path) -> None:
    sample = tmp_path / "settings.yaml"
    sample.write_text(sample_settings("http://sandbox:8900"))
    wanted = load(sample, {}).accounts
    found = load(SETTINGS, {}).accounts
    assert found.keys() == wanted.keys()
    for name, account in found.items():
        extra = {"advertiser_api_key"}
        assert account.model_dump(exclude=extra) == wanted[name].model_dump(exclude=extra)


@pytest.mark.parametrize("title", ["worker", "sandbox"])
def test_commands_are_understood(services: dict[str, Service], title: str) -> None:
    assert understood(services[title]["command"])


def test_the_worker_has_time_to_drain_and_room_for_its_memory(
    services: dict[str, Service],
) -> None:
    settings, worker = load(SETTINGS, {}), services["worker"]
    assert float(worker["stop_grace_period"].removesuffix("s")) > stop_seconds(settings)
    assert worker["mem_limit"] == "1g"
    assert memory_needed(settings) <= 1 << 30


def test_prometheus_scrapes_the_worker_and_grafana_asks_prometheus() -> None:
    scrape = yaml.safe_load((ROOT / "compose/prometheus.yml").read_text())["scrape_configs"]
    targets = [config["targets"] for config in scrape[0]["static_configs"]]
    assert targets == [[f"worker:{load(SETTINGS, {}).ops.address[1]}"]]
    source = yaml.safe_load((ROOT / "compose/grafana/datasource.yaml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_grafana_finds_the_dashboard_where_it_is_mounted(services: dict[str, Service]) -> None:
    provider = yaml.safe_load((ROOT / "compose/grafana/dashboards.yaml").read_text())["providers"]
    mounted = bind_mounts(services["grafana"])["./k8s/components/monitoring/dashboard.json"]
    assert str(Path(mounted).parent) == provider[0]["options"]["path"]
