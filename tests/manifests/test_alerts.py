"""The alert rules ask for what is exported and say what to do. Whether they fire: ``promtool/``."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from forwarder.ops.logs import ACTIONS
from tests.manifests import promql
from tests.manifests.alert_cases import CASES
from tests.manifests.crds import problems as structure
from tests.manifests.objects import K8S, ROOT

Rule = dict[str, Any]

FILE = K8S / "components/monitoring/prometheus-rules.yaml"
MANIFEST = yaml.safe_load(FILE.read_text())
RULES: list[Rule] = [rule for group in MANIFEST["spec"]["groups"] for rule in group["rules"]]
BY_NAME = {rule["alert"]: rule for rule in RULES}
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
WANTED = {
    "ForwarderExpirySoon",
    "ForwarderCommitsStalled",
    "ForwarderDeadLetterWritesFailing",
    "ForwarderBreakerOpen",
    "ForwarderInvalidRatioHigh",
    "ForwarderThrottled",
    "ForwarderRetriesOverdue",
    "ForwarderEventsLagGrowing",
    "ForwarderTestCodeActive",
    "ForwarderNoProgress",
}


def unknown(rules: list[Rule]) -> list[str]:
    """What the rules ask for and the forwarder does not export."""
    return [f"{rule['alert']}: {p}" for rule in rules for p in promql.problems(rule["expr"])]


def undocumented(rules: list[Rule], runbook: str) -> list[str]:
    """Rules whose section is missing in the runbook, or whose link leads elsewhere."""
    sections = set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE))
    found = [rule["alert"] for rule in rules if rule["alert"] not in sections]
    return found + [
        f"{rule['alert']} links elsewhere"
        for rule in rules
        if rule["annotations"]["runbook_url"] != f"docs/runbook.md#{rule['alert'].lower()}"
    ]


def test_the_rules_fit_their_definition() -> None:
    assert structure(MANIFEST) == []


def test_what_must_be_alerted_is() -> None:
    assert BY_NAME.keys() >= WANTED
    assert len(BY_NAME) == len(RULES)


def test_every_rule_asks_for_what_is_exported() -> None:
    assert unknown(RULES) == []


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("forwarder_waitng > 0", "unknown metric forwarder_waitng"),
        ('forwarder_waiting{acount="a"} > 0', "forwarder_waiting has no label acount"),
        ("sum by (vendor) (forwarder_waiting)", "no metric here has the label vendor"),
        ("rate(forwarder_waiting[5m]) > 0", "rate of the gauge forwarder_waiting"),
        ("forwarder_request_seconds > 1", "unknown metric forwarder_request_seconds"),
        ("vector(1)", "asks for no metric"),
    ],
)
def test_a_mistake_in_an_expression_is_caught(expression: str, mistake: str) -> None:
    rule = {"alert": "X", "expr": expression}
    assert unknown([rule]) == [f"X: {mistake}"]


@pytest.mark.parametrize("rule", RULES, ids=list(BY_NAME))
class TestText:
    def test_it_says_who_why_and_what_to_do(self, rule: Rule) -> None:
        annotations = rule["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url"}
        assert len(annotations["summary"]) <= 120
        assert len(annotations["description"].split()) >= 25
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["for"]

    def test_it_names_what_it_is_grouped_by(self, rule: Rule) -> None:
        grouped = re.match(r"(?:sum|max|min) by \(([^)]*)\)", rule["expr"].strip())
        labels = set(grouped[1].split(", ")) if grouped else set()
        text = " ".join(rule["annotations"].values())
        named = set(re.findall(r"\$labels\.(\w+)", text))
        assert named <= labels, "a label in the text that the alert does not have"
        assert labels - {"namespace"} <= named, "a label of the alert that its text does not name"


def test_every_alert_has_its_section_in_the_runbook() -> None:
    assert undocumented(RULES, RUNBOOK) == []
    assert undocumented(RULES, RUNBOOK.replace("## ForwarderThrottled", "## Throttling")) == [
        "ForwarderThrottled"
    ]


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    sections = set(re.findall(r"^## (Forwarder\w+)$", RUNBOOK, re.MULTILINE))
    assert sections == BY_NAME.keys()


def test_the_runbook_names_metrics_and_actions_that_exist() -> None:
    for name in re.findall(r"`(forwarder_\w+)`", RUNBOOK):
        assert list(promql.problems(name)) == []
    for name in ("breaker_opened", "kafka_refused", "partitions_assigned"):
        assert f"`{name}`" in RUNBOOK
        assert name in ACTIONS


def test_the_runbook_links_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_every_alert_is_tried_both_ways() -> None:
    firing = {case.alert for case in CASES if case.fires}
    silent = {case.alert for case in CASES if not case.fires}
    assert firing == silent == BY_NAME.keys()
