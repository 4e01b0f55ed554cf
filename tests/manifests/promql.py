"""What a PromQL expression refers to, and whether the forwarder exports it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from forwarder.ops.catalogue import CATALOGUE, Kind, MetricDef

TARGET_LABELS: Final = {"namespace", "instance", "pod", "job"}
"""What Prometheus itself knows of a target."""

_SERIES: Final = {series: metric for metric in CATALOGUE for series in metric.series()}
_SELECTOR: Final = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})")
_NAME: Final = re.compile(r"\b(?:forwarder|process|python)_\w+")
_MATCHER: Final = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_FOREIGN: Final = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
_RATED: Final = re.compile(r"\b(?:rate|increase|irate)\(\s*(\w+)")


def metrics(expression: str) -> set[str]:
    """Names of the series in an expression."""
    return set(_NAME.findall(_without_strings(expression)))


def problems(expression: str) -> Iterator[str]:
    """Series, labels and uses that do not fit the catalogue."""
    names = metrics(expression)
    if not names:
        yield "asks for no metric"
    for name in sorted(names - _SERIES.keys() - _FOREIGN):
        yield f"unknown metric {name}"
    known = [_SERIES[name] for name in names & _SERIES.keys()]
    yield from _labels(expression, known)
    for name in _RATED.findall(expression):
        if name in _SERIES and _SERIES[name].kind is Kind.GAUGE:
            yield f"rate of the gauge {name}"


def _labels(expression: str, known: list[MetricDef]) -> Iterator[str]:
    for name, matchers in _SELECTOR.findall(expression):
        if name in _SERIES:
            for label, _, _ in _MATCHER.findall(matchers):
                if label not in _allowed(_SERIES[name]):
                    yield f"{name} has no label {label}"
    anywhere = TARGET_LABELS.union(*(_allowed(metric) for metric in known))
    for group in _GROUPING.findall(_without_strings(expression)):
        for label in filter(None, map(str.strip, group.split(","))):
            if label not in anywhere:
                yield f"no metric here has the label {label}"


def _allowed(metric: MetricDef) -> set[str]:
    buckets = {"le"} if metric.kind is Kind.HISTOGRAM else set()
    return TARGET_LABELS | buckets | set(metric.labels)


def _without_strings(expression: str) -> str:
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"", '""', expression)
