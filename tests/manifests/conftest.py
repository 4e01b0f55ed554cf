"""Renders each folder of k8s/ once; says so where nothing here can render."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.manifests.objects import K8S, Manifest, can_render, install_kustomize, render

HERE = Path(__file__).parent
NOT_RUN = pytest.StashKey[int]()
LINE = "tests that render k8s/ were NOT RUN: install Go, or kustomize v5 on the path"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without kustomize and Go the rendering tests are left out, and the summary says so; with
    ``CI=true`` they stay in, and fail.
    """
    if can_render() or os.environ.get("CI") == "true":
        return
    gone = [
        item
        for item in items
        if HERE in item.path.parents and "rendered" in getattr(item, "fixturenames", ())
    ]
    config.stash[NOT_RUN] = len(gone)
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := config.stash.get(NOT_RUN, 0):
        terminalreporter.write_line(f"{count} {LINE}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def rendered() -> Callable[[str], list[Manifest]]:
    """Objects of a folder below k8s/, by its name; each is rendered once."""
    assert can_render(), f"this machine can render no manifests ({LINE})"
    kustomize = install_kustomize()
    done: dict[str, list[Manifest]] = {}

    def get(folder: str) -> list[Manifest]:
        if folder not in done:
            done[folder] = render(kustomize, K8S / folder)
        return done[folder]

    return get
