"""``validate``: each wrong line with its field and rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, event, jsonl


def test_right_events_are_silent(forwarder: Run, home: Path) -> None:
    (home / "events.jsonl").write_bytes(jsonl(event(currency="USD"), event(currency="EUR")))
    ended = forwarder("validate", "events.jsonl")
    assert (ended.code, ended.out, ended.err) == (0, "", "2 events, 0 wrong\n")


def test_each_wrong_line_names_field_and_rule(forwarder: Run) -> None:
    wrong = event(currency="USD", value=-1, event_time="2009-01-01T00:00:00Z")
    ended = forwarder("validate", stdin=b"\n" + jsonl(event(currency="USD"), wrong))
    assert ended.code == 3
    told = ended.out.splitlines()
    assert len(told) == 2
    assert any(line.startswith("line 3: event_time: ") for line in told)
    assert any(line.startswith("line 3: value: ") for line in told)
    assert ended.err == "2 events, 1 wrong\n"


def test_a_broken_line_does_not_hide_the_others(forwarder: Run) -> None:
    ended = forwarder("validate", "-", stdin=b'{"a":\n[1]\n\x00\xff\n' + jsonl({}))
    assert ended.code == 3
    told = ended.out.splitlines()
    assert {line.split(":")[0] for line in told} == {"line 1", "line 2", "line 3", "line 4"}
    assert any(line.startswith("line 4: event_id: ") for line in told)


def test_a_line_of_2_mb_is_too_long(forwarder: Run) -> None:
    ended = forwarder("validate", stdin=jsonl(event(currency="USD", description="a" * 2_000_000)))
    assert ended.code == 3
    assert ended.out.startswith("line 1: ")
    assert len(ended.out) < 200


def test_unknown_fields_are_wrong_only_when_strict(forwarder: Run) -> None:
    lines = jsonl(event(currency="USD", vlaue=1, user={"mail": "x"}))
    assert forwarder("validate", stdin=lines).code == 0
    ended = forwarder("validate", "--strict", stdin=lines)
    assert ended.code == 3
    assert sorted(ended.out.splitlines()) == [
        "line 1: user.mail: unknown field",
        "line 1: vlaue: unknown field",
    ]


def test_a_field_that_is_left_out_is_mentioned(forwarder: Run) -> None:
    ended = forwarder("validate", stdin=jsonl(event(currency="USD", user={"email": "hush"})))
    assert ended.code == 0
    assert "line 1: user.email: not in a form that can be used, so it is left out" in ended.err
    assert "hush" not in ended.err


def test_settings_give_default_currencies(forwarder: Run, settings: Path) -> None:
    lines = jsonl(event())
    assert forwarder("validate", "--config", str(settings), stdin=lines).code == 0
    ended = forwarder("validate", stdin=lines)
    assert ended.code == 3
    assert ended.out.startswith("line 1: currency: ")


def test_json_has_the_form_of_preview(forwarder: Run) -> None:
    ended = forwarder("validate", "--json", stdin=jsonl(event(currency="USD"), event()))
    assert ended.code == 3
    (told,) = ended.json()
    assert (told["line"], told["outcome"]) == (2, "invalid")
    assert [error["path"] for error in told["errors"]] == ["currency"]


def test_no_input_is_no_mistake(forwarder: Run) -> None:
    assert forwarder("validate").err == "0 events, 0 wrong\n"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (b'{\n"event_id": "e1"\n}\n', "each event must be on one line: jq -c . FILE"),
        (b'[{"event_id": "e1"}]\n', "each event must be on a line of its own: jq -c '.[]' FILE"),
        ('{"event_id": "e1"}\n'.encode("utf-16"), "the file is UTF-16: save it as UTF-8"),
    ],
)
def test_a_file_in_another_shape_is_told_once(forwarder: Run, given: bytes, hint: str) -> None:
    ended = forwarder("validate", stdin=given)
    assert ended.code == 3
    assert ended.err.count(hint) == 1
