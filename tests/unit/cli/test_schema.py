"""``schema``: files for producers."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Run


def test_schemas_are_written_where_told(forwarder: Run, home: Path) -> None:
    ended = forwarder("schema", "--out", "a/b")
    assert ended.code == 0
    written = [home / line for line in ended.out.splitlines()]
    assert all(path.is_file() and path.is_relative_to(home / "a/b") for path in written)
    assert any(path.suffix == ".json" for path in written)


def test_a_place_that_cannot_be_written(forwarder: Run, home: Path) -> None:
    (home / "file").write_text("")
    ended = forwarder("schema", "--out", "file")
    assert ended.code == 1
    assert ended.err == (
        "error: file: cannot be written: File exists\n    name a directory that you may write to\n"
    )
