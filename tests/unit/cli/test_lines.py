"""JSON Lines as they come: cut anywhere, too long, blank, without an end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from forwarder.cli.lines import LONGEST, Line, Splitter, lines, opened
from forwarder.problems import Problems


def test_blank_lines_count_but_are_left_out() -> None:
    found = lines(io.BytesIO(b'\n{"a":1}\r\n  \n\t{"b":2}'))
    assert list(found) == [Line(2, b'{"a":1}'), Line(4, b'{"b":2}')]


def test_a_byte_order_mark_is_left_out_at_the_front_only() -> None:
    found = lines(io.BytesIO(b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n"))
    assert [line.value for line in found] == [b"{}", b"\xef\xbb\xbf{}"]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_where_chunks_are_cut_does_not_matter(step: int) -> None:
    text = b"one\n\ntwo\nthree"
    splitter = Splitter()
    found = [
        line for at in range(0, len(text), step) for line in splitter.feed(text[at : at + step])
    ]
    found += splitter.end()
    assert found == [Line(1, b"one"), Line(3, b"two"), Line(4, b"three")]


def test_a_line_without_end_takes_bounded_memory() -> None:
    found = list(lines(io.BytesIO(b"a" * (3 * LONGEST) + b"\nb\n")))
    assert [(line.number, len(line.value), line.cut) for line in found] == [
        (1, LONGEST, True),
        (2, 1, False),
    ]


def test_a_line_of_exactly_the_longest_is_whole() -> None:
    (line,) = lines(io.BytesIO(b"a" * LONGEST + b"\n"))
    assert not line.cut


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("none", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, rule: str) -> None:
    with pytest.raises(Problems) as caught, opened(str(tmp_path / name)):
        pass
    (problem,) = caught.value.problems
    assert problem.place == str(tmp_path / name)
    assert problem.rule == rule
    assert problem.fix == "name a file of JSON Lines, or - for standard input"
