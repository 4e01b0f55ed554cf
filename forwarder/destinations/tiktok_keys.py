"""By what TikTok can match an event, by source: the most telling first (vendor page *tiktok*)."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.destinations.contract import MatchKey

_CONTACT = (MatchKey("user.email", ("user.email",)), MatchKey("user.phone", ("user.phone",)))
_EXTERNAL = MatchKey("user.external_id", ("user.external_id",))
_BROWSER = (
    MatchKey("user.ip", ("user.ip_address",)),
    MatchKey("user.user_agent", ("user.user_agent",)),
)

MATCH_KEYS: Mapping[str, tuple[MatchKey, ...]] = {
    "web": (
        *_CONTACT,
        MatchKey("user.ttclid", ("click_ids.ttclid", "page.url")),
        MatchKey("user.ttp", ("click_ids.ttp",)),
        _EXTERNAL,
        *_BROWSER,
    ),
    "app": (
        *_CONTACT,
        MatchKey("user.idfa", ("user.idfa",)),
        MatchKey("user.gaid", ("user.gaid",)),
        MatchKey("user.idfv", ("user.idfv",)),
        MatchKey("ad.callback", ("attribution.callback",)),
        *_BROWSER,
    ),
    "offline": _CONTACT,
    "crm": (MatchKey("lead.lead_id", ("lead.lead_id",)), *_CONTACT, _EXTERNAL),
}
