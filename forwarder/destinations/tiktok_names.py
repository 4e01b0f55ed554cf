"""TikTok's names for events (vendor page *Event names*), and its currencies."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.destinations.contract import Skipped
from forwarder.destinations.event_names import UNMAPPED, passed
from forwarder.names import canonical

RESERVED_EVENT = Skipped("reserved_event")

_SHARED = {
    "purchase": "Purchase",
    "add_to_cart": "AddToCart",
    "add_payment_info": "AddPaymentInfo",
    "add_to_wishlist": "AddToWishlist",
    "view_item": "ViewContent",
    "search": "Search",
    "start_trial": "StartTrial",
    "subscribe": "Subscribe",
}
WEB: Mapping[str, str] = _SHARED | {
    "begin_checkout": "InitiateCheckout",
    "sign_up": "CompleteRegistration",
    "generate_lead": "Lead",
    "contact": "Contact",
    "find_location": "FindLocation",
    "schedule": "Schedule",
    "submit_application": "SubmitApplication",
    "application_approval": "ApplicationApproval",
    "customize_product": "CustomizeProduct",
    "download": "Download",
}
"""Also for offline and crm accounts."""
OFFLINE = frozenset(WEB.values()) | {"CompletePayment", "SubmitForm"}
"""All that offline event sets take: standard names, and old spellings of two that a pixel may still
send. (``ClickButton`` and ``PlaceAnOrder`` end in 2027.)
"""
APP: Mapping[str, str] = _SHARED | {
    "begin_checkout": "Checkout",
    "sign_up": "Registration",
    "login": "Login",
    "generate_lead": "GenerateLead",
    "app_install": "InstallApp",
    "app_open": "LaunchAPP",
    "tutorial_complete": "CompleteTutorial",
    "level_up": "AchieveLevel",
    "unlock_achievement": "UnlockAchievement",
    "spend_virtual_currency": "SpendCredits",
    "join_group": "JoinGroup",
    "ad_impression": "InAppADImpr",
    "ad_click": "InAppADClick",
}

_TURNED = """
AddBilling Browse Checkout ClickForm ClickInDownloadPage ClickToDownload Consult ConsultByPhone
Registration StartCheckout ViewConsultationPage ViewDownloadPage ViewForm
"""
_REMAPPED = frozenset(map(canonical, _TURNED.split()))
"""Names that TikTok turns into standard ones without a word, outside apps."""


def custom(source: str, event_name: str) -> str | Skipped:
    """A custom event of an account that lets them pass. ``source``: the account's."""
    if source == "app":
        return passed(event_name)
    if canonical(event_name) in _REMAPPED:
        return RESERVED_EVENT
    return UNMAPPED if source == "offline" else passed(event_name)


_LISTED = """
AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF
IDR ILS INR ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG
QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD VES VND ZAR
"""
CURRENCIES = frozenset(_LISTED.split())
"""What an unlisted code does is not published."""
