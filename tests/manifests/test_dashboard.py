"""Grafana's dashboard: it asks only for what is exported, and is laid out as Grafana wants it."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from forwarder.ops.catalogue import CATALOGUE
from tests.manifests import promql
from tests.manifests.objects import K8S

Json = dict[str, Any]

DASHBOARD: Json = json.loads((K8S / "components/monitoring/dashboard.json").read_text())
ROWS = ["Overview", "By vendor", "By account", "Kafka and replicas"]
BUILT_IN = {"__rate_interval", "__all"}


def queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Place and text of every query."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in dashboard["annotations"]["list"]:
        yield note["name"], note["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["query"]["query"]


def problems(dashboard: Json) -> Iterator[str]:
    """What would show nothing, or not load."""
    for place, query in queries(dashboard):
        yield from (f"{place}: {problem}" for problem in promql.problems(query))
    known = {variable["name"] for variable in dashboard["templating"]["list"]} | BUILT_IN
    for name in re.findall(r"\$\{?(\w+)", json.dumps(dashboard)):
        if name not in known:
            yield f"unknown variable {name}"
    for number, times in Counter(panel["id"] for panel in dashboard["panels"]).items():
        if times > 1:
            yield f"panel id {number} is used {times} times"
    yield from _layout(dashboard["panels"])


def _layout(panels: list[Json]) -> Iterator[str]:
    for panel in panels:
        box = panel["gridPos"]
        if box["x"] + box["w"] > 24 or min(box.values()) < 0:
            yield f"{panel['title']}: outside the grid"
    for one, other in itertools.combinations(panels, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']} lies over {other['title']}"


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    across = a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
    return across and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def test_every_query_asks_for_what_is_exported() -> None:
    assert list(problems(DASHBOARD)) == []


def test_every_metric_can_be_seen() -> None:
    shown = set().union(*(promql.metrics(query) for _, query in queries(DASHBOARD)))
    for metric in CATALOGUE:
        assert shown & set(metric.series()), f"no panel shows {metric.name}"


def test_it_has_its_four_parts() -> None:
    panels = DASHBOARD["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ROWS
    assert panels[0]["type"] == "row"


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda p: f"{p['id']} {p['title']}")
def test_a_panel_has_what_grafana_reads(panel: Json) -> None:
    assert panel["type"] in {"row", "stat", "timeseries"}
    assert set(panel["gridPos"]) == {"x", "y", "w", "h"}
    if panel["type"] == "row":
        return
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in {
        "short", "s", "ops", "reqps", "percentunit", "bytes",
    }  # fmt: skip
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters) > 0
    for target in panel["targets"]:
        labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
        assert labels <= grouped | promql.TARGET_LABELS, "the legend names a label that is gone"


def test_it_belongs_to_no_instance_of_grafana() -> None:
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"]
    assert DASHBOARD["schemaVersion"] >= 36
    assert "__inputs" not in DASHBOARD


def test_without_a_namespace_label_all_is_shown() -> None:
    """Compose scrapes a fixed target: an absent label must match the variable's `All`."""
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["allValue"] == ".*"
            assert variable["current"]["value"] == "$__all"


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("forwarder_waiting{", "forwarder_waitng{", "unknown metric forwarder_waitng"),
        ('account=~\\"$account\\"', 'acount=~\\"$account\\"', "has no label acount"),
        ("by (destination)", "by (vendor)", "no metric here has the label vendor"),
        ("$destination", "$vendor", "unknown variable vendor"),
        ('"id": 2,', '"id": 3,', "panel id 3 is used 2 times"),
        ('"x": 3,', '"x": 2,', "lies over"),
        ('"w": 24', '"w": 25', "outside the grid"),
    ],
)
def test_a_seeded_mistake_is_caught(old: str, new: str, mistake: str) -> None:
    text = json.dumps(copy.deepcopy(DASHBOARD))
    assert old in text
    found = list(problems(json.loads(text.replace(old, new))))
    assert any(mistake in problem for problem in found), found
