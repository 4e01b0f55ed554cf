"""Tables, where they are read."""

from __future__ import annotations

import sys

import pytest
from rich.text import Text

from forwarder.cli.console import table

COLUMNS = ("account", "condition", "waiting", "owner")
ROWS = [
    ("acme-pixel", "delivering", 12, "sender-tiktok-0 10.1.22.3"),
    ("acme-ttd", "breaker open", 3449, None),
]


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))


def test_a_table_stands_in_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch, 80)
    table("Accounts", COLUMNS, ROWS)
    printed = Text.from_ansi(capsys.readouterr().out).plain
    title, headings, first, second = printed.splitlines()
    assert (title, headings.split()) == ("Accounts", list(COLUMNS))
    assert headings.index("owner") == first.index("sender-") == second.index("-", 12)


def test_where_it_is_too_wide_each_row_names_its_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch, 40)
    table("Accounts", COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "Accounts",
        "acme-pixel: condition delivering,",
        "    waiting 12, owner sender-tiktok-0",
        "    10.1.22.3",
        "acme-ttd: condition breaker open,",
        "    waiting 3449",
    ]


def test_a_column_that_says_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    table("Accounts", COLUMNS, ROWS[1:])
    assert "owner" not in capsys.readouterr().out
