"""The demo's settings: accounts of three advertisers at every vendor, and the sandbox's side of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from forwarder.destinations.settings import AccountSettings
from forwarder.sandbox.known import KnownAccount, KnownThrad, KnownTikTok, KnownTradeDesk
from forwarder.settings import Settings

SOURCES: Final = {"acme": ("web",), "bolt": ("web", "app"), "corner": ("web", "offline")}

_SETTINGS: Final = """\
kafka:
  bootstrap_servers: {bootstrap_servers}
  group_id: demo
destinations:
  tiktok: {{base_url: "{sandbox}/tiktok"}}
  tradedesk: {{base_url: "{sandbox}/tradedesk"}}
  thrad: {{base_url: "{sandbox}/thrad"}}
advertisers:
  "*": {{currency: USD, phone_region: US}}
accounts:
  acme-pixel:
    destination: tiktok
    advertisers: [acme]
    event_source: web
    event_source_id: C4DEMOACME
    access_token: demo-token-acme
  acme-ttd:
    destination: tradedesk
    advertisers: [acme]
    advertiser_id: demoacme
    tracker_id: tracker1
    secret_key: demo-secret-acme
  acme-thrad:
    destination: thrad
    advertisers: [acme]
    api_key: demo-key-acme
    budgets: [{{requests: 1000, per: 10s}}]
  bolt-app:
    destination: tiktok
    advertisers: [bolt]
    event_source: app
    event_source_id: "7000000000000000001"
    access_token: demo-token-bolt
  bolt-ttd:
    destination: tradedesk
    advertisers: [bolt]
    advertiser_id: demobolt
    tracker_id: tracker1
    secret_key: demo-secret-bolt
  corner-tills:
    destination: tiktok
    advertisers: [corner]
    event_source: offline
    event_source_id: "7000000000000000002"
    access_token: demo-token-corner
  corner-thrad:
    destination: thrad
    advertisers: [corner]
    api_key: demo-key-corner
    budgets: [{{requests: 1000, per: 10s}}]
ops: {{listen: "127.0.0.1:0", log_level: error, log_format: json}}
"""


def demo_settings(bootstrap_servers: str, sandbox: str) -> str:
    """YAML. Every secret in it opens nothing but the sandbox."""
    return _SETTINGS.format(bootstrap_servers=bootstrap_servers, sandbox=sandbox)


def known_accounts(settings: Settings) -> Sequence[KnownAccount]:
    """The same accounts as the sandbox is to know them, under the same names."""
    return [_known(name, account) for name, account in settings.accounts.items()]


def _known(name: str, account: AccountSettings) -> KnownAccount:
    fields = account.model_dump(include={"event_source_id", "advertiser_id", "tracker_id"})
    secrets = {
        key: SecretStr(str(s.value and s.value.get_secret_value()))
        for key, s in account.secrets().items()
    }
    match account.destination:
        case "tiktok":
            return KnownTikTok(destination="tiktok", name=name, **fields, **secrets)
        case "tradedesk":
            return KnownTradeDesk(destination="tradedesk", name=name, **fields, **secrets)
        case _:
            return KnownThrad(destination="thrad", name=name, **secrets)
