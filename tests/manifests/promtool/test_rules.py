"""Prometheus's own tool reads the alert rules, and tries each on series made for it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests.alert_cases import CASES, Case
from tests.manifests.objects import K8S
from tests.manifests.promtool.conftest import MISSING, PROMTOOL

Rule = dict[str, Any]

MANIFEST = yaml.safe_load((K8S / "components/monitoring/prometheus-rules.yaml").read_text())
RULES: list[Rule] = [rule for group in MANIFEST["spec"]["groups"] for rule in group["rules"]]
BY_NAME = {rule["alert"]: rule for rule in RULES}


def summary(rule: Rule, labels: dict[str, str]) -> str:
    return re.sub(r"{{ \$labels\.(\w+) }}", lambda m: labels[m[1]], rule["annotations"]["summary"])


def promtool_test(case: Case, rules: str) -> dict[str, Any]:
    """The case as promtool reads it."""
    rule = BY_NAME[case.alert]
    expected = [
        {
            "exp_labels": rule["labels"] | labels,
            "exp_annotations": {"summary": summary(rule, labels)},
        }
        for labels in case.fires
    ]
    alert = {"eval_time": f"{case.minutes}m", "alertname": case.alert, "exp_alerts": expected}
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "1m", "name": case.what, "input_series": series, "alert_rule_test": [alert]}
    return {"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}


def run_promtool(*arguments: str | Path) -> tuple[bool, str]:
    assert PROMTOOL is not None, MISSING
    done = subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode == 0, done.stdout + done.stderr


def run_case(case: Case, spec: dict[str, Any], folder: Path) -> tuple[bool, str]:
    """Whether the case holds for these rules. Only the summary of their texts is compared: it is
    made of labels alone.
    """
    spec = copy.deepcopy(spec)
    for rule in (rule for group in spec["groups"] for rule in group["rules"]):
        rule["annotations"] = {"summary": rule["annotations"]["summary"]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec))
    (folder / "test.yaml").write_text(yaml.safe_dump(promtool_test(case, "rules.yaml")))
    return run_promtool("test", "rules", folder / "test.yaml")


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(MANIFEST["spec"]))
    passed, said = run_promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    assert passed, said
    assert f"{len(RULES)} rules found" in said


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.what}")
def test_it_fires_when_it_should(case: Case, tmp_path: Path) -> None:
    passed, said = run_case(case, MANIFEST["spec"], tmp_path)
    assert passed, said


@pytest.mark.parametrize("alert", BY_NAME)
def test_a_rule_that_never_fires_is_caught(alert: str, tmp_path: Path) -> None:
    """So that the cases above can fail."""
    case = next(case for case in CASES if case.alert == alert and case.fires)
    spec = copy.deepcopy(MANIFEST["spec"])
    for rule in (rule for group in spec["groups"] for rule in group["rules"]):
        rule["expr"] = "vector(0) > 1"
    assert not run_case(case, spec, tmp_path)[0]


def test_promtool_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    dashboard = json.loads((K8S / "components/monitoring/dashboard.json").read_text())
    queries = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    passed, said = run_promtool("check", "rules", file)
    assert passed, said
    assert f"{len(queries)} rules found" in said
