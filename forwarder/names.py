"""Names of events: spellings that mean one event are read as one (mapping section 3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_ALSO_READ_AS: Final = {
    "purchase": ("order_completed", "complete_payment"),
    "add_to_cart": ("product_added",),
    "begin_checkout": ("checkout_started", "initiate_checkout"),
    "add_payment_info": ("payment_info_entered",),
    "add_to_wishlist": ("product_added_to_wishlist",),
    "view_item": ("product_viewed", "view_content"),
    "view_cart": ("cart_viewed",),
    "view_item_list": ("product_list_viewed",),
    "search": ("products_searched",),
    "page_view": (),
    "sign_up": ("signed_up", "complete_registration"),
    "login": ("signed_in",),
    "generate_lead": ("lead", "submit_form", "form_submitted"),
    "contact": ("callback_started",),
    "find_location": (),
    "schedule": (),
    "start_trial": ("trial_started",),
    "subscribe": ("subscription_created",),
    "submit_application": (),
    "application_approval": (),
    "customize_product": (),
    "download": ("download_link_clicked",),
    "app_install": ("first_open", "application_installed"),
    "app_open": ("application_opened",),
    "tutorial_complete": (),
    "level_up": (),
    "unlock_achievement": (),
    "spend_virtual_currency": (),
    "join_group": (),
    "ad_impression": (),
    "ad_click": (),
}
_NEVER_SENT: Final = ("refund", "place_an_order")
"""Known, and mapped nowhere: sent only where an account's ``names`` says so."""

STANDARD: Final = (*_ALSO_READ_AS, *_NEVER_SENT)
"""The standard event names. All other names are custom."""


def folded(name: str) -> str:
    """Letters and digits alone, lower-case: ``Add To Cart`` is ``addtocart``."""
    return "".join(filter(str.isalnum, name.lower()))


_CANONICAL: Final = {folded(name): name for name in STANDARD} | {
    folded(alias): name for name, aliases in _ALSO_READ_AS.items() for alias in aliases
}


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The standard name that ``name`` is read as (``AddToCart``: ``add_to_cart``), else its
    folded spelling, which is never equal to that of another event.
    """
    spelling = folded(name)
    return _CANONICAL.get(spelling, spelling)


def is_standard(name: str) -> bool:
    """Whether ``name`` is read as one of ``STANDARD``."""
    return folded(name) in _CANONICAL
