"""The settings as documented: every key is known, and the defaults are the ones written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder.settings import Settings, bind_accounts, load, units

SAMPLE = """\
kafka:
  bootstrap_servers: localhost:9092
  group_id: conversion-forwarder
  events_topic: conversions
  topic_prefix: conversions
  start_from: null
  settlements_topic: null
  security_protocol: PLAINTEXT
delivery:
  request_timeout: 7s
  session_timeout: 15s
  give_up: {attempts: 8, after: 12h}
  budget_margin: 0.02
  memory: 256MiB
budgets: {tiktok-app: {requests: 600, per: 60s, concurrency: 16}}
destinations:
  tiktok: {base_url: https://business-api.tiktok.com}
  tradedesk: {base_url: https://insight.adsrvr.org}
  thrad: {base_url: https://events.thrad.ai}
advertisers: {acme: {currency: USD, phone_region: US}}
consent: {require: [], personalization_denied: limit}
unrouted: dead_letter
accounts:
  acme-pixel:
    destination: tiktok
    state: active
    advertisers: [acme]
    event_source: web
    event_source_id: C4ABCDEFGHIJ
    access_token: {file: secrets/acme-pixel}
    events: {only: [], except: [], names: {}, custom: skip}
    budgets: [{requests: 600, per: 60s}, tiktok-app]
    concurrency: 8
    batch: {events: 1000, bytes: 1MiB, linger: 200ms}
    max_event_age: 28d
    test_event_code: null
    content_type: product
    external_id_case: keep
    default_page_url: null
    app_id: null
    shop_id: null
    unlisted_currency: reject
    pass_properties: []
  acme-ttd:
    destination: tradedesk
    advertisers: [acme]
    advertiser_id: abc1234
    tracker_id: tr1
    secret_key: {file: secrets/acme-ttd}
    auth: signature
    data_provider_secret_key: null
    td: {td1: properties.plan}
    id_order: []
    location: none
    ldu_region: null
    sources: [web, app, offline, crm]
    on_partial: resend
    default_page_url: null
    concurrency: 4
    batch: {events: 500, bytes: 1MiB, linger: 200ms}
    max_event_age: 24h
  acme-thrad:
    destination: thrad
    advertisers: [acme]
    api_key: {file: secrets/acme-thrad}
    sources: [web, app, offline, crm]
    path: /api/conversion
    tag_id: null
    default_value: {lead_created: 0}
    advertiser_api_key: null
    budgets: [{requests: 1000, per: 1h}]
    concurrency: 2
    max_event_age: 28d
ops: {listen: 0.0.0.0:8080, log_level: info, log_format: json}
"""
LEAST = """\
advertisers: {acme: {currency: USD, phone_region: US}}
budgets: {tiktok-app: {requests: 600, per: 60s, concurrency: 16}}
accounts:
  acme-pixel:
    destination: tiktok
    advertisers: [acme]
    event_source_id: C4ABCDEFGHIJ
    access_token: {file: secrets/acme-pixel}
    budgets: [{requests: 600, per: 60s}, tiktok-app]
  acme-ttd:
    destination: tradedesk
    advertisers: [acme]
    advertiser_id: abc1234
    tracker_id: tr1
    secret_key: {file: secrets/acme-ttd}
  acme-thrad:
    destination: thrad
    advertisers: [acme]
    api_key: {file: secrets/acme-thrad}
"""
NOT_DEFAULTS = {
    "acme-pixel": {"events"},  # custom: unset follows the event source
    "acme-ttd": {"auth", "td"},
    "acme-thrad": {"default_value"},
}


def loaded(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "settings.yaml").write_text(text)
    return load(tmp_path / "settings.yaml", {})


def test_the_sample_is_read_and_bound(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SAMPLE)
    assert list(bind_accounts(settings)) == ["acme-pixel", "acme-ttd", "acme-thrad"]
    assert units(settings) == {name: name for name in settings.accounts}


def test_what_the_sample_shows_are_the_defaults(tmp_path: Path) -> None:
    sample, least = loaded(tmp_path, SAMPLE), loaded(tmp_path, LEAST)
    for block in ("kafka", "delivery", "consent", "unrouted"):
        assert getattr(sample, block) == getattr(least, block), block


@pytest.mark.parametrize("name", NOT_DEFAULTS)
def test_what_the_sample_shows_of_accounts_are_the_defaults(tmp_path: Path, name: str) -> None:
    sample, least = loaded(tmp_path, SAMPLE).accounts[name], loaded(tmp_path, LEAST).accounts[name]
    other = NOT_DEFAULTS[name]
    assert sample.model_dump(exclude=other) == least.model_dump(exclude=other)


def test_the_sample_in_two_files_is_the_same(tmp_path: Path) -> None:
    whole = loaded(tmp_path, SAMPLE)
    directory = tmp_path / "conf"
    directory.mkdir()
    top, key, rest = SAMPLE.partition("accounts:\n")
    first, name, last = rest.partition("  acme-ttd:\n")
    (directory / "a.yaml").write_text(top + key + first)
    (directory / "b.yaml").write_text(key + name + last)
    split = load(directory, {})
    assert list(split.accounts) == list(whole.accounts)
    assert (split.budgets, split.ops) == (whole.budgets, whole.ops)
