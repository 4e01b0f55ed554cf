"""The Dockerfile and its locks, read where there is no Docker."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.manifests.objects import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """Instructions of each stage; continued lines are joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, " ".join(rest.split())))
    return found


def values(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for found, rest in stage if found == word]


def pins(lock: str) -> dict[str, list[str]]:
    """Requirement (``name==version``) -> its hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found = re.findall(r"^([\w.-]+==[\w.+!-]+)(.*)$", text, re.MULTILINE)
    return {pin: re.findall(r"--hash=sha256:[0-9a-f]{64}", rest) for pin, rest in found}


def test_two_stages_from_the_same_exact_base_the_last_one_slim(
    stages: list[list[tuple[str, str]]],
) -> None:
    bases = [values(stage, "FROM")[0].split(" AS ")[0] for stage in stages]
    assert len(bases) == 2
    assert bases[0] == bases[1].replace("-slim", ""), "what is compiled there runs here"
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases[1])


def test_the_core_is_compiled_where_the_types_of_the_dependencies_are_seen(
    stages: list[list[tuple[str, str]]],
) -> None:
    built = stages[0]
    wheel = next(at for at, (_, rest) in enumerate(built) if "pip wheel" in rest)
    settings = " ".join(rest for word, rest in built[:wheel] if word == "ENV")
    assert "FORWARDER_COMPILE=1" in settings
    assert "PYTHONPATH=/opt/forwarder/lib/python3.11/site-packages" in settings
    assert any(pin.startswith("mypy==") for pin in pins("requirements-build.lock"))


def test_what_is_installed_is_hashed(stages: list[list[tuple[str, str]]]) -> None:
    runs = " && ".join(values(stages[0], "RUN")).split(" && ")
    installs = [run for run in runs if re.search(r"\bpip\b.*\b(install|wheel)\b", run)]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install


def test_the_final_stage_builds_nothing_and_drops_pip(
    stages: list[list[tuple[str, str]]],
) -> None:
    final = stages[1]
    assert values(final, "COPY") == ["--from=build /opt/forwarder /opt/forwarder"]
    assert not values(final, "ADD")
    runs = " ".join(values(final, "RUN"))
    assert "pip uninstall" in runs
    assert not re.search(r"apt-get|pip install|curl|wget", runs)


def test_it_runs_as_a_number_and_takes_signals_itself(
    stages: list[list[tuple[str, str]]],
) -> None:
    final = stages[1]
    user = values(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[0]), "Kubernetes cannot check a name"
    assert len(user) == 1
    after = final[final.index(("USER", user[0])) :]
    assert not values(after, "RUN")
    assert json.loads(values(final, "ENTRYPOINT")[0]) == ["/opt/forwarder/bin/forwarder"]
    assert json.loads(values(final, "CMD")[0]) == ["run"]
    assert values(final, "STOPSIGNAL") == ["SIGTERM"]
    assert values(final, "HEALTHCHECK") == ["NONE"]


def test_it_says_what_it_is(stages: list[list[tuple[str, str]]]) -> None:
    labels = " ".join(values(stages[1], "LABEL"))
    for label in ("title", "description", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    assert f"VERSION={VERSION}" in values(stages[1], "ARG")


def test_every_file_that_is_copied_passes_the_ignore_file(
    stages: list[list[tuple[str, str]]],
) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignore if line and not line.startswith("#")]
    assert rules[0] == "*", "only what is named gets in"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {path for copy in values(stages[0], "COPY") for path in copy.split()[:-1]}
    assert copied == allowed
    for path in copied:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("lock", ["requirements-runtime.lock", "requirements-build.lock"])
def test_locks_pin_and_hash_everything(lock: str) -> None:
    found = pins(lock)
    assert found
    assert all(found.values()), "each with a hash"
    assert "--index-url" not in (ROOT / lock).read_text()


def test_the_image_runs_what_the_tests_ran() -> None:
    """The image's lock is the part of the full lock that the program itself needs."""
    full, runtime = pins("requirements.lock"), pins("requirements-runtime.lock")
    assert runtime.keys() < full.keys()
    assert all(full[pin] == hashes for pin, hashes in runtime.items())
    named = {pin.split("==")[0] for pin in runtime}
    for tool in ("pytest", "mypy", "ruff", "confluent-kafka", "setuptools", "pip"):
        assert tool not in named
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        assert re.split(r"[^\w-]", requirement)[0] in named, requirement
