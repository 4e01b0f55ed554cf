"""Whatever a settings file holds, it is read as text, and everything has a place."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given
from hypothesis import strategies as st

from forwarder.settings import Problem, SettingsProblems, load
from forwarder.settings.yaml_tree import At, Tree, Value, read, scalar

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
KEYS = TEXT.filter(lambda key: key != "<<")
VALUES = st.recursive(
    TEXT, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3)
)
TREES = st.dictionaries(KEYS, VALUES, max_size=4)


def paths(value: Value, at: At = ()) -> list[At]:
    if isinstance(value, dict):
        return [p for key, below in value.items() for p in ((*at, key), *paths(below, (*at, key)))]
    if isinstance(value, list):
        return [p for i, below in enumerate(value) for p in ((*at, i), *paths(below, (*at, i)))]
    return []


@given(TREES)
def test_quoted_text_comes_back_as_it_is_with_places(tree: Tree) -> None:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "settings.yaml"
        file.write_text(yaml.safe_dump(tree, default_style='"', allow_unicode=True), "utf-8")
        document = read(file)
    assert document.problems == []
    assert document.tree == tree
    assert set(document.places) == set(paths(tree))


@given(
    st.sampled_from(
        ["yes", "No", "ON", "0x1f", "1_000", "1e3", ".inf", "12:30:45", "0o17", "True", "FALSE"]
    )
)
def test_what_yaml_would_guess_stays_text(word: str) -> None:
    assert scalar(word) == word
    with TemporaryDirectory() as directory:
        file = Path(directory) / "settings.yaml"
        file.write_text(f"a: {word}\n{word}: b\n")
        assert read(file).tree == {"a": word, word: "b"}


@given(st.binary(max_size=200) | TREES.map(lambda tree: yaml.safe_dump(tree).encode()))
def test_any_file_is_read_or_told_about(content: bytes) -> None:
    """Never a traceback: either settings, or problems with a place and a rule each."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "settings.yaml"
        file.write_bytes(content)
        found = problems(file)
    assert all(problem.place.startswith(str(file)) and problem.rule for problem in found)


def problems(file: Path) -> tuple[Problem, ...]:
    try:
        load(file, {})
    except SettingsProblems as told:
        return told.problems
    return ()
