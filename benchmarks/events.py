"""The event that all benchmarks use: a web purchase of about 757 bytes with one of everything that
a shop sends. Its id starts with the microsecond in which it was published, so that the sink can
tell how old it is when it comes out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from forwarder.event import AdvertiserDefaults

DEFAULTS = {"*": AdvertiserDefaults(currency="USD", phone_region="US")}
TEMPLATE = (
    b'{"schema_version":"1","event_id":"%016d-%09d","event_name":"purchase","event_time":%d,'
    b'"advertiser":"%s","action_source":"web","user":{"email":"user%09d@example.com",'
    b'"phone":"+1213%07d","external_id":"customer-%09d","ip_address":"203.0.113.7",'
    b'"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"'
    b'},"click_ids":{"ttclid":"E.C.P.%09d","ttp":"2Dpu.%09d","thrad_click_id":"tc-%09d"},'
    b'"page":{"url":"https://shop.example/thanks?order=%09d",'
    b'"referrer":"https://shop.example/cart"},"value":249.95,"currency":"USD",'
    b'"order_id":"o-%09d","items":[{"item_id":"sku-%05d","item_name":"Shoe","price":199.95,'
    b'"quantity":1},{"item_id":"sku-7","price":25,"quantity":2}]}'
)


def event(number: int, advertiser: bytes = b"acme") -> bytes:
    """The JSON of event ``number``, published now."""
    now = time.time_ns()
    n = number
    return TEMPLATE % (
        *(now // 1000, n, now // 1_000_000_000, advertiser, n, 2_000_000 + n % 7_999_999, n),
        *(n, n, n, n, n, n % 100_000),
    )


def advertiser(index: int) -> bytes:
    return b"shop%02d" % index


def stream(number: int, advertisers: int = 1, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of so many events, dealt to the advertisers in turn."""
    for n in range(start, start + number):
        value = event(n, advertiser(n % advertisers))
        yield value[34:60], value
