"""The languages that snippets are written in, as far as this machine has them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.broker import ROOT, jars
from tests.support.tools import find_tool

CACHE = ROOT / ".cache" / "snippets"
KAFKAJS = "kafkajs@2.2.4"
FRANZ_GO = "github.com/twmb/franz-go/pkg/kgo@v1.19.5"
_PATIENCE = 240


class Runtime(NamedTuple):
    """``programs`` are needed. ``kinds`` of events that are tried: of languages that take their
    time to compile, not all.
    """

    programs: tuple[str, ...]
    kinds: tuple[str, ...] = ("native", "ga4", "segment")


RUNTIMES = {
    "python": Runtime(()),
    "node": Runtime(("node", "npm")),
    "java": Runtime(("java", "mvn"), ("native", "ga4")),
    "go": Runtime(("go",), ("ga4",)),
}


def missing(language: str) -> list[str]:
    """Programs that are not there."""
    return [program for program in RUNTIMES[language].programs if find_tool(program) is None]


def run(language: str, snippets: Path, bootstrap: str) -> str:
    """What the snippet prints when it is run as its first lines say."""
    command = _COMMANDS[language](snippets)
    return _output(command, snippets, {"KAFKA_BOOTSTRAP": bootstrap})


def _python(_: Path) -> Sequence[str]:
    return [sys.executable, "publish.py"]


def _node(snippets: Path) -> Sequence[str]:
    folder = CACHE / "node"
    with _once(folder):
        if not (folder / "node_modules" / "kafkajs").is_dir():
            (folder / "package.json").write_text('{"private": true}')
            _output(["npm", "install", "--no-audit", "--no-fund", KAFKAJS], folder, {})
    (snippets / "node_modules").symlink_to(folder / "node_modules")
    return ["node", "publish.mjs"]


def _java(snippets: Path) -> Sequence[str]:
    (snippets / "lib").symlink_to(jars())
    return ["java", "-cp", "lib/*", "Publish.java"]


def _go(snippets: Path) -> Sequence[str]:
    with _once(CACHE / "go"):
        if not (snippets / "go.mod").exists():
            _output(["go", "mod", "init", "publish"], snippets, {})
            _output(["go", "get", FRANZ_GO], snippets, {})
        _output(["go", "build", "publish.go"], snippets, {})
    return ["./publish"]


_COMMANDS = {"python": _python, "node": _node, "java": _java, "go": _go}


@contextmanager
def _once(folder: Path) -> Iterator[None]:
    """Only one run of the tests at a time fills a cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _output(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    caches = {
        "GOPATH": str(CACHE / "go"),
        "GOCACHE": str(CACHE / "go" / "build"),
        "GOFLAGS": "-modcacherw",
        "npm_config_cache": str(CACHE / "npm"),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **caches, **env},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout
