"""Settings that point at a sandbox, and the accounts that the sandbox has for them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from forwarder.sandbox.known import KnownAccount, KnownThrad, KnownTikTok, KnownTradeDesk

PIXEL_TOKEN = "sandbox-access-token"  # noqa: S105 - opens nothing but the sandbox
PIXEL_ID = "C4SANDBOXPIXEL"
TRADE_DESK_SECRET = "sandbox-secret-key"  # noqa: S105 - opens nothing but the sandbox
THRAD_KEY = "sandbox-api-key"
THRAD_ADVERTISER_KEY = "ak_sandbox"

SAMPLES: Sequence[KnownAccount] = (
    KnownTikTok(
        destination="tiktok",
        name="demo-pixel",
        access_token=SecretStr(PIXEL_TOKEN),
        event_source_id=PIXEL_ID,
    ),
    KnownTradeDesk(
        destination="tradedesk",
        name="demo-ttd",
        advertiser_id="sandboxadv",
        tracker_id="sandboxtracker",
        secret_key=SecretStr(TRADE_DESK_SECRET),
    ),
    KnownThrad(
        destination="thrad",
        name="demo-thrad",
        api_key=SecretStr(THRAD_KEY),
        advertiser_api_key=SecretStr(THRAD_ADVERTISER_KEY),
    ),
)

_YAML = """\
# Settings for the sandbox at {url}: one account of each destination, all for advertiser "demo".
# Put them into a file and pass that as --config. What the sandbox can be asked: {url}/_sandbox
kafka:
  bootstrap_servers: {bootstrap_servers}
destinations:
  tiktok: {{base_url: "{url}/tiktok"}}
  tradedesk: {{base_url: "{url}/tradedesk"}}
  thrad: {{base_url: "{url}/thrad"}}
advertisers:
  demo: {{currency: USD, phone_region: US}}
accounts:
  demo-pixel:
    destination: tiktok
    advertisers: [demo]
    event_source: web
    event_source_id: {pixel_id}
    access_token: {pixel_token}
    default_page_url: https://shop.example/
  demo-ttd:
    destination: tradedesk
    advertisers: [demo]
    advertiser_id: sandboxadv
    tracker_id: sandboxtracker
    secret_key: {trade_desk_secret}
  demo-thrad:
    destination: thrad
    advertisers: [demo]
    api_key: {thrad_key}
    advertiser_api_key: {thrad_advertiser_key}
"""


def sample_settings(url: str, bootstrap_servers: str = "localhost:9092") -> str:
    """YAML for ``--config`` with one account of each destination at the sandbox at ``url``."""
    return _YAML.format(
        url=url.rstrip("/"),
        bootstrap_servers=bootstrap_servers,
        pixel_id=PIXEL_ID,
        pixel_token=PIXEL_TOKEN,
        trade_desk_secret=TRADE_DESK_SECRET,
        thrad_key=THRAD_KEY,
        thrad_advertiser_key=THRAD_ADVERTISER_KEY,
    )
