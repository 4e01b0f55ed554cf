"""What README and docs/ say is so: samples load, commands exist, links lead somewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from forwarder.event import AdvertiserDefaults, decode
from forwarder.ops.catalogue import markdown
from forwarder.settings import load
from forwarder.settings.reference import reference
from tests.manifests.pods import understood

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def settings_samples() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        for block in blocks(path, "yaml"):
            if re.search(r"^accounts:", block, re.MULTILINE):
                yield page_name(path), block


def event_samples() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        for block in blocks(path, "json"):
            if '"event_id"' in block and '"advertiser"' in block:
                yield page_name(path), block


def commands() -> Iterator[str]:
    """Every ``forwarder ...`` line of the consoles shown."""
    for path in PAGES:
        for block in blocks(path, "console"):
            for line in re.findall(r"^\$ (?:\S+\| )?(forwarder [^|>&\n]+)", block, re.MULTILINE):
                yield " ".join(line.split())


@pytest.mark.parametrize(("page", "sample"), list(settings_samples()))
def test_a_settings_sample_loads(page: str, sample: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(sample)
    assert load(path, {}).accounts, page


@pytest.mark.parametrize(("page", "sample"), list(event_samples()))
def test_an_event_sample_is_valid_to_its_last_field(page: str, sample: str) -> None:
    event = decode(sample.encode(), {"*": AdvertiserDefaults()}, time.time())
    assert event.user.emails, page
    assert not event.unknown_fields(), page
    assert not event.dropped, page
    assert orjson.loads(sample)["event_id"] == event.event_id


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_is_understood(command: str) -> None:
    assert understood(command.split()[1:]), command


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_headings_that_are_linked_exist(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", path.read_text()):
        page = path if not target else path.parent / target
        headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
        assert anchor in slugs, f"{target}#{anchor}"


def test_make_targets_that_are_named_exist() -> None:
    made = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in PAGES:
        named = set(re.findall(r"(?:`|^\$ )make ([\w-]+)", path.read_text(), re.MULTILINE))
        assert named <= made, page_name(path)


def test_the_metrics_table_is_the_catalogue() -> None:
    assert markdown().strip() in README


def test_the_settings_page_is_made_from_the_models() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == reference(), "run: python -m forwarder.settings.reference > docs/settings.md"
