"""Events, accounts and golden cases, written as the files under ``cases`` have them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from forwarder.consent import ConsentPolicy
from forwarder.credentials import Credential
from forwarder.destinations import DESTINATIONS
from forwarder.destinations.contract import Account, Item
from forwarder.event import AdvertiserDefaults, ConversionEvent, decode

Tree = dict[str, Any]  # JSON as a case writes it

NOW = 1767323106.0  # 2026-01-02T03:05:06Z
CASES = Path(__file__).parent / "cases"
CREDENTIAL = Credential(
    version=1,
    secrets={
        "access_token": "t0ken",
        "secret_key": "secret",
        "api_key": "th_1",
    },
)
EVENT: Tree = {
    "event_id": "e-1",
    "event_name": "purchase",
    "event_time": "2026-01-02T03:04:05.999Z",
    "advertiser": "acme",
    "action_source": "web",
}
ACCOUNTS: Mapping[str, Tree] = {
    "tiktok": {"event_source_id": "C4ABCDEFGHIJ", "access_token": {"value": "t0ken"}},
    "tradedesk": {
        "advertiser_id": "abc1234",
        "tracker_id": "tr1",
        "secret_key": {"value": "secret"},
    },
    "thrad": {"api_key": {"value": "th_1"}},
}
BASES: Mapping[str, Tree] = {
    "tiktok": {"user": {"email": "a@x.com"}, "page": {"url": "https://shop.example/"}},
    "tradedesk": {"user": {"ip_address": "203.0.113.1"}, "value": 5, "currency": "USD"},
    "thrad": {"click_ids": {"thrad_click_id": "click-1"}, "value": 5, "currency": "EUR"},
}
"""The least that each destination sends."""


def merged(base: Tree, over: Tree) -> Tree:
    """``over`` on top of ``base``, block by block; ``None`` takes a key away."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(below, dict):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def event(
    tree: Tree | None = None, *, defaults: AdvertiserDefaults | None = None
) -> ConversionEvent:
    value = orjson.dumps(merged(EVENT, tree or {}))
    return decode(value, {"*": defaults or AdvertiserDefaults()}, now=NOW)


def account(
    destination: str, tree: Tree | None = None, *, consent: ConsentPolicy | None = None
) -> Account:
    kind = DESTINATIONS[destination]
    base = {"destination": destination, "advertisers": ["acme"], **ACCOUNTS[destination]}
    settings = kind.settings_model.model_validate(merged(base, tree or {}))
    policy = consent or settings.consent or ConsentPolicy()
    return kind.account(f"acme-{destination}", settings, policy)


def sent(destination: str, tree: Tree | None = None, event_: Tree | None = None) -> Tree:
    """The item that an account makes of an event."""
    item = account(destination, tree).prepare(event(event_))
    assert isinstance(item, Item), item
    value: Tree = orjson.loads(item.json)
    return value


@dataclass(frozen=True)
class Case:
    """``has`` and ``lacks``: dotted paths in the item; ``item``: the item as a whole."""

    destination: str
    name: str
    rows: tuple[str, ...]
    account: Tree
    event: Tree
    defaults: AdvertiserDefaults
    item: Tree | None
    has: Tree
    lacks: tuple[str, ...]
    skipped: str | None
    rejected: str | None


def cases(destination: str) -> Iterator[Case]:
    for tree in load(destination)["cases"]:
        over = tree.pop("event", {})
        base = load("everything") if over == "everything" else BASES[destination]
        yield Case(
            destination,
            tree.pop("name"),
            tuple(tree.pop("rows")),
            tree.pop("account", {}),
            merged(base, tree.pop("change", {}) if over == "everything" else over),
            AdvertiserDefaults(**tree.pop("defaults", {})),
            hashes(tree.pop("item", None)),
            hashes(tree.pop("has", {})),
            tuple(tree.pop("lacks", ())),
            tree.pop("skipped", None),
            tree.pop("rejected", None),
        )
        assert not tree, f"unknown keys in a case: {tree}"


def load(name: str) -> Any:
    return yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))


def hashes(value: Any) -> Any:
    """``sha256:text`` stands for the digest of the text."""
    if isinstance(value, dict):
        return {key: hashes(below) for key, below in value.items()}
    if isinstance(value, list):
        return [hashes(below) for below in value]
    if isinstance(value, str) and value.startswith("sha256:"):
        return hashlib.sha256(value.removeprefix("sha256:").encode()).hexdigest()
    return value


MISSING = object()


def at(tree: Any, path: str) -> Any:
    """What stands at a dotted path; ``MISSING`` where nothing does."""
    for part in path.split("."):
        if isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            return MISSING
    return tree
