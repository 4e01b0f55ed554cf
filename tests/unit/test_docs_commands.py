"""Each path of the quickstart, command by command, as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.console import Step, play, sections

ROOT = Path(__file__).parents[2]
SECTIONS = sections(ROOT / "docs" / "quickstart.md")
PATHS = [name for name in SECTIONS if name.startswith("I have ")]


def test_there_are_three_paths() -> None:
    assert PATHS == ["I have GA4", "I have Segment or RudderStack", "I have my own events"]


@pytest.mark.parametrize("name", PATHS)
def test_a_path_runs_as_it_stands_there(name: str, tmp_path: Path) -> None:
    assert play(SECTIONS[name], tmp_path, {}) == []


def test_the_first_answer_takes_at_most_five_commands() -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text()
    commands = page.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert len(commands) <= 5
    assert commands[0].startswith("git clone ")
    assert "preview" in commands[-1]


def test_the_first_answer_is_what_tiktok_would_receive(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text()
    commands = page.partition("```sh\n")[2].partition("```")[0].splitlines()
    steps = [Step(line, ()) for line in commands if line.startswith("forwarder ")]
    told = Step(steps[-1].command, ('..."outcome":"request"..."event":"Purchase"...',))
    assert play([*steps[:-1], told], tmp_path, {}) == []


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("echo one; echo two", ("two", "one")), "does not print: one"),
        (Step("echo one", ("on",)), "does not print: on"),
        (Step("false", ()), "ended with 1"),
        (Step("exit 0", ()), "was never run"),
        (Step("echo a  b", ("a b",)), None),
        (Step("echo one two three", ("one...three",)), None),
        (Step("cat <<'END'\nx\nEND", ("x",)), None),
    ],
)
def test_the_comparison_can_fail(step: Step, said: str | None, tmp_path: Path) -> None:
    found = play([step], tmp_path, {})
    assert [said in one for one in found if said] == ([True] if said else [])
    assert bool(found) == bool(said)
