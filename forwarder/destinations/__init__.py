"""All that differs by vendor. A new destination is a module here, named below."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.destinations.contract import Destination
from forwarder.destinations.thrad import Thrad
from forwarder.destinations.tiktok import TikTok
from forwarder.destinations.tradedesk import TradeDesk

DESTINATIONS: Mapping[str, Destination] = {
    destination.name: destination for destination in (TikTok(), TradeDesk(), Thrad())
}
"""Every destination by its name in the settings."""
