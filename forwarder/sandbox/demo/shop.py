"""A believable shop: three advertisers, events of web, app and tills, and the mistakes of real
producers. Every choice comes from the random generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import orjson

ADVERTISERS: Final = ("acme", "bolt", "corner")
_FUNNEL: Final = (
    ("view_item", 45),
    ("add_to_cart", 20),
    ("begin_checkout", 12),
    ("purchase", 15),
    ("generate_lead", 5),
    ("sign_up", 3),
)
_SHELF: Final = (
    ("sku-1001", "Trail shoe", "89.90"),
    ("sku-1002", "Rain jacket", "129.00"),
    ("sku-1003", "Merino socks", "19.50"),
    ("sku-1004", "Day pack", "64.95"),
)
_NAMES: Final = ("ada", "grace", "linus", "margaret", "edsger", "barbara", "alan", "radia")
_PHONE: Final = "+1213373{:04d}"
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36"

_INVALID, _NOBODY, _BROKEN, _KEYLESS = 0.02, 0.01, 0.004, 0.03


@dataclass(frozen=True, slots=True)
class Published:
    """A record's value, and what the forwarder must make of it: ``advertiser`` is ``None`` when
    the record is invalid; nobody may take the advertiser.
    """

    value: bytes
    advertiser: str | None


class Shop:
    """``sources``: what an advertiser's events come from, ``web`` ``app`` or ``offline``."""

    def __init__(self, random: Random, sources: Mapping[str, Sequence[str]]) -> None:
        self._random = random
        self._sources = sources
        self._count = 0

    def next(self, now: float) -> Published:
        """One more record, of about now (epoch seconds)."""
        self._count += 1
        draw = self._random.random()
        if draw < _BROKEN:
            return Published(b'{"event_id": "demo-', None)
        advertiser = self._random.choice(ADVERTISERS)
        event = self._event(advertiser, now)
        if draw < _INVALID:
            event["event_time"] = "yesterday"
            return Published(orjson.dumps(event), None)
        if draw < _INVALID + _NOBODY:
            event["advertiser"] = advertiser = "nobody-we-know"
        elif draw < _INVALID + _NOBODY + _KEYLESS:
            event["user"] = {}
            event.pop("click_ids", None)
        return Published(orjson.dumps(event), advertiser)

    def _event(self, advertiser: str, now: float) -> dict[str, object]:
        random = self._random
        names, weights = zip(*_FUNNEL, strict=True)
        name: str = random.choices(names, weights)[0]
        source = random.choice(self._sources[advertiser])
        event: dict[str, object] = {
            "event_id": f"demo-{self._count}",
            "event_name": name,
            "event_time": round(now - random.uniform(0, 30), 3),
            "advertiser": advertiser,
            "action_source": source,
            "user": self._user(source),
            "consent": {"ad_storage": "granted", "ad_user_data": "granted"},
        }
        if name in ("purchase", "add_to_cart", "begin_checkout", "view_item"):
            event |= self._basket(name)
        return event | self._context(source, name)

    def _user(self, source: str) -> dict[str, object]:
        who = self._random.choice(_NAMES)
        number = self._random.randrange(10_000)
        user: dict[str, object] = {
            "email": f"{who}.{number}@example.com",
            "phone": _PHONE.format(number),
            "external_id": f"customer-{number}",
        }
        if source != "offline":
            user |= {"ip_address": f"203.0.113.{number % 250 + 1}", "user_agent": _AGENT}
        if source == "app":
            user["gaid"] = f"{number:08x}-2222-4111-8787-809e92233ba0"
        return user

    def _basket(self, name: str) -> dict[str, object]:
        rows = self._random.sample(_SHELF, 2 if name == "purchase" else 1)
        items = [
            {"item_id": sku, "item_name": title, "price": price, "quantity": 1}
            for sku, title, price in rows
        ]
        value = sum(float(price) for _, _, price in rows)
        basket: dict[str, object] = {"items": items, "value": f"{value:.2f}"}
        if name == "purchase":
            basket["order_id"] = f"order-{self._count}"
        return basket

    def _context(self, source: str, name: str) -> dict[str, object]:
        if source == "app":
            return {"app": {"app_id": "com.example.bolt", "name": "Bolt", "version": "4.2"}}
        if source == "offline":
            return {}
        clicked = {"ttclid": f"E.C.{self._count}"}
        if self._random.random() < 0.4:  # noqa: PLR2004 - the share that clicked such an ad
            clicked["thrad_click_id"] = f"click-{self._count}"
        page = {"url": f"https://shop.example/{name}", "referrer": "https://shop.example/"}
        return {"page": page, "click_ids": clicked, "session_id": f"s-{self._count}"}
