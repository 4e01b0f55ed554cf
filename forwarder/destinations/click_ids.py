"""The click ids that today's destinations read from an event, for the published schema.

Others may be sent as well: an event keeps all, for destinations to come.
"""

from __future__ import annotations

from typing import Final

DESCRIPTIONS: Final = {
    "ttclid": "TikTok's click id: the parameter of that name in the landing page's URL.",
    "ttp": "TikTok's cookie `_ttp`.",
    "thrad_click_id": "Thrad's click id: the parameter of that name in the landing page's URL.",
    "ttd_impression_id": "The Trade Desk's id of the ad impression: 36 characters.",
}
ON_THE_WEB: Final = {
    "ttclid": "E.C.P.CrABW1d0u9v7k2QxM3n",
    "ttp": "2NbW8mYk4TqPz7fLc1xR",
    "thrad_click_id": "thc_01JV6Q8W3M5N7P9R",
    "ttd_impression_id": "7b1f7f0e-4c83-4a7e-9a0d-2f6f1f0c5d11",
}
IN_APPS: Final = {"thrad_click_id": ON_THE_WEB["thrad_click_id"]}
"""Samples, by action source."""
