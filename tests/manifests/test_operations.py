"""docs/operations.md and docs/security.md say what is so: paths, commands, arithmetic, rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from forwarder.kafka import topics
from tests.manifests.loaded import MIB, load_files, memory_needed, stop_seconds
from tests.manifests.objects import K8S, ROOT
from tests.manifests.pods import understood

OPERATIONS = (ROOT / "docs/operations.md").read_text()
SECURITY = (ROOT / "docs/security.md").read_text()
README = (ROOT / "README.md").read_text()
BASE = K8S / "base/shared/settings"
SETTINGS = load_files({file.name: file.read_text() for file in BASE.glob("*.yaml")}, {})


def commands(text: str) -> Iterator[str]:
    """Every `forwarder ...` in code, be it in a line or in a block."""
    for code in re.findall(r"`(forwarder [a-z][^`]*)`", text):
        yield " ".join(code.split())
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        yield from re.findall(r"^(?:.* -- )?(forwarder [^|>\n]+)", block, re.MULTILINE)


@pytest.mark.parametrize("command", sorted({*commands(OPERATIONS), *commands(SECURITY)}))
def test_commands_are_understood(command: str) -> None:
    assert understood(command.split()[1:]), command


def test_folders_that_are_named_exist() -> None:
    named = set(re.findall(r"k8s/[\w./-]+", OPERATIONS + SECURITY))
    assert len(named) > 5
    for path in named:
        assert (ROOT / path.rstrip(".")).exists(), path


def test_the_longest_stop_is_what_the_code_allows() -> None:
    said = re.search(r"\*\*(\d+)\*\* \|", OPERATIONS)
    assert said is not None
    assert float(said[1]) == stop_seconds(SETTINGS)
    grown = SETTINGS.delivery.model_copy(update={"request_timeout": 30.0})
    assert stop_seconds(SETTINGS.model_copy(update={"delivery": grown})) < 75


def test_the_memory_that_is_promised_is_what_the_limit_is_checked_against() -> None:
    assert "destinations that is 672 MiB" in OPERATIONS
    assert memory_needed(SETTINGS) == 672 * MIB


def test_the_disk_example_adds_up() -> None:
    rows = re.findall(r"^\| .+ \| (\d+) \| ([\d.]+) \| ([\d,]+) \|$", OPERATIONS, re.MULTILINE)
    assert len(rows) == 6
    day = 100 * 86_400 * 800 * 3 / 1e9
    for days, share, said in rows:
        assert round(day * int(days) * float(share)) == int(said), (days, share)
    together = re.search(r"\| together \| \| \| ([\d,]+) \|", OPERATIONS)
    assert together is not None
    whole = sum(day * int(days) * float(share) for days, share, _ in rows)
    assert round(whole) == int(together[1].replace(",", ""))


class Right(NamedTuple):
    user: str
    kind: str
    pattern: str
    operations: frozenset[str]

    def covers(self, topic: str) -> bool:
        """Whether the pattern means this topic; ``*`` at its end marks a prefix."""
        if self.pattern.endswith("*"):
            return topic.startswith(self.pattern[:-1])
        return topic == self.pattern


def rights(table: str = SECURITY[SECURITY.index("## Kafka access") :]) -> list[Right]:
    """The table of Kafka rights; an empty user is that of the row above."""
    found: list[Right] = []
    user = ""
    for row in re.findall(r"^\|(.*)\|(.*)\|(.*)\|$", table, re.MULTILINE):
        first, resource, operations = (cell.strip() for cell in row)
        user = first.strip("`") or user
        named = re.match(r"(topic|group) `(.+)`", resource)
        if named:
            words = frozenset(re.findall(r"\b[A-Z]\w+", operations))
            found.append(Right(user, named[1], named[2], words))
    return found


PLANNED = [
    spec.name
    for spec in topics.plan("conversions", {"acme-pixel": 86400.0}, events_topic="conversions")
]


@pytest.mark.parametrize("user", ["forwarder-router", "forwarder-sender", "forwarder-operator"])
def test_each_user_sees_every_topic(user: str) -> None:
    """What a user cannot describe looks missing to it, and it would try to create it."""
    for topic in PLANNED:
        mine = [right for right in rights() if right.user == user and right.kind == "topic"]
        assert any("Describe" in right.operations and right.covers(topic) for right in mine), topic


def test_only_the_operator_creates_and_deletes() -> None:
    for right in rights():
        if right.operations & {"Create", "Delete", "AlterConfigs", "Alter"}:
            assert right.user == "forwarder-operator"


def test_a_router_cannot_read_queues_and_a_sender_cannot_read_events() -> None:
    def may(user: str, operation: str, topic: str) -> bool:
        return any(
            right.user == user and operation in right.operations and right.covers(topic)
            for right in rights()
            if right.kind == "topic"
        )

    assert may("forwarder-router", "Read", "conversions")
    assert may("forwarder-router", "Write", "conversions.queue.acme-pixel")
    assert not may("forwarder-router", "Read", "conversions.queue.acme-pixel")
    assert may("forwarder-sender", "Read", "conversions.queue.acme-pixel")
    assert not may("forwarder-sender", "Read", "conversions")
    assert not may("producers", "Read", "conversions")


@pytest.mark.parametrize("role", ["router", "sender"])
def test_the_readme_gives_each_role_the_same_rights(role: str) -> None:
    wanted = {right[1:] for right in rights() if right.user == f"forwarder-{role}"}
    told = [right[1:] for right in rights(README) if right.user == f"run --role {role}"]
    assert len(told) > 5
    assert set(told) == wanted
