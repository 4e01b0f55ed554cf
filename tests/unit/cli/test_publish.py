"""``publish``: right lines onto the events topic, by their event_id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from forwarder.cli import publish
from forwarder.cli.incoming import Incoming
from forwarder.cli.lines import LONGEST, Line
from forwarder.cli.publish import Publishing
from forwarder.kafka.memory import MemoryCluster
from tests.unit.cli.conftest import Run, event, jsonl

ANYTHING = Incoming("native", {})


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    made = MemoryCluster(lambda: 0.0)
    made.add_topic("conversions", 3, {"max.message.bytes": "10000000"})
    monkeypatch.setattr(publish, "cluster", lambda _: made.client("cli"))
    return made


def test_events_are_keyed_by_their_id_and_otherwise_unchanged(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    lines = jsonl(*[event(event_id=f"e{n}", foo=n) for n in range(700)])
    ended = forwarder("publish", f"--config={settings}", stdin=b"\n" + lines)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "700 events published to conversions\n"
    records = cluster.records("conversions")
    assert sorted(record.value for record in records if record.value) == sorted(lines.splitlines())
    for record in records:
        assert record.key == json.loads(record.value or b"")["event_id"].encode()
        assert not record.headers


def test_a_file_is_read(forwarder: Run, settings: Path, home: Path, cluster: MemoryCluster) -> None:
    (home / "events.jsonl").write_bytes(jsonl(event()).strip())
    assert forwarder("publish", "events.jsonl", f"--config={settings}").code == 0
    assert len(cluster.records("conversions")) == 1


def test_wrong_lines_are_left_out_and_told(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    lines = b"nonsense\n" + jsonl(event(), event(value=-1))
    ended = forwarder("publish", f"--config={settings}", stdin=lines)
    assert ended.code == 3
    first, second = ended.out.splitlines()
    assert first.startswith("line 1: $: ")
    assert second.startswith("line 3: value: ")
    assert ended.err == "1 event published to conversions\n2 lines left out\n"
    assert len(cluster.records("conversions")) == 1


def test_without_validation_everything_goes_but_what_is_cut(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    half = rb'{"event_id": "e2", "description": "\ud83d"}'
    lines = b'nonsense\n{"event_id": "e1"}\n{"event_id": 1}\n[]\n' + half + b"\n"
    lines += b"a" * (LONGEST + 1)
    ended = forwarder("publish", "--no-validate", f"--config={settings}", stdin=lines)
    assert ended.code == 3
    assert ended.out == f"line 6: $: longer than {LONGEST} bytes\n"
    keys = {record.value: record.key for record in cluster.records("conversions")}
    assert keys == {
        b"nonsense": None,
        b'{"event_id": "e1"}': b"e1",
        b'{"event_id": 1}': None,
        b"[]": None,
        half: b"e2",
    }


def test_the_events_topic_must_exist(
    forwarder: Run, settings: Path, cluster: MemoryCluster
) -> None:
    cluster.delete_topic("conversions")
    ended = forwarder("publish", f"--config={settings}", stdin=jsonl(event()))
    assert ended.code == 1
    assert ended.err == (
        "0 events published to conversions\n"
        f"error: {settings} kafka.events_topic: "
        "the cluster has no topic conversions that this principal can see\n"
        "    create it with forwarder topics create\n"
    )


def test_a_failure_names_the_line_up_to_which_all_is_published(
    forwarder: Run, settings: Path, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(Publishing):
        async def _pace(self) -> None:
            if self.line == 500:
                cluster.refuse("conversions")

    monkeypatch.setattr(publish, "Publishing", Refusing)
    lines = jsonl(*[event(event_id=f"e{n}") for n in range(600)])
    ended = forwarder("publish", f"--config={settings}", stdin=lines)
    assert ended.code == 1
    assert ended.err.startswith(
        "500 events published to conversions\nerror: kafka localhost:9092: "
    )
    assert "; published up to line 500\n" in ended.err


async def test_a_rate_is_kept_evenly() -> None:
    now: float = 100
    sent: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    cluster = MemoryCluster(lambda: now)
    cluster.add_topic("conversions")
    producer = cluster.client("cli").producer()
    await producer.start()
    publishing = Publishing(
        "conversions", ANYTHING, 100.0, clock=lambda: now, sleep=sleep, validated=False
    )
    for at in range(0, 250, 50):
        await publishing.write([Line(n + 1, b"{}") for n in range(at, at + 50)], producer)
        sent.append((now, publishing.sent))
    await producer.stop()
    assert publishing.line == 250
    for moment, count in sent:
        assert count <= (moment - 100) * 100 + 10
    assert now == pytest.approx(102.4)


def test_a_pipe_that_trickles_is_published_as_it_comes(settings: Path, home: Path) -> None:
    """Through the real program, since only a real pipe can be waited for."""
    script = home / "script.py"
    script.write_text(
        "import sys\n"
        "from forwarder.cli import main, publish\n"
        "from forwarder.kafka.memory import MemoryCluster\n"
        "cluster = MemoryCluster(lambda: 0.0)\n"
        "cluster.add_topic('conversions')\n"
        "publish.cluster = lambda _: cluster.client('cli')\n"
        "write = publish.Publishing.write\n"
        "async def told(self, found, producer):\n"
        "    await write(self, found, producer)\n"
        "    print(self.sent, flush=True)\n"
        "publish.Publishing.write = told\n"
        "sys.exit(main.main(['publish', '--config', 'settings.yaml']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(jsonl(event()))
    process.stdin.flush()
    assert process.stdout.readline() == b"1\n"  # while the pipe is still open
    process.stdin.write(jsonl(event(event_id="e2")).strip())
    _, err = process.communicate()
    watchdog.cancel()
    assert process.returncode == 0
    assert err == b"2 events published to conversions\n"
