"""What a consent permits (mapping section 4), judged before anything is built."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from forwarder.event import NO_CONSENT, Consent, ConversionEvent


class ConsentPolicy(BaseModel):
    """``require``: consents that must be granted; ``personalization_denied``: what then happens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    require: tuple[Literal["ad_storage", "ad_user_data", "ad_personalization"], ...] = ()
    personalization_denied: Literal["send", "limit", "skip"] = "limit"


class ConsentDecision(NamedTuple):
    """``skip``: the reason why the event may not go there, or ``None``. ``limited``: whether its
    use is limited; ``None`` when nobody said so.
    """

    skip: Literal["consent_denied", "consent_missing"] | None
    limited: bool | None


_UNSAID: Final = ConsentDecision(None, None)
_DENIED: Final = ConsentDecision("consent_denied", None)
_MISSING: Final = ConsentDecision("consent_missing", None)
_US_REGION: Final = re.compile(r"US-[A-Z]{2}")
_US_STATE: Final = re.compile(r"[A-Za-z]{2}")


def evaluate(
    consent: Consent, policy: ConsentPolicy, *, sends_tcf: bool = False
) -> ConsentDecision:
    """What ``consent`` permits under ``policy``. Refusals come before what is merely missing.

    ``sends_tcf``: the destination passes ``consent.tcf`` on, so that where the GDPR applies a valid
    string stands in for ``ad_user_data``.
    """
    if consent is NO_CONSENT:  # of most events, and nobody has said anything in it
        return _MISSING if policy.require else _UNSAID
    if consent.ad_storage is False or consent.ad_user_data is False:
        return _DENIED
    limited = _limited(consent, policy)
    if limited == "skip":
        return _DENIED
    if any(getattr(consent, name) is not True for name in policy.require):
        return _MISSING
    if consent.gdpr_applies and consent.ad_user_data is None:
        passed_on = sends_tcf and consent.tcf is not None
        if not passed_on:
            return _MISSING
    return _UNSAID if limited is None else ConsentDecision(None, limited)


def _limited(consent: Consent, policy: ConsentPolicy) -> bool | Literal["skip"] | None:
    if consent.limited_data_use is not None:
        return consent.limited_data_use
    if consent.us_privacy is not None and consent.us_privacy[2] in "Yy":
        return True
    if consent.ad_personalization is not False or policy.personalization_denied == "send":
        return None
    return True if policy.personalization_denied == "limit" else "skip"


def us_region(event: ConversionEvent, fallback: str | None) -> str | None:
    """The state whose law limits the use, as ``US-CA``: the consent's own region, else the user's
    state, else ``fallback`` (the account's setting); ``None`` when nobody knows.
    """
    region = event.consent.region
    if region is not None and _US_REGION.fullmatch(region):
        return region
    user = event.user
    if user.country == "US" and user.state is not None and _US_STATE.fullmatch(user.state):
        return f"US-{user.state.upper()}"
    return fallback
