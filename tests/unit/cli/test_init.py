"""``init``: settings that load, secrets that stay secret, and nothing overwritten."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from forwarder.cli.init_files import SNIPPETS
from forwarder.destinations import DESTINATIONS
from forwarder.settings import load
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]
KINDS = ["native", "ga4", "segment"]


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_can_be_used_at_once(forwarder: Run, home: Path, kind: str) -> None:
    assert forwarder("init", "--yes", f"--from={kind}").code == 0
    settings = load(home / "settings.yaml", {})
    assert {one.destination for one in settings.accounts.values()} == set(DESTINATIONS)
    assert settings.kafka.events_format == kind
    shown = forwarder("preview", "events.jsonl", "--config=settings.yaml")
    assert shown.code == 0, shown.err
    assert [one["outcome"] for one in shown.json()] == ["request"] * 3


def test_every_file_is_named_on_stdout_and_the_next_commands_below(
    forwarder: Run, home: Path
) -> None:
    ended = forwarder("init", "--yes", "--destination=tiktok", "--dir=shop")
    assert {line.removeprefix("shop/") for line in ended.out.splitlines()} == tree(home / "shop")
    assert tree(home / "shop") == {
        "settings.yaml",
        "events.jsonl",
        "secrets/.gitignore",
        "secrets/acme-tiktok",
        *(f"snippets/{name}" for name in SNIPPETS),
    }
    *_, preview, topics, run = ended.err.splitlines()
    assert preview.split()[:3] == ["forwarder", "preview", "shop/events.jsonl"]
    assert topics.split() == ["forwarder", "topics", "create", "--config", "shop/settings.yaml"]
    assert run.split() == ["forwarder", "run", "--config", "shop/settings.yaml"]


def test_what_is_left_to_fill_in_is_told(forwarder: Run, home: Path) -> None:
    ended = forwarder("init", "--yes", "--destination=tiktok")
    assert "to fill in: settings.yaml accounts.acme-tiktok.event_source_id: " in ended.err
    assert "to fill in: secrets/acme-tiktok: " in ended.err
    assert "an example" in (home / "settings.yaml").read_text()


def test_flags_go_into_the_settings(forwarder: Run, home: Path) -> None:
    ended = forwarder(
        "init", "--yes", "--destination", "tiktok", "--set", "tiktok.event_source_id=C4MINE",
        "--advertiser", "Big Shop", "--currency", "EUR", "--phone-region", "DE",
        "--bootstrap-servers", "kafka-1:9092,kafka-2:9092",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    settings = load(home / "settings.yaml", {})
    (account,) = settings.accounts
    assert account == "big-shop-tiktok"
    assert settings.accounts[account].advertisers == ("Big Shop",)
    assert getattr(settings.accounts[account], "event_source_id", None) == "C4MINE"
    assert settings.kafka.bootstrap_servers == "kafka-1:9092,kafka-2:9092"
    defaults = settings.advertisers["Big Shop"]
    assert (defaults.currency, defaults.phone_region) == ("EUR", "DE")
    assert "event_source_id:" not in ended.err


@pytest.mark.parametrize("name", ["true", "null", "4711", "NO", "a: b", "- x"])
def test_names_that_yaml_reads_otherwise_survive(forwarder: Run, home: Path, name: str) -> None:
    ended = forwarder("init", "--yes", "--destination=thrad", f"--advertiser={name}")
    if ":" in name:
        assert ended.code == 2
        assert not tree(home)
        return
    assert ended.code == 0, ended.err
    assert set(load(home / "settings.yaml", {}).advertisers) == {name.strip()}


# -- secrets --------------------------------------------------------------------------------------
def test_secrets_are_files_that_only_their_owner_reads_and_git_never_sees(
    forwarder: Run, home: Path
) -> None:
    forwarder("init", "--yes")
    assert mode(home / "secrets") == 0o700
    for name in ("acme-tiktok", "acme-tradedesk", "acme-thrad"):
        assert mode(home / "secrets" / name) == 0o600
    subprocess.run(["git", "init", "-q"], check=True)
    seen = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    ).stdout
    assert "settings.yaml" in seen
    assert "secrets" not in seen


def test_a_secret_is_never_taken_from_the_command_line(forwarder: Run, home: Path) -> None:
    ended = forwarder("init", "--yes", "--set", "tiktok.access_token=hush")
    assert ended.code == 2
    assert "--set tiktok.access_token" in ended.err
    assert "hush" not in ended.err + ended.out
    assert not tree(home)


# -- overwriting ----------------------------------------------------------------------------------
def test_nothing_is_overwritten(forwarder: Run, home: Path) -> None:
    (home / "settings.yaml").write_text("mine")
    ended = forwarder("init", "--yes")
    assert ended.code == 2
    assert "settings.yaml: is there already, so nothing was written" in ended.err
    assert tree(home) == {"settings.yaml"}
    assert (home / "settings.yaml").read_text() == "mine"


def test_force_overwrites_all_but_secrets_that_are_there(forwarder: Run, home: Path) -> None:
    forwarder("init", "--yes", "--destination=tiktok")
    (home / "settings.yaml").write_text("mine")
    (home / "secrets" / "acme-tiktok").write_text("hush\n")
    ended = forwarder("init", "--yes", "--destination=tiktok", "--force")
    assert ended.code == 0, ended.err
    assert load(home / "settings.yaml", {}).accounts
    assert (home / "secrets" / "acme-tiktok").read_text() == "hush\n"
    assert "to fill in: secrets" not in ended.err


# -- mistakes -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "place", "fix"),
    [
        (["--destination=tictok"], "--destination tictok", "did you mean tiktok?"),
        (["--set=tiktok.pixel=1"], "--set tiktok.pixel", "known: "),
        (["--set=tiktok.event_source_id"], "--set tiktok.event_source_id", ""),
        (["--destination=thrad", "--set=tiktok.event_source_id=C"], "--set tiktok.", ""),
        (["--currency=EURO"], "settings.yaml", ""),
        (["--bootstrap-servers=kafka"], "settings.yaml", "host:port"),
        (["--advertiser=`rm`"], "--advertiser", "short name"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    forwarder: Run, home: Path, arguments: list[str], place: str, fix: str
) -> None:
    ended = forwarder("init", "--yes", *arguments)
    assert ended.code == 2
    assert place in ended.err
    assert fix in ended.err
    assert not tree(home)


def test_a_place_that_cannot_be_written_to_is_told(forwarder: Run, home: Path) -> None:
    (home / "file").write_text("")
    ended = forwarder("init", "--yes", "--dir=file/below")
    assert ended.code == 1
    assert "cannot be written" in ended.err


# -- asking ---------------------------------------------------------------------------------------
def test_on_a_terminal_it_asks_and_hides_secrets(home: Path) -> None:
    answers = ["tiktok", "segment", "shop", "EUR", "DE", "", "C4MINE"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "forwarder", "init"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,  # so that no terminal of the tests is asked for the secret
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    assert process.stderr is not None
    said = b""
    while not said.endswith(b"access token (empty: later): "):  # what came before it is dropped
        said += os.read(process.stderr.fileno(), 1) or b"?"
        assert process.poll() is None, said
    os.write(ours, b"hush\n")
    out, err = process.communicate()
    watchdog.cancel()
    shown = os.read(ours, 10_000)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, err.decode()
    settings = load(home / "settings.yaml", {})
    assert list(settings.accounts) == ["shop-tiktok"]
    assert settings.kafka.events_format == "segment"
    assert settings.kafka.events_advertiser == "shop"
    assert (home / "secrets" / "shop-tiktok").read_text() == "hush\n"
    assert b"to fill in" not in err
    assert b"C4MINE" in shown
    assert b"hush" not in said + out + err + shown


# -- snippets -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_snippets_are_filled_in(forwarder: Run, home: Path, kind: str) -> None:
    forwarder("init", "--yes", f"--from={kind}", "--bootstrap-servers=kafka-1:9092")
    for name in SNIPPETS:
        text = (home / "snippets" / name).read_text()
        assert "kafka-1:9092" in text
        for left in ("@id@", "@time@", "@event@", "@topic@", "@bootstrap@", "@advertiser@"):
            assert left not in text
    compile((home / "snippets" / "publish.py").read_text(), "publish.py", "exec")
    (event,) = (home / "events.jsonl").read_text().splitlines()
    assert isinstance(json.loads(event), dict)


def test_templates_are_part_of_the_package() -> None:
    package = ROOT / "forwarder"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {path for glob in patterns["package-data"]["forwarder"] for path in package.glob(glob)}
    templates = set((package / "cli" / "init_templates").iterdir())
    assert len(templates) == len(SNIPPETS) + len(KINDS)
    assert templates <= packed
